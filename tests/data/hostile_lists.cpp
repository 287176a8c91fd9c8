// Lists of a data set's files that nobody meant well: refused in a line, whatever they would cost.
#include <nlohmann/json.hpp>

#include "data/csv.h"
#include "data/dataset.h"
#include "data/json_input.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::bad_data);
    return e.what();
  }
  return "accepted";
}

void says(const std::string& text, const std::string& part) {
  CHECK_MESSAGE(text.find(part) != std::string::npos, text.substr(0, 300));
  CHECK(text.size() < 500);
}

}  // namespace

TEST_CASE("hostile lists: JSON nested a million deep, in every place where a list has values") {
  const TemporaryFolder t;
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  const auto opened = [&](const std::string& layout, const std::string& file, const std::string& text) {
    write_text(t / file, text);
    return refusal([&] { open_dataset({layout, t.path(), {}}, {}); });
  };
  for (const std::string& text : {R"({"training": [)" + deep + "]}", R"({"training": [{"image": )" + deep + "}]}",
                                  R"({"labels": {"a": )" + deep + "}}", deep, std::string(1'000'000, '[')})
    says(opened("monai", "datalist.json", text), "JSON file is nested too deep");
  says(opened("nnunet", "dataset.json", R"({"labels": {"b": 0}, "channel_names": {"7": )" + deep + "}}"),
       "JSON file is nested too deep: " + t / "dataset.json");
  write_text(t / "levels.json", std::string(60, '[') + std::string(60, ']'));
  CHECK(read_json_file(t / "levels.json").is_array());
  CHECK(excerpt("\xc3\xa9") == "\"\\u00e9\"");
  CHECK(excerpt(nlohmann::json(std::string(500, 'x'))).size() == 84);
}

TEST_CASE("hostile lists: a name with a NUL character is another file for the system than for us") {
  const TemporaryFolder t;
  write_text(t / "secret", "x");
  write_text(t / "datalist.json", R"({"training": [{"image": "secret\u0000.png", "label": "secret\u0000.png"}]})");
  says(refusal([&] { open_dataset({"monai", t.path(), {}}, {}); }), "file name with a NUL character");
  write_text(t / "index.csv", std::string("image,label\nsecret\0.png,secret\n", 31));
  says(refusal([&] { open_dataset({"csv", t.path(), {}}, {}); }), "file name with a NUL character");
}

TEST_CASE("hostile lists: synapse's names are those of files in its folders, cases are called so") {
  const TemporaryFolder t;
  for (const char* name : {"train_npz/a_slice000.npz", "train_npz/in/a_slice000.npz", "test_vol_h5/x.npy.h5"})
    write_text(t / name, "");
  for (const char* name : {"../train_npz/a_slice000", "in/a_slice000", "/etc/a_slice000"}) {
    write_text(t / "lists_Synapse/train.txt", std::string("a_slice000\n") + name + "\n");
    const std::string text = refusal([&] { open_dataset({"synapse", t.path(), {}}, {}); });
    says(text, "the list leads to another folder: " + t / "lists_Synapse/train.txt line 2");
    says(text, name);
  }
  write_text(t / "lists_Synapse/train.txt", "a_slice000\n");
  write_text(t / "lists_Synapse/test_vol.txt", "../test_vol_h5/x\n");
  says(refusal([&] { open_dataset({"synapse", t.path(), {}}, {}); }), "test_vol.txt line 1");
}

TEST_CASE("hostile lists: tables of endless lines, and files larger than any list") {
  const TemporaryFolder t;
  write_text(t / "wide.csv", std::string(10'000, ','));
  says(refusal([&] { CsvTable::read(t / "wide.csv"); }), "line 1: expected at most 4096 fields");
  for (const char* name : {"index.csv", "datalist.json"}) {
    write_text(t / name, "");
    std::filesystem::resize_file(t / name, std::uintmax_t{1} << 40);  // takes no place on the disk
  }
  says(refusal([&] { open_dataset({"csv", t.path(), {}}, {}); }), "list is too large");
  says(refusal([&] { open_dataset({"monai", t.path(), {}}, {}); }), "list is too large");
}

}  // namespace gf
