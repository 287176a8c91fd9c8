#include "apps/progress.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/apps/fixtures.h"

using namespace gf;

namespace {

// A Progress that writes into memory and whose clock the test turns.
struct Screen {
  std::FILE* file = std::tmpfile();
  double time = 0;

  ~Screen() { std::fclose(file); }
  Progress::Options options(Progress::Mode mode, int columns = 100) {
    return {.mode = mode, .plain_seconds = 10, .redraw_seconds = 0.1, .columns = columns, .out = file, .clock = [this] {
              return time;
            }};
  }
  std::string text() const {
    std::string s(static_cast<std::size_t>(std::ftell(file)), '\0');
    std::rewind(file);
    s.resize(std::fread(s.data(), 1, s.size(), file));
    return s;
  }
};

using Terms = std::vector<Progress::Term>;

}  // namespace

TEST_CASE("durations") {
  CHECK(duration_text(0) == "0:00");
  CHECK(duration_text(59.6) == "1:00");
  CHECK(duration_text(727) == "12:07");
  CHECK(duration_text(3800) == "1:03:20");
  CHECK(duration_text(-1) == "?");
  CHECK(duration_text(1e300) == "?");
}

TEST_CASE(
    "plain lines come every so many seconds, with speed, time left, rate and terms, and without control characters") {
  Screen screen;
  {
    Progress p("student", 100, 0, screen.options(Progress::Mode::plain));
    for (int step = 1; step <= 100; ++step) {
      screen.time += 0.5;
      p.update(step, 1e-3, Terms{{"ce", 0.5}, {"dice", 0.25}});
    }
  }
  const std::string text = screen.text();
  CHECK(contains(text, "student  1/100 1%  2.00 it/s  ETA 0:50  lr 0.001  ce=0.5 dice=0.25\n"));
  CHECK(contains(text, "student  21/100 21%  2.00 it/s  ETA 0:40"));
  CHECK(contains(text, "student  100/100 100%  2.00 it/s  ETA 0:00"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 6);  // 1, 21, 41, 61, 81 and the last
  CHECK(!contains(text, "\x1b"));
  CHECK(!contains(text, "\r"));
}

TEST_CASE("a bar redraws one line, never wider than the terminal, and ends on a line of its own") {
  ::setenv("LC_ALL", "C", 1);
  for (const int columns : {30, 60, 100, 200}) {
    Screen screen;
    {
      Progress p("student", 4, 0, screen.options(Progress::Mode::bar, columns));
      for (int step = 1; step <= 4; ++step) {
        screen.time += 2;
        p.update(step, 1e-3, Terms{{"cross_entropy", 0.5}, {"vertices", 1e-7}});
      }
      // No finish(): an exception unwinds through the destructor only.
    }
    const std::string text = screen.text();
    CAPTURE(text);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(text.back() == '\n');
    CHECK(std::count(text.begin(), text.end(), '\r') == 4);
    std::size_t begin = 0;
    while ((begin = text.find('\r', begin)) != std::string::npos) {
      const std::size_t end = text.find("\x1b[K", begin);
      CHECK(end - begin - 1 < static_cast<std::size_t>(columns));
      begin = end;
    }
    CHECK(contains(text, "ETA 0:0") == (columns >= 60));
    CHECK(contains(text, "##") == (columns >= 100));
  }
  ::unsetenv("LC_ALL");
}

TEST_CASE("redrawing is limited, notes stay above the bar") {
  Screen screen;
  {
    Progress p("t", 1000, 0, screen.options(Progress::Mode::bar));
    for (int step = 1; step <= 100; ++step) {
      screen.time += 0.01;
      p.update(step, 1, {});
    }
    p.note("validation: Dice 0.81");
  }
  const std::string text = screen.text();
  const auto drawings = std::count(text.begin(), text.end(), '\r');
  CHECK(drawings >= 10);
  CHECK(drawings <= 13);
  CHECK(contains(text, "\r\x1b[Kvalidation: Dice 0.81\n\r"));
}

TEST_CASE("a resumed run's speed counts its own steps, and a pause is no training") {
  Screen screen;
  {
    Progress p("t", 200, 100, screen.options(Progress::Mode::plain));
    screen.time += 10;
    p.pause();
    screen.time += 1000;
    p.resume();
    screen.time += 10;
    p.update(120, 1, {});
  }
  CHECK(contains(screen.text(), "120/200 60%  1.00 it/s  ETA 1:20"));
}

TEST_CASE("quiet is silent, and a file is no terminal") {
  Screen quiet;
  {
    Progress p("t", 2, 0, quiet.options(Progress::Mode::quiet));
    p.update(2, 1, {});
    p.note("x");
  }
  CHECK(quiet.text().empty());
  Screen automatic;
  {
    Progress p("t", 2, 0, automatic.options(Progress::Mode::automatic));
    automatic.time = 1;
    p.update(1, 1, {});
  }
  CHECK(automatic.text() == "t  1/2 50%  1.00 it/s  ETA 0:01  lr 1\n");
}
