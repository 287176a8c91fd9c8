#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "data/csv.h"
#include "data/gz_stream.h"
#include "engine/io/atomic_file.h"
#include "kernels/philox.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

Bytes noise(std::size_t n) {
  Bytes b(n);
  for (std::size_t i = 0; i < n; ++i)
    b[i] = static_cast<std::uint8_t>(philox(3, 4, i / 3).v[0]);  // somewhat compressible
  return b;
}

TEST_CASE("atomic file: appears whole on commit, vanishes without") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.bin";
  write_text(path, "old");
  {
    AtomicFile f(path);
    f.write("half");
    f.flush();
    CHECK(folder.files() == 2);
  }
  CHECK(folder.files() == 1);
  CHECK(read_bytes(path) == Bytes{'o', 'l', 'd'});
  const Bytes big = noise(200000);
  AtomicFile f(path);
  f.write(big.data(), 10);
  f.write(big.data() + 10, 100000);
  f.write(big.data() + 100010, 99990);
  CHECK(f.size() == 200000);
  f.commit();
  CHECK(folder.files() == 1);
  CHECK(read_bytes(path) == big);
}

TEST_CASE("atomic file: a link stays and its target is written, what is no file is not replaced") {
  const TemporaryFolder folder;
  const std::string pipe = folder / "pipe", link = folder / "link", target = folder / "target";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(holds(message_of([&] { AtomicFile f(pipe); }, ErrorKind::failure), "a device or pipe"));
  std::filesystem::create_symlink("target", link);
  write_file_atomically(link, "first");  // the target is not there yet
  write_file_atomically(link, "second");
  CHECK(std::filesystem::is_symlink(link));
  CHECK(read_bytes(target) == Bytes{'s', 'e', 'c', 'o', 'n', 'd'});
  std::filesystem::create_symlink("circle", folder / "circle");
  CHECK(!message_of([&] { write_file_atomically(folder / "circle", "x"); }, ErrorKind::failure).empty());
}

TEST_CASE("atomic file: what cannot be written is an error that leaves the old file") {
  const TemporaryFolder folder;
  CHECK(holds(message_of([&] { AtomicFile f(folder / "missing/a"); }, ErrorKind::failure), "create the folder first"));
  CHECK(holds(message_of([&] { AtomicFile f(folder.path()); }, ErrorKind::failure), "a directory"));
  write_text(folder / "a", "old");
  // A file size limit stands for the full disk.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1000;
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string e =
      message_of([&] { write_file_atomically(folder / "a", std::string(5000, 'x')); }, ErrorKind::failure);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(holds(e, "cannot write file"));
  CHECK(folder.files() == 1);
  CHECK(read_bytes(folder / "a").size() == 3);
}

TEST_CASE("gz stream: writes and reads plain and compressed files") {
  const TemporaryFolder folder;
  const Bytes data = noise(300000);
  for (const char* name : {"a.bin", "a.bin.gz"}) {
    GzWriter out(folder / name);
    out.write(data.data(), 1);
    out.write(data.data() + 1, data.size() - 1);
    out.finish();
    out.commit();
    GzReader in(folder / name);
    Bytes back(data.size());
    in.read(back.data(), 7, "start");
    in.skip(5, "gap");
    in.read(back.data() + 12, back.size() - 12, "rest");
    in.finish();
    CHECK(in.position() == data.size());
    CHECK(in.compressed() == (std::string(name) == "a.bin.gz"));
    CHECK(std::equal(back.begin() + 12, back.end(), data.begin() + 12));
  }
  CHECK(std::filesystem::file_size(folder / "a.bin.gz") < 300000);
}

TEST_CASE("gz stream: several members and zero padding are one stream") {
  const TemporaryFolder folder;
  Bytes file = gzip({'a', 'b'});
  const Bytes second = gzip({'c'});
  file.insert(file.end(), second.begin(), second.end());
  file.resize(file.size() + 17);
  write_bytes(folder / "m.gz", file);
  GzReader in(folder / "m.gz");
  char text[3];
  in.read(text, 3, "text");
  CHECK(std::string(text, 3) == "abc");
  in.finish();
  CHECK(in.position() == 3);
}

