#include "data/loader.h"

#include <fmt/format.h>

#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

#include "data/case_cache.h"
#include "engine/random.h"
#include "kernels/error.h"
#include "kernels/philox.h"

namespace gf {
namespace {

// A batch before it becomes tensors: workers touch no engine memory.
struct RawBatch {
  Shape shape;
  std::vector<float> image;
  std::vector<std::int32_t> label;
  std::vector<std::size_t> samples;
  std::vector<PictureChange> changes;  // where they are not made here
  std::vector<float> outside;          // with the changes
  std::exception_ptr error;
};

// Fisher-Yates with number i of the epoch's own random stream.
std::vector<std::size_t> epoch_order(std::size_t count, std::uint64_t seed, std::int64_t epoch, bool shuffle) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (!shuffle) return order;
  const std::uint64_t stream = named_stream("data.shuffle") + static_cast<std::uint64_t>(epoch);
  for (std::size_t i = count; i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::uint64_t>(philox(seed, stream, i).v[0]) * i >> 32]);
  return order;
}

// The loader's own view of the data: as it is stored, where the resizing waits for the augmentation.
Dataset as_cached(Dataset dataset, bool resize_later) {
  if (resize_later) dataset.preprocessing.resize_height = dataset.preprocessing.resize_width = 0;
  return dataset;
}

std::string extent(const Picture& p) { return fmt::format("{}x{} pixels", p.w, p.h); }

}  // namespace

class Loader::Impl {
 public:
  Impl(const Dataset& dataset, Split split, const LoaderOptions& options)
      : resize_later_(options.augment_before_resize && dataset.preprocessing.resizes()),
        preprocessing_(dataset.preprocessing),
        dataset_(as_cached(dataset, resize_later_)),
        options_(options),
        labelled_(split != Split::unlabelled),
        samples_(samples_of(dataset, split)),
        cache_(dataset_, options.cache_mb << 20) {
    check_options(split);
    for (int i = 0; i < options_.threads; ++i) workers_.emplace_back([this] { work(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    room_.notify_all();
    for (std::thread& t : workers_) t.join();
  }

  Batch next() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return made_.contains(give_); });
    if (made_[give_].error) std::rethrow_exception(made_[give_].error);  // stays: the next call says the same
    const RawBatch raw = std::move(made_[give_]);
    made_.erase(give_);
    const LoaderPosition position = position_of(give_++);
    lock.unlock();
    room_.notify_all();
    Shape label_shape = raw.shape;
    label_shape.c = 1;
    const Tensor label = labelled_ ? Tensor::from(std::span<const std::int32_t>(raw.label), label_shape) : Tensor();
    return {Tensor::from(std::span<const float>(raw.image), raw.shape), label, raw.samples, position, pending_of(raw)};
  }

  LoaderPosition position() const {
    const std::lock_guard lock(mutex_);
    return position_of(give_);
  }

  void seek(LoaderPosition position) {
    if (position.epoch < 0 || position.step < 0 || position.step >= steps())
      bad_data("cannot continue at this place in the data",
               fmt::format("epoch {} step {}", position.epoch, position.step),
               fmt::format("a step from 0 to {}", steps() - 1), std::to_string(position.step),
               "has the data set or the batch size changed?");
    {
      const std::lock_guard lock(mutex_);
      ++generation_;  // batches still in the making are thrown away when they arrive
      made_.clear();
      give_ = make_ = position.epoch * steps() + position.step;
    }
    room_.notify_all();
  }

  std::string name_of_sample(const Batch& batch, std::size_t i) const {
    const Sample& s = samples_.at(batch.samples.at(i));
    const Case& c = dataset_.cases[s.case_index];
    return dataset_.volumes ? fmt::format("{} slice {}", c.id, c.first_slice + s.slice) : c.id;
  }

