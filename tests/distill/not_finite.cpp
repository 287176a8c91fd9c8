// Steps with a NaN or an infinity: what is told, what is kept, what is left as it was, and how a run goes on.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "engine/autograd.h"
#include "engine/io/safetensors.h"
#include "kernels/error.h"
#include "tests/distill/disc_run.h"
#include "tests/harness/weights.h"

using namespace gf;
using namespace gf::test;

namespace {

// Spoils one picture of the batch it gives at one of its calls.
class Spoiled : public BatchSource {
 public:
  Spoiled(BatchSource& source, int call, float value) : source_(source), call_(call), value_(value) {}
  Batch next() override {
    Batch b = source_.next();
    if (++calls_ != call_) return b;
    const Tensor picture = b.image.view_images(2, 1);
    for (std::int64_t i = 0; i < picture.count(); ++i) picture.mutable_data()[i] = value_;
    name_ = source_.name_of_sample(b, 2);
    return b;
  }
  LoaderPosition position() const override { return source_.position(); }
  void seek(LoaderPosition p) override { source_.seek(p); }
  std::int64_t steps_per_epoch() const override { return source_.steps_per_epoch(); }
  std::string name_of_sample(const Batch& b, std::size_t i) const override { return source_.name_of_sample(b, i); }
  const std::string& name() const { return name_; }

