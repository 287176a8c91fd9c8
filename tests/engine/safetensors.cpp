#include "engine/io/safetensors.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "engine/io/json_text.h"
#include "tests/engine/io_files.h"

namespace gf {
namespace {

using namespace test;

const float kInf = std::numeric_limits<float>::infinity();

// What 10 float values of the golden file's "edges" are in F32.
const std::vector<float> kEdges = {0.0f, -0.0f, 1.0f, -2.5f, kInf, -kInf, 65504.0f, 0x1p-14f, 0x1p-24f, 1.0f / 3.0f};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TensorToWrite copy_of(const SafetensorsFile& file, const FileTensor& t) {
  return {t.name, t.dtype, t.shape, [&file, t](std::span<std::byte> out) { file.read_bytes(t, out); }};
}

// A file with this header and this many zero bytes of data.
std::string with_header(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\0');
}

}  // namespace

TEST_CASE("safetensors: every dtype of a file written by Python is read") {
  const SafetensorsFile file(golden("safetensors_dtypes.safetensors"));
  CHECK(file.metadata() == Metadata{{"by", "Python's \"safetensors\"\t\xe2\x98\x83"}});
  CHECK(file.tensors().size() == 12);

  CHECK(same_bits(file.floats("f32"), {0.0f, 0.125f, 0.25f, 0.375f, 0.5f, 0.625f}));
  CHECK(file.at("f32").shape == std::vector<std::int64_t>{2, 3});
  CHECK(file.at("f32").str() == "F32 [2,3]");

  std::vector<float> f16 = kEdges, bf16 = kEdges, f64 = kEdges;
  f16.back() = 0x1.554p-2f;                    // 1/3 in 11 bits
  bf16.back() = 0x1.56p-2f;                    // 1/3 in 8 bits
  bf16[6] = 65536.0f;                          // 65504 in 8 bits
  f64.insert(f64.end(), {kInf, -kInf, kInf});  // 1e300 and a value half a step above the largest float
  CHECK(same_bits(file.floats("f16"), f16));
  CHECK(same_bits(file.floats("bf16"), bf16));
  CHECK(same_bits(file.floats("f64"), f64));

  using Integers = std::vector<std::int32_t>;
  CHECK(file.integers("i64") == Integers{0, -1, 2147483647, -2147483647 - 1});
  CHECK(file.integers("i32") == Integers{1, -2, 3, -4});
  CHECK(file.integers("u8") == Integers{0, 1, 255});
  CHECK(file.floats("scalar") == std::vector<float>{7.0f});
  CHECK(file.at("scalar").shape.empty());
  CHECK(file.floats("empty").empty());
  CHECK(file.floats("name with \"quotes\", \\ and \xc3\xa9\n") == std::vector<float>{1.5f});
}

TEST_CASE("safetensors: what cannot be converted is refused with file and tensor") {
  const SafetensorsFile file(golden("safetensors_dtypes.safetensors"));
  const std::string large = error_of(ErrorKind::bad_data, [&] { file.integers("i64 too large"); });
  check_contains(large, "2147483648");
  check_contains(large, "i64 too large I64 [2]");
  check_contains(large, "safetensors_dtypes.safetensors");
  check_contains(error_of(ErrorKind::bad_data, [&] { file.floats("i32"); }), "found I32 [2,2]");
  check_contains(error_of(ErrorKind::bad_data, [&] { file.integers("f32"); }), "found F32 [2,3]");
  check_contains(error_of(ErrorKind::bad_data, [&] { file.floats("bool"); }), "found BOOL [2]");
  check_contains(error_of(ErrorKind::bad_data, [&] { file.floats("nothing"); }), "tensor nothing");
}

TEST_CASE("safetensors: we write the bytes that Python writes") {
  const TemporaryFolder folder;
  for (const char* name : {"safetensors_dtypes.safetensors", "safetensors_net.safetensors"}) {
    const SafetensorsFile file(golden(name));
    std::vector<TensorToWrite> tensors;
    for (auto t = file.tensors().rbegin(); t != file.tensors().rend(); ++t) tensors.push_back(copy_of(file, *t));
    write_safetensors(folder.file(name), tensors, file.metadata());
    CHECK(read_file(folder.file(name)) == read_file(golden(name)));
  }
}

TEST_CASE("safetensors: floats and integers come back") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.safetensors");
  std::vector<float> values(100'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
  const std::vector<std::int32_t> labels = {-1, 0, 255};
  write_safetensors(path, {to_write("v", {100, 1000}, values), to_write("l", {3}, labels)}, {{"k", "\x01\x1f \x7f"}});
  const SafetensorsFile file(path);
  CHECK(same_bits(file.floats("v"), values));
  CHECK(file.integers("l") == labels);
  CHECK(file.metadata().at("k") == "\x01\x1f \x7f");
  CHECK(file.tensors().front().name == "v");  // wide dtypes lie first

  write_safetensors(path, {});
  CHECK(SafetensorsFile(path).tensors().empty());
  CHECK(read_file(path).size() % 8 == 0);
}

TEST_CASE("safetensors: what cannot be written is refused and leaves no file") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.safetensors");
  const std::vector<float> one = {1.0f};
  const auto refused = [&](std::vector<TensorToWrite> tensors, const Metadata& metadata = {}) {
    const std::string message = error_of(ErrorKind::failure, [&] { write_safetensors(path, tensors, metadata); });
    CHECK(folder.count("") == 0);
    return message;
  };
  check_contains(refused({to_write("a", {1}, one), to_write("a", {1}, one)}), "each name once");
  check_contains(refused({to_write("__metadata__", {1}, one)}), "each name once");
  check_contains(refused({to_write("a", {2}, one)}), "8 bytes");
  check_contains(refused({}, {{"k", "\xff"}}), "UTF-8");
  check_contains(error_of(ErrorKind::failure, [&] { write_safetensors(folder.file("no/folder"), {}); }), "no/folder");
}

