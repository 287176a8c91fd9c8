// The program as a user runs it: the whole road on small pictures, bad input, interruption and resume.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "data/png.h"
#include "engine/io/checkpoint.h"
#include "tests/apps/fixtures.h"
#include "tests/apps/program.h"
#include "tests/harness/discs.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

// Starts the program and returns at once; what it prints goes to `log`.
bool wait_for(const std::string& file) {
  for (int i = 0; i < 1200; ++i) {
    if (fs::exists(file)) return true;
    usleep(50'000);
  }
  return false;
}

}  // namespace

TEST_CASE("train, paraphrase, distill, evaluate, predict, info") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), teacher = t.path() + "/teacher", alone = t.path() + "/alone",
                    flow = t.path() + "/flow";
  Outcome o =
      run("train -c " + config + " --set model.arch=fanet --set model.width=0.05 --set model.dropout=0 -o " + teacher);
  INFO(o.text);
  REQUIRE(o.code == 0);
  for (const char* file :
       {"config.toml", "env.json", "log.txt", "metrics.csv", "report.html", "test/summary.json", "test/per_case.csv",
        "test/per_class.csv", "checkpoints/best.gfm", "checkpoints/final.gfm", "checkpoints/latest.gfm"})
    CHECK_MESSAGE(fs::exists(teacher + "/" + file), file);
  REQUIRE(run("train -q -c " + config + " -o " + alone).code == 0);

  o = run("distill -c " + config + " --teacher " + teacher + "/checkpoints/best.gfm -o " + flow);
  CHECK(o.code == 2);  // no paraphrasers yet
  CHECK_MESSAGE(o.text.find("run graphflow paraphrase") != std::string::npos, o.text);
  o = run("distill -q -c " + config + " --teacher " + teacher +
          "/checkpoints/best.gfm --set \"data.class_names=['background','disc','rim']\" -o " + t.path() + "/other");
  CHECK(o.code == 3);
  CHECK_MESSAGE(o.text.find("the model knows other classes than the data set") != std::string::npos, o.text);
  o = run("paraphrase -q -c " + config + " --teacher " + teacher + "/checkpoints/best.gfm -o " + flow);
  CHECK_MESSAGE(o.code == 0, o.text);
  o = run("distill -q -c " + config + " --teacher " + teacher + "/checkpoints/best.gfm --compare " + alone + " -o " +
          flow);
  CHECK_MESSAGE(o.code == 0, o.text);
  const std::string report = read_text(flow + "/report.html");
  for (const char* text :
       {"mobile_unet alone", "mobile_unet + Graph Flow", "teacher fanet", "data:image/png;base64,", "vertex"})
    CHECK_MESSAGE(report.find(text) != std::string::npos, text);
  CHECK(report.find("norm of each term&#39;s gradient") != std::string::npos);
  for (const char* column : {"share_edge", "norm_edge"})
    CHECK(read_text(flow + "/metrics.csv").find(column) != std::string::npos);

  o = run("compare " + teacher + " " + alone + " " + flow + " -o " + t.path() + "/comparison");
  CHECK_MESSAGE(o.code == 0, o.text);
  for (const char* text : {"mobile_unet x0.25 taught by fanet x0.05", "fanet x0.05 (teacher)",
                           "mobile_unet x0.25 alone", "| Graph Flow", "needs 2+ seeds"})
    CHECK_MESSAGE(o.text.find(text) != std::string::npos, o.text);

  // A few labels, the rest of the pictures without.
  const std::string few = t.path() + "/few.csv";
  o = run("split -c " + config + " --labelled 5 -o " + few);
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(o.text.find("unlabelled") != std::string::npos);
  CHECK(run("split -c " + config + " --labelled 5 -o " + few).code == 2);  // it exists
  CHECK(run("split -c " + config + " --labelled 500 -o " + t.path() + "/x.csv").code == 3);
  CHECK(run("split -c " + config + " -o " + t.path() + "/x.csv").code == 2);
  o = run("distill -q -c " + config + " --teacher " + teacher + "/checkpoints/best.gfm --paraphrasers " + flow +
          "/paraphraser/checkpoints/best.gfm --set data.split_file=" + few + " --set distill.semi_supervised=true -o " +
          t.path() + "/semi");
  CHECK_MESSAGE(o.code == 0, o.text);
  o = run("distill -q -c " + config + " --set distill.method=mean_teacher --set data.split_file=" + few +
          " --set distill.semi_supervised=true --compare " + alone + " -o " + t.path() + "/mean");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(read_text(t.path() + "/mean/report.html").find("mobile_unet + mean teacher") != std::string::npos);
  CHECK(read_text(t.path() + "/mean/metrics.csv").find("share_consistency") != std::string::npos);
  CHECK(run("evaluate -m " + t.path() + "/mean/checkpoints/latest.gfm --split val").code == 0);
  o = run("evaluate -m " + t.path() + "/semi/checkpoints/best.gfm --split unlabelled");
  CHECK(o.code == 2);

  const std::string model = flow + "/checkpoints/best.gfm";
  o = run("evaluate -m " + model + " --split val -o " + t.path() + "/scores");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(fs::exists(t.path() + "/scores/summary.json"));

  o = run("predict -m " + model + " -i " + t.path() + "/data/images -o " + t.path() + "/masks --preview");
  CHECK_MESSAGE(o.code == 0, o.text);
  const Mask mask = read_png_mask(t.path() + "/masks/disc_0.png");
  CHECK(mask.h == 40);  // the input's size, not the network's
  CHECK(mask.w == 40);
  CHECK(fs::exists(t.path() + "/masks/disc_0_preview.png"));

  // One broken file: the others are written, exit code 4.
  write_text(t.path() + "/data/images/broken.png", "not a picture");
  o = run("predict -m " + model + " -i " + t.path() + "/data/images -o " + t.path() + "/masks2");
  CHECK(o.code == 4);
  CHECK(o.text.find("broken.png") != std::string::npos);
  CHECK(fs::exists(t.path() + "/masks2/disc_17.png"));
  o = run("predict -m " + model + " -i " + t.path() + "/data/images -o /proc/masks");
  CHECK(o.code == 1);
  CHECK_MESSAGE(o.text.find("cannot use path: /proc/masks") != std::string::npos, o.text);

  CHECK(run("info").code == 0);
  o = run("info fanet");
  CHECK(o.text.find("38,292,162") != std::string::npos);
  CHECK(o.text.find("38,292,295") != std::string::npos);
  CHECK(run("info " + model).text.find("mobile_unet") != std::string::npos);
}

