#include "data/verify/listing.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>

#include "data/csv.h"
#include "data/image.h"
#include "data/layouts/case_faults.h"
#include "data/layouts/dataset_json.h"
#include "data/layouts/folder.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

class Lister {
 public:
  Lister(Listing& out, std::string root) : out_(out), root_(std::move(root)) {}

  // False where the folder is none of the kinds that are known.
  bool list() {
    if (fs::is_regular_file(path("index.csv"), ignored_)) {
      read_index(path("index.csv"));
      return true;
    }
    if (fs::is_directory(path("imagesTr"), ignored_)) {
      pair(path("imagesTr"), path("labelsTr"), Split::train, true);
      if (fs::is_directory(path("labelsTs"), ignored_)) pair(path("imagesTs"), path("labelsTs"), Split::test, true);
      return true;
    }
    for (const char* labels : {"masks", "labels"})
      if (fs::is_directory(path("images"), ignored_) && fs::is_directory(path(labels), ignored_)) {
        pair(path("images"), path(labels), Split::train, false);
        return true;
      }
    return false;
  }

 private:
  std::string path(const std::string& name) const { return (fs::path(root_) / name).string(); }

  void find(Check check, const std::string& id, std::string message, Severity severity = Severity::error) {
    out_.findings.push_back({severity, check, id, std::move(message)});
  }

  void add(Case c) {
    out_.dataset.volumes = is_nifti_name(c.images[0]);
    out_.dataset.cases.push_back(std::move(c));
  }

  // The columns that are missing are one finding; rows are read with what there is.
  void read_index(const std::string& file) {
    const CsvTable index = CsvTable::read(file);
    std::string label = index.has("mask") ? "mask" : "label";
    for (const std::string& column : {std::string("image"), label, std::string("split")})
      if (!index.has(column)) find(Check::data_set, "", file + ": column '" + column + "' is missing");
    if (!index.has("image")) return;
    std::map<std::string, std::size_t> lines;
    for (std::size_t row = 0; row < index.rows(); ++row) {
      const std::string where = file + " line " + std::to_string(index.line(row)),
                        image = index.at(row, index.column("image"));
      const auto [first, fresh] = lines.emplace(image, index.line(row));
      if (!fresh)
        find(Check::duplicate_image, stem_of(image),
             where + ": " + image + " is listed twice, first in line " + std::to_string(first->second));
      read_row(index, row, label, where);
    }
  }

  void read_row(const CsvTable& index, std::size_t row, const std::string& label, const std::string& where) {
    Case c;
    c.id = stem_of(index.at(row, index.column("image")));
    if (index.has("patient")) c.patient = index.at(row, index.column("patient"));
    try {
      if (index.has("split")) c.split = parse_split(index.at(row, index.column("split")), where);
    } catch (const Error& e) {
      find(Check::data_set, c.id, e.what());
    }
    const auto file = [&](const std::string& column) {
      const std::string name = index.has(column) ? index.at(row, index.column(column)) : "";
      if (!name.empty() && fs::is_regular_file(path(name), ignored_)) return path(name);
      const bool folder = !name.empty() && fs::is_directory(path(name), ignored_);
      find(Check::missing_file, c.id,
           name.empty() ? where + ": no " + column
                        : path(name) + (folder ? ": a folder, expected" : ": no such file,") + " the " + column +
                              " of " + where);
      return std::string();
    };
    if (c.split != Split::unlabelled) c.label = file(label);
    const std::string image = file("image");
    if (image.empty()) return;
    c.images = {image};
    add(std::move(c));
  }

  static std::string stem_of(const std::string& name) {
    return is_nifti_name(name) ? nifti_stem(name) : fs::path(name).stem().string();
  }

  // "a" for "a_0000" where nnU-Net's channels are meant.
  static std::string without_channel(const std::string& stem) {
    const std::size_t n = stem.size();
    if (n <= 5 || stem[n - 5] != '_' || stem.find_first_not_of("0123456789", n - 4) != std::string::npos) return stem;
    return stem.substr(0, n - 5);
  }

  std::map<std::string, std::string> by_stem(const std::string& folder) {
    std::map<std::string, std::string> files;
    if (!fs::is_directory(folder, ignored_)) {
      find(Check::data_set, "", folder + ": no such folder");
      return files;
    }
    for (const std::string& name : file_names(folder))
      if (is_nifti_name(name) || is_image_name(name)) files[stem_of(name)] = (fs::path(folder) / name).string();
    return files;
  }

  void pair(const std::string& images, const std::string& labels, Split split, bool channels) {
    std::map<std::string, std::string> label_of = by_stem(labels);
    for (const char* suffix : {"_mask", "_segmentation"})  // other names that mean the picture's
      for (const auto& [stem, file] : std::map(label_of))
        if (stem.ends_with(suffix)) label_of.emplace(stem.substr(0, stem.size() - std::string(suffix).size()), file);
    std::map<std::string, Case> cases;
    for (const auto& [stem, file] : by_stem(images)) {
      const std::string id = channels && !label_of.contains(stem) ? without_channel(stem) : stem;
      Case& c = cases[id];
      c.id = id;
      c.images.push_back(file);
      c.split = split;
    }
    std::set<std::string> used;
    for (auto& [id, c] : cases) {
      if (label_of.contains(id))
        c.label = *used.insert(label_of[id]).first;
      else
        find(Check::missing_pair, id, c.images[0] + ": no label of that name in " + labels);
      add(std::move(c));
    }
    std::set<std::string> orphans;
    for (const auto& [stem, file] : label_of)
      if (!used.contains(file) && orphans.insert(file).second)
        find(Check::missing_pair, stem, file + ": no image of that name in " + images, Severity::warning);
  }

