#include <png.h>

#include <cmath>

#include "data/image.h"
#include "data/label_map.h"
#include "data/png.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

// A PNG of any depth and colour type straight from libpng; rows hold packed bits.
void write_raw_png(const std::string& path, int w, int h, int depth, int colour, std::vector<Bytes> rows,
                   int interlace = 0) {
  std::FILE* f = std::fopen(path.c_str(), "wb");
  REQUIRE(f);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, f);
  png_set_IHDR(png, info, w, h, depth, colour, interlace, 0, 0);
  std::vector<png_color> palette(std::size_t{1} << std::min(depth, 8), png_color{200, 10, 30});
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  std::vector<png_bytep> pointers;
  for (Bytes& r : rows) pointers.push_back(r.data());
  png_set_rows(png, info, pointers.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  std::fclose(f);
}

TEST_CASE("png masks: palette indices and packed values arrive as stored") {
  const TemporaryFolder folder;
  const std::string path = folder / "m.png";
  for (const int colour : {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_PALETTE}) {
    CAPTURE(colour);
    write_raw_png(path, 4, 2, 1, colour, {{0b10100000}, {0b01000000}});
    CHECK(read_png_mask(path).values == std::vector<std::int32_t>{1, 0, 1, 0, 0, 1, 0, 0});
    write_raw_png(path, 4, 1, 2, colour, {{0b11100100}});
    CHECK(read_png_mask(path).values == std::vector<std::int32_t>{3, 2, 1, 0});
    write_raw_png(path, 3, 1, 4, colour, {{0xf2, 0x70}});
    CHECK(read_png_mask(path).values == std::vector<std::int32_t>{15, 2, 7});
    write_raw_png(path, 3, 1, 8, colour, {{255, 0, 7}});
    CHECK(read_png_mask(path).values == std::vector<std::int32_t>{255, 0, 7});
  }
  write_raw_png(path, 2, 1, 16, PNG_COLOR_TYPE_GRAY, {{1, 2, 255, 255}});
  CHECK(read_png_mask(path).values == std::vector<std::int32_t>{258, 65535});
  write_raw_png(path, 2, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, {{5, 99, 6, 98}});
  CHECK(read_png_mask(path).values == std::vector<std::int32_t>{5, 6});
  write_raw_png(path, 3, 3, 8, PNG_COLOR_TYPE_GRAY, {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}, PNG_INTERLACE_ADAM7);
  CHECK(read_png_mask(path).values == std::vector<std::int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9});
  // Gray masks that some program saved in colour.
  write_raw_png(path, 2, 1, 8, PNG_COLOR_TYPE_RGB, {{255, 255, 255, 3, 3, 3}});
  CHECK(read_png_mask(path).values == std::vector<std::int32_t>{255, 3});
  write_raw_png(path, 2, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, {{255, 255, 255, 9, 3, 3, 3, 8}});
  CHECK(read_png_mask(path).values == std::vector<std::int32_t>{255, 3});
}

