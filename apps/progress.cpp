#include "apps/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>

namespace gf {
namespace {

constexpr int kBarCells = 30, kSmallestBar = 8;

// The bar's line characters need UTF-8; elsewhere it is drawn in ASCII.
bool utf8_terminal() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value && *value) {
      const std::string_view v = value;
      return v.find("UTF-8") != v.npos || v.find("utf8") != v.npos || v.find("UTF8") != v.npos;
    }
  }
  return false;
}

std::string bar(double share, int cells) {
  const int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * cells + 0.5);
  const bool utf8 = utf8_terminal();
  std::string s;
  for (int i = 0; i < cells; ++i) s += i < filled ? (utf8 ? "━" : "#") : (utf8 ? "─" : "-");
  return s;
}

int terminal_columns(std::FILE* out) {
  winsize size{};
  if (::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e8) return "?";
  const auto s = static_cast<long>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

Progress::Progress(std::string title, std::int64_t total, std::int64_t first)
    : Progress(std::move(title), total, first, Options()) {}

Progress::Progress(std::string title, std::int64_t total, std::int64_t first, Options options)
    : title_(std::move(title)), total_(total), first_(first), step_(first), options_(std::move(options)) {
  if (options_.mode == Mode::automatic) options_.mode = ::isatty(::fileno(options_.out)) ? Mode::bar : Mode::plain;
  started_ = now();
}

Progress::~Progress() { finish(); }

double Progress::now() const {
  if (options_.clock) return options_.clock();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double Progress::speed() const {
  const double seconds = busy_ + (paused_ ? 0 : now() - started_);
  return seconds > 0 ? static_cast<double>(step_ - first_) / seconds : 0;
}

void Progress::update(std::int64_t step, double lr, std::span<const Term> terms) {
  step_ = step;
  if (options_.mode == Mode::quiet) return;
  const double wait = options_.mode == Mode::bar ? options_.redraw_seconds : options_.plain_seconds;
  const double time = now();
  // The first state is shown at once: it tells that the run is alive and how long it will take.
  const bool last = step >= total_;
  if (time - last_drawn_ < wait && !last) return;
  last_drawn_ = time;
  lr_ = lr;
  terms_.clear();
  for (const auto& [name, value] : terms) {
    terms_ += fmt::format("{}{}={:.4g}", terms_.empty() ? "" : " ", name, value);
  }
  draw();
}

void Progress::draw() {
  if (options_.mode == Mode::plain) {
    fmt::print(options_.out, "{}\n", state_line(0));
  } else {
    const int columns = options_.columns > 0 ? options_.columns : terminal_columns(options_.out);
    fmt::print(options_.out, "\r{}\x1b[K", state_line(columns));
    bar_shown_ = true;
  }
  std::fflush(options_.out);
}

// columns 0: a plain line without a bar and of any length.
std::string Progress::state_line(int columns) const {
  const double rate = speed();
  const double left = rate > 0 ? static_cast<double>(total_ - step_) / rate : INFINITY;
  std::string rest = fmt::format("{}/{}", step_, total_);
  if (columns == 0 && total_ > 0) rest += fmt::format(" {:.0f}%", 100.0 * static_cast<double>(step_) / total_);
  rest += rate >= 1 || rate == 0 ? fmt::format("  {:.2f} it/s", rate) : fmt::format("  {:.2f} s/it", 1 / rate);
  rest += "  ETA " + duration_text(left);
  if (lr_ > 0) rest += fmt::format("  lr {:.2g}", lr_);
  if (!terms_.empty()) rest += "  " + terms_;
  if (columns == 0) return title_ + "  " + rest;

  // A line longer than the terminal would wrap, and the next redraw would leave its tail behind: the bar gives way
  // first, then the end of the terms.
  const int room = columns - 1 - static_cast<int>(title_.size()) - 4;
  const int cells = std::min(kBarCells, room - static_cast<int>(rest.size()));
  if (cells >= kSmallestBar) {
    return title_ + "  " + bar(total_ > 0 ? static_cast<double>(step_) / total_ : 0, cells) + "  " + rest;
  }
  return (title_ + "  " + rest).substr(0, static_cast<std::size_t>(std::max(columns - 1, 1)));
}

void Progress::note(std::string_view line) {
  if (options_.mode == Mode::quiet) return;
  fmt::print(options_.out, "{}{}\n", bar_shown_ ? "\r\x1b[K" : "", line);
  if (bar_shown_) draw();
  std::fflush(options_.out);
}

void Progress::pause() {
  if (paused_) return;
  busy_ += now() - started_;
  paused_ = true;
}

void Progress::resume() {
  if (!paused_) return;
  started_ = now();
  paused_ = false;
}

void Progress::finish() {
  if (!bar_shown_) return;
  bar_shown_ = false;
  std::fputs(options_.erase ? "\r\x1b[K" : "\n", options_.out);
  std::fflush(options_.out);
}

}  // namespace gf
