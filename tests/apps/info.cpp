// graphflow info of the method's parts that segment nothing.
#include <algorithm>

#include "tests/apps/program.h"

using namespace gf;
using namespace gf::test;

namespace {

constexpr std::size_t kParameters = 79, kMacs = 92;  // where these columns of the table begin

std::int64_t number(std::string text) {
  std::erase_if(text, [](char c) { return c == ',' || c == ' '; });
  return text.empty() ? 0 : std::stoll(text);
}

// Of all rows of the table.
std::int64_t sum(const std::string& text, std::size_t column, std::size_t width) {
  std::int64_t all = 0;
  const std::size_t header = text.find("  layer ");
  REQUIRE(header != text.npos);
  for (std::size_t at = text.find('\n', header) + 1; text.compare(at, 2, "  ") == 0; at = text.find('\n', at) + 1)
    all += number(text.substr(at + column, width));
  return all;
}

// The table's columns add up to what is said below it.
void check_table(const std::string& text, const std::string& parameters) {
  INFO(text);
  CHECK(contains(text, "\nparameters: " + parameters + " used\n"));
  CHECK(sum(text, kParameters, 12) == number(parameters));
  const std::size_t macs = text.find("\nmultiply-accumulates: ") + 23;
  CHECK(sum(text, kMacs, 16) == number(text.substr(macs, text.find_first_of(" \n", macs) - macs)));
}

}  // namespace

TEST_CASE("info discriminator: layers, parameters, and work true and as the paper's table counts it") {
  Outcome o = run("info discriminator");
  CHECK(o.code == 0);
  check_table(o.text, "3,174,275");
  for (const char* part : {"discriminator: width 1, 2 channels", "one 256x256 picture", "\n  layer1 ", "4x4 /2",
                           "2 -> 64", "128x128", "\n  attention2.value ", "512 -> 1 ",
                           "\nas the paper's table counts: 3.174 M parameters, 2.1", "scores: 13x13"})
    CHECK_MESSAGE(contains(o.text, part), std::string(part));
  check_table(run("info discriminator --classes 9 --size 64").text, "3,181,443");
  o = run("info discriminator --width 0.01 --classes 1 --size 64");  // layers of one channel look alike
  CHECK_MESSAGE(contains(o.text, "\n  layer2 "), o.text);
  CHECK_MESSAGE(contains(o.text, "\n  layer4 "), o.text);
  o = run("info discriminator --size 32");
  CHECK(o.code == 2);
  CHECK_MESSAGE(contains(o.text, "at least 64"), o.text);
}

TEST_CASE("info paraphraser: of the taps' channels and the factors asked for") {
  Outcome o = run("info paraphraser");
  CHECK(o.code == 0);
  check_table(o.text, "1,301,448");
  for (const char* part :
       {"256 channels of the teacher's tap -> 24 factors", "one 64x64 map, of a 256x256 picture", "\n  encoder1 ",
        "256 -> 24", "\n  decoder2 ", "3x3 transposed", "(2,663,645,184 of them the encoder's"})
    CHECK_MESSAGE(contains(o.text, part), std::string(part));
  CHECK(!contains(o.text, "norms"));
  check_table(run("info paraphraser --factors 64").text, "1,549,248");
  o = run("info paraphraser --channels 10 --factors 3 --size 30");
  check_table(o.text, "2,541");
  CHECK_MESSAGE(contains(o.text, "one 8x8 map"), o.text);
  CHECK(run("info paraphraser --factors 0").code == 2);
}

TEST_CASE("info names the parts where it says what can be described") {
  const Outcome wrong = run("info nonsense");
  CHECK(wrong.code == 2);
  CHECK_MESSAGE(contains(wrong.text, "unet, discriminator, paraphraser"), wrong.text);
  CHECK(contains(run("info").text, "discriminator paraphraser\n"));
  const std::string help = run("info --help").text;
  CHECK(contains(help, "graphflow info discriminator --classes 9"));
  CHECK(contains(help, "graphflow info paraphraser --factors 64"));
}
