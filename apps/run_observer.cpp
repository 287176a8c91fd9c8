#include "apps/run_observer.h"

#include <fmt/format.h>
#include <unistd.h>

namespace gf {

RunObserver::RunObserver(std::string title, RunFolder& folder, std::int64_t total, int log_every,
                         std::vector<std::string> terms, std::vector<std::string> values, Talk talk)
    : title_(std::move(title)), folder_(folder), total_(total), log_every_(log_every), talk_(talk) {
  columns_ = {"epoch", "lr", "loss", "gradient_norm", "seconds", "data_seconds"};
  for (const std::string& t : terms) columns_.push_back(t);
  for (const char* of_gradient : {"share_", "norm_"})
    for (const std::string& t : terms) columns_.push_back(of_gradient + t);
  columns_.insert(columns_.end(), values.begin(), values.end());
}

void RunObserver::started(std::int64_t first_step) {
  log_.emplace(first_step > 0 ? MetricsLog::resume(folder_.path(), columns_, first_step)
                              : MetricsLog::create(folder_.path(), columns_));
  Progress::Options options;
  if (talk_ == Talk::nothing || (talk_ == Talk::bar && !::isatty(::fileno(options.out))))
    options.mode = Progress::Mode::quiet;
  options.erase = talk_ == Talk::bar;
  progress_.emplace(title_, total_, first_step, options);
  if (first_step > 0) note(fmt::format("resumed at step {}", first_step));
}

void RunObserver::went_back(std::int64_t step) { log_.emplace(MetricsLog::resume(folder_.path(), columns_, step)); }

void RunObserver::stepped(const StepReport& r) {
  std::vector<Progress::Term> terms;
  for (const TermReport& t : r.terms) terms.emplace_back(t.name, t.value);
  progress_->update(r.step, r.lr, terms);
  if (r.step % log_every_ != 0 && r.step != 1 && r.step != total_ && !r.has_shares) return;
  MetricsLog::Row row{
      {"epoch", static_cast<double>(r.epoch)}, {"lr", r.lr},           {"loss", r.loss},
      {"gradient_norm", r.gradient_norm},      {"seconds", r.seconds}, {"data_seconds", r.data_seconds}};
  for (const TermReport& t : r.terms) {
    row.emplace_back(t.name, t.value);
    if (!r.has_shares) continue;
    row.emplace_back("share_" + t.name, t.share);
    row.emplace_back("norm_" + t.name, t.norm);
  }
  for (const WatchedReport& w : r.watched) row.emplace_back(w.name, w.value);
  log_->append(r.step, row);
}

void RunObserver::validated(std::int64_t step, const Validation& v, bool best) {
  log_->append(step, {v.values.begin(), v.values.end()});
  note(fmt::format("step {}: validation {}{}", step, v.text, best ? " (best so far)" : ""));
}

void RunObserver::saved(std::int64_t step, const std::string& file) {
  folder_.log(fmt::format("step {}: saved {}", step, file));
}

void RunObserver::note(const std::string& line) {
  folder_.log(line);
  if (talk_ != Talk::all) return;
  if (progress_)
    progress_->note(line);
  else
    fmt::print(stderr, "{}\n", line);
}

}  // namespace gf
