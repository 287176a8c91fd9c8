// Every command whose output cannot be written: one line that names the file, exit code 1, nothing half-written, and
// what was there before is as it was. The limit of a file's size stands for the full disk: whoever may mount is rare.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/apps/limits.h"
#include "tests/apps/program.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

int files_in(const std::string& folder) {
  int n = 0;
  if (fs::exists(folder))
    for (const auto& e : fs::recursive_directory_iterator(folder))
      n += e.is_regular_file() && e.path().filename() != "log.txt";  // a run opens that first
  return n;
}

}  // namespace

TEST_CASE("a full disk: every command says which file, and leaves nothing half-written") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), model = t / "run/checkpoints/best.gfm", out = t / "out",
                    picture = t / "data/images/disc_0.png", masks = t / "data/masks";
  REQUIRE(run("train -q -c " + config + " --set train.max_iterations=1 -o " + (t / "run")).code == 0);
  REQUIRE(run("predict -m " + model + " -i " + picture + " -o " + (t / "old.png")).code == 0);
  const std::string trained = read_text(model), old = read_text(t / "old.png");
  write_text(t / "x.toml",
             "name = \"x\"\nseeds = [1]\n[train]\nmax_iterations = 1\n[[dataset]]\nname = \"d\"\n"
             "data = { layout = \"images_masks\", root = \"" +
                 t.path() +
                 "/data\" }\n"
                 "[[teacher]]\nname = \"U\"\nmodel.arch = \"unet\"\nmodel.width = 0.05\n"
                 "[[student]]\nname = \"E\"\nmodel.arch = \"enet\"\nmodel.width = 0.1\n"
                 "[[method]]\nname = \"KD\"\ndistill.method = \"kd\"\n");
  const auto fails = [&](const std::string& arguments, const std::string& file) {
    const Outcome o = [&] {
      const Limit full(RLIMIT_FSIZE, 0);
      return run(arguments);
    }();
    INFO(arguments << "\n" << o.text);
    CHECK(o.code == 1);
    CHECK(contains(o.text, "error: cannot write file: " + file));
    CHECK(o.text.find("error:") == o.text.rfind("error:"));
    CHECK(files_in(out) == 0);
    fs::remove_all(out);
  };
  const std::string predict = "predict -m " + model + " -i " + picture + " -o ";
  fails(predict + out + "/p.png", out + "/p.png");
  fails(predict + out + "/p.png --save-probabilities", out + "/p.npz");
  fails(predict + out + "/p.png --preview", out + "/p_preview.png");
  fails("evaluate -m " + model + " -o " + out, out + "/summary.json");
  fails("evaluate -g " + masks + " -p " + masks + " -o " + out, out + "/summary.json");
  fails("evaluate -m " + model + " --tex " + (t / "scores.tex"), t / "scores.tex");
  fails("export -m " + model + " --size 32x32 -o " + out + "/m.onnx", out + "/m.onnx");
  fails("preview -c " + config + " -o " + (t / "sheet.png"), t / "sheet.png");
  fails("verify -c " + config + " --json " + (t / "v.json"), t / "v.json");
  fails("verify -c " + config + " --html " + (t / "v.html"), t / "v.html");
  fails("split -c " + config + " --folds 2 -o " + (t / "s.csv"), t.path() + "/s");
  fails("compare " + (t / "run") + " -o " + out, out + "/comparison");
  fails("train -q -c " + config + " -o " + out, out + "/");
  fails("experiment -q " + (t / "x.toml") + " -o " + out, out + "/");
  fails("postprocess " + (t / "run"), model);
  fails(predict + (t / "old.png"), t / "old.png");
  // Masks that are there, tables that are not.
  fs::create_directories(t / "kept");
  fs::copy_file(t / "old.png", t / "kept/disc_0.png");
  fails(predict + (t / "kept") + " --continue --statistics", t / "kept/statistics.csv");
  fails(predict + (t / "kept") + " --continue --report", t / "kept/predictions.html");
  CHECK(files_in(t / "kept") == 1);
  CHECK(read_text(model) == trained);
  CHECK(read_text(t / "old.png") == old);
  for (const char* file : {"scores.tex", "sheet.png", "v.json", "v.html", "s.csv", "run/postprocess.json"})
    CHECK_FALSE(fs::exists(t / file));
}
