// [data]: preprocessing and presets of augmentation, as values and as the objects of a run.
#include <doctest/doctest.h>

#include <algorithm>

#include "apps/session.h"
#include "data/case.h"
#include "tests/apps/fixtures.h"
#include "tests/harness/discs.h"

using namespace gf;

namespace {

std::string fault(const std::string& toml, const std::vector<std::string>& sets = {}) {
  return error_of([&] { parse_config(toml, "run.toml", sets); });
}

}  // namespace

TEST_CASE("augmentation presets fill in what nobody gave, and a saved configuration gives the same again") {
  const Config t = parse_config("[data]\naugment_preset = \"transunet\"\n", "run.toml");
  CHECK(t.data.augment.flip_or_rotate);
  CHECK(t.data.augment.rotation_deg == 20);
  CHECK(t.data.augment_before_resize);
  CHECK(t.data.augment.noise == 0);
  const Config g = parse_config("[data]\naugment_preset = \"gastric\"\n", "run.toml");
  AugmentConfig flips;
  flips.hflip = flips.vflip = true;
  CHECK(g.data.augment == flips);

  // Explicit keys go before the preset, also where they say the default, and whichever way they come.
  const Config n =
      parse_config("[data]\naugment_preset = \"nnunet\"\n[data.augment]\nrotation_deg = 15\nvflip = false\n",
                   "run.toml", {"data.augment.noise=0"});
  CHECK(n.data.augment.rotation_deg == 15);
  CHECK_FALSE(n.data.augment.vflip);
  CHECK(n.data.augment.hflip);
  CHECK(n.data.augment.noise == 0);
  CHECK(n.data.augment.rotation_share == 0.2);
  CHECK(n.data.augment.low_resolution == 0.5);
  CHECK(n.data.augment.gamma == 0.5);
  CHECK(n.data.augment.blur == 1);
  CHECK(parse_config(config_to_toml(n), "again.toml", {"output.dir=" + n.output.dir}) == n);
  CHECK(parse_config("", "run.toml", {"data.augment_preset=nnunet"}).data.augment.contrast == 0.25);
  CHECK(contains(fault("[data]\naugment_preset = \"nnunett\"\n"), "none | transunet | gastric | nnunet"));

  const Augmentation a = loader_options(n).augmentation;
  CHECK(a.filters.noise == 0);
  CHECK(a.filters.low_resolution == 0.5f);
  CHECK(a.filters.gamma_inverted_share == 0.1f);
  CHECK(a.rotation_share == 0.2f);
  CHECK(a.zoom_max == 1.4f);
  CHECK(loader_options(t).augmentation.flip_or_rotate);
  CHECK(loader_options(t).augment_before_resize);
  CHECK_FALSE(loader_options(parse_config("", "run.toml")).augmentation.any());
}

TEST_CASE("what the device cannot augment is refused by the name of the key") {
  const std::string device = "[data]\naugment_on = \"device\"\n";
  CHECK(fault(device + "augment_preset = \"gastric\"\n") == "");
  CHECK(fault(device + "augment_preset = \"transunet\"\n") == "");  // no resizing that would have to come later
  std::string e = fault(device + "augment_preset = \"nnunet\"\n");
  CHECK(contains(e, "2: data.augment.noise is made by the loader's threads only: run.toml:2"));
  CHECK(contains(e, "expected data.augment_on = \"loader\""));
  for (const char* key : {"blur", "brightness", "contrast", "gamma"})
    CHECK(contains(fault(device, {std::string("data.augment.") + key + "=0.5"}), std::string("data.augment.") + key));
  CHECK(contains(fault(device, {"data.augment.low_resolution=0.5"}), "data.augment.low_resolution"));
  e = fault(device + "augment_preset = \"transunet\"\nresize = [224, 224]\n");
  CHECK(contains(e, "data.augment_before_resize is made by the loader's threads only"));
}

TEST_CASE("resizing, window and percentiles reach the preprocessing, halves of a pair are refused") {
  CHECK(contains(fault("[data]\nresize = [224]\n"), "wrong data.resize: run.toml:2: expected height and width"));
  CHECK(contains(fault("[data]\nclip = [1, 2, 3]\n"), "wrong data.clip"));
  CHECK(contains(fault("[data]\npercentiles = [1]\n"), "wrong data.percentiles"));
  CHECK(contains(fault("[data]\nzoom_border = \"scipi\"\n"), "did you mean 'scipy'?"));
  CHECK(contains(fault("[data]\nnormalisation = \"hu\"\n"), "window | bytes | imagenet"));
  const TemporaryFolder t;
  test::write_discs(t.path(), 6, 40);
  Config c = parse_config(
      "[data]\nclass_names = [\"background\", \"disc\"]\nresize = [24, 32]\nresize_order = 1\n"
      "zoom_border = \"scipy\"\nclip = [0, 200]\nnormalisation = \"window\"\n",
      "run.toml", {"data.root=" + t.path()});
  const Dataset d = open_configured_dataset(c, {8, {}});
  CHECK(d.preprocessing.resize_height == 24);
  CHECK(d.preprocessing.resize_width == 32);
  CHECK(d.preprocessing.resize_order == 1);
  CHECK(d.preprocessing.zoom_border == ZoomBorder::scipy);
  const PreparedCase p = load_case(d, d.cases[0], Purpose::evaluation);
  CHECK(p.images[0].h == 24);
  CHECK(p.labels[0].w == 32);
  CHECK(p.truth[0].h == 40);
  const auto most = std::max_element(p.images[0].pixels.begin(), p.images[0].pixels.end());
  CHECK(*most == doctest::Approx(1).epsilon(0.03));  // 200 and more of what is stored
  c.data.shrink = 2;
  CHECK(contains(error_of([&] { open_configured_dataset(c, {8, {}}); }), "2: pictures are either resized or shrunk"));
}