TEST_CASE("info NAME: layers, parameters, and work true and as the paper's table counts it") {
  const std::tuple<std::string, std::string, std::string> table[] = {
      {"fanet", "38.250 M parameters, 171.556 G", "up7 "},
      {"mobile_unet", "4.640 M parameters, 1.492 G", "block3.depthwise.conv"},
      {"enet", "0.349 M parameters, 0.516 G", "stage3.block8.middle.conv"},
      {"erfnet", "2.063 M parameters, 3.681 G", "encoder3.block4.row2"},
      {"unet", "31.0", "decoder3.first.conv"}};
  for (const auto& [name, counted, layer] : table) {
    const Outcome o = run("info " + name);
    CHECK(o.code == 0);
    CHECK_MESSAGE(o.text.find(counted) != std::string::npos, o.text);
    CHECK_MESSAGE(o.text.find("\n  " + layer) != std::string::npos, o.text);
  }
  CHECK(run("info enet").text.find("3x3 dilation 16") != std::string::npos);
  CHECK(run("info enet --size 33").text.find("one 40x40 picture") != std::string::npos);
}

TEST_CASE("mistakes get one clear line and their exit code") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), out = " -o " + t.path() + "/run";
  const auto refuse = [&](const std::string& arguments, int code, const std::string& text) {
    const Outcome o = run(arguments);
    INFO(arguments << "\n" << o.text);
    CHECK(o.code == code);
    CHECK(o.text.find(text) != std::string::npos);
  };
  refuse("", 2, "subcommand");
  refuse("trian", 2, "");
  refuse("train -c " + t.path() + "/none.toml", 2, "none.toml");
  refuse("train -c " + config + " --set optim.lrr=1" + out, 2, "did you mean");
  refuse("train -c " + config + " --set train.batch_size=0" + out, 2, "batch_size");
  refuse("train -c " + config + " --device tpu" + out, 2, "--device tpu");
  refuse("train -c " + config + " --device simt:x" + out, 2, "--device simt:x");
  refuse("train -c " + config + " --set data.root=/nonexistent" + out, 3, "/nonexistent");
  refuse("train -c " + config + " --init " + t.path() + "/none.safetensors" + out, 1, "none.safetensors");
  refuse("train --resume -o " + t.path() + "/none -c " + config, 2, "");
  refuse("evaluate -m " + config, 3, "discs.toml");
  refuse("predict -m " + config + " -i " + config + " -o " + t.path(), 3, "");
  refuse("info nonsense", 2, "fanet");

  // A label nobody mapped: which file, which value, what to add.
  Mask wrong(40, 40);
  wrong.at(3, 4) = 7;
  write_png_mask(t.path() + "/data/masks/disc_0.png", wrong);
  refuse("train -q -c " + config + out, 3, "disc_0.png");
  // The run folder of a refused run is not mistaken for a trained one.
  refuse("distill -c " + config + " --teacher " + t.path() + "/run/checkpoints/best.gfm" + out, 1, "best.gfm");
}