TEST_CASE("safetensors: what cannot be opened says why") {
  const TemporaryFolder folder;
  check_contains(error_of(ErrorKind::failure, [&] { SafetensorsFile f(folder.file("none")); }), "No such file");
  check_contains(error_of(ErrorKind::failure, [&] { SafetensorsFile f(folder.file("")); }), "a folder");
}

TEST_CASE("safetensors: a file cut at any length is refused") {
  const TemporaryFolder folder;
  const std::string path = folder.file("cut"), whole = read_file(golden("safetensors_dtypes.safetensors"));
  write_file(path, whole);
  for_each_cut(path, [&](std::size_t n) {
    CAPTURE(n);
    check_contains(error_of(ErrorKind::bad_data, [&] { SafetensorsFile f(path); }), path);
  });
  write_file(path, whole + "x");
  check_contains(error_of(ErrorKind::bad_data, [&] { SafetensorsFile f(path); }), "246 bytes");
}

TEST_CASE("safetensors: hostile headers are refused with what is wrong") {
  struct Case {
    const char* header;
    std::size_t data;
    const char* expected;  // part of the message
  };
  // R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})" with 8 bytes of data would be right.
  const Case cases[] = {
      {R"()", 0, "first byte"},
      {R"( {})", 0, "first byte"},
      {R"([])", 0, "first byte"},
      {R"({)", 0, "a string, found the end"},
      {R"({}x)", 0, "nothing behind the last brace"},
      {"{\"\xff\":1}", 0, "UTF-8"},
      {"{\"\n\":1}", 0, "control character"},
      {R"({"\q":1})", 0, "escape sequence"},
      {R"({"\ud800":1})", 0, "surrogate"},
      {R"({"\ud800\u0041":1})", 0, "surrogate"},
      {R"({"\udc00":1})", 0, "surrogate"},
      {R"({"\u12g4":1})", 0, "hexadecimal"},
      {R"({"a)", 0, "end of a string"},
      {R"({"a":1})", 0, "'{'"},
      {R"({"a":null})", 0, "'{'"},
      {R"({"a":{}})", 0, "dtype, shape and two data_offsets"},
      {R"({"a":{"dtype":"F32","shape":[2]}})", 8, "dtype, shape and two data_offsets"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8, "found \"x\""},
      {R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8, "\"dtype\" twice"},
      {R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", 8, "\"F33\""},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}})",
       8, "\"a\" twice"},
      {R"({"__metadata__":{"k":"1","k":"2"}})", 0, "\"k\" twice"},
      {R"({"__metadata__":{"k":1}})", 0, "a string, found '1'"},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "twice"},
      {R"({"a":{"dtype":"F32","shape":[2,],"data_offsets":[0,8]}})", 8, "whole number"},
      {R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "whole number"},
      {R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8, "whole number"},
      {R"({"a":{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}})", 8, "whole number"},
      {R"({"a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}})", 8, "whole number"},
      {R"({"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}})", 8, "whole number"},
      {R"({"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}})", 8, "whole number"},
      {R"({"a":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}})", 8, "whole number"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8]}})", 8, "below 2^64"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})", 8, "below 2^63"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "below 2^63 bytes"},
      {R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4, "16 dimensions"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", 8, "two data_offsets"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "[8,0]"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}})", 7, "8 bytes"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}})", 12, "8 bytes"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "up to byte 8"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12, "to begin at byte 0"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551615]}})", 8, "8 bytes"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "to begin at byte 2"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}})",
       6, "to begin at byte 2"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 3, "found 3 bytes"},
  };
  const TemporaryFolder folder;
  const std::string path = folder.file("hostile.safetensors");
  for (const Case& c : cases) {
    CAPTURE(c.header);
    write_file(path, with_header(c.header, c.data));
    const std::string message = error_of(ErrorKind::bad_data, [&] { SafetensorsFile f(path); });
    check_contains(message, c.expected);
    check_contains(message, path);
  }
  // The right one, with all the white space JSON allows.
  write_file(path, with_header("{ \"a\" :\n{\"shape\":[ 2 ],\t\"dtype\":\"F32\",\r\"data_offsets\":[0, 8]} }  ", 8));
  CHECK(SafetensorsFile(path).floats("a").size() == 2);
  // Lengths that are no lengths.
  for (const std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{1} << 40, ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
    std::string bytes = with_header("{}", 0);
    std::memcpy(bytes.data(), &length, 8);
    write_file(path, bytes);
    check_contains(error_of(ErrorKind::bad_data, [&] { SafetensorsFile f(path); }), std::to_string(length));
  }
}

