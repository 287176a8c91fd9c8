// verify on slices as arrays: Synapse's .npz files, one a slice, and .h5 stacks.
#include <cmath>

#include "data/case.h"
#include "data/hdf5.h"
#include "data/verify/thumbnail.h"
#include "engine/io/npz_writer.h"
#include "kernels/philox.h"
#include "tests/data/verify_found.h"

namespace gf {
namespace {

using namespace fixtures;

constexpr std::int64_t kSide = 12, kPixels = kSide * kSide;

// Two training cases of seven slices, a test volume of three. Label 5, the liver, is the largest.
struct Synapse {
  TemporaryFolder folder;
  DatasetSource source{"synapse", folder.path(), {}};

  Synapse() {
    source.val_share = 0;
    std::filesystem::create_directories(folder / "train_npz");
    std::filesystem::create_directories(folder / "test_vol_h5");
    for (int number : {5, 6})
      for (int z = 0; z < 7; ++z) write_slice(number, z, image(number, z), label());
    write_stack(stack(0), labels(3));
  }
  static std::vector<float> image(int number, int z) {
    std::vector<float> v(kPixels);
    for (std::size_t i = 0; i < v.size(); ++i)
      v[i] = uniform01(philox(static_cast<std::uint64_t>(number), static_cast<std::uint32_t>(z), i).v[0]);
    return v;
  }
  static std::vector<float> label() {
    std::vector<float> v(kPixels);
    std::fill_n(v.begin(), 50, 5.0f);
    for (int k = 1; k <= 8; ++k)
      if (k != 5) std::fill_n(v.begin() + 50 + 4 * k, 4, static_cast<float>(k));
    return v;
  }
  static std::vector<float> stack(int first) {
    std::vector<float> v;
    for (int z = first; z < first + 3; ++z) {
      const std::vector<float> one = image(8, z);
      v.insert(v.end(), one.begin(), one.end());
    }
    return v;
  }
  static std::vector<float> labels(int slices) {
    std::vector<float> v;
    for (int z = 0; z < slices; ++z) {
      const std::vector<float> one = label();
      v.insert(v.end(), one.begin(), one.end());
    }
    return v;
  }
  std::string slice_path(int number, int z) const {
    return folder / ("train_npz/case000" + std::to_string(number) + "_slice00" + std::to_string(z) + ".npz");
  }
  std::string stack_path() const { return folder / "test_vol_h5/case0008.npy.h5"; }
  void write_slice(int number, int z, const std::vector<float>& pixels, const std::vector<float>& labels) const {
    const auto rows = static_cast<std::int64_t>(labels.size()) / kSide;
    write_npz(slice_path(number, z), {{"image", "<f4", {kSide, kSide}, std::as_bytes(std::span<const float>(pixels))},
                                      {"label", "<f4", {rows, kSide}, std::as_bytes(std::span<const float>(labels))}});
  }
  void write_stack(const std::vector<float>& pixels, const std::vector<float>& labels,
                   std::int64_t rows = kSide) const {
    const auto depth = [](const std::vector<float>& v, std::int64_t r) {
      return static_cast<std::int64_t>(v.size()) / (kSide * r);
    };
    write_hdf5(stack_path(), {{"image", {depth(pixels, kSide), kSide, kSide}, pixels},
                              {"label", {depth(labels, rows), rows, kSide}, labels}});
  }
};

// Without what every small data set gets to hear: fewer slices and volumes than are published.
Marks faults(Found f) {
  std::erase_if(f.findings, [](const Finding& x) { return x.message.find("TransUNet's list has") != x.message.npos; });
  return f.marks();
}

TEST_CASE("verify: slices without faults: no findings, facts are the files'") {
  const Synapse d;
  const Found f = examine(d.source);
  CHECK(faults(f) == Marks{});
  REQUIRE(f.facts.size() == 3);
  CHECK(f.facts[0].size == std::array<std::int64_t, 3>{7, kSide, kSide});
  CHECK(f.facts[2].size == std::array<std::int64_t, 3>{3, kSide, kSide});
  CHECK(f.facts[0].classes.at(5) == 7 * 50);
  CHECK(f.facts[2].classes.at(5) == 3 * 50);
  CHECK(f.facts[2].labels == f.facts[2].classes);
}

TEST_CASE("verify: each fault of an .npz is told by its kind and with the file that has it, and the rest looked at") {
  const Synapse d;
  std::vector<float> nan = Synapse::image(5, 1), nine = Synapse::label(), bytes(kPixels), half = Synapse::label();
  nan[3] = NAN;
  nine[0] = 9;
  std::fill_n(bytes.begin(), 9, 255.0f);
  half[2] = 0.5f;
  d.write_slice(5, 1, nan, nine);
  d.write_slice(5, 2, Synapse::image(5, 2), std::vector<float>(kPixels - kSide));
  d.write_slice(5, 3, Synapse::image(5, 3), bytes);
  write_bytes(d.slice_path(5, 4), {1, 2, 3});
  d.write_slice(5, 5, Synapse::image(5, 5), half);
  std::vector<float> no_label = Synapse::label();
  no_label[7] = NAN;
  d.write_slice(6, 3, Synapse::image(6, 3), no_label);
  const Found f = examine(d.source);
  CHECK(faults(f) == Marks{"error unreadable case0005", "error not_finite case0005", "error size_mismatch case0005",
                           "error label_range case0005", "error label_0_255 case0005", "error not_finite case0006"});
  const auto message = [&](Check check) {
    for (const Finding& found : f.findings)
      if (found.check == check) return found.message;
    return std::string();
  };
  CHECK(holds(message(Check::not_finite), d.slice_path(5, 1)));
  CHECK(holds(message(Check::label_range), d.slice_path(5, 1)));
  CHECK(holds(message(Check::size_mismatch),
              "image and label differ in shape: " + d.slice_path(5, 2) + ": expected (12, 12), found (11, 12)"));
  CHECK(holds(message(Check::label_0_255), d.slice_path(5, 3)));
  CHECK(holds(message(Check::unreadable), d.slice_path(5, 4)));
  CHECK(holds(message(Check::unreadable), "also in case0005_slice005"));
  CHECK(f.facts[0].readable);
  CHECK(f.facts[0].size[0] == 6);
  CHECK(f.facts[1].classes.at(5) == 7 * 50 - 1);
}

TEST_CASE("a case of .npz files: what is wrong with a label is told with its own file") {
  const Synapse d;
  std::vector<float> nine = Synapse::label();
  nine[0] = 9;
  d.write_slice(5, 1, Synapse::image(5, 1), nine);
  const auto load = [&] {
    const Dataset set = open_dataset(d.source, {});
    load_case(set, set.cases[0], Purpose::evaluation);
  };
  CHECK(holds(message_of(load), d.slice_path(5, 1)));
  d.write_slice(5, 1, Synapse::image(5, 1), std::vector<float>(kPixels - kSide));
  CHECK(holds(message_of(load), d.slice_path(5, 1)));
}

TEST_CASE("verify: of slices that share a fault the first is told in full, a few are named and the rest counted") {
  const Synapse d;
  std::vector<float> nine = Synapse::label();
  nine[0] = 9;
  for (int z = 0; z < 7; ++z) d.write_slice(5, z, Synapse::image(5, z), nine);
  const Found f = examine(d.source);
  CHECK(faults(f) == Marks{"error label_range case0005"});
  CHECK(holds(f.text(), d.slice_path(5, 0)));
  CHECK(holds(f.text(),
              "; also in case0005_slice001, case0005_slice002, case0005_slice003, case0005_slice004 and 2 more"));
}

TEST_CASE("verify: each fault of an .h5 is told by its kind, and the rest looked at") {
  const Synapse d;
  std::vector<float> nan = Synapse::stack(0), nine = Synapse::labels(3), bytes(3 * kPixels);
  nan[kPixels + 3] = NAN;
  nine[kPixels] = 9;
  std::fill_n(bytes.begin(), 9, 255.0f);
  d.write_stack(nan, nine);
  Found f = examine(d.source);
  CHECK(faults(f) == Marks{"error not_finite case0008", "error label_range case0008"});
  CHECK(holds(f.text(), d.stack_path()));
  CHECK(f.facts[2].readable);
  Picture p;
  Mask m;
  CHECK(thumbnail_of(f.listing, f.listing.dataset.cases[2], kSide, p, m));
  CHECK(m.at(0, 0) == 9);
  d.write_stack(Synapse::stack(0), bytes);
  CHECK(faults(examine(d.source)) == Marks{"error label_0_255 case0008"});
  std::vector<float> no_label = Synapse::labels(3);
  no_label[5] = NAN;
  d.write_stack(Synapse::stack(0), no_label);
  CHECK(faults(examine(d.source)) == Marks{"error not_finite case0008"});
  std::vector<float> lower;
  for (int z = 0; z < 3; ++z) {
    const std::vector<float> one = Synapse::label();
    lower.insert(lower.end(), one.begin(), one.end() - kSide);
  }
  d.write_stack(Synapse::stack(0), lower, kSide - 1);
  CHECK(faults(examine(d.source)) == Marks{"error size_mismatch case0008"});
  d.write_stack(Synapse::stack(0), Synapse::labels(2));
  CHECK(faults(examine(d.source)) == Marks{"error size_mismatch case0008"});
}

TEST_CASE("verify: the values of a label are looked at whatever its shape") {
  const Synapse d;
  std::vector<float> nine = Synapse::labels(2), bytes(2 * kPixels), nan = Synapse::label();
  nine[kPixels + 4] = 9;
  std::fill_n(bytes.begin() + kPixels, 9, 255.0f);
  nan[3] = NAN;
  const auto stack_with = [&](std::vector<std::int64_t> shape, const std::vector<float>& label) {
    write_hdf5(d.stack_path(), {{"image", {3, kSide, kSide}, Synapse::stack(0)}, {"label", std::move(shape), label}});
    return examine(d.source);
  };
  Found f = stack_with({2, kSide, kSide}, nine);
  CHECK(faults(f) == Marks{"error size_mismatch case0008", "error label_range case0008"});
  CHECK(holds(f.text(), "image and label differ in shape: " + d.stack_path() + ": expected (3, 12, 12), found (2, 12"));
  CHECK(holds(f.text(), "label value without a class: 9: " + d.stack_path()));
  CHECK(f.facts[2].labels.at(9) == 1);
  CHECK(f.facts[2].labels.at(5) == 2 * 50 - 1);
  for (const std::vector<std::int64_t>& shape : {std::vector{2 * kPixels}, {2, kPixels}, {1, 2, kSide, kSide}})
    CHECK(faults(stack_with(shape, bytes)) == Marks{"error size_mismatch case0008", "error label_0_255 case0008"});
  CHECK(faults(stack_with({kPixels}, nan)) == Marks{"error not_finite case0008", "error size_mismatch case0008"});
  // Fitting values in another shape are counted, a label that is not there is one fault.
  f = stack_with({kSide, 3, kSide}, Synapse::labels(3));
  CHECK(faults(f) == Marks{"error size_mismatch case0008"});
  CHECK(f.facts[2].classes.at(5) == 3 * 50);
  d.write_stack(Synapse::stack(0), Synapse::labels(3));

  const auto slice_with = [&](std::vector<std::int64_t> shape, const std::vector<float>& label) {
    const std::vector<float> image = Synapse::image(5, 1);
    write_npz(d.slice_path(5, 1), {{"image", "<f4", {kSide, kSide}, std::as_bytes(std::span<const float>(image))},
                                   {"label", "<f4", std::move(shape), std::as_bytes(std::span<const float>(label))}});
    return examine(d.source);
  };
  for (const std::vector<std::int64_t>& shape : {std::vector{2 * kPixels}, {2, kSide, kSide}}) {
    f = slice_with(shape, nine);
    CHECK(faults(f) == Marks{"error size_mismatch case0005", "error label_range case0005"});
    CHECK(holds(f.text(), "image and label differ in shape: " + d.slice_path(5, 1)));
    CHECK(holds(f.text(), "label value without a class: 9: " + d.slice_path(5, 1)));
    CHECK(faults(slice_with(shape, bytes)) == Marks{"error size_mismatch case0005", "error label_0_255 case0005"});
  }
}

TEST_CASE("verify: a slice that lies in two cases, in one part or in two, and one that is listed twice") {
  const Synapse d;
  std::vector<float> pixels = Synapse::stack(0);
  std::copy_n(Synapse::image(5, 2).begin(), kPixels, pixels.begin() + kPixels);
  std::copy_n(Synapse::image(5, 4).begin(), kPixels, pixels.begin() + 2 * kPixels);
  d.write_stack(pixels, Synapse::labels(3));
  d.write_slice(6, 0, Synapse::image(5, 6), Synapse::label());
  Found f = examine(d.source);
  CHECK(faults(f) == Marks{"warning duplicate_image case0006", "error duplicate_image case0008"});
  CHECK(holds(f.text(), d.slice_path(5, 6) + " (train) and " + d.slice_path(6, 0) + " (train): the same slice\n"));
  CHECK(holds(f.text(), d.slice_path(5, 2) + " (train) and " + d.stack_path() +
                            ", slice 1 (test): the same slice (and 1 more); remove one"));
  // Empty slices are alike in every volume, and neighbours in one case may be.
  for (int number : {5, 6}) d.write_slice(number, 0, std::vector<float>(kPixels), Synapse::label());
  d.write_slice(5, 3, Synapse::image(5, 2), Synapse::label());
  d.write_stack(Synapse::stack(0), Synapse::labels(3));
  CHECK(faults(examine(d.source)) == Marks{});
  // The same case in both parts is told once, as a whole.
  std::vector<float> whole;
  for (int z = 0; z < 7; ++z) {
    d.write_slice(5, z, Synapse::image(5, z), Synapse::label());
    const std::vector<float> one = Synapse::image(5, z);
    whole.insert(whole.end(), one.begin(), one.end());
  }
  d.write_stack(whole, Synapse::labels(7));
  f = examine(d.source);
  CHECK(faults(f) == Marks{"error duplicate_image case0008"});
  CHECK(holds(f.text(), "the same image"));

  d.write_stack(Synapse::stack(0), Synapse::labels(3));
  write_text(d.folder / "lists_Synapse/train.txt", "case0005_slice000\ncase0006_slice001\ncase0005_slice000\n");
  f = examine(d.source);
  CHECK(faults(f) == Marks{"warning duplicate_image case0005"});
  CHECK(holds(f.text(), d.slice_path(5, 0) + ": listed twice"));
}

TEST_CASE("verify: what a layout warns of is a finding, what else it says stays a note") {
  Synapse d;
  Found f = examine(d.source);
  CHECK(f.marks() == Marks{"warning data_set", "warning data_set"});
  CHECK(holds(f.text(), "TransUNet's list has 2211 in 18"));
  CHECK(holds(f.listing.dataset.notes.at(0), "synapse: labels in the order transunet: 1 aorta"));
  for (const std::string& note : f.listing.dataset.notes) CHECK_FALSE(note.starts_with("warning"));
  d.source.class_order = "cascade";  // label 5 would be the pancreas
  f = examine(d.source);
  CHECK(faults(f) == Marks{"warning data_set"});
  CHECK(holds(f.text(), "data.class_order = \"cascade\" does not look right"));
  CHECK(holds(f.text(), "that should be the liver"));
}

}  // namespace
}  // namespace gf