  std::int64_t sample_count() const { return static_cast<std::int64_t>(samples_.size()); }
  std::int64_t steps() const {
    const std::int64_t b = options_.batch_size;
    return options_.drop_last ? sample_count() / b : (sample_count() + b - 1) / b;
  }

 private:
  void check_options(Split split) const {
    if (options_.batch_size < 1 || options_.threads < 1 || options_.prefetch < 1)
      throw Error(ErrorKind::usage, {"bad loader options", "batch_size, threads, prefetch", "at least 1", {}, {}});
    check(options_.augmentation);
    if (samples_.empty()) bad_data("no samples", fmt::format("{} part of {}", name_of(split), dataset_.root));
    if (steps() == 0)
      bad_data("fewer samples than one batch", fmt::format("{} part of {}", name_of(split), dataset_.root),
               fmt::format("at least {}", options_.batch_size), std::to_string(samples_.size()),
               "lower the batch size");
    if (options_.augment_later && (options_.augmentation.filters.any() || resize_later_))
      throw Error(ErrorKind::usage,
                  {"this augmentation is made by the loader's threads only", "data.augment_on", "loader", "device",
                   "only flips, turns, zooms and intensity can be made on the device"});
    if (!labelled_ && options_.augment_later)
      throw Error(ErrorKind::usage, {"pictures without labels are changed by the loader's threads", "data.augment_on",
                                     "loader", "device", ""});
    for (const Sample& s : samples_)
      if (labelled_ && dataset_.cases[s.case_index].label.empty())
        bad_data("case without a label", dataset_.cases[s.case_index].images[0]);
  }

  // Where labels that come from beyond a picture's rim are put.
  std::int32_t outside_label() const { return dataset_.preprocessing.label_map.ignore_index.value_or(0); }

  PendingAugmentation pending_of(const RawBatch& raw) const {
    if (raw.changes.empty()) return {};
    const std::int64_t n = raw.shape.n;
    std::vector<std::int32_t> words(raw.changes.size() * kChangeWords);
    std::memcpy(words.data(), raw.changes.data(), words.size() * sizeof(std::int32_t));
    return {Tensor::from(std::span<const std::int32_t>(words), {n, 1, 1, kChangeWords}),
            Tensor::from(std::span<const float>(raw.outside), {n, 1, 1, raw.shape.c}),
            {outside_label(), changes_levels(options_.augmentation)}};
  }

