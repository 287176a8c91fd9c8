#pragma once
// How far a run is, on stderr: a bar that redraws itself on a terminal, a plain line every few seconds in a log file.
//
//   student  ━━━━━━━━━━━━──────────────────  160/400  2.48 it/s  ETA 1:37  lr 6.4e-04  ce=0.412 dice=0.633
#include <cstdint>
#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace gf {

class Progress {
 public:
  using Term = std::pair<std::string, double>;  // of the loss

  enum class Mode { automatic, bar, plain, quiet };  // automatic: a bar where `out` is a terminal, else plain lines

  struct Options {
    Mode mode = Mode::automatic;
    double plain_seconds = 10;    // between two plain lines
    double redraw_seconds = 0.1;  // between two drawings of the bar
    int columns = 0;              // width of the terminal; 0: ask it
    bool erase = false;           // the bar goes away at the end
    std::FILE* out = stderr;
    std::function<double()> clock;  // seconds; empty: the steady clock (tests bring their own)
  };

  // `first` steps are already done (a resumed run); the speed counts only what is done from here on.
  Progress(std::string title, std::int64_t total, std::int64_t first = 0);
  Progress(std::string title, std::int64_t total, std::int64_t first, Options options);
  // Leaves the last state of the bar (unless it is erased) and the cursor on a line of its own, whatever ended the run.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `step` steps are done. Cheap to call after every step: it draws only when it is time to. lr 0 is not shown: work
  // that learns nothing.
  void update(std::int64_t step, double lr, std::span<const Term> terms);
  // A line that stays, above the bar: a validation result, a warning.
  void note(std::string_view line);
  // Time that is not training (validation, writing a checkpoint) is left out of the speed between these two.
  void pause();
  void resume();
  // Ends the bar's line before anything else is printed; the destructor does the same.
  void finish();

 private:
  std::string state_line(int columns) const;
  double now() const;
  double speed() const;
  void draw();

  std::string title_;
  std::int64_t total_, first_, step_;
  Options options_;
  double lr_ = 0;
  std::string terms_;
  double busy_ = 0, started_ = 0;  // seconds of training up to the last pause; start of the current stretch
  double last_drawn_ = -1e300;
  bool paused_ = false, bar_shown_ = false;
};

// "0:42", "12:07", "1:03:20", and "?" where it is not known.
std::string duration_text(double seconds);

}  // namespace gf
