// Logits distillation on the GPU (contract: kernels/losses.h).
//
//   loss = tau^2 / N * sum_p KL(softmax(t_p / tau) || softmax(s_p / tau)),   N pixels, or pixels * C
//   ds = upstream * tau / N * (softmax(s / tau) - softmax(t / tau))
//
// Memory traffic, b bytes a logit (4 in float32, 2 in bf16): the loss reads both networks' logits, 2 * b * C a pixel;
// the gradient reads them and writes one, 3 * b * C. Floor: those bytes over the memory's bandwidth. Two exponentials a
// channel take about as long where logits are bf16.
//
// Where the teacher is checked against labels, 4 bytes a labelled pixel more.
//
// A group of lanes holds a pixel of both networks (cuda/pixel_row.h, cuda/pixel_losses.h). Loss: blocks leave partial
// sums, one block merges them.
#include "kernels/cuda/labels.h"
#include "kernels/cuda/loss_sums.h"
#include "kernels/cuda/pixel_losses.h"
#include "kernels/loss_checks.h"

namespace gf {
namespace {

// The labels of TeacherCheck; labelled pixels come first.
struct TeacherLabels {
  Labels labels;
  unsigned labelled;  // 0: all pixels count

  TeacherLabels(const TeacherCheck& check, std::int64_t classes)
      : labels(labels_of(check.label, check.ignore_index, classes)),
        labelled(check.label.data == nullptr ? 0 : static_cast<unsigned>(check.label.pixels())) {}

  template <class R>
  __device__ bool skip(const PixelCut& cut, R& teacher, float top, unsigned pixel) const {
    if (labelled == 0) return false;
    return is_wrong(cut, teacher, top, pixel < labelled ? labels.counted(*labels.rows.at(pixel)) : -1);
  }
};

template <class R, class T = typename R::Element>
__global__ void gf_kd_loss_kernel(PixelCut cut, Rows<const T> student, Rows<const T> teacher, TeacherLabels check,
                                  float inverse_tau, float* partial) {
  GF_SHARED(float, scratch, kRowWarps);
  float sums[1] = {};
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn), from = min(pixel, cut.pixels - 1);
    R s, t;
    s.load(cut, student.at(from));
    t.load(cut, teacher.at(from));
    const float top = t.largest(cut);
    const bool skipped = check.skip(cut, t, top, from);
    const SoftPixel soft = soften(cut, s, s.largest(cut), t, top, inverse_tau);
    if (pixel < cut.pixels && !skipped) sums[0] += soft.divergence_part(cut);
  }
  store_block_sums(sums, scratch, partial);
}

template <class R, class T = typename R::Element>
__global__ void gf_kd_loss_backward_kernel(PixelCut cut, Rows<const T> student, Rows<const T> teacher,
                                           TeacherLabels check, float inverse_tau, float factor, const float* upstream,
                                           Rows<T> d_student) {
  const float scale = factor * *upstream;
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn), from = min(pixel, cut.pixels - 1);
    R s, t, gradient;
    s.load(cut, student.at(from));
    t.load(cut, teacher.at(from));
    const float top = t.largest(cut);
    const bool skipped = check.skip(cut, t, top, from);
    const SoftPixel soft = soften(cut, s, s.largest(cut), t, top, inverse_tau);
    if (!skipped) add_soft_gradient(cut, gradient, s, t, soft, scale);
    if (pixel < cut.pixels) gradient.store(cut, d_student.at(pixel));
  }
}

}  // namespace

void kd_loss_forward(const Gpu& gpu, float tau, bool element_mean, ConstView student, ConstView teacher, View loss,
                     const TeacherCheck& check) {
  const char* kernel = "kd_loss_forward";
  require_float(kernel, "student", student);
  require_kd(kernel, tau, "student", student, teacher);
  require_teacher_check(kernel, "student", student, check);
  require_scalar(kernel, "loss", loss);
  require_countable_pixels(kernel, "student", student);
  const double factor = static_cast<double>(tau) * static_cast<double>(tau) / kd_divisor(element_mean, student);
  with_row(student, takes_packs(student) && takes_packs(teacher), [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    const std::int64_t blocks = cut.blocks();
    float* partial = take_workspace<float>(gpu, kernel, std::max<std::int64_t>(blocks, 1));
    if (blocks > 0) {
      launch(gpu, gf_kd_loss_kernel<R>, blocks, kRowThreads, 0, cut, rows_of<const T>(student),
             rows_of<const T>(teacher), TeacherLabels(check, student.c), 1.0f / tau, partial);
    }
    launch(gpu, gf_merge_loss_kernel<float>, 1, kMergeThreads, 0, partial, static_cast<unsigned>(blocks), factor,
           data_as<float>(loss));
  });
}

void kd_loss_backward(const Gpu& gpu, float tau, bool element_mean, ConstView student, ConstView teacher,
                      ConstView upstream, View d_student, const TeacherCheck& check) {
  const char* kernel = "kd_loss_backward";
  require_float(kernel, "student", student);
  require_kd(kernel, tau, "student", student, teacher);
  require_teacher_check(kernel, "student", student, check);
  require_gradient(kernel, "student", student, "d_student", d_student, upstream);
  require_countable_pixels(kernel, "student", student);
  if (student.pixels() == 0) return;
  const auto factor = static_cast<float>(static_cast<double>(tau) / kd_divisor(element_mean, student));
  const bool in_packs = takes_packs(student) && takes_packs(teacher) && takes_packs(d_student);
  with_row(student, in_packs, [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    launch(gpu, gf_kd_loss_backward_kernel<R>, cut.blocks(), kRowThreads, 0, cut, rows_of<const T>(student),
           rows_of<const T>(teacher), TeacherLabels(check, student.c), 1.0f / tau, factor, data_as<float>(upstream),
           rows_of<T>(d_student));
  });
}

}  // namespace gf
