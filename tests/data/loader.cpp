#include "data/loader.h"

#include <set>

#include "data/case_cache.h"
#include "engine/io/npz_writer.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

// Pictures of w x h pixels; picture i is filled with 10 * i .. and has one labelled pixel.
Dataset pictures(const TemporaryFolder& folder, int count, int w = 6, int h = 5) {
  Dataset d;
  d.root = folder.path();
  d.class_names = {"background", "foreground"};
  d.preprocessing.stride = 4;
  d.preprocessing.normalisation = Normalisation::none;
  for (int i = 0; i < count; ++i) {
    const std::string image = folder / ("i" + std::to_string(i) + ".png"),
                      mask = folder / ("m" + std::to_string(i) + ".png");
    Bytes8 p{h, w, 1, Bytes(static_cast<std::size_t>(w * h))};
    for (int k = 0; k < w * h; ++k) p.bytes[k] = static_cast<std::uint8_t>(10 * i + k % 7);
    write_png(image, p);
    std::fill(p.bytes.begin(), p.bytes.end(), std::uint8_t{0});
    p.bytes[i % (w * h)] = 1;
    write_png(mask, p);
    d.cases.push_back({"c" + std::to_string(i), {image}, mask, Split::train, 0, 0});
  }
  return d;
}

Augmentation lively() {
  Augmentation a;
  a.hflip = a.vflip = true;
  a.rotation_degrees = 20;
  a.zoom_min = 0.9f, a.zoom_max = 1.1f;
  a.gain = 0.1f;
  return a;
}

// Everything about a batch that training could see.
struct Seen {
  std::vector<float> image;
  std::vector<std::int32_t> label;
  std::vector<std::size_t> samples;
  LoaderPosition position;
  bool operator==(const Seen&) const = default;
};

Seen see(const Batch& b) {
  return {b.image.to_vector(),
          {b.label.data<std::int32_t>(), b.label.data<std::int32_t>() + b.label.count()},
          b.samples,
          b.position};
}

std::vector<Seen> take(Loader& loader, int n) {
  std::vector<Seen> out;
  for (int i = 0; i < n; ++i) out.push_back(see(loader.next()));
  return out;
}

TEST_CASE("loader: shapes, padding and every sample once an epoch") {
  const TemporaryFolder folder;
  const Dataset d = pictures(folder, 10);
  LoaderOptions o;
  o.batch_size = 4;
  o.drop_last = false;
  Loader loader(d, Split::train, o);
  CHECK(loader.sample_count() == 10);
  CHECK(loader.steps_per_epoch() == 3);
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::multiset<std::size_t> seen;
    for (int step = 0; step < 3; ++step) {
      CHECK(loader.position() == LoaderPosition{epoch, step});
      const Batch b = loader.next();
      CHECK(b.position == LoaderPosition{epoch, step});
      CHECK(b.image.shape() == Shape{step == 2 ? 2 : 4, 8, 8, 1});
      CHECK(b.label.shape() == Shape{step == 2 ? 2 : 4, 8, 8, 1});
      CHECK(b.label.dtype() == DType::i32);
      seen.insert(b.samples.begin(), b.samples.end());
      for (std::size_t i = 0; i < b.samples.size(); ++i) {
        const float* pixels = b.image.data() + i * 64;
        const int sample = static_cast<int>(b.samples[i]);
        CHECK(pixels[8 * 1 + 1] ==
              static_cast<float>(10 * sample));               // first pixel, behind one row and one column of padding
        CHECK(pixels[0] == static_cast<float>(10 * sample));  // padding: the least value
        CHECK(b.label.data<std::int32_t>()[i * 64 + 8 * (1 + sample / 6) + 1 + sample % 6] == 1);
      }
    }
    CHECK(seen == std::multiset<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  }
  o.drop_last = true;
  CHECK(Loader(d, Split::train, o).steps_per_epoch() == 2);
}

TEST_CASE("loader: the same batches with 1, 2 and 4 threads, cached or not, others with another seed") {
  const TemporaryFolder folder;
  const Dataset d = pictures(folder, 13);
  LoaderOptions o;
  o.batch_size = 3;
  o.seed = 42;
  o.augmentation = lively();
  std::vector<Seen> first;
  {
    Loader loader(d, Split::train, o);
    first = take(loader, 15);
  }
  CHECK(first[0].samples != first[4].samples);  // shuffled anew in epoch 1
  for (const int threads : {1, 2, 4})
    for (const std::int64_t cache : {0, 1024})
      for (const int prefetch : {1, 7}) {
        o.threads = threads;
        o.cache_mb = cache;
        o.prefetch = prefetch;
        Loader loader(d, Split::train, o);
        CHECK(take(loader, 15) == first);
      }
  o.seed = 43;
  Loader other(d, Split::train, o);
  CHECK(!(take(other, 1)[0] == first[0]));
}

