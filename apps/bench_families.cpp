#include "apps/bench_families.h"

#include <array>
#include <bit>

#include "distill/graph_flow.h"
#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "kernels/augment.h"
#include "kernels/batch_norm.h"
#include "kernels/convolution.h"
#include "kernels/depthwise.h"
#include "kernels/distillation_loss.h"
#include "kernels/elementwise.h"
#include "kernels/error.h"
#include "kernels/optimizer.h"
#include "kernels/paraphraser.h"
#include "kernels/pooling.h"
#include "kernels/random.h"
#include "kernels/salience.h"
#include "tests/harness/op_case.h"

namespace gf {
namespace {

constexpr std::int64_t kParameters = 4'682'323;  // of Mobile U-Net
constexpr float kSlope = 0.1f;                   // of the paraphraser's LeakyReLU

// Uniform in [-1, 1).
Tensor random(const Shape& s, const Device& device, DType dtype = DType::f32) {
  const Tensor t = Tensor::empty(s, DType::f32, device);
  on(device, [&](const auto& d) { random_uniform(d, 1, 1, -1.0f, 1.0f, t.mutable_view()); });
  if (dtype == DType::f32) return t;
  const Tensor rounded = Tensor::empty(s, dtype, device);
  on(device, [&](const auto& d) { copy(d, t.view(), rounded.mutable_view()); });
  return rounded;
}

double bytes_of(const Tensor& t) { return static_cast<double>(t.count()) * static_cast<double>(size_of(t.dtype())); }

// bf16 where the library families have it: on the GPU.
DType library_dtype(const Device& device) { return on_host(device) ? DType::f32 : DType::bf16; }

template <class Call>
void on_gpu(const Device& device, const Call& call) {
  on(device, [&]<class D>(const D& d) {
    if constexpr (std::is_same_v<D, Cpu>)
      fail("no CPU body", "graphflow bench kernels", "--device simt or cuda", "cpu");
    else
      call(d);
  });
}

std::string numbers(const Shape& x, std::int64_t out) { return test::text(x) + " to " + std::to_string(out); }

// ---- a convolution's three functions

std::vector<KernelBench> convolution_parts(const Shape& x, std::int64_t out, bool bf16) {
  struct Part {
    const char* name;
    int which;
  };
  std::vector<KernelBench> all;
  for (const Part part :
       {Part{"convolution_forward", 0}, Part{"convolution_input_grad", 1}, Part{"convolution_weight_grad", 2}})
    all.push_back({std::string(part.name) + (bf16 ? " bf16" : ""), numbers(x, out) + " 3x3", bf16, bf16,
                   [=](const Device& device) {
                     const DType dtype = bf16 ? library_dtype(device) : DType::f32;
                     const Shape weights{out, 3, 3, x.c}, result{x.n, x.h, x.w, out};
                     const Tensor a = random(x, device, dtype), w = random(weights, device, dtype),
                                  y = random(result, device, dtype);
                     const ConvolutionShape p{.pad_h = 1, .pad_w = 1};
                     return PreparedKernel{[=] {
                                             on(device, [&](const auto& d) {
                                               if (part.which == 0)
                                                 convolution_forward(d, p, a.view(), w.view(), {}, y.mutable_view());
                                               if (part.which == 1)
                                                 convolution_input_grad(d, p, y.view(), w.view(), {}, a.mutable_view());
                                               if (part.which == 2)
                                                 convolution_weight_grad(d, p, a.view(), y.view(), w.mutable_view(),
                                                                         {});
                                             });
                                           },
                                           0, 18.0 * static_cast<double>(result.count() * x.c), dtype == DType::bf16};
                   }});
  return all;
}

std::vector<KernelBench> depthwise_parts(const Shape& x) {
  std::vector<KernelBench> all;
  for (const int which : {0, 1, 2}) {
    const char* names[] = {"depthwise_forward", "depthwise_input_grad", "depthwise_weight_grad"};
    all.push_back({names[which], test::text(x) + " 3x3", false, false, [=](const Device& device) {
                     const Tensor a = random(x, device), w = random({x.c, 3, 3, 1}, device), y = random(x, device);
                     const ConvolutionShape p{.pad_h = 1, .pad_w = 1, .groups = static_cast<int>(x.c)};
                     return PreparedKernel{[=] {
                                             on(device, [&](const auto& d) {
                                               if (which == 0)
                                                 depthwise_forward(d, p, a.view(), w.view(), {}, y.mutable_view());
                                               if (which == 1)
                                                 depthwise_input_grad(d, p, y.view(), w.view(), a.mutable_view());
                                               if (which == 2)
                                                 depthwise_weight_grad(d, p, a.view(), y.view(), w.mutable_view(), {});
                                             });
                                           },
                                           bytes_of(a) + bytes_of(y)};
                   }});
  }
  return all;
}

// ---- the paraphraser's encoder: by tensor cores, thread by thread, and composed of convolutions

struct Encoder {
  Tensor x, w0, w1, w2, b0, b1, b2, c0, c1, c2, y0, y1, y2;  // c: the biases as convolutions take them, of y's dtype
  Encoder(const Shape& s, std::int64_t k, const Device& device, DType dtype)
      : x(random(s, device, dtype)),
        w0(random({s.c, 3, 3, s.c}, device, dtype)),
        w1(random({k, 3, 3, s.c}, device, dtype)),
        w2(random({k, 3, 3, k}, device, dtype)),
        b0(random({1, 1, 1, s.c}, device)),
        b1(random({1, 1, 1, k}, device)),
        b2(random({1, 1, 1, k}, device)),
        c0(random({1, 1, 1, s.c}, device, dtype)),
        c1(random({1, 1, 1, k}, device, dtype)),
        c2(random({1, 1, 1, k}, device, dtype)),
        y0(random(s, device, dtype)),
        y1(random({s.n, s.h, s.w, k}, device, dtype)),
        y2(random({s.n, s.h, s.w, k}, device, dtype)) {}
  double wide_flops() const { return 18.0 * static_cast<double>(y0.count() * x.shape().c); }
  double narrow_flops() const {
    return 18.0 * static_cast<double>(y1.count()) * static_cast<double>(x.shape().c + y1.shape().c);
  }

