// NumPy's files (tests/golden/make_transunet_files.py), whole and damaged.
#include "engine/io/npz.h"

#include <cmath>

#include "engine/io/npy_header.h"
#include "tests/engine/io_files.h"

namespace gf {
namespace {

using namespace test;

std::string header(const std::string& dict) {
  std::string text = "\x93NUMPY";
  text += '\x01';
  text += '\0';
  text += static_cast<char>(dict.size());
  text += '\0';
  return text + dict;
}

NpyHeader parsed(const std::string& dict) { return parse_npy_header(header(dict), "file"); }
std::string refused(const std::string& dict) {
  return error_of(ErrorKind::bad_data, [&] { parsed(dict); });
}

void check_arrays(const std::string& path) {
  const std::unique_ptr<TensorFile> file = open_tensor_file(path);
  std::string text;
  for (const FileTensor& t : file->tensors()) text += t.name + " " + t.str() + "; ";
  CHECK(text ==
        "f32 F32 [2,3]; f16 F16 [2,3]; f64 F64 [2,3]; i64 I64 [4]; u8 U8 [3]; scalar F32 []; none F32 [0,3]; "
        "folder/name F32 [2,3]; ");
  const std::vector<float> quarters{0, 0.25f, 0.5f, 0.75f, 1, 1.25f};
  CHECK(file->floats("f32") == quarters);
  CHECK(file->floats("f16") == quarters);
  CHECK(file->floats("f64")[0] == 0);
  CHECK(std::isinf(file->floats("f64")[1]));  // 0.25e300
  CHECK(file->floats("scalar") == std::vector<float>{2.5f});
  CHECK(file->floats("none").empty());
  CHECK(file->floats("folder/name")[5] == 2.25f);
  check_contains(error_of(ErrorKind::bad_data, [&] { file->floats("i64"); }),
                 "expected F32, F16 or F64, found I64 [4]");
  check_contains(error_of(ErrorKind::bad_data, [&] { file->floats("f31"); }), "array f31");
}

}  // namespace

TEST_CASE("npz: stored arrays, and deflated ones with zip64 records") {
  check_arrays(golden("npz_stored.npz"));
  check_arrays(golden("npz_zip64.npz"));
}

TEST_CASE("npz: safetensors files are told apart by their first bytes") {
  CHECK(is_zip(golden("npz_stored.npz")));
  CHECK(!is_zip(golden("safetensors_net.safetensors")));
  CHECK(open_tensor_file(golden("safetensors_net.safetensors"))->tensors().size() > 0);
  error_of(ErrorKind::failure, [] { is_zip("no such file"); });
}

TEST_CASE("npz: arrays that cannot be read say what to do") {
  const auto refusal = [](const char* name) {
    const std::string text = error_of(ErrorKind::bad_data, [&] { NpzFile file(golden(name)); });
    check_contains(text, name);
    return text;
  };
  check_contains(refusal("npz_fortran.npz"), "numpy.ascontiguousarray");
  check_contains(refusal("npz_big_endian.npz"), "expected little-endian ones, found >f4");
  check_contains(refusal("npz_objects.npz"), "found |O");
  check_contains(refusal("npz_other.npz"), "found readme.txt");
}

TEST_CASE("npz: whatever is cut off or flipped is refused, or changes nothing that was read") {
  const TemporaryFolder folder;
  for (const char* name : {"npz_stored.npz", "npz_zip64.npz"}) {
    CAPTURE(name);
    const std::string original = read_file(golden(name)), path = folder.file(name);
    const auto contents = [&] {
      std::vector<float> all;
      const NpzFile file(path);
      for (const FileTensor& t : file.tensors())
        if (t.dtype[0] == 'F')
          for (const float v : file.floats(t.name)) all.push_back(v);
      return all;
    };
    write_file(path, original);
    const std::vector<float> whole = contents();
    int survived = 0;
    for (std::size_t byte = 0; byte < original.size(); ++byte) {
      const int bit = static_cast<int>(byte * 5 % 8);
      flip_bit(path, byte, bit);
      try {
        // A name or a number nobody looks at may have changed, a value not.
        const std::vector<float> found = contents();
        if (found.size() == whole.size()) CHECK(found == whole);
        ++survived;
      } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::bad_data);
      }
      flip_bit(path, byte, bit);
    }
    CHECK(static_cast<std::size_t>(survived) < original.size() * 2 / 3);
    for_each_cut(path, [&](std::size_t) { CHECK_THROWS_AS(NpzFile{path}, Error); });
  }
}

TEST_CASE("npz: a size that its packed data cannot have asks for no memory") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.npz");
  std::string bytes = read_file(golden("transunet_position.npz"));
  // The first entry of the directory: its size, 24 bytes in.
  const std::size_t at = bytes.find(std::string("PK\x01\x02", 4));
  REQUIRE(at != std::string::npos);
  const std::string huge("\xfe\xff\xff\x7f", 4);
  bytes.replace(at + 24, 4, huge);
  write_file(path, bytes);
  check_contains(error_of(ErrorKind::bad_data, [&] { NpzFile file(path); }), "an array that its packed data can hold");
}

TEST_CASE("npy header: what NumPy writes, and what it does not") {
  const NpyHeader h = parsed("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n");
  CHECK(h.dtype == "F32");
  CHECK(h.shape == std::vector<std::int64_t>{2, 3});
  CHECK(h.data_bytes == 24);
  CHECK(parsed("{\"shape\":(3L,),\"fortran_order\":True,\"descr\":\"|u1\"}").data_bytes == 3);  // one axis has no order
  CHECK(parsed("{'descr': '<f8', 'fortran_order': False, 'shape': ()}").data_bytes == 8);
  check_contains(refused("{'descr': '<f4', 'shape': (-2,)}"), "expected a whole number");
  check_contains(refused("{'descr': [('a', '<f4')], 'shape': (2,)}"), "expected '\"'");
  check_contains(refused("{'descr': '<f4', 'fortran_order': 1, 'shape': (2,)}"), "expected True or False");
  check_contains(refused("{'descr': '<f4', 'more': 1}"), "expected descr, fortran_order or shape");
  check_contains(refused("{'fortran_order': False, 'shape': (2,)}"), "one of them is missing");
  check_contains(refused("{'descr': '<f4', 'shape': (4294967296, 4294967296)}"), "larger than any file");
  check_contains(refused("'descr'"), "expected '{'");
  error_of(ErrorKind::bad_data, [] { parse_npy_header("\x93NUMPX", "file"); });
  error_of(ErrorKind::bad_data, [] { parse_npy_header(header("{'descr': '<f4'}").substr(0, 14), "file"); });
}

}  // namespace gf
