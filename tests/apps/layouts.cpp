// The program on data sets as they are published: train, split, evaluate, predict and convert on small copies.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/hdf5.h"
#include "data/image.h"
#include "data/nifti.h"
#include "engine/io/checkpoint.h"
#include "engine/io/npz_writer.h"
#include "tests/apps/fixtures.h"
#include "tests/apps/program.h"
#include "tests/harness/golden_folder.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

std::string golden(const std::string& name) { return golden_folder() + "layout_" + name; }

// A run of two steps of a narrow network.
std::string config(const std::string& folder, const std::string& data) {
  const std::string path = folder + "/run.toml";
  write_text(path, "[data]\n" + data +
                       "\n[model]\narch = \"mobile_unet\"\nwidth = 0.1\n[train]\nmax_iterations = 2\nbatch_size = 2\n" +
                       "eval_every = 2\nsave_every = 0\n");
  return path;
}

// Discs as BUSI, with a second lesion of one picture in a mask of its own.
void write_busi(const std::string& root) {
  write_discs(root + "/discs", 24, 32);
  for (int i = 0; i < 24; ++i) {
    const std::string kind = i % 2 ? "benign" : "malignant",
                      name = root + "/" + kind + "/" + kind + " (" + std::to_string(i) + ")";
    fs::create_directories(root + "/" + kind);
    const std::string disc = "disc_" + std::to_string(i) + ".png";
    fs::copy(root + "/discs/images/" + disc, name + ".png");
    fs::copy(root + "/discs/masks/" + disc, name + "_mask.png");
  }
  Mask more(32, 32);
  more.at(0, 0) = 255;
  write_png_mask(root + "/benign/benign (1)_mask_1.png", more);
  fs::remove_all(root + "/discs");
}

nlohmann::json cases_of(const std::string& scores) {
  return nlohmann::json::parse(read_text(scores + "/summary.json"))["metric_per_case"];
}

bool says(const Outcome& o, const std::string& text) { return contains(o.text, text); }

}  // namespace

TEST_CASE("busi: train, split, evaluate and predict, with spaces and other bytes in names") {
  const TemporaryFolder t;
  write_busi(t.path() + "/Dataset_BUSI_with_GT");
  const std::string toml = config(t.path(), "layout = \"busi\"\nroot = \"" + t.path() + "\"");
  Outcome o = run("train -q -c " + toml + " -o " + t.path() + "/run");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK_MESSAGE(says(o, "12 benign, 12 malignant"), o.text);
  o = run("split -c " + toml + " --folds 3 -o " + t.path() + "/folds.csv");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(read_text(t.path() + "/folds_fold0.csv"), "benign (1),benign (1),"));
  const std::string model = t.path() + "/run/checkpoints/best.gfm";
  o = run("evaluate -m " + model + " -o " + t.path() + "/scores");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(read_text(t.path() + "/scores/summary.json"), "malignant ("));
  // The truth's files, training's scores too: each case's mask, and what was united with it.
  int cases = 0, united = 0;
  REQUIRE(run("evaluate -m " + model + " --split train -o " + t.path() + "/train").code == 0);
  for (const char* part : {"/run/test", "/run/validation", "/scores", "/train"})
    for (const nlohmann::json& c : cases_of(t.path() + part)) {
      const std::string root = t.path() + "/Dataset_BUSI_with_GT/", id = c["case"];
      const std::string mask = root + id.substr(0, id.find(' ')) + "/" + id + "_mask";
      CHECK(c["reference_file"] == mask + ".png");
      CHECK(c["prediction_file"] == "");
      const bool two = id == "benign (1)";
      const nlohmann::json more = two ? nlohmann::json{mask + "_1.png"} : nlohmann::json();
      CHECK(c.value("more_reference_files", nlohmann::json()) == more);
      ++cases;
      united += two;
    }
  CHECK(cases > 24);
  CHECK(united == 1);

  fs::create_directories(t.path() + "/in");
  const std::string odd = "na\xefve \xff.png";
  fs::copy(t.path() + "/Dataset_BUSI_with_GT/benign/benign (1).png", t.path() + "/in/" + odd);
  fs::copy(t.path() + "/Dataset_BUSI_with_GT/benign/benign (3).png", t.path() + "/in/benign (3).png");
  o = run("predict -m " + model + " -i " + t.path() + "/in -o " + t.path() + "/out");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(read_mask(t.path() + "/out/" + odd).h == 32);
  CHECK(fs::exists(t.path() + "/out/benign (3).png"));
  Mask mask(4, 4);
  mask.at(1, 1) = 1;
  fs::create_directories(t.path() + "/masks");
  write_png_mask(t.path() + "/masks/" + odd, mask);
  o = run("evaluate -g " + t.path() + "/masks -p " + t.path() + "/masks -o " + t.path() + "/self");
  CHECK_MESSAGE(o.code == 0, o.text);
  const auto summary = nlohmann::json::parse(read_text(t.path() + "/self/summary.json"), nullptr, false);
  REQUIRE(!summary.is_discarded());
  CHECK(summary["metric_per_case"][0]["case"] == "na\ufffdve \ufffd");
}