  static void composed_layer(const Device& device, const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y) {
    on(device, [&](const auto& d) {
      convolution_forward(d, {.pad_h = 1, .pad_w = 1}, x.view(), w.view(), b.view(), y.mutable_view());
      unary(d, Unary::leaky_relu, kSlope, y.view(), y.mutable_view());
    });
  }
  void composed_wide(const Device& device) const { composed_layer(device, x, w0, c0, y0); }
  void composed_narrow(const Device& device) const {
    composed_layer(device, y0, w1, c1, y1);
    composed_layer(device, y1, w2, c2, y2);
  }
  void wide(const Device& device) const {
    on_gpu(device,
           [&](const auto& d) { paraphraser_layer(d, kSlope, x.view(), w0.view(), b0.view(), y0.mutable_view()); });
  }
  void naive(const Device& device) const {
    on_gpu(device, [&](const auto& d) {
      paraphraser_layer_naive(d, kSlope, x.view(), w0.view(), b0.view(), y0.mutable_view());
    });
  }
  void narrow(const Device& device) const {
    on_gpu(device, [&](const auto& d) {
      paraphraser_narrow_layers(d, kSlope, y0.view(), w1.view(), b1.view(), w2.view(), b2.view(), y2.mutable_view());
    });
  }
};

std::vector<KernelBench> paraphraser_benches(const Shape& s, std::int64_t k) {
  struct Way {
    const char* name;
    bool gpu_only;
    bool wide, narrow;
    void (*run)(const Encoder&, const Device&);
  };
  static constexpr Way kWays[] = {
      {"paraphraser: layer composed", false, true, false,
       [](const Encoder& e, const Device& d) { e.composed_wide(d); }},
      {"paraphraser: layer hand-written", true, true, false, [](const Encoder& e, const Device& d) { e.wide(d); }},
      {"paraphraser: layer naive", true, true, false, [](const Encoder& e, const Device& d) { e.naive(d); }},
      {"paraphraser: narrow composed", false, false, true,
       [](const Encoder& e, const Device& d) { e.composed_narrow(d); }},
      {"paraphraser: narrow hand-written", true, false, true, [](const Encoder& e, const Device& d) { e.narrow(d); }},
      {"paraphraser: encoder composed", false, true, true,
       [](const Encoder& e, const Device& d) {
         e.composed_wide(d);
         e.composed_narrow(d);
       }},
      {"paraphraser: encoder hand-written", true, true, true,
       [](const Encoder& e, const Device& d) {
         e.wide(d);
         e.narrow(d);
       }},
  };
  std::vector<KernelBench> all;
  for (const Way& way : kWays)
    all.push_back({way.name, numbers(s, k), true, way.gpu_only, [s, k, way = &way](const Device& device) {
                     const DType dtype = way->gpu_only ? DType::bf16 : library_dtype(device);
                     const Encoder e(s, k, device, dtype);
                     return PreparedKernel{[=] { way->run(e, device); }, 0,
                                           (way->wide ? e.wide_flops() : 0) + (way->narrow ? e.narrow_flops() : 0),
                                           dtype == DType::bf16};
                   }});
  return all;
}

// ---- Graph Flow

KernelBench salience_bench(const char* op, const Shape& map, bool large) {
  return {op, test::text(map), large, false, [=](const Device& device) {
            const Tensor f = random(map, device);
            const Tensor positions = Tensor::empty({map.n, 1, 1, map.c}, DType::i32, device),
                         patches = random({map.n, 1, map.c, 9}, device);
            return PreparedKernel{[=] {
                                    on(device, [&](const auto& d) {
                                      salience_forward(d, {}, f.view(), positions.mutable_view(),
                                                       patches.mutable_view());
                                    });
                                  },
                                  bytes_of(f)};
          }};
}

KernelBench graph_flow_bench(const Shape& map) {
  return {"graph_flow forward + backward", test::text(map) + " twice", false, false, [=](const Device& device) {
            GraphFlowMaps student{random(map, device), random(map, device)};
            const GraphFlowMaps teacher{random(map, device), random(map, device)};
            const std::vector<Tensor> leaves{student.shallow.require_grad(), student.deep.require_grad()};
            return PreparedKernel{[=] {
                                    const VariationGraphLoss g = graph_flow_loss(student, teacher, {});
                                    gradients(1e-5f * g.vertex + 1e-9f * g.edge, leaves);
                                  },
                                  6 * bytes_of(student.shallow)};  // four maps read, two gradients written
          }};
}

// ---- the step's end and the rest

std::vector<KernelBench> flat_benches() {
  const Shape flat{1, 1, 1, kParameters};
  struct Buffers {
    Tensor g, p, m, v, norm;
    Buffers(const Shape& s, const Device& d)
        : g(random(s, d)), p(random(s, d)), m(Tensor::zeros(s, d)), v(Tensor::zeros(s, d)), norm(random({}, d)) {}
  };
  using Run = void (*)(const Device&, const Buffers&);
  struct Kernel {
    const char* name;
    double bytes;
    Run run;
  };
  static constexpr Kernel kKernels[] = {
      {"sgd_step momentum", 20,
       [](const Device& device, const Buffers& b) {
         on(device, [&](const auto& d) {
           sgd_step(d, {0.01, 0.9, 1e-4, false}, b.g.view(), b.p.mutable_view(), b.m.mutable_view());
         });
       }},
      {"adam_step", 28,
       [](const Device& device, const Buffers& b) {
         on(device, [&](const auto& d) {
           adam_step(d, {1e-3, 0.9, 0.999, 1e-8, 0, false, 1}, b.g.view(), b.p.mutable_view(), b.m.mutable_view(),
                     b.v.mutable_view());
         });
       }},
      {"ema_step", 12,
       [](const Device& device, const Buffers& b) {
         on(device, [&](const auto& d) { ema_step(d, 0.99f, b.p.view(), b.m.mutable_view()); });
       }},
      {"gradient_norm", 4,
       [](const Device& device, const Buffers& b) {
         on(device, [&](const auto& d) { gradient_norm(d, b.g.view(), b.norm.mutable_view()); });
       }},
      {"random_uniform", 4,
       [](const Device& device, const Buffers& b) {
         on(device, [&](const auto& d) { random_uniform(d, 1, 1, 0.0f, 1.0f, b.p.mutable_view()); });
       }},
      {"random_normal", 4,
       [](const Device& device, const Buffers& b) {
         on(device, [&](const auto& d) { random_normal(d, 1, 1, 0.0f, 1.0f, b.p.mutable_view()); });
       }},
  };
  std::vector<KernelBench> all;
  for (const Kernel& k : kKernels)
    all.push_back(
        {k.name, std::to_string(kParameters), false, false, [=, kernel = &k](const Device& device) {
           const Buffers b(flat, device);
           return PreparedKernel{[=] { kernel->run(device, b); }, kernel->bytes * static_cast<double>(kParameters)};
         }});
  return all;
}

KernelBench distillation_loss_bench(const Shape& logits) {
  return {"distillation_loss", test::text(logits), false, false, [=](const Device& device) {
            const Tensor z = random(logits, device), teacher = random(logits, device), dz = random(logits, device),
                         one = Tensor::full({}, 1.0f, device), ce = random({}, device), kd = random({}, device);
            const std::vector<std::int32_t> zeros(static_cast<std::size_t>(logits.pixels()));
            const Tensor label =
                Tensor::from(std::span<const std::int32_t>(zeros), {logits.n, logits.h, logits.w, 1}, device);
            return PreparedKernel{[=] {
                                    on(device, [&](const auto& d) {
                                      distillation_loss(d, {}, z.view(), teacher.view(), label.view(), {}, one.view(),
                                                        one.view(), ce.mutable_view(), kd.mutable_view(), {},
                                                        dz.mutable_view());
                                    });
                                  },
                                  3 * bytes_of(z) + 2 * bytes_of(label)};
          }};
}

// ---- kernels that the paper's networks do not meet in every step

// A turn by 15 degrees about the middle, mirrored, with a gamma.
KernelBench augment_bench(const Shape& pictures) {
  return {"augment_pictures", test::text(pictures), false, false, [=](const Device& device) {
            const PictureChange change{
                .cosine = 0.966, .sine = 0.259, .mirror_x = 1, .turns = 1, .gain = 1.1f, .gamma = 0.9f};
            std::vector<std::int32_t> words;
            for (std::int64_t i = 0; i < pictures.n; ++i) {
              const auto w = std::bit_cast<std::array<std::int32_t, kChangeWords>>(change);
              words.insert(words.end(), w.begin(), w.end());
            }
            const Tensor changes = Tensor::from(std::span<const std::int32_t>(words), {pictures.n, 1, 1, kChangeWords},
                                                device),
                         outside = Tensor::zeros({pictures.n, 1, 1, pictures.c}, device),
                         from = random(pictures, device), to = random(pictures, device);
            const Shape ids{pictures.n, pictures.h, pictures.w, 1};
            const Tensor labels = Tensor::from(std::span<const std::int32_t>(std::vector<std::int32_t>(ids.count())),
                                               ids, device),
                         turned = Tensor::empty(ids, DType::i32, device);
            return PreparedKernel{[=] {
                                    on(device, [&](const auto& d) {
                                      augment_pictures(d, {.levels = true}, changes.view(), outside.view(), from.view(),
                                                       labels.view(), to.mutable_view(), turned.mutable_view());
                                    });
                                  },
                                  4 * bytes_of(from) + 2 * bytes_of(labels)};
          }};
}

KernelBench unpool_bench(const Shape& map) {
  return {"max_unpool_forward", "to " + test::text(map), false, false, [=](const Device& device) {
            const Tensor large = random(map, device);
            const Shape s = max_pool_output(map, {});
            const Tensor small = random(s, device), index = Tensor::empty(s, DType::i32, device);
            on(device, [&](const auto& d) {
              max_pool_forward(d, {}, large.view(), small.mutable_view(), index.mutable_view());
            });
            return PreparedKernel{[=] {
                                    on(device, [&](const auto& d) {
                                      max_unpool_forward(d, {}, small.view(), index.view(), large.mutable_view());
                                    });
                                  },
                                  2 * bytes_of(small) + bytes_of(large)};
          }};
}

// Training forward and backward with a learned slope.
std::vector<KernelBench> prelu_benches(const Shape& map) {
  struct Buffers {
    Tensor x, y, dx, gamma, beta, mean, variance, saved_mean, saved_inv_std, slope, dgamma, dbeta, dslope;
  };
  std::vector<KernelBench> all;
  for (const bool backward : {false, true})
    all.push_back({backward ? "batch_norm_backward prelu" : "batch_norm_train prelu", test::text(map), false, false,
                   [=](const Device& device) {
                     const Shape v{1, 1, 1, map.c};
                     const auto vector = [&] { return Tensor::full(v, 1.0f, device); };
                     const Buffers b{random(map, device),
                                     random(map, device),
                                     random(map, device),
                                     vector(),
                                     vector(),
                                     vector(),
                                     vector(),
                                     vector(),
                                     vector(),
                                     Tensor::full({}, 0.25f, device),
                                     vector(),
                                     vector(),
                                     Tensor::zeros({}, device)};
                     const BatchNormShape p{.act = NormActivation::prelu};
                     return PreparedKernel{
                         [=] {
                           on(device, [&](const auto& d) {
                             if (backward)
                               batch_norm_backward(d, p, true, b.x.view(), {}, b.y.view(), b.gamma.view(),
                                                   b.saved_mean.view(), b.saved_inv_std.view(), b.dx.mutable_view(),
                                                   b.dgamma.mutable_view(), b.dbeta.mutable_view(), {},
                                                   {b.slope.view(), b.beta.view(), {}, b.dslope.mutable_view()});
                             else
                               batch_norm_train(d, p, b.x.view(), b.gamma.view(), b.beta.view(), {},
                                                b.mean.mutable_view(), b.variance.mutable_view(),
                                                b.saved_mean.mutable_view(), b.saved_inv_std.mutable_view(),
                                                b.y.mutable_view(), b.slope.view());
                           });
                         },
                         (backward ? 5 : 3) * bytes_of(b.x)};
                   }});
  return all;
}

}  // namespace

std::vector<KernelBench> kernel_benches(const BenchSizes& sizes) {
  const std::int64_t n = sizes.batch, half = sizes.side / 2, quarter = sizes.side / 4;
  const Shape teacher_tap{n, quarter, quarter, sizes.teacher_channels}, student_tap{n, quarter, quarter, sizes.factors};
  std::vector<KernelBench> all;
  const auto add = [&](std::vector<KernelBench> more) { all.insert(all.end(), more.begin(), more.end()); };
  for (const bool bf16 : {false, true}) add(convolution_parts(teacher_tap, sizes.teacher_channels, bf16));
  add(depthwise_parts({n, half, half, 96}));
  add(paraphraser_benches(teacher_tap, sizes.factors));
  add({salience_bench("salience_forward", student_tap, false),
       salience_bench("salience_forward 2.1 GB", {8, 512, 512, 256}, true), graph_flow_bench(student_tap),
       distillation_loss_bench({n, sizes.side, sizes.side, sizes.classes})});
  add(flat_benches());
  add({augment_bench({n, sizes.side, sizes.side, 1}), unpool_bench({n, half, half, 64})});
  add(prelu_benches({n, half, half, 64}));
  return all;
}

}  // namespace gf