TEST_CASE("png masks: colours, other formats and cut files are refused") {
  const TemporaryFolder folder;
  const std::string path = folder / "m.png";
  write_raw_png(path, 2, 1, 8, PNG_COLOR_TYPE_RGB, {{7, 7, 7, 1, 1, 2}});
  CHECK(holds(message_of([&] { read_png_mask(path); }), "RGB (1, 1, 2) at (1, 0)"));
  write_raw_png(path, 1, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, {{1, 2, 1, 1}});
  CHECK(holds(message_of([&] { read_png_mask(path); }), "RGB"));
  write_text(path, "BM not a png");
  CHECK(holds(message_of([&] { read_png_mask(path); }), "not a PNG"));
  CHECK(holds(message_of([&] { read_png_mask(folder / "none.png"); }), "No such file"));
  Mask m(20, 30);
  for (std::size_t i = 0; i < m.values.size(); ++i) m.values[i] = static_cast<std::int32_t>(i * i % 7);
  write_png_mask(path, m);
  const Bytes whole = read_bytes(path);
  for (std::size_t n = 0; n < whole.size(); n += 5) {
    write_bytes(path, Bytes(whole.begin(), whole.begin() + n));
    CHECK(holds(message_of([&] { read_png_mask(path); }), path));
  }
  Bytes huge = whole;  // 65535 x 65535 pixels promised; the header's checksum is made to fit
  for (const std::size_t at : {18, 19, 22, 23}) huge[at] = 0xff;
  const auto crc = crc32(0, huge.data() + 12, 17);
  for (int i = 0; i < 4; ++i) huge[29 + i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
  write_bytes(path, huge);
  CHECK(holds(message_of([&] { read_png_mask(path); }), "65535x65535"));
}

TEST_CASE("png masks: written ids come back, with and without palette") {
  const TemporaryFolder folder;
  const std::string path = folder / "w.png";
  Mask m(1, 3);
  m.values = {0, 1, 2};
  write_png_mask(path, m);
  CHECK(read_png_mask(path).values == m.values);
  write_png_mask(path, m, {{0, 0, 0}, {255, 0, 0}});  // a colour short
  CHECK(read_png_mask(path).values == m.values);
  CHECK(read_image(path).pixels == std::vector<float>{0, 0, 0, 255, 0, 0, 255, 255, 255});
  m.values = {0, 300, 65535};
  write_png_mask(path, m, {{0, 0, 0}});
  CHECK(read_png_mask(path).values == m.values);
  CHECK(folder.files() == 1);
  m.values = {0, -1, 2};
  CHECK_THROWS_AS(write_png_mask(path, m), Error);
  CHECK_THROWS_AS(write_png_mask(path, Mask()), Error);
  CHECK_THROWS_AS(write_png(folder / "none/x.png", {1, 1, 1, {0}}), Error);
  CHECK_THROWS_AS(encode_png({1, 1, 2, {0, 0}}), Error);
}

TEST_CASE("images: gray, colour, alpha, 16 bits, one pixel") {
  const TemporaryFolder folder;
  const std::string path = folder / "i.png";
  write_raw_png(path, 1, 1, 8, PNG_COLOR_TYPE_GRAY, {{77}});
  Picture p = read_image(path);
  CHECK(p.h * p.w * p.c == 1);
  CHECK(p.pixels == std::vector<float>{77});
  write_raw_png(path, 2, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, {{1, 2, 3, 4, 5, 6, 7, 8}});
  p = read_image(path);
  CHECK(p.c == 3);
  CHECK(p.pixels == std::vector<float>{1, 2, 3, 5, 6, 7});
  write_raw_png(path, 2, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, {{1, 2, 3, 4}});
  CHECK(read_image(path).pixels == std::vector<float>{1, 3});
  write_raw_png(path, 2, 1, 16, PNG_COLOR_TYPE_GRAY, {{1, 0, 255, 255}});
  CHECK(read_image(path).pixels == std::vector<float>{256, 65535});
  write_png(path, {1, 2, 3, {9, 8, 7, 6, 5, 4}});
  CHECK(read_image(path).pixels == std::vector<float>{9, 8, 7, 6, 5, 4});
}

TEST_CASE("images: a bitmap, and what is no image") {
  const TemporaryFolder folder;
  Bytes bmp(58);
  bmp[0] = 'B', bmp[1] = 'M', bmp[2] = 58, bmp[10] = 54, bmp[14] = 40, bmp[18] = 1, bmp[22] = 1, bmp[26] = 1,
  bmp[28] = 24;
  bmp[54] = 3, bmp[55] = 2, bmp[56] = 1;  // blue, green, red
  write_bytes(folder / "b.bmp", bmp);
  CHECK(read_image(folder / "b.bmp").pixels == std::vector<float>{1, 2, 3});
  write_text(folder / "t.png", "hello");
  CHECK(holds(message_of([&] { read_image(folder / "t.png"); }), "t.png"));
  write_text(folder / "e.png", "");
  CHECK(holds(message_of([&] { read_image(folder / "e.png"); }), "0 bytes"));
  write_bytes(folder / "cut.jpg", {0xff, 0xd8, 0xff, 0xda, 0, 6, 0, 0, 0, 0, 1, 2, 3});  // a scan of no component
  CHECK(holds(message_of([&] { read_image(folder / "cut.jpg"); }), "end-of-image"));
  Bytes8 big{40, 40, 1, Bytes(1600)};
  for (std::size_t i = 0; i < big.bytes.size(); ++i) big.bytes[i] = static_cast<std::uint8_t>(i * i);
  const Bytes whole = encode_png(big);
  for (std::size_t n = 0; n < whole.size(); n += 37) {
    write_bytes(folder / "cut.png", Bytes(whole.begin(), whole.begin() + n));
    CHECK(holds(message_of([&] { read_image(folder / "cut.png"); }), "cut.png"));
  }
}

TEST_CASE("images: a JPEG table of more codes than stb has room for, found by fuzzing") {
  const TemporaryFolder folder;
  const auto jpeg = [&](std::uint8_t longest) {  // 15 lengths of 16 codes each, and the longest
    Bytes bytes{0xff, 0xd8, 0xff, 0xc4, 1, std::uint8_t(3 + longest), 0};
    bytes.insert(bytes.end(), 15, 16);
    bytes.push_back(longest);
    bytes.insert(bytes.end(), 240u + longest, 7);
    bytes.insert(bytes.end(), {0xff, 0xd9});
    write_bytes(folder / "table.jpg", bytes);
  };
  jpeg(17);
  CHECK(holds(message_of([&] { read_image(folder / "table.jpg"); }), "at most 256 codes, found one of 257"));
  CHECK(holds(message_of([&] { read_image_extent(folder / "table.jpg"); }), "at most 256 codes, found one of 257"));
  jpeg(16);
  CHECK(holds(message_of([&] { read_image(folder / "table.jpg"); }), "an intact PNG"));  // sound, but holds no picture
}

TEST_CASE("images: a JPEG whose scans use tables that it does not hold, found by fuzzing") {
  const TemporaryFolder folder;
  const std::string corpus = std::string(GF_SOURCE_DIR) + "/tests/fuzz/corpus/picture/";
  for (const char* name : {"colour.jpg", "progressive.jpg"}) {
    INFO(name);
    const Bytes whole = read_bytes(corpus + name);
    CHECK(read_image(corpus + name).h > 0);
    for (const auto& [table, words] :
         {std::pair<std::uint8_t, const char*>{0xc4, "every Huffman table that a scan uses"},
          {0xdb, "every quantisation table"}}) {
      Bytes changed = whole;  // the markers of these tables made that of a comment
      for (std::size_t i = 0; i + 1 < whole.size(); ++i)
        if (whole[i] == 0xff && whole[i + 1] == table) changed[i + 1] = 0xfe;
      write_bytes(folder / "no_table.jpg", changed);
      CHECK(holds(message_of([&] { read_image(folder / "no_table.jpg"); }), words));
    }
  }
}

TEST_CASE("images: a PNG of sixteen pixels whose data would fill the memory") {
  const TemporaryFolder folder;
  const auto write = [&](std::size_t inflated) {
    const Bytes zeros(inflated);
    Bytes data(compressBound(static_cast<uLong>(inflated)));
    uLongf size = static_cast<uLongf>(data.size());
    REQUIRE(compress2(data.data(), &size, zeros.data(), static_cast<uLong>(inflated), 9) == Z_OK);
    data.resize(size);
    Bytes file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const auto number = [&](std::size_t v) {
      for (int shift = 24; shift >= 0; shift -= 8) file.push_back(static_cast<std::uint8_t>(v >> shift));
    };
    const auto chunk = [&](const std::string& type, const Bytes& content) {
      number(content.size());
      const std::size_t at = file.size();
      file.insert(file.end(), type.begin(), type.end());
      file.insert(file.end(), content.begin(), content.end());
      number(crc32(0, file.data() + at, static_cast<uInt>(file.size() - at)));
    };
    chunk("IHDR", {0, 0, 0, 4, 0, 0, 0, 4, 8, 0, 0, 0, 0});
    chunk("IDAT", data);
    chunk("IEND", {});
    write_bytes(folder / "bomb.png", file);
  };
  write(20);
  CHECK(read_image(folder / "bomb.png").pixels == std::vector<float>(16));
  write(std::size_t{64} << 20);
  const std::string text = message_of([&] { read_image(folder / "bomb.png"); });
  CHECK_MESSAGE(holds(text, "bomb.png: expected an intact PNG"), text);
  CHECK_MESSAGE(holds(text, "outofmem"), text);
}

TEST_CASE("images: channels") {
  Picture rgb(1, 1, 3);
  rgb.pixels = {100, 200, 50};
  CHECK(to_channels(rgb, 1, "f").pixels[0] == doctest::Approx(0.299 * 100 + 0.587 * 200 + 0.114 * 50));
  CHECK(to_channels(rgb, 3, "f").pixels == rgb.pixels);
  Picture gray(1, 2, 1);
  gray.pixels = {4, 5};
  CHECK(to_channels(gray, 3, "f").pixels == std::vector<float>{4, 4, 4, 5, 5, 5});
  CHECK(holds(message_of([&] { to_channels(gray, 2, "f"); }), "f: expected 2, found 1"));
}

using Values = std::vector<std::int32_t>;

TEST_CASE("label map: listed values, background and nothing else") {
  LabelMap map{{{255, 1}}, {}};
  Values v = {0, 255, 255, 0};
  map.apply(v, 2, "m.png");
  CHECK(v == Values{0, 1, 1, 0});
  v = {0, 255, 1};  // 1 is a class id, but nobody said that the file means it
  CHECK(holds(message_of([&] { map.apply(v, 2, "m.png"); }), "without a class: 1"));
  CHECK(v == Values{0, 255, 1});
  map.ignore_index = 128;
  v = {0, 128, 255};
  map.apply(v, 2, "m.png");
  CHECK(v == Values{0, 128, 1});
  map = {{{0, 1}, {255, 0}}, {}};
  v = {0, 255};
  map.apply(v, 2, "m.png");
  CHECK(v == Values{1, 0});
  map = {{{7, 5}}, {}};
  v = {7};
  CHECK(holds(message_of([&] { map.apply(v, 2, "m.png"); }), "class ids 0 to 1"));
}

TEST_CASE("label map: the message has file, counts and the line to add") {
  Values v = {0, 0, 0, 255, 255};
  std::string e = message_of([&] { LabelMap{}.apply(v, 2, "masks/a.png"); });
  CHECK(holds(e, "masks/a.png"));
  CHECK(holds(e, "0 (3 pixels), 255 (2 pixels)"));
  CHECK(holds(e, "label_map = { \"255\" = 1 }"));
  v = {0, 85, 170, 255};
  e = message_of([&] { LabelMap{}.apply(v, 4, "f"); });
  CHECK(holds(e, "label_map = { \"85\" = 1, \"170\" = 2, \"255\" = 3 }"));
  v = {0, 1, 9};
  CHECK(holds(message_of([&] { LabelMap{}.apply(v, 3, "f"); }), "label_map = { \"1\" = 1, \"9\" = 2 }"));
  CHECK(holds(message_of([&] { LabelMap{}.apply(v, 2, "f"); }), "\"9\" = CLASS"));
  v = {-1};
  CHECK(holds(message_of([&] { LabelMap{}.apply(v, 2, "f"); }), "without a class: -1"));
  v.clear();
  for (int i = 0; i < 200; ++i) v.push_back(i);
  e = message_of([&] { LabelMap{}.apply(v, 2, "f"); });
  CHECK(holds(e, "anti-aliased"));
  CHECK(holds(e, "200 values in all"));
  CHECK(e.find('\n') == std::string::npos);
}

TEST_CASE("label map: text form") {
  const LabelMap map{{{-1, 0}, {7, 2}, {255, 1}}, {}};
  CHECK(map.str() == "-1:0,7:2,255:1");
  CHECK(LabelMap::parse(map.str()) == map.entries);
  CHECK(LabelMap::parse("").empty());
  for (const char* bad : {"1", "1:", ":1", "1:2;3:4", "a:1", "1 :2"}) CHECK_THROWS_AS(LabelMap::parse(bad), Error);
}

}  // namespace
}  // namespace gf