TEST_CASE("safetensors: a deeply nested header ends in an error, not in a stack overflow") {
  const TemporaryFolder folder;
  const std::string path = folder.file("deep");
  std::string header;
  for (int i = 0; i < 1'000'000; ++i) header += "{\"a\":";
  write_file(path, with_header(header, 0));
  error_of(ErrorKind::bad_data, [&] { SafetensorsFile f(path); });
}

TEST_CASE("safetensors: escapes in strings") {
  const std::string file = "f", text = R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u2603\ud83d\ude00")";
  CHECK(JsonReader(text, file).string() == "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x98\x83\xf0\x9f\x98\x80");
  CHECK(json_quoted("\"\\\b\f\n\r\t\x01\x1f") == R"("\"\\\b\f\n\r\t\u0001\u001f")");
  for (const char* good : {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    CHECK(valid_utf8(good));
  for (const char* bad :
       {"\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5"})
    CHECK_FALSE(valid_utf8(bad));
}

TEST_CASE("safetensors: the checksum finds every flipped bit") {
  const TemporaryFolder folder;
  const std::string path = folder.file("a");
  const std::vector<float> values = {1.0f, 2.0f, 3.0f};
  write_safetensors(path, {to_write("v", {3}, values)}, {{"k", "text"}}, Checksum::crc32);
  SafetensorsFile(path).verify_checksum("file");
  const std::size_t size = read_file(path).size();
  for (std::size_t byte = 0; byte < size; ++byte)
    for (int bit = 0; bit < 8; ++bit) {
      CAPTURE(byte);
      CAPTURE(bit);
      flip_bit(path, byte, bit);
      error_of(ErrorKind::bad_data, [&] { SafetensorsFile(path).verify_checksum("file"); });
      flip_bit(path, byte, bit);
    }
  SafetensorsFile(path).verify_checksum("file");
  write_safetensors(path, {to_write("v", {3}, values)}, {{"k", "\"graphflow.crc32\":\"00000000"}}, Checksum::crc32);
  SafetensorsFile(path).verify_checksum("file");
  write_safetensors(path, {to_write("v", {3}, values)});
  check_contains(error_of(ErrorKind::bad_data, [&] { SafetensorsFile(path).verify_checksum("file"); }), "found none");
}

}  // namespace gf
