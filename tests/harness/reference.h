#pragma once
// Every op of the engine once more, in double precision and as plainly as its definition reads, with loops that share
// nothing with the kernels. Speed does not matter here; being obviously right does.
//
// A function that is not smooth somewhere says how far its inputs are from the nearest such place (note_kink), so that
// a check by finite differences can keep away from it.
#include "kernels/batch_norm.h"
#include "kernels/convolution.h"
#include "kernels/elementwise.h"
#include "kernels/group_norm.h"
#include "kernels/pooling.h"
#include "kernels/resize.h"
#include "kernels/salience.h"
#include "kernels/variation_graph.h"
#include "tests/harness/array.h"

namespace gf::test {

void note_kink(double distance);

// Collects the smallest distance that was noted on this thread while it lives.
class KinkWatch {
 public:
  KinkWatch();
  ~KinkWatch();
  KinkWatch(const KinkWatch&) = delete;
  KinkWatch& operator=(const KinkWatch&) = delete;
  double nearest() const { return nearest_; }

 private:
  double nearest_ = std::numeric_limits<double>::infinity();
  KinkWatch* previous_;
  friend void note_kink(double);
};

namespace reference {

// Elementwise and shapes (reference_basic.cpp).
Array binary(Binary op, const Array& a, const Array& b);
Array unary(Unary op, double p, const Array& x);
Array unary_slope(Unary op, double p, const Array& x);  // f'(x) of a piecewise linear f
Array scaled(double factor, const Array& x);
Array sum_to(const Array& x, const Shape& to, double alpha = 1);
Array broadcast_to(const Array& x, const Shape& to);
Array reshape(const Array& x, const Shape& to);
Array slice_channels(const Array& x, std::int64_t begin, std::int64_t count);
Array slice_images(const Array& x, std::int64_t begin, std::int64_t count);
Array pad_channels(const Array& x, std::int64_t begin, std::int64_t total);
Array pad_images(const Array& x, std::int64_t begin, std::int64_t total);
Array concat_channels(const Arrays& parts);
Array pad_corner(const Array& x, std::int64_t height, std::int64_t width);
Array crop_corner(const Array& x, std::int64_t height, std::int64_t width);
Array swap_height_width(const Array& x);

// Convolution and matrix product (reference_convolution.cpp). `bias` may be null.
Array convolution(const Array& x, const Array& w, const Array* bias, const ConvolutionShape& p);
Array convolution_input_grad(const Array& dy, const Array& w, const Shape& x, const ConvolutionShape& p);
Array convolution_weight_grad(const Array& x, const Array& dy, const Shape& w, const ConvolutionShape& p);
// Written as a scatter, not through the input gradient.
Array transposed_convolution(const Array& x, const Array& w, const Array* bias, const ConvolutionShape& p,
                             int output_pad);
Array matmul(const Array& a, const Array& b, bool transpose_a, bool transpose_b);

// Layers (reference_layers.cpp). `residual` may be null; `slope` is prelu's.
Array batch_norm_train(const Array& x, const Array& gamma, const Array& beta, const Array* residual, const Array* slope,
                       const BatchNormShape& p);
Array batch_norm_eval(const Array& x, const Array& gamma, const Array& beta, const Array* residual, const Array* slope,
                      const Array& mean, const Array& variance, const BatchNormShape& p);
Array group_norm(const Array& x, const Array& gamma, const Array& beta, const Array* residual, const GroupNormShape& p);
// gamma and beta may be null.
Array layer_norm(const Array& x, const Array* gamma, const Array* beta, double eps);
Array max_pool(const Array& x, const PoolShape& p);
// `values`, one a window of `map`, at the places of the windows' maxima.
Array max_unpool(const Array& values, const Array& map, const PoolShape& p);
Array adaptive_max_pool(const Array& x, std::int64_t height, std::int64_t width);
Array adaptive_avg_pool(const Array& x, std::int64_t height, std::int64_t width);
Array resize(const Array& x, std::int64_t height, std::int64_t width, ResizeMode mode);
Array resize_adjoint(const Array& dy, const Shape& to, ResizeMode mode);
Array softmax(const Array& x, double temperature = 1);
Array log_softmax(const Array& x, double temperature = 1);

// Losses and the variation graph (reference_losses.cpp). Labels are whole numbers; `weights` may be null.
Array cross_entropy(const Array& z, const Array& label, const Array* weights, int ignore_index);
Array dice_loss(const Array& z, const Array& label, int ignore_index, double smooth);
// With labels (of the first pictures): without the pixels where the teacher's largest logit is another class's.
Array kd_loss(const Array& student, const Array& teacher, double tau, bool element_mean, const Array* label = nullptr,
              int ignore_index = -1);
Array mse_loss(const Array& a, const Array& b);
Array salience(const Array& map, const SalienceShape& p);
Array variation_vertex(const Array& student_shallow, const Array& student_deep, const Array& teacher_shallow,
                       const Array& teacher_deep, GraphReduction reduction);
Array variation_edge(const Array& student_shallow, const Array& student_deep, const Array& teacher_shallow,
                     const Array& teacher_deep, const VariationGraphShape& p);

}  // namespace reference
}  // namespace gf::test