TEST_CASE("loader: nnU-Net's changes and resizing after them give the same pictures whatever the number of threads") {
  const TemporaryFolder folder;
  Dataset d = pictures(folder, 7, 12, 10);
  d.preprocessing.resize_height = d.preprocessing.resize_width = 8;
  LoaderOptions o;
  o.batch_size = 3;
  o.augmentation = lively();
  Filters& f = o.augmentation.filters;
  f = {.noise = 0.1f, .blur = 1, .brightness = 0.25f, .contrast = 0.25f, .low_resolution = 0.5f, .gamma = 0.5f};
  f.noise_share = f.blur_share = f.brightness_share = f.contrast_share = f.low_resolution_share = f.gamma_share = 0.5f;
  std::vector<Seen> sets[2];
  for (const bool late : {false, true}) {
    o.augment_before_resize = late;
    o.threads = 1;
    std::vector<Seen>& first = sets[late];
    {
      Loader loader(d, Split::train, o);
      CHECK(loader.next().image.shape() == Shape{3, 8, 8, 1});
      loader.seek({0, 0});
      first = take(loader, 8);
    }
    for (const int threads : {2, 3, 8}) {
      o.threads = threads;
      Loader loader(d, Split::train, o);
      CHECK(take(loader, 8) == first);
      loader.seek({2, 1});  // and so after a resume
      CHECK(see(loader.next()) == first[5]);
    }
  }
  CHECK(!(sets[0] == sets[1]));
  o.augment_later = true;
  CHECK(holds(message_of([&] { Loader(d, Split::train, o); }, ErrorKind::usage), "data.augment_on"));
  o.augmentation.filters = {};
  CHECK(holds(message_of([&] { Loader(d, Split::train, o); }, ErrorKind::usage), "data.augment_on"));
  o.augment_before_resize = false;
  CHECK_NOTHROW(Loader(d, Split::train, o));

  // Late resizing of pictures nothing happens to is resizing.
  o.augmentation = {};
  o.augment_later = false;
  Loader early(d, Split::train, o);
  o.augment_before_resize = true;
  Loader late(d, Split::train, o);
  CHECK(take(early, 4) == take(late, 4));
}

TEST_CASE("loader: pictures changed later, on any device, are those the workers would have made") {
  const TemporaryFolder folder;
  Dataset d = pictures(folder, 9, 8, 8);
  d.preprocessing.label_map.ignore_index = 255;
  Augmentation all = lively();
  all.rot90 = true;
  all.offset = all.gamma = 0.2f;
  Augmentation moved = all, mirrored, none;
  moved.gain = moved.offset = moved.gamma = 0;
  mirrored.hflip = mirrored.rot90 = true;
  for (const Augmentation& how : {all, moved, mirrored, none}) {
    LoaderOptions o;
    o.batch_size = 4;
    o.threads = 2;
    o.seed = 3;
    o.augmentation = how;
    Loader now(d, Split::train, o);
    const std::vector<Seen> want = take(now, 6);
    o.augment_later = true;
    for (const Device& device : {cpu_device(), simt_device(), simt_device(3)}) {
      Loader later(d, Split::train, o);
      bool unchanged = true;
      for (const Seen& expected : want) {
        Batch b = later.next();
        CHECK(static_cast<bool>(b.pending.pictures) == how.any());
        unchanged = unchanged && see(b) == expected;
        b.image = b.image.to(device);
        b.label = b.label.to(device);
        finish_augmentation(b);
        CHECK(see(b) == expected);
        CHECK(same_device(b.image.device(), device));
        CHECK(!b.pending.pictures);
      }
      CHECK(unchanged == !how.any());
    }
  }
}

TEST_CASE("loader: a resumed run sees the batches the unbroken one would have seen") {
  const TemporaryFolder folder;
  const Dataset d = pictures(folder, 9);
  LoaderOptions o;
  o.batch_size = 2;
  o.threads = 2;
  o.augmentation = lively();
  Loader whole(d, Split::train, o);
  const std::vector<Seen> all = take(whole, 12);
  Loader before(d, Split::train, o);
  take(before, 7);
  const LoaderPosition saved = before.position();
  CHECK(saved == LoaderPosition{1, 3});
  Loader after(d, Split::train, o);
  take(after, 2);
  after.seek(saved);
  CHECK(take(after, 5) == std::vector<Seen>(all.begin() + 7, all.end()));
  after.seek({0, 0});
  CHECK(take(after, 12) == all);
  CHECK(holds(message_of([&] { after.seek({0, 4}); }), "batch size changed"));
}

