// The lists that name a data set's files, opened as a data set: datalists, dataset.json, folds, tables, lists of
// slices, split files. The first byte chooses the list, the rest is its text; the files they may name are there.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "data/convert_synapse.h"
#include "data/dataset.h"
#include "data/nifti.h"
#include "data/png.h"
#include "tests/fuzz/target.h"

namespace fs = std::filesystem;

namespace {

using namespace gf;

struct List {
  const char *folder, *file, *layout, *split_file;
};
// Each in a folder of its own, with the files of its layout.
constexpr List kLists[] = {{"monai", "datalist.json", "monai", ""},
                           {"nnunet", "dataset.json", "nnunet", ""},
                           {"folds", "splits_final.json", "nnunet", ""},
                           {"csv", "index.csv", "csv", ""},
                           {"pictures", "index.csv", "images_masks", ""},
                           {"volumes", "index.csv", "nifti_cases", ""},
                           {"names", "dataset.json", "nifti_cases", ""},
                           {"synapse", "lists_Synapse/train.txt", "synapse", ""},
                           {"test", "lists_Synapse/test_vol.txt", "synapse", ""},
                           {"split", "split.csv", "images_masks", "split.csv"}};

// Pictures a, b in images and masks; volumes a, b with two channels in imagesTr and labelsTr; a Synapse case.
class DataSets {
 public:
  DataSets() : root_("/dev/shm/graphflow_fuzz_lists_" + std::to_string(::getpid())) {
    for (const List& l : kLists) {
      const std::string at = root_ + "/" + l.folder;
      for (const char* name : {"/images", "/masks", "/imagesTr", "/labelsTr"}) fs::create_directories(at + name);
      const bool synapse = l.layout == std::string("synapse");
      const NiftiHeader h = plain_nifti_header(3, 2, synapse ? 1 : 2);
      const std::vector<std::int32_t> labels(static_cast<std::size_t>(h.nx * h.ny * h.nz), 1);
      for (const std::string name : {"a", "b"}) {
        write_png(at + "/images/" + name + ".png", {2, 3, 1, std::vector<std::uint8_t>(6, 9)});
        write_png_mask(at + "/masks/" + name + ".png", Mask(2, 3, 1));
        for (const char* channel : {"_0000", "_0001"})
          write_nifti_mask(at + "/imagesTr/" + name + channel + ".nii", h, labels);
        write_nifti_mask(at + "/labelsTr/" + name + ".nii", h, labels);
      }
      if (synapse) {
        fs::create_directories(at + "/lists_Synapse");
        for (const Split split : {Split::train, Split::test}) {
          Case c;
          c.id = "case0005";
          c.images = {at + "/imagesTr/a_0000.nii"};
          c.label = at + "/labelsTr/a.nii";
          c.split = split;
          write_synapse_case(c, find_organ_order("transunet"), at);
        }
        text(at + "/lists_Synapse/train.txt", "case0005_slice000\n");
        text(at + "/lists_Synapse/test_vol.txt", "case0005\n");
      }
      if (l.folder == std::string("folds"))
        text(at + "/dataset.json", R"({"labels": {"background": 0, "a": 1}, "channel_names": {"0": "a", "1": "b"},
          "file_ending": ".nii"})");
      if (l.folder == std::string("split"))
        text(at + "/index.csv", "image,mask,split\nimages/a.png,masks/a.png,train\nimages/b.png,masks/b.png,test\n");
    }
  }
  ~DataSets() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  void open(const List& l, const std::uint8_t* data, std::size_t size) const {
    const std::string at = root_ + "/" + l.folder;
    text(at + "/" + l.file, {reinterpret_cast<const char*>(data), size});
    fuzz::refuses_or_reads([&] {
      DatasetSource source{l.layout, at, {}};
      if (*l.split_file) source.split_file = at + "/" + l.split_file;
      Preprocessing p;
      p.channels = l.layout == std::string("nnunet") ? 2 : 1;
      for (const Case& c : open_dataset(source, p).cases) {
        for (const std::string& image : c.images) require_file(image);
        require_file(c.label);
      }
    });
  }

 private:
  static void text(const std::string& path, const std::string& content) {
    if (!(std::ofstream(path, std::ios::binary) << content).flush()) std::abort();
  }
  // What a data set names is there, under exactly this name.
  static void require_file(const std::string& path) {
    if (!path.empty() && (path.find('\0') != std::string::npos || !fs::is_regular_file(path))) std::abort();
  }
  std::string root_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const DataSets sets;
  if (size > 0) sets.open(kLists[data[0] % std::size(kLists)], data + 1, size - 1);
  return 0;
}
