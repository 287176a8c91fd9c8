#include "engine/optim/optimizer.h"

#include "engine/memory.h"
#include "kernels/error.h"

namespace gf {

Optimizer::Optimizer(FlatParameters& parameters, const OptimizerOptions& options)
    : parameters_(parameters), options_(options) {
  const MemoryTag tag("optimiser");
  if (options.name == "sgd") {
    state_ = {{"momentum", parameters.like()}};
  } else if (options.name == "adam" || options.name == "adamw") {
    state_ = {{"exp_avg", parameters.like()}, {"exp_avg_sq", parameters.like()}};
  } else {
    throw Error(ErrorKind::usage, {"unknown optimiser", "optim.name", "sgd, adam, adamw", options.name, ""});
  }
}

void Optimizer::step(double lr) {
  ++steps_;
  apply(lr, steps_, {});
}

void Optimizer::step(const StepScalars& scalars) { apply(options_.lr, 1, scalars); }

void Optimizer::apply(double lr, std::int64_t step, const StepScalars& scalars) {
  for (const FlatParameters::Range r : parameters_.ranges_with_gradient()) {
    const auto view = [&](const Tensor& flat) { return parameters_.slice(flat, r).mutable_view(); };
    const View shadow = parameters_.shadow() ? view(parameters_.shadow()) : View{};
    on(parameters_.values().device(), [&](const auto& d) {
      if (options_.name == "sgd") {
        sgd_step(d, {lr, options_.momentum, options_.weight_decay, step == 1}, view(parameters_.gradients()),
                 view(parameters_.values()), view(state_[0].buffer), scalars, shadow);
      } else {
        adam_step(
            d,
            {lr, options_.beta1, options_.beta2, options_.eps, options_.weight_decay, options_.name == "adamw", step},
            view(parameters_.gradients()), view(parameters_.values()), view(state_[0].buffer), view(state_[1].buffer),
            scalars, shadow);
      }
    });
  }
}

}  // namespace gf
