#include "apps/info_parts.h"

#include <fmt/format.h>

#include "apps/info_layers.h"
#include "distill/paraphraser.h"
#include "engine/autograd.h"
#include "models/discriminator.h"

namespace gf {
namespace {

void print_totals(const Module& module, const MacCounter& counter, const std::string& more = {}) {
  fmt::print("parameters: {} used\nmultiply-accumulates: {}{}\n", thousands(module.parameter_count()),
             thousands(counter.count()), more);
  print_table_convention(module.parameter_count(), counter.published(true));
}

void print_discriminator(const InfoFlags& flags) {
  Discriminator d({.channels = flags.classes, .width = flags.width});
  const NoGrad off;
  const MacCounter counter;
  const Shape scores = d(Tensor::zeros({1, flags.size, flags.size, flags.classes})).shape();
  fmt::print("discriminator: width {}, {} channels (logits of {} classes); one {}x{} picture\n", flags.width,
             flags.classes, flags.classes, flags.size, flags.size);
  print_layers(d, counter, {"products of attention and norms", "weights of attention"});
  print_totals(d, counter);
  fmt::print("scores: {}x{}, one a window; pictures of at least {}x{}\n", scores.h, scores.w, Discriminator::kSmallest,
             Discriminator::kSmallest);
}

void print_paraphraser(const InfoFlags& flags) {
  Paraphraser p({}, flags.channels, flags.factors);
  const std::int64_t side = (flags.size + 3) / 4;  // taps lie at a quarter of the picture
  const NoGrad off;
  const Tensor map = Tensor::zeros({1, side, side, flags.channels});
  const MacCounter encoder;
  p.encode(map);
  const MacCounter counter;
  p.reconstruct(map);
  fmt::print("paraphraser: {} channels of the teacher's tap -> {} factors; one {}x{} map, of a {}x{} picture\n",
             flags.channels, flags.factors, side, side, flags.size, flags.size);
  print_layers(p, counter);
  print_totals(p, counter,
               fmt::format(" ({} of them the encoder's, all that distillation runs)", thousands(encoder.count())));
}

struct Part {
  const char* name;
  void (*print)(const InfoFlags&);
};
constexpr Part kParts[] = {{"discriminator", print_discriminator}, {"paraphraser", print_paraphraser}};

}  // namespace

std::vector<std::string> part_names() {
  std::vector<std::string> names;
  for (const Part& p : kParts) names.emplace_back(p.name);
  return names;
}

bool print_part(const InfoFlags& flags) {
  for (const Part& p : kParts)
    if (flags.subject == p.name) {
      p.print(flags);
      return true;
    }
  return false;
}

}  // namespace gf
