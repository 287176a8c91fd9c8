#include "data/paired_loader.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/error.h"

namespace gf {
namespace {

LoaderOptions half_of(LoaderOptions o) {
  if (o.batch_size < 2 || o.batch_size % 2 != 0)
    throw Error(ErrorKind::usage, {"a batch of labelled and unlabelled halves", "train.batch_size", "an even number",
                                   std::to_string(o.batch_size), ""});
  o.batch_size /= 2;
  return o;
}

const Dataset& with_unlabelled(const Dataset& d) {
  if (samples_of(d, Split::unlabelled).empty())
    bad_data("no unlabelled cases", d.root, "cases of split unlabelled", "none",
             "make some: graphflow split --labelled N, then data.split_file; or turn distill.semi_supervised off");
  return d;
}

// Another stream of random numbers for the other half's order and changes.
LoaderOptions of_unlabelled(LoaderOptions o) {
  o.seed ^= 0x9e3779b97f4a7c15ull;
  return o;
}

}  // namespace

PairedLoader::PairedLoader(const Dataset& dataset, const LoaderOptions& options)
    : labelled_(dataset, Split::train, half_of(options)),
      unlabelled_(with_unlabelled(dataset), Split::unlabelled, of_unlabelled(half_of(options))) {}

std::int64_t PairedLoader::steps_per_epoch() const {
  return std::max(labelled_.steps_per_epoch(), unlabelled_.steps_per_epoch());
}

LoaderPosition PairedLoader::position() const { return {next_ / steps_per_epoch(), next_ % steps_per_epoch()}; }

void PairedLoader::seek(LoaderPosition position) {
  next_ = position.epoch * steps_per_epoch() + position.step;
  for (Loader* part : {&labelled_, &unlabelled_})
    part->seek({next_ / part->steps_per_epoch(), next_ % part->steps_per_epoch()});
}

std::string PairedLoader::name_of_sample(const Batch& batch, std::size_t i) const {
  const bool labelled = i < static_cast<std::size_t>(batch.label.shape().n);
  return (labelled ? labelled_ : unlabelled_).name_of_sample(batch, i);
}

Batch PairedLoader::next() {
  const LoaderPosition at = position();
  const Batch a = labelled_.next(), b = unlabelled_.next();
  Shape s = a.image.shape();
  const Shape& t = b.image.shape();
  if (t.h != s.h || t.w != s.w)
    bad_data("labelled and unlabelled pictures differ in size", "one batch", fmt::format("{}x{} pixels", s.w, s.h),
             fmt::format("{}x{} pixels", t.w, t.h), "set data.pad_to to the largest height and width");
  s.n += t.n;
  Batch both{Tensor::empty(s), a.label, a.samples, at};
  both.image.view_images(0, a.image.shape().n).assign(a.image);
  both.image.view_images(a.image.shape().n, t.n).assign(b.image);
  both.samples.insert(both.samples.end(), b.samples.begin(), b.samples.end());
  ++next_;
  return both;
}

}  // namespace gf