TEST_CASE("loader: without shuffling, samples come in order") {
  const TemporaryFolder folder;
  const Dataset d = pictures(folder, 4);
  LoaderOptions o;
  o.batch_size = 2;
  o.shuffle = false;
  Loader loader(d, Split::train, o);
  CHECK(loader.next().samples == std::vector<std::size_t>{0, 1});
  CHECK(loader.next().samples == std::vector<std::size_t>{2, 3});
  CHECK(loader.next().samples == std::vector<std::size_t>{0, 1});
}

TEST_CASE("loader: what a worker meets reaches the caller with the file's name") {
  const TemporaryFolder folder;
  const Dataset d = pictures(folder, 4);
  write_text(folder / "i2.png", "not an image");
  LoaderOptions o;
  o.batch_size = 1;
  o.shuffle = false;
  for (const int threads : {1, 3}) {
    o.threads = threads;
    Loader loader(d, Split::train, o);
    loader.next();
    loader.next();
    CHECK(holds(message_of([&] { loader.next(); }), "i2.png"));
    CHECK(holds(message_of([&] { loader.next(); }), "i2.png"));
    loader.seek({0, 3});
    CHECK(loader.next().samples == std::vector<std::size_t>{3});
  }
}

TEST_CASE("loader: a label outside the classes, sizes that differ, no samples, no label") {
  const TemporaryFolder folder;
  Dataset d = pictures(folder, 4);
  LoaderOptions o;
  o.shuffle = false;
  {
    Dataset one_class = d;
    one_class.class_names = {"background"};
    Loader loader(one_class, Split::train, o);
    CHECK(holds(message_of([&] { loader.next(); }), "m0.png"));
  }
  const TemporaryFolder larger;
  d.cases[2] = pictures(larger, 1, 12, 12).cases[0];
  {
    Loader loader(d, Split::train, o);
    const std::string e = message_of([&] { loader.next(); });
    CHECK(holds(e, "8x8 pixels"));
    CHECK(holds(e, "12x12 pixels"));
    CHECK(holds(e, "data.pad_to"));
  }
  d.preprocessing.min_height = d.preprocessing.min_width = 12;
  Loader loader(d, Split::train, o);
  CHECK(loader.next().image.shape() == Shape{4, 12, 12, 1});
  CHECK(holds(message_of([&] { Loader(d, Split::val, o); }), "no samples"));
  o.batch_size = 5;
  CHECK(holds(message_of([&] { Loader(d, Split::train, o); }), "at least 5, found 4"));
  d.cases[0].label.clear();
  o.batch_size = 2;
  CHECK(holds(message_of([&] { Loader(d, Split::train, o); }), "without a label"));
  o.threads = 0;
  CHECK_THROWS_AS(Loader(d, Split::train, o), Error);
}

TEST_CASE("loader: padding and what turns in from outside are ignored where there is an ignore index") {
  const TemporaryFolder folder;
  Dataset d = pictures(folder, 1);
  d.preprocessing.label_map.ignore_index = 200;
  LoaderOptions o;
  o.batch_size = 1;
  Loader loader(d, Split::train, o);
  const Batch b = loader.next();
  CHECK(b.label.data<std::int32_t>()[0] == 200);
  CHECK(b.label.data<std::int32_t>()[8 * 1 + 1] == 1);
}

TEST_CASE("case cache: slices that are files of their own are decoded alone") {
  const TemporaryFolder folder;
  Dataset d = pictures(folder, 1, 2, 2);
  const std::vector<float> values(100);
  for (const char* name : {"a.npz", "b.npz"})
    write_npz(folder / name, {{"image", "<f4", {10, 10}, std::as_bytes(std::span<const float>(values))},
                              {"label", "<f4", {10, 10}, std::as_bytes(std::span<const float>(values))}});
  d.volumes = true;
  d.cases = {{.id = "v", .images = {folder / "a.npz", folder / "b.npz"}, .label = folder / "a.npz", .last_slice = 1}};
  CaseCache cache(d, 800);  // one of them
  const CaseCache::Found b = cache.get({0, 1});
  CHECK(b.prepared->images.size() == 1);
  CHECK(b.slice == 0);
  std::filesystem::remove(folder / "b.npz");
  CHECK(cache.get({0, 1}).prepared == b.prepared);
  CHECK(cache.get({0, 0}).prepared != b.prepared);
  CHECK(cache.used_bytes() == 800);
}

TEST_CASE("case cache: keeps what fits") {
  const TemporaryFolder folder;
  const Dataset d = pictures(folder, 3, 100, 100);  // 80 kB each: floats and labels
  CaseCache cache(d, 170000);
  const auto of = [&](std::size_t i) { return cache.get({i, 0}).prepared; };
  const auto a = of(0), b = of(1), c = of(2);
  CHECK(of(0) == a);
  CHECK(of(1) == b);
  CHECK(of(2) != c);
  CHECK(cache.used_bytes() == 160000);
}

}  // namespace
}  // namespace gf