TEST_CASE("synapse: from BTCV's volumes through convert to scores and masks that lie on the volumes") {
  const TemporaryFolder t;
  for (const char* number : {"0001", "0005", "0006", "0007"}) {
    fs::create_directories(t.path() + "/btcv/img");
    fs::create_directories(t.path() + "/btcv/label");
    fs::copy(golden("btcv_img.nii.gz"), t.path() + "/btcv/img/img" + number + ".nii.gz");
    fs::copy(golden("btcv_label.nii.gz"), t.path() + "/btcv/label/label" + number + ".nii.gz");
  }
  Outcome o = run("convert -i " + t.path() + "/btcv -o " + t.path() + "/Synapse --to synapse");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK_MESSAGE(says(o, "5 liver"), o.text);
  CHECK(run("convert -i " + t.path() + "/btcv -o " + t.path() + "/Synapse --to synapse").code == 2);  // not empty
  CHECK(run("convert -i " + t.path() + "/btcv -o " + t.path() + "/Synapse --to synapse --continue").code == 0);
  const std::string toml =
      config(t.path(), "layout = \"synapse\"\nroot = \"" + t.path() + "/Synapse\"\nval_share = 0.4");
  o = run("train -q -c " + toml + " -o " + t.path() + "/run");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK_MESSAGE(says(o, "labels in the order transunet: 1 aorta"), o.text);
  CHECK_MESSAGE(says(o, "12 training slices in 3 cases"), o.text);
  const std::string model = t.path() + "/run/checkpoints/best.gfm";
  o = run("evaluate -m " + model + " --protocol transunet");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK_MESSAGE(says(o, "gallbladder"), o.text);
  // One file holds a volume's image and label, or each of its slices': then the first is named.
  const std::string synapse = t.path() + "/Synapse/",
                    first = cases_of(t.path() + "/run/validation")[0]["reference_file"];
  CHECK(cases_of(t.path() + "/run/test")[0]["reference_file"] == synapse + "test_vol_h5/case0001.npy.h5");
  CHECK_MESSAGE(first.ends_with("_slice000.npz"), first);
  CHECK(fs::exists(first));
  // Converted files know the size of their voxels.
  o = run("evaluate -m " + model + " --protocol standard --spacing 3,1,1");
  CHECK_MESSAGE(o.code == 2, o.text);
  CHECK_MESSAGE(says(o, ".npz says the size of voxels, found [3, 1, 1]"), o.text);
  o = run("predict -m " + model + " -i " + t.path() + "/Synapse/test_vol_h5 -o " + t.path() + "/masks");
  CHECK_MESSAGE(o.code == 0, o.text);
  const NiftiHeader mask = read_nifti_header(t.path() + "/masks/case0001.nii.gz");
  require_same_grid("volume", read_nifti_header(golden("btcv_img.nii.gz")), "mask", mask);
  // As TransUNet trains: on all cases, and the last weights are kept.
  o = run("train -q -c " + toml + " --set data.val_share=0 --set train.eval_every=1 -o " + t.path() + "/all");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(read_checkpoint_state(t.path() + "/all/checkpoints/best.gfm").step == 2);
  o = run("split -c " + toml + " --labelled 1 -o " + t.path() + "/few.csv");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK_MESSAGE(says(o, "train 1 (4 slices)"), o.text);  // a case, not a slice

  o = run("convert -i " + t.path() + "/Synapse -o " + t.path() + "/back --to nifti");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(fs::exists(t.path() + "/back/img/img0005.nii.gz"));
  // One broken case: the others are made, exit code 4.
  write_text(t.path() + "/btcv/label/label0006.nii.gz", "broken");
  o = run("convert -i " + t.path() + "/btcv -o " + t.path() + "/Again --to synapse");
  CHECK_MESSAGE(o.code == 4, o.text);
  CHECK_MESSAGE(says(o, "label0006.nii.gz"), o.text);
  CHECK(!contains(read_text(t.path() + "/Again/lists_Synapse/train.txt"), "case0006"));
  CHECK(contains(read_text(t.path() + "/Again/lists_Synapse/train.txt"), "case0007_slice003"));
}