 private:
  BatchSource& source_;
  int call_, calls_ = 0;
  float value_;
  std::string name_;
};

struct Listener : Recorder {
  std::vector<std::string> notes;
  std::vector<std::int64_t> places;
  void note(const std::string& line) override { notes.push_back(line); }
  void went_back(std::int64_t step) override { places.push_back(step); }
};

LoaderOptions plain() {
  LoaderOptions o = loader_options();
  o.augmentation = {};
  return o;
}

std::string error_of(Supervised& run, BatchSource& batches, const TrainerOptions& o) {
  Listener listener;
  try {
    run_training(*run.task, batches, o, listener);
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("not finite: a parameter is named, and the term") {
  const TemporaryFolder folder;
  Supervised run("mobile_unet", 0.1);
  for (const NamedTensor& p : run.network->parameters())
    if (p.name == "head2.bias") p.tensor.mutable_data()[0] = kNan;
  Loader loader(discs(), Split::train, loader_options());
  const std::string text = error_of(run, loader, options(folder.path(), 3));
  CHECK_MESSAGE(contains(text, "the loss is not finite: term ce at step 1"), text);
  CHECK_MESSAGE(contains(text, "first in parameter head2.bias"), text);
}

TEST_CASE("not finite: a picture is named, its batch is kept, the parameters stay as they were") {
  for (const char* device : {"cpu", "simt"}) {
    CAPTURE(device);
    const TemporaryFolder good, bad;
    Supervised reference("mobile_unet", 0.1, 0, parse_device(device)), run("mobile_unet", 0.1, 0, parse_device(device));
    Loader loader(discs(), Split::train, plain()), again(discs(), Split::train, plain());
    Recorder recorder;
    std::atomic<bool> stop{false};
    recorder.stop = &stop;
    recorder.stop_at = 2;
    run_training(*reference.task, loader, options(good.path(), 3), recorder, {}, &stop);
    Spoiled spoiled(again, 3, kNan);
    TrainerOptions o = options(bad.path(), 3);
    o.on_not_finite = OnNotFinite::lower_lr;  // which does not help against a picture
    const std::string text = error_of(run, spoiled, o);
    CHECK_MESSAGE(contains(text, "at step 3"), text);
    CHECK_MESSAGE(contains(text, "first in the picture itself, picture 2 of the batch: " + spoiled.name()), text);
    CHECK_MESSAGE(contains(text, "graphflow verify"), text);
    const std::vector<NamedTensor> left = run.network->parameters(), expected = reference.network->parameters();
    for (std::size_t i = 0; i < left.size(); ++i)
      CHECK_MESSAGE(same_bits(left[i].tensor.to_vector(), expected[i].tensor.to_vector()), left[i].name);

    const SafetensorsFile kept(bad.path() + "/not_finite_step3.safetensors");
    CHECK(std::isnan(kept.floats("image0")[2 * 64 * 64]));
    CHECK(kept.integers("label0").size() == 4 * 64 * 64);
    CHECK(contains(kept.metadata().at("samples0"), spoiled.name()));
  }
}

TEST_CASE("not finite: the layer is named, with half the learning rate the run goes on from its last checkpoint") {
  const TemporaryFolder folder, stopped;
  Supervised run("mobile_unet", 0.1), other("mobile_unet", 0.1);
  Loader loader(discs(), Split::train, plain()), again(discs(), Split::train, plain());
  const float huge = 3e38f;  // finite, but its products are not
  {
    Spoiled spoiled(again, 4, huge);
    const std::string text = error_of(other, spoiled, options(stopped.path(), 6));
    CHECK_MESSAGE(contains(text, "convolution (forward) of layer stem.conv"), text);
    CHECK_MESSAGE(contains(text, "picture 2 of the batch: " + spoiled.name()), text);
    CHECK(!tracing_nan());
  }
  Spoiled spoiled(loader, 4, huge);
  TrainerOptions o = options(folder.path(), 6);
  o.on_not_finite = OnNotFinite::lower_lr;
  o.save_every = 2;
  Listener listener;
  const TrainingResult result = run_training(*run.task, spoiled, o, listener);
  CHECK(result.steps == 6);
  REQUIRE(listener.places == std::vector<std::int64_t>{2});
  std::vector<std::int64_t> steps;
  for (const StepReport& r : listener.steps) steps.push_back(r.step);
  CHECK(steps == std::vector<std::int64_t>{1, 2, 3, 3, 4, 5, 6});
  const auto told = [&](const std::string& part) {
    return std::any_of(listener.notes.begin(), listener.notes.end(), [&](const auto& n) { return contains(n, part); });
  };
  CHECK(told("going on from step 2 with the learning rate times 0.5"));
  for (std::size_t i = 0; i < listener.steps.size(); ++i) {
    const double usual = o.schedule.at(o.optimizer.lr, listener.steps[i].step - 1, 6);
    CHECK(listener.steps[i].lr == doctest::Approx(i < 3 ? usual : usual / 2));
  }
  CHECK(std::filesystem::exists(folder.path() + "/not_finite_step4.safetensors"));
}

TEST_CASE("not finite: the lowered rate outlives a resumed run, and in the end the run stops") {
  const TemporaryFolder folder;
  Supervised run("mobile_unet", 0.1);
  Loader loader(discs(), Split::train, plain());
  TrainerOptions o = options(folder.path(), 4);
  o.on_not_finite = OnNotFinite::lower_lr;
  o.save_every = 1;
  Spoiled once(loader, 2, 3e38f);
  Listener listener;
  run_training(*run.task, once, o, listener);
  o.max_iterations = 5;
  Supervised resumed("mobile_unet", 0.1);
  Loader more(discs(), Split::train, plain());
  Listener second;
  run_training(*resumed.task, more, o, second, folder.path() + "/latest.gfm");
  REQUIRE(second.steps.size() == 1);
  CHECK(second.steps[0].lr == doctest::Approx(o.schedule.at(o.optimizer.lr, 4, 5) / 2));

  Supervised hopeless("mobile_unet", 0.1);
  for (const NamedTensor& p : hopeless.network->parameters())
    if (p.name == "head2.bias") p.tensor.mutable_data()[0] = kNan;
  const TemporaryFolder other;
  o.checkpoints = other.path();
  Loader fresh(discs(), Split::train, plain());
  Listener third;
  CHECK_THROWS_WITH_AS(run_training(*hopeless.task, fresh, o, third), doctest::Contains("term ce at step 1"), Error);
  CHECK(third.places.size() == kMostHalvings);
}
