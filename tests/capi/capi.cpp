// The C API as another language would use it, against the engine's own prediction.
#include "capi/graphflow.h"

#include <doctest/doctest.h>

#include <limits>
#include <set>
#include <thread>

#include "data/connected_components.h"
#include "distill/inference.h"
#include "engine/io/checkpoint.h"
#include "tests/capi/model.h"
#include "tests/harness/temporary_folder.h"

using namespace gf;

extern "C" int load_in_c(const char* file, gf_model** model);

namespace {

struct Image {
  std::vector<float> pixels;
  gf_image image;

  Image(std::int64_t slices, std::int64_t h, std::int64_t w) : image{nullptr, slices, h, w, 1, 0} {
    for (std::int64_t z = 0; z < slices; ++z)
      for (std::int64_t y = 0; y < h; ++y)
        for (std::int64_t x = 0; x < w; ++x) pixels.push_back(test::pixel(z, y, x));
    image.pixels = pixels.data();
  }
  std::size_t count() const { return pixels.size(); }
};

std::vector<std::int32_t> predicted(const std::string& file, const Image& image) {
  const NetworkFile model = load_network(file);
  const Preprocessing& p = model.description.preprocessing;
  const PreparedCase c = prepare_slices(image.pixels, image.image.slices, {image.image.height, image.image.width}, p);
  std::vector<std::int32_t> all;
  for (const Mask& m : predict_case(*model.network, c, p)) all.insert(all.end(), m.values.begin(), m.values.end());
  return all;
}

struct Model {
  gf_model* handle = nullptr;
  explicit Model(const std::string& file, const gf_options* options = nullptr) {
    REQUIRE_MESSAGE(gf_load(file.c_str(), options, &handle) == GF_OK, gf_error());
  }
  ~Model() { gf_free(handle); }
};

bool said(const char* part) { return std::string(gf_error()).find(part) != std::string::npos; }

}  // namespace

TEST_CASE("pictures and volumes become the class maps that predict makes") {
  const TemporaryFolder t;
  for (const int shrink : {1, 2}) {
    const std::string file = test::write_model(t / "m.gfm", "mobile_unet", shrink);
    const Model m(file);
    CHECK(gf_channels(m.handle) == 1);
    CHECK(gf_classes(m.handle) == 3);
    CHECK(std::string(gf_class_name(m.handle, 1)) == "disc");
    CHECK(gf_class_name(m.handle, 3) == nullptr);
    CHECK(gf_class_name(m.handle, -1) == nullptr);
    for (const Image& image : {Image(1, 40, 56), Image(11, 33, 47), Image(1, 1, 1)}) {
      std::vector<std::int32_t> classes(image.count() + 1, -7);
      REQUIRE_MESSAGE(gf_predict(m.handle, &image.image, classes.data()) == GF_OK, gf_error());
      CHECK(classes.back() == -7);
      classes.pop_back();
      CHECK(classes == predicted(file, image));
      if (image.count() > 1) CHECK(std::set<std::int32_t>(classes.begin(), classes.end()).size() > 1);
    }
  }
  CHECK(std::string(gf_version()).size() > 2);
}

TEST_CASE("the model's post-processing is applied, unless it is turned off") {
  const TemporaryFolder t;
  const std::string file = test::write_model(t / "m.gfm");
  const auto slices_of = [](const Image& image, const std::vector<std::int32_t>& classes) {
    std::vector<Mask> slices;
    for (std::int64_t z = 0; z < image.image.slices; ++z) {
      Mask& m = slices.emplace_back(image.image.height, image.image.width);
      std::copy_n(classes.begin() + z * m.h * m.w, m.h * m.w, m.values.begin());
    }
    return slices;
  };
  // A size between the largest object's and its double: with voxels of 1 mm3 none stays, with 2 mm3 one does.
  const Image picture(1, 40, 56);
  const std::vector<std::int32_t> made = predicted(file, picture);
  const std::int32_t id = *std::find_if(made.begin(), made.end(), [](std::int32_t v) { return v > 0; });
  std::vector<bool> members(3, false);
  members[static_cast<std::size_t>(id)] = true;
  const Components objects = connected_components(slices_of(picture, made), members, Touching::corners);
  Postprocessing p;
  p.classes.resize(3);
  p.classes[static_cast<std::size_t>(id)].min_mm3 = 1.5 * static_cast<double>(objects.voxels[objects.largest()]);

  const Model before(file);
  CHECK(std::string(gf_postprocessing(before.handle)) == "none");
  CHECK(gf_postprocessing(nullptr) == nullptr);
  write_postprocessing(file, p, checkpoint_checksum(file));
  const gf_options as_made{nullptr, 0, 0, 1};
  const Model after(file), raw(file, &as_made);
  CHECK(gf_postprocessing(after.handle) == describe(p, {"background", "disc", "other"}));
  CHECK(std::string(gf_postprocessing(raw.handle)) == "none");
  const auto classes = [](const Model& m, const Image& image) {
    std::vector<std::int32_t> all(image.count());
    REQUIRE_MESSAGE(gf_predict(m.handle, &image.image, all.data()) == GF_OK, gf_error());
    return all;
  };
  // Of a picture a pixel is 1 mm3 unless something else is said; of a volume it has to be said.
  for (const auto& [slices, mm3, counted] : {std::tuple{1, 0.0, 1.0}, {1, 2.0, 2.0}, {5, 0.5, 0.5}}) {
    Image image(slices, 40, 56);
    image.image.voxel_mm3 = mm3;
    const std::vector<std::int32_t> expected = predicted(file, image);
    CHECK(classes(raw, image) == expected);
    CHECK(classes(before, image) == expected);
    std::vector<Mask> masks = slices_of(image, expected);
    clean(masks, p, counted);
    std::vector<std::int32_t> cleaned;
    for (const Mask& m : masks) cleaned.insert(cleaned.end(), m.values.begin(), m.values.end());
    CHECK(classes(after, image) == cleaned);
    if (slices == 1) CHECK((std::find(cleaned.begin(), cleaned.end(), id) != cleaned.end()) == (mm3 == 2));
  }
  Image volume(5, 40, 56);
  std::vector<std::int32_t> untouched(volume.count(), -7);
  CHECK(gf_predict(after.handle, &volume.image, untouched.data()) == GF_USAGE);
  CHECK_MESSAGE(said("gf_image.voxel_mm3"), gf_error());
  volume.image.voxel_mm3 = -1;
  CHECK(gf_predict(raw.handle, &volume.image, untouched.data()) == GF_USAGE);
  CHECK(untouched == std::vector<std::int32_t>(volume.count(), -7));
}