TEST_CASE("gastric: tiles train, middles are scored, whole masks are written") {
  const TemporaryFolder t;
  for (int i = 0; i < 3; ++i) {
    const std::string folder = t.path() + "/data/" + (i == 2 ? "test" : "train");
    fs::create_directories(folder);
    const int h = i == 2 ? 256 : 1024, w = i == 2 ? 512 : 1024;
    Bytes8 picture{h, w, 1, std::vector<std::uint8_t>(static_cast<std::size_t>(h * w))};
    Mask mask(h, w);
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        mask.at(y, x) = x < w / 2;
        picture.bytes[static_cast<std::size_t>(y * w + x)] = mask.at(y, x) ? 220 : 30;
      }
    const std::string name = folder + "/p" + std::to_string(i);
    write_png(name + ".bmp", picture);  // known by what it holds
    write_png_mask(name + ".png", mask);
  }
  const std::string toml = config(t.path(), "layout = \"gastric\"\nroot = \"" + t.path() + "/data\"\nval_share = 0.5");
  Outcome o =
      run("train -q -c " + toml + " --set train.batch_size=1 --set eval.protocol=gastric -o " + t.path() + "/run");
  CHECK_MESSAGE(o.code == 0, o.text);
  const std::string model = t.path() + "/run/checkpoints/best.gfm";
  o = run("evaluate -m " + model + " -o " + t.path() + "/quarter");
  CHECK_MESSAGE(o.code == 0, o.text);
  o = run("evaluate -m " + model + " --protocol standard -o " + t.path() + "/whole");
  CHECK_MESSAGE(o.code == 0, o.text);
  // 256 x 512 pixels, half of them cancer; a sixteenth of that at a quarter of the resolution.
  CHECK(contains(read_text(t.path() + "/quarter/summary.json"), "\"n_ref\": 4096"));
  CHECK(contains(read_text(t.path() + "/whole/summary.json"), "\"n_ref\": 65536"));
  for (const char* part : {"/run/test", "/quarter", "/whole"})
    CHECK(cases_of(t.path() + part)[0]["reference_file"] == t.path() + "/data/test/p2.png");
  o = run("evaluate -m " + model + " --set eval.gastric_crop=authors_exact");
  CHECK_MESSAGE(o.code == 0, o.text);
  o = run("predict -m " + model + " -i " + t.path() + "/data/test/p2.bmp -o " + t.path() + "/mask.png");
  CHECK_MESSAGE(o.code == 0, o.text);
  const Mask mask = read_mask(t.path() + "/mask.png");
  CHECK(mask.h == 256);
  CHECK(mask.w == 512);
}

TEST_CASE("bad data sets: one line, exit code 3, nothing half-written") {
  const TemporaryFolder t;
  const auto train = [&](const std::string& layout, const std::string& root) {
    return run("train -q -c " + config(t.path(), "layout = \"" + layout + "\"\nroot = \"" + root + "\"") + " -o " +
               t.path() + "/run");
  };
  for (const char* layout : {"busi", "cvc", "nnunet", "monai", "csv", "synapse", "btcv", "gastric"}) {
    const Outcome o = train(layout, t.path() + "/none");
    CHECK_MESSAGE(o.code == 3, o.text);
    CHECK_MESSAGE(says(o, "error: data folder is missing"), o.text);
    write_text(t.path() + "/file", "x");
    CHECK(train(layout, t.path() + "/file").code == 3);
  }
  CHECK(train("stacks", t.path()).code == 2);
  CHECK(!fs::exists(t.path() + "/run/checkpoints"));

  const std::string slices = t.path() + "/S/train_npz", volumes = t.path() + "/S/test_vol_h5";
  fs::create_directories(slices);
  fs::create_directories(volumes);
  fs::create_directories(t.path() + "/S/lists_Synapse");
  const std::vector<float> values(32 * 32);
  const auto bytes = std::as_bytes(std::span<const float>(values));
  for (const char* name : {"case0005_slice000", "case0006_slice000", "case0007_slice000"})
    write_npz(slices + "/" + name + ".npz", {{"image", "<f4", {32, 32}, bytes}, {"label", "<f4", {32, 32}, bytes}});
  fs::create_directory(volumes + "/case0001.npy.h5");  // a directory as file
  write_text(t.path() + "/S/lists_Synapse/train.txt", "case0005_slice000\n");
  write_text(t.path() + "/S/lists_Synapse/test_vol.txt", "case0001\n");
  Outcome o = train("synapse", t.path() + "/S");
  CHECK_MESSAGE(o.code == 3, o.text);
  CHECK_MESSAGE(says(o, "test_vol.txt line 1"), o.text);
  fs::remove(volumes + "/case0001.npy.h5");
  for (const auto& [file, part] : {std::pair{"other_keys.h5", "a dataset \"image\""}, std::pair{"huge.h5", "4"}}) {
    fs::copy(golden(file), volumes + "/case0001.npy.h5", fs::copy_options::overwrite_existing);
    o = train("synapse", t.path() + "/S");
    CHECK_MESSAGE(o.code == 3, o.text);
    CHECK_MESSAGE(says(o, part), o.text);
  }
  fs::copy(golden("stack.h5"), volumes + "/case0001.npy.h5", fs::copy_options::overwrite_existing);
  fs::copy(golden("bomb.npz"), slices + "/case0005_slice000.npz", fs::copy_options::overwrite_existing);
  o = run("train -q -c " + config(t.path(), "layout = \"synapse\"\nroot = \"" + t.path() + "/S\"") +
          " --set train.batch_size=1 -o " + t.path() + "/run2");
  CHECK_MESSAGE(o.code == 3, o.text);
  CHECK_MESSAGE(says(o, "case0005_slice000.npz"), o.text);
  CHECK(run("predict -m " + t.path() + "/none.gfm -i " + slices + " -o " + t.path() + "/out").code != 0);
}