TEST_CASE("an existing run is not overwritten by accident, and a checkpoint of another architecture is refused") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), out = " -o " + t.path() + "/run";
  REQUIRE(run("train -q -c " + config + out).code == 0);
  Outcome o = run("train -q -c " + config + out);
  CHECK(o.code == 2);
  CHECK(o.text.find("--overwrite") != std::string::npos);
  CHECK(run("train -q --overwrite -c " + config + out).code == 0);
  o = run("train -q -c " + config + " --set model.width=0.5 --init " + t.path() + "/run/checkpoints/final.gfm -o " +
          t.path() + "/other");
  CHECK(o.code == 3);
  o = run("train -q -c " + config + " --init " + t.path() + "/run/checkpoints/final.gfm -o " + t.path() + "/other2");
  CHECK_MESSAGE(o.code == 0, o.text);
}

TEST_CASE("Ctrl-C saves and says how to go on, kill -9 leaves the last checkpoint, both resume to the end") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), folder = t.path() + "/run",
                    latest = folder + "/checkpoints/latest.gfm";
  const std::string flags = "train -q -c " + config +
                            " --set train.max_iterations=4000 --set train.eval_every=0 --set train.save_every=3 -o " +
                            folder;
  pid_t child = start(flags);
  REQUIRE(wait_for(latest));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  const std::int64_t first = read_checkpoint_state(latest).step;
  CHECK(first % 3 == 0);

  child = start(flags + " --resume");
  for (int i = 0; i < 1200 && read_checkpoint_state(latest).step <= first; ++i) usleep(50'000);
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 130);
  const std::int64_t second = read_checkpoint_state(latest).step;
  CHECK(second > first);

  const Outcome o = run("train -q --resume -c " + config + " --set train.max_iterations=" + std::to_string(second + 2) +
                        " -o " + folder);
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(fs::exists(folder + "/checkpoints/final.gfm"));
}

TEST_CASE("each stage that was interrupted goes on with the line it prints") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), teacher = t.path() + "/teacher";
  REQUIRE(run("train -q -c " + config + " --set train.max_iterations=1 -o " + teacher).code == 0);
  const std::string checkpoint = " --teacher " + teacher + "/checkpoints/final.gfm", out = t.path() + "/run";
  const auto check = [&](const std::string& stage, const std::string& flags, const std::string& folder,
                         const std::string& length) {
    CAPTURE(stage);
    const std::string log = t.path() + "/" + stage + ".log", latest = folder + "/checkpoints/latest.gfm";
    const pid_t child = start(
        stage + " -q -c " + config + flags + " --set train.save_every=1 -o " + out + " --set " + length + "=4000", log);
    REQUIRE(wait_for(latest));
    kill(child, SIGINT);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 130);
    std::string text = read_text(log);
    const std::size_t begin = text.find("graphflow " + stage + " --resume");
    REQUIRE_MESSAGE(begin != std::string::npos, text);
    const std::string again = text.substr(begin + 10, text.find('\n', begin) - begin - 10);
    const std::int64_t step = read_checkpoint_state(latest).step;
    const Outcome o = run(again + " -q --set " + length + "=" + std::to_string(step + 1));
    CHECK_MESSAGE(o.code == 0, o.text);
    CHECK(read_checkpoint_state(folder + "/checkpoints/final.gfm").step == step + 1);
  };
  check("train", "", out, "train.max_iterations");
  check("paraphrase", checkpoint, out + "/paraphraser", "paraphrase.max_iterations");
  fs::remove_all(out + "/checkpoints");
  check("distill", checkpoint, out, "train.max_iterations");
}

TEST_CASE("demo: does not go on in a folder whose demo had another length") {
  const TemporaryFolder t;
  fs::create_directories(t.path() + "/teacher");
  write_text(t.path() + "/teacher/config.toml", "[train]\nmax_iterations = 7\n");
  const Outcome o = run("demo -o " + t.path());
  CHECK(o.code == 2);
  CHECK_MESSAGE(o.text.find("another length") != std::string::npos, o.text);
}