  LoaderPosition position_of(std::int64_t number) const { return {number / steps(), number % steps()}; }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      room_.wait(lock, [this] { return stop_ || make_ < give_ + options_.prefetch; });
      if (stop_) return;
      const std::int64_t number = make_++, generation = generation_;
      lock.unlock();
      RawBatch batch = make(position_of(number));
      lock.lock();
      if (generation != generation_) continue;
      made_[number] = std::move(batch);
      ready_.notify_all();
    }
  }

  RawBatch make(LoaderPosition at) {
    RawBatch batch;
    const Case* current = nullptr;
    try {
      const std::vector<std::size_t> order = epoch_order(samples_.size(), options_.seed, at.epoch, options_.shuffle);
      const std::size_t first = static_cast<std::size_t>(at.step * options_.batch_size);
      const std::size_t last = std::min(order.size(), first + static_cast<std::size_t>(options_.batch_size));
      batch.samples.assign(order.begin() + first, order.begin() + last);
      for (const std::size_t sample : batch.samples) {
        current = &dataset_.cases[samples_[sample].case_index];
        append(batch, sample, static_cast<std::uint64_t>(at.epoch));
      }
    } catch (const Error&) {
      batch.error = std::current_exception();
    } catch (const std::exception& e) {  // out of memory and the like: say at which file
      batch.error = std::make_exception_ptr(
          Error(ErrorKind::failure, {"cannot load a batch", current ? current->images[0] : "", {}, e.what(), {}}));
    }
    return batch;
  }

  void append(RawBatch& batch, std::size_t sample, std::uint64_t epoch) {
    const auto [c, slice] = cache_.get(samples_[sample]);
    const SampleKey key{options_.seed, epoch, sample};
    Picture picture = c->images.at(slice);
    // Without labels the mask takes part in the changes and is thrown away.
    Mask mask = labelled_ ? c->labels.at(slice) : Mask(picture.h, picture.w);
    if (resize_later_) {
      augment(picture, mask, options_.augmentation, key, outside_label());
      picture = fit(picture, preprocessing_);
      mask = fit(mask, preprocessing_);
    }
    const Extent padded = padded_extent({picture.h, picture.w}, preprocessing_);
    picture = pad(picture, padded);
    mask = pad(mask, padded, outside_label());
    if (!resize_later_ && !options_.augment_later) {
      augment(picture, mask, options_.augmentation, key, outside_label());
    } else if (options_.augment_later && options_.augmentation.any()) {
      const std::vector<float> outside = outside_of(picture, options_.augmentation);
      batch.changes.push_back(draw_change(options_.augmentation, key, picture.h, picture.w));
      batch.outside.insert(batch.outside.end(), outside.begin(), outside.end());
    }
    const Shape one{1, picture.h, picture.w, picture.c};
    if (batch.image.empty()) {
      batch.shape = one;
      batch.shape.n = static_cast<std::int64_t>(batch.samples.size());
      batch.image.reserve(batch.shape.count());
      batch.label.reserve(batch.shape.pixels());
    } else if (one.h != batch.shape.h || one.w != batch.shape.w) {
      bad_data("pictures of one batch differ in size", c->image_paths[0],
               fmt::format("{}x{} pixels after padding", batch.shape.w, batch.shape.h), extent(picture),
               "set data.pad_to to the largest height and width, or the batch size to 1");
    }
    batch.image.insert(batch.image.end(), picture.pixels.begin(), picture.pixels.end());
    batch.label.insert(batch.label.end(), mask.values.begin(), mask.values.end());
  }

  const bool resize_later_;            // after the augmentation
  const Preprocessing preprocessing_;  // the data set's; dataset_'s lacks the resizing where that is later
  const Dataset dataset_;
  const LoaderOptions options_;
  const bool labelled_;
  const std::vector<Sample> samples_;
  CaseCache cache_;

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable room_, ready_;
  std::map<std::int64_t, RawBatch> made_;
  std::int64_t give_ = 0, make_ = 0, generation_ = 0;  // give_: the next batch to hand out, make_: to start on
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

Loader::Loader(const Dataset& dataset, Split split, const LoaderOptions& options)
    : impl_(std::make_unique<Impl>(dataset, split, options)) {}
Loader::~Loader() = default;
Batch Loader::next() { return impl_->next(); }
LoaderPosition Loader::position() const { return impl_->position(); }
void Loader::seek(LoaderPosition position) { impl_->seek(position); }
std::string Loader::name_of_sample(const Batch& batch, std::size_t i) const { return impl_->name_of_sample(batch, i); }
std::int64_t Loader::sample_count() const { return impl_->sample_count(); }
std::int64_t Loader::steps_per_epoch() const { return impl_->steps(); }

void finish_augmentation(Batch& batch) {
  if (!batch.pending.pictures) return;
  const Device& device = batch.image.device();
  const Tensor pictures = batch.pending.pictures.to(device), outside = batch.pending.outside.to(device);
  const Tensor image = Tensor::empty(batch.image.shape(), DType::f32, device);
  const Tensor label = Tensor::empty(batch.label.shape(), DType::i32, device);
  on(device, [&](const auto& d) {
    augment_pictures(d, batch.pending.batch, pictures.view(), outside.view(), batch.image.view(), batch.label.view(),
                     image.mutable_view(), label.mutable_view());
  });
  batch.image = image;
  batch.label = label;
  batch.pending = {};
}

}  // namespace gf
