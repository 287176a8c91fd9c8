// A network that takes pictures of one size, from published weights to a distilled student, as a user runs it.
#include <doctest/doctest.h>

#include <filesystem>

#include "distill/model_file.h"
#include "engine/io/checkpoint.h"
#include "tests/apps/program.h"
#include "tests/harness/golden_folder.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

TEST_CASE("transunet: train from published weights, distil a student, evaluate, predict, info") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), teacher = t.path() + "/teacher", flow = t.path() + "/flow",
                    best = teacher + "/checkpoints/best.gfm";
  // Pictures of 40x40 are padded to 64x96.
  const std::string train = "train -q -c " + config + " --set model.arch=transunet --set model.width=0.03 --set " +
                            "model.image_size=[64,96] --set train.max_iterations=6 ";
  const std::string imported = t.path() + "/imported";
  Outcome o =
      run(train + "--init " + golden_folder() + "transunet_google.npz --set train.max_iterations=1 -o " + imported);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  const std::string log = read_text(imported + "/log.txt"), weights = read_text(imported + "/initial_weights.txt");
  CHECK_MESSAGE(log.find("by the names of Google's checkpoints") != std::string::npos, log);
  for (const char* line :
       {"transunet_google.npz\n", "used         Transformer/encoderblock_11/LayerNorm_2/bias\n",
        "resized      Transformer/posembed_input/pos_embedding (from 5x5 to 4x6)\n", "fresh        head.bias\n"})
    CHECK_MESSAGE(weights.find(line) != std::string::npos, weights);

  o = run(train + "-o " + teacher);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  const NetworkFile file = load_network(best);
  CHECK(file.network->image_size() == ImageSize{64, 96});
  CHECK(file.description.preprocessing.min_height == 64);
  CHECK(file.description.preprocessing.min_width == 96);

  o = run("paraphrase -q -c " + config + " --teacher " + best + " -o " + flow);
  CHECK_MESSAGE(o.code == 0, o.text);
  o = run("distill -q -c " + config + " --teacher " + best + " --set train.max_iterations=6 -o " + flow);
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(read_text(flow + "/report.html").find("teacher transunet") != std::string::npos);
  // A student that was not padded to the teacher's size beside one that was.
  const std::string alone = t.path() + "/alone";
  CHECK(run("train -q -c " + config + " --set train.max_iterations=4 -o " + alone).code == 0);
  o = run("distill -q -c " + config + " --teacher " + alone + "/checkpoints/best.gfm --set distill.method=kd " +
          "--compare " + teacher + " --set train.max_iterations=4 -o " + t.path() + "/kd");
  CHECK_MESSAGE(o.code == 0, o.text);

  o = run("evaluate -m " + best + " --split val");
  CHECK_MESSAGE(o.code == 0, o.text);
  o = run("predict -m " + best + " -i " + t.path() + "/data/images/disc_0.png -o " + t.path() + "/mask.png");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(read_png_mask(t.path() + "/mask.png").h == 40);
  write_discs(t.path() + "/large", 1, 72);
  o = run("predict -m " + best + " -i " + t.path() + "/large/images/disc_0.png -o " + t.path() + "/large.png");
  CHECK(o.code == 2);
  CHECK_MESSAGE(o.text.find("expected 64x96, found 80x96") != std::string::npos, o.text);

  o = run("info " + best);
  CHECK_MESSAGE(o.code == 0, o.text);
  for (const char* text : {"model.image_size = 64x96", "one 64x96 picture", "pictures: 64x96 only", "layer12.mlp2",
                           "products of attention", "taps (distilled: block1, up1; with more layers"})
    CHECK_MESSAGE(o.text.find(text) != std::string::npos, o.text);
}

TEST_CASE("transunet: sizes that do not go together are usage errors") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path());
  const std::string narrow = " --set model.arch=transunet --set model.width=0.03 ";
  Outcome o = run("train -c " + config + narrow + "--set model.image_size=[40,40] -o " + t.path() + "/x");
  CHECK(o.code == 2);
  CHECK_MESSAGE(o.text.find("model.image_size: expected height and width that are multiples of 16, found 40x40") !=
                    std::string::npos,
                o.text);
  // Smaller than the pictures.
  o = run("train -c " + config + narrow + "--set model.image_size=[32,32] -o " + t.path() + "/y");
  CHECK(o.code == 2);
  CHECK_MESSAGE(o.text.find("expected 32x32, found 48x48") != std::string::npos, o.text);
  // What the pictures are padded to says it too.
  o = run("train -q -c " + config + narrow + "--set data.pad_to=[48,48] --set train.max_iterations=2 -o " + t.path() +
          "/teacher");
  REQUIRE_MESSAGE(o.code == 0, o.text);
  o = run("distill -c " + config + narrow + "--set model.image_size=[64,64] --teacher " + t.path() +
          "/teacher/checkpoints/best.gfm --set distill.method=kd -o " + t.path() + "/z");
  CHECK(o.code == 2);
  CHECK_MESSAGE(o.text.find("expected 48x48, the teacher's, found 64x64") != std::string::npos, o.text);
  // Mobile U-Net halves a picture five times.
  o = run("distill -c " + config + " --teacher " + t.path() +
          "/teacher/checkpoints/best.gfm --set distill.method=kd -o " + t.path() + "/z");
  CHECK(o.code == 2);
  CHECK_MESSAGE(o.text.find("model.image_size: expected multiples of 32, found 48x48") != std::string::npos, o.text);
}