TEST_CASE("gz stream: a file cut at any length is an error that names it") {
  const TemporaryFolder folder;
  const Bytes data = noise(5000), whole = gzip(data);
  REQUIRE(whole.size() > 1000);
  const std::string path = folder / "cut.gz";
  for (std::size_t n = 0; n < whole.size(); n += n < 40 || n + 40 > whole.size() ? 1 : 97) {
    CAPTURE(n);
    write_bytes(path, Bytes(whole.begin(), whole.begin() + n));
    const std::string e = message_of([&] {
      GzReader in(path);
      Bytes back(data.size());
      in.read(back.data(), back.size(), "voxels");
      in.finish();
    });
    CHECK(holds(e, "truncated"));
    CHECK(holds(e, path));
  }
  write_bytes(path, whole);
  GzReader in(path);
  Bytes back(data.size());
  in.read(back.data(), back.size(), "voxels");
  in.finish();
  CHECK(back == data);
}

TEST_CASE("gz stream: a missing checksum is an error though every byte of the data arrived") {
  const TemporaryFolder folder;
  const Bytes data = noise(5000);
  Bytes file = gzip(data);
  // A file name in the gzip header (flag 8) moves the checksum to where the stream refills its buffer of 64 KiB, so
  // that reading the data does not touch it.
  file[3] |= 8;
  std::string name(65536 - (file.size() - 8), 'x');
  name.back() = '\0';
  file.insert(file.begin() + 10, name.begin(), name.end());
  Bytes back(data.size());
  const auto read = [&](std::size_t size, bool to_the_end) {
    write_bytes(folder / "c.gz", Bytes(file.begin(), file.begin() + size));
    GzReader in(folder / "c.gz");
    in.read(back.data(), back.size(), "voxels");
    if (to_the_end) in.finish();
  };
  read(file.size(), true);
  CHECK(back == data);
  read(65536, false);
  for (std::size_t size = 65536; size < file.size(); ++size)
    CHECK(holds(message_of([&] { read(size, true); }), "truncated"));
}

TEST_CASE("gz stream: changed bytes are an error") {
  const TemporaryFolder folder;
  const Bytes data = noise(5000), whole = gzip(data);
  for (const std::size_t at : {whole.size() / 2, whole.size() - 6, whole.size() - 2}) {  // data, checksum, length
    Bytes bad = whole;
    bad[at] ^= 0x41;
    write_bytes(folder / "bad.gz", bad);
    CHECK_THROWS_AS(
        [&] {
          GzReader in(folder / "bad.gz");
          Bytes back(data.size());
          in.read(back.data(), back.size(), "voxels");
          in.finish();
        }(),
        Error);
  }
}

TEST_CASE("gz stream: missing files and directories") {
  const TemporaryFolder folder;
  CHECK(holds(message_of([&] { GzReader in(folder / "none"); }), "No such file"));
  CHECK(holds(message_of([&] { GzReader in(folder.path()); }), "a directory"));
  CHECK(holds(message_of([&] { read_whole_file(folder / "none"); }), "No such file"));
}

TEST_CASE("csv: quotes, line endings, and what is wrong with line N") {
  const TemporaryFolder folder;
  const std::string path = folder / "t.csv";
  write_text(path, "\xef\xbb\xbfimage,\"sp,lit\"\r\na.png,train\r\n\r\n\"b \"\"x\"\"\ny\",\r\nc,val");
  const CsvTable t = CsvTable::read(path);
  REQUIRE(t.rows() == 3);
  CHECK(t.at(0, t.column("image")) == "a.png");
  CHECK(t.at(0, t.column("sp,lit")) == "train");
  CHECK(t.at(1, 0) == "b \"x\"\ny");
  CHECK(t.at(1, 1) == "");
  CHECK(t.line(1) == 4);
  CHECK(t.line(2) == 6);
  CHECK(csv_field("b \"x\"\ny") == "\"b \"\"x\"\"\ny\"");
  CHECK(holds(message_of([&] { t.column("mask"); }), "image, sp,lit"));
  write_text(path, "a,b\n1,2\n3\n");
  CHECK(holds(message_of([&] { CsvTable::read(path); }), "line 3"));
  write_text(path, "a,b\n1,\"2\n");
  CHECK(holds(message_of([&] { CsvTable::read(path); }), "closing quote"));
  write_text(path, "");
  CHECK(holds(message_of([&] { CsvTable::read(path); }), "empty"));
}

}  // namespace
}  // namespace gf
