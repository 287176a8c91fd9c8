// The C API as another language would use it, against the engine's own prediction.
#include "capi/graphflow.h"

#include <doctest/doctest.h>

#include <limits>
#include <set>
#include <thread>

#include "distill/inference.h"
#include "tests/capi/model.h"
#include "tests/harness/temporary_folder.h"

using namespace gf;

extern "C" int load_in_c(const char* file, gf_model** model);

namespace {

struct Image {
  std::vector<float> pixels;
  gf_image image;

  Image(std::int64_t slices, std::int64_t h, std::int64_t w) : image{nullptr, slices, h, w, 1} {
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
  const gf_options abacus{"abacus", 0, 0}, negative{nullptr, -1, 0};
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
  const gf_options one{nullptr, 1, 2};
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