TEST_CASE("what is wrong is said, as a code and a line, and nothing is written") {
  const TemporaryFolder t;
  const std::string file = test::write_model(t / "m.gfm");
  int anything = 0;
  gf_model* none = reinterpret_cast<gf_model*>(&anything);
  CHECK(gf_load((t / "missing.gfm").c_str(), nullptr, &none) == GF_FAILURE);
  CHECK(none == nullptr);
  CHECK(said("missing.gfm"));
  CHECK(std::string(gf_error()).find('\n') == std::string::npos);
  std::ofstream(t / "other.gfm") << "not a model";
  CHECK(gf_load((t / "other.gfm").c_str(), nullptr, &none) == GF_BAD_DATA);
  CHECK(gf_load(nullptr, nullptr, &none) == GF_USAGE);
  CHECK(said("null pointer: file"));
  CHECK(gf_load(file.c_str(), nullptr, nullptr) == GF_USAGE);
  const gf_options abacus{"abacus", 0, 0, 0}, negative{nullptr, -1, 0, 0};
  CHECK(gf_load(file.c_str(), &abacus, &none) == GF_USAGE);
  CHECK(said("abacus"));
  CHECK(gf_load(file.c_str(), &negative, &none) == GF_USAGE);

  const Model m(file);
  Image image(1, 8, 8);
  std::vector<std::int32_t> classes(64, -7);
  const auto refused = [&](const gf_image& i, gf_status code, const char* text) {
    CHECK(gf_predict(m.handle, &i, classes.data()) == code);
    CHECK_MESSAGE(said(text), gf_error());
    CHECK(classes == std::vector<std::int32_t>(64, -7));
  };
  gf_image wrong = image.image;
  wrong.channels = 3;
  refused(wrong, GF_USAGE, "expected 1, found 3");
  wrong = image.image;
  wrong.height = 0;
  refused(wrong, GF_USAGE, "height: expected 1 to");
  wrong.height = wrong.width = wrong.slices = 1 << 20;
  refused(wrong, GF_USAGE, "impossible size");
  wrong = image.image;
  wrong.pixels = nullptr;
  refused(wrong, GF_USAGE, "image->pixels");
  image.pixels[9] = std::numeric_limits<float>::quiet_NaN();
  refused(image.image, GF_BAD_DATA, "pixels[9]");
  image.pixels[9] = 1;
  CHECK(gf_predict(m.handle, nullptr, classes.data()) == GF_USAGE);
  CHECK(gf_predict(nullptr, &image.image, classes.data()) == GF_USAGE);
  CHECK(gf_predict(m.handle, &image.image, nullptr) == GF_USAGE);
  gf_free(nullptr);
  CHECK(gf_channels(nullptr) == 0);
}

TEST_CASE("models side by side in threads, one model from several threads, and errors of a thread's own") {
  const TemporaryFolder t;
  const std::string file = test::write_model(t / "m.gfm");
  const Image image(3, 48, 40);
  const std::vector<std::int32_t> expected = predicted(file, image);
  const gf_options one{nullptr, 1, 2, 0};
  const Model shared(file, &one);
  std::vector<int> wrong(4, 0);
  std::vector<std::string> errors(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < wrong.size(); ++i)
    threads.emplace_back([&, i] {
      const std::string own = t.path() + "/nowhere" + std::to_string(i);
      gf_model *model = nullptr, *none = nullptr;
      wrong[i] += gf_load(file.c_str(), &one, &model) != GF_OK;
      wrong[i] += gf_load(own.c_str(), nullptr, &none) != GF_FAILURE;
      for (int k = 0; k < 4; ++k)
        for (gf_model* m : {model, shared.handle}) {
          std::vector<std::int32_t> classes(image.count());
          wrong[i] += gf_predict(m, &image.image, classes.data()) != GF_OK || classes != expected;
        }
      errors[i] = gf_error();
      gf_free(model);
    });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    CHECK(wrong[i] == 0);
    CHECK(errors[i].find("nowhere" + std::to_string(i)) != std::string::npos);
  }
}

TEST_CASE("from C") {
  const TemporaryFolder t;
  gf_model* model = nullptr;
  CHECK(load_in_c(test::write_model(t / "m.gfm").c_str(), &model) == GF_OK);
  CHECK(gf_classes(model) == 3);
  gf_free(model);
}
