#pragma once
// What the bodies of optimizer.h share: checks, the numbers of one step, the arithmetic of one element.
#include <cfloat>
#include <cmath>

#include "kernels/check.h"
#include "kernels/host_device.h"
#include "kernels/optimizer.h"

namespace gf::optim {

inline void require_flat(const char* kernel, const char* name, const ConstView& v, const char* like_name,
                         const ConstView& like) {
  require_view(kernel, name, v);
  require_dense(kernel, name, v);
  require_same_shape(kernel, name, v, like_name, like);
}

inline void require_step(const char* kernel, const ConstView& step) {
  require_view(kernel, "step", step, DType::i32);
  require_shape(kernel, "step", step, {1, 1, 1, 1});
}

inline void require_scalars(const char* kernel, const StepScalars& s) {
  if (s.lr.data != nullptr) require_scalar(kernel, "lr", s.lr);
  if (s.step.data != nullptr) require_step(kernel, s.step);
  if (s.gradient_norm.data == nullptr) return;
  require_scalar(kernel, "gradient_norm", s.gradient_norm);
  if (!(s.clip_norm >= 0.0f))
    fail(std::string(kernel) + ": clip_norm", describe("gradient_norm", s.gradient_norm), "0 or more",
         std::to_string(s.clip_norm));
}

inline void require_shadow(const char* kernel, const ConstView& shadow, const ConstView& parameter) {
  if (shadow.data == nullptr) return;
  require_view(kernel, "shadow", shadow, DType::bf16);
  require_dense(kernel, "shadow", shadow);
  require_same_shape(kernel, "shadow", shadow, "parameter", parameter);
}

inline void require_sgd(const SgdShape& s, const ConstView& gradient, const ConstView& parameter,
                        const ConstView& momentum_buffer, const StepScalars& scalars, const ConstView& shadow) {
  const char* kernel = "sgd_step";
  require_flat(kernel, "gradient", gradient, "gradient", gradient);
  require_flat(kernel, "parameter", parameter, "gradient", gradient);
  if (s.momentum != 0.0) require_flat(kernel, "momentum_buffer", momentum_buffer, "gradient", gradient);
  require_scalars(kernel, scalars);
  require_shadow(kernel, shadow, parameter);
}

inline void require_adam(const AdamShape& s, const ConstView& gradient, const ConstView& parameter,
                         const ConstView& first_moment, const ConstView& second_moment, const StepScalars& scalars,
                         const ConstView& shadow) {
  const char* kernel = "adam_step";
  require_flat(kernel, "gradient", gradient, "gradient", gradient);
  require_flat(kernel, "parameter", parameter, "gradient", gradient);
  require_flat(kernel, "first_moment", first_moment, "gradient", gradient);
  require_flat(kernel, "second_moment", second_moment, "gradient", gradient);
  if (scalars.step.data == nullptr && s.step < 1)
    fail("adam_step: step", describe("parameter", parameter), "a count from 1", std::to_string(s.step));
  require_scalars(kernel, scalars);
  require_shadow(kernel, shadow, parameter);
}

inline void require_ema(const ConstView& parameter, const ConstView& average, const ConstView& decay) {
  require_flat("ema_step", "parameter", parameter, "parameter", parameter);
  require_flat("ema_step", "average", average, "parameter", parameter);
  if (decay.data != nullptr) require_scalar("ema_step", "decay", decay);
}

// StepScalars as pointers; null: not given.
struct ScalarPointers {
  const float* lr;
  const std::int32_t* step;
  const float* norm;
  float clip_norm;

  explicit ScalarPointers(const StepScalars& s)
      : lr(data_as<float>(s.lr)),
        step(data_as<std::int32_t>(s.step)),
        norm(data_as<float>(s.gradient_norm)),
        clip_norm(s.clip_norm) {}

  bool given() const { return lr != nullptr || step != nullptr || norm != nullptr; }
  GF_HOST_DEVICE bool skips() const { return norm != nullptr && !(*norm <= FLT_MAX); }
  // What the gradients are multiplied by.
  GF_HOST_DEVICE float clip() const {
    if (norm == nullptr || clip_norm == 0.0f) return 1.0f;
    const float factor = clip_norm / (*norm + 1e-6f);
    return factor > 1.0f ? 1.0f : factor;
  }
};

// The numbers one step needs, worked out once. Scalars in double, as in PyTorch.
//
// SGD: g = clip * gradient + decay * p;   buffer = first ? g : momentum * buffer + g
//      p -= lr * (nesterov ? g + momentum * buffer : buffer);  without momentum p -= lr * g
struct SgdFactors {
  float lr, momentum, decay, clip;
  bool first, nesterov, skip;

  SgdFactors() = default;
  GF_HOST_DEVICE SgdFactors(const SgdShape& s, const ScalarPointers& read)
      : lr(read.lr != nullptr ? *read.lr : static_cast<float>(s.lr)),
        momentum(static_cast<float>(s.momentum)),
        decay(static_cast<float>(s.weight_decay)),
        clip(read.clip()),
        first(read.step != nullptr ? *read.step == 1 : s.first_step),
        nesterov(s.nesterov),
        skip(read.skips()) {}

  GF_HOST_DEVICE float gradient(float g, float p) const { return clip * g + decay * p; }
  GF_HOST_DEVICE void plain(float g, float& p) const { p -= lr * gradient(g, p); }
  GF_HOST_DEVICE void with_momentum(float g, float& p, float& buffer) const {
    const float step = gradient(g, p), m = first ? step : momentum * buffer + step;
    buffer = m;
    p -= lr * (nesterov ? step + momentum * m : m);
  }
};

// Adam: g = clip * gradient + decay * p;   m += (1 - beta1) (g - m);   v = beta2 v + (1 - beta2) g^2
//       p -= lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + eps);   decoupled: first p *= 1 - lr * decay
struct AdamFactors {
  float step_size, root2, blend1, beta2, blend2, eps, decay, shrink, clip;
  bool skip;

  AdamFactors() = default;
  GF_HOST_DEVICE AdamFactors(const AdamShape& s, const ScalarPointers& read)
      : blend1(static_cast<float>(1.0 - s.beta1)),
        beta2(static_cast<float>(s.beta2)),
        blend2(static_cast<float>(1.0 - s.beta2)),
        eps(static_cast<float>(s.eps)),
        decay(s.decoupled ? 0.0f : static_cast<float>(s.weight_decay)),
        clip(read.clip()),
        skip(read.skips()) {
    const double rate = read.lr != nullptr ? static_cast<double>(*read.lr) : s.lr;
    const double step = static_cast<double>(read.step != nullptr ? std::int64_t{*read.step} : s.step);
    step_size = static_cast<float>(rate / (1.0 - std::pow(s.beta1, step)));
    root2 = static_cast<float>(std::sqrt(1.0 - std::pow(s.beta2, step)));
    shrink = s.decoupled ? static_cast<float>(1.0 - rate * s.weight_decay) : 1.0f;
  }

  GF_HOST_DEVICE void update(float gradient, float& p, float& m, float& v) const {
    const float old = p * shrink, g = clip * gradient + decay * old;
    m = m + blend1 * (g - m);
    v = beta2 * v + blend2 * (g * g);
    p = old - step_size * (m / (std::sqrt(v) / root2 + eps));
  }
};

GF_HOST_DEVICE inline float averaged(float decay, float parameter, float average) {
  return decay * average + (1.0f - decay) * parameter;
}

}  // namespace gf::optim