  Listing& out_;
  const std::string root_;
  std::error_code ignored_;
};

// The class names of dataset.json, where there is one that can be read.
void read_names(Listing& listing, const std::string& root) {
  const fs::path json = fs::path(root) / "dataset.json";
  std::error_code ignored;
  if (listing.classes_known || !fs::exists(json, ignored)) return;
  try {
    listing.dataset.class_names = class_names_from_json(json.string());
    listing.classes_known = true;
  } catch (const Error& e) {
    listing.findings.push_back({Severity::error, Check::data_set, "", e.what()});
  }
}

bool has_errors(const Listing& listing) {
  return std::ranges::any_of(listing.findings, [](const Finding& f) { return f.severity == Severity::error; });
}

// What a layout warns of is a finding; its other notes stay.
void take_warnings(Listing& listing) {
  const std::string mark = "warning: ";
  std::erase_if(listing.dataset.notes, [&](const std::string& note) {
    if (!note.starts_with(mark)) return false;
    listing.findings.push_back({Severity::warning, Check::data_set, "", note.substr(mark.size())});
    return true;
  });
}

// What the layout's own reader has said and the lenient one has not.
void take_over(Listing& lenient, std::vector<Finding> findings, std::vector<std::string> notes) {
  const auto alike = [](const Finding& a, const Finding& b) {
    return a.check == b.check && a.case_id == b.case_id && (!a.case_id.empty() || a.message == b.message);
  };
  std::erase_if(findings, [&](const Finding& f) {
    return std::ranges::any_of(lenient.findings, [&](const Finding& said) { return alike(said, f); });
  });
  std::ranges::move(findings, std::back_inserter(lenient.findings));
  lenient.dataset.notes = std::move(notes);
  take_warnings(lenient);
}

// The layouts whose table has fixed columns, of which the lenient reader says more.
bool has_fixed_table(const DatasetSource& source) {
  const bool reads_table = source.layout == "images_masks" || source.layout == "nifti_cases";
  return reads_table && fs::exists(fs::path(source.root) / "index.csv");
}

}  // namespace

const char* name_of(Check check) {
  static constexpr const char* names[] = {
      "data_set",        "missing_file", "missing_pair", "unreadable",        "not_finite",   "size_mismatch",
      "affine_mismatch", "channels",     "label_range",  "label_0_255",       "empty_mask",   "class_coverage",
      "constant_image",  "clip_window",  "tiny_image",   "intensity_outlier", "patient_leak", "duplicate_image"};
  static_assert(std::size(names) == static_cast<std::size_t>(Check::duplicate_image) + 1);
  return names[static_cast<int>(check)];
}

Listing list_cases(const DatasetSource& source, const Preprocessing& preprocessing) {
  Listing lenient;
  lenient.dataset.layout = source.layout;
  lenient.dataset.root = source.root;
  lenient.dataset.class_names = source.class_names;
  lenient.dataset.preprocessing = preprocessing;
  lenient.classes_known = !source.class_names.empty();
  const auto data_set = [](const std::string& message) {
    return Finding{Severity::error, Check::data_set, "", message};
  };
  bool known = false;
  try {
    known = Lister(lenient, source.root).list();
    read_names(lenient, source.root);
  } catch (const Error& e) {
    lenient.findings.push_back(data_set(e.what()));
  } catch (const fs::filesystem_error& e) {
    lenient.findings.push_back(data_set(e.path1().string() + ": " + e.code().message()));
  }
  if (source.layout.empty()) {
    if (!known && lenient.findings.empty())
      lenient.findings.push_back(
          data_set(source.root + ": expected a folder with index.csv, imagesTr/ and labelsTr/, or images/ and masks/; "
                                 "of another layout with --set data.layout=NAME"));
    if (known && lenient.dataset.cases.empty() && lenient.findings.empty())
      lenient.findings.push_back(data_set(source.root + ": no images"));
    return lenient;
  }
  CaseFaults faults(/*collects=*/true);
  try {
    Listing listing;
    listing.dataset = open_dataset(source, preprocessing, faults);
    listing.classes_known = true;
    listing.findings = faults.take();
    if (has_fixed_table(source) && !listing.findings.empty() && has_errors(lenient)) {
      take_over(lenient, std::move(listing.findings), std::move(listing.dataset.notes));
      return lenient;
    }
    take_warnings(listing);
    for (Finding& f : lenient.findings)  // labels nobody uses; the layout itself decides what is an error
      if (f.severity == Severity::warning) listing.findings.push_back(std::move(f));
    return listing;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::usage) throw;
    if (!has_errors(lenient)) lenient.findings.insert(lenient.findings.begin(), data_set(e.what()));
    take_over(lenient, faults.take(), faults.take_notes());
    return lenient;
  }
}

}  // namespace gf
