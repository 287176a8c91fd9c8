#include "tests/harness/reference.h"

namespace gf::test::reference {
namespace {

Array scalar(double value) { return Array({}, value); }

// Calls visit(n, h, w, class) for every pixel that is not ignored.
template <class Visit>
void for_each_label(const Array& label, int ignore_index, const Visit& visit) {
  for_each_element(label.shape, [&](auto n, auto h, auto w, auto) {
    const auto id = static_cast<std::int64_t>(label.at(n, h, w, 0));
    if (id != ignore_index) visit(n, h, w, id);
  });
}

double square(double v) { return v * v; }

Array difference(const Array& a, const Array& b) { return binary(Binary::sub, a, b); }

// E = V V^T of every image.
Array gram(const Array& v) { return matmul(v, v, false, true); }

Array squared_distances(const Array& v) {
  Array e({v.shape.n, 1, v.shape.w, v.shape.w});
  for_each_element(e.shape, [&](auto n, auto, auto i, auto j) {
    for (std::int64_t d = 0; d < v.shape.c; ++d) e.at(n, 0, i, j) += square(v.at(n, 0, i, d) - v.at(n, 0, j, d));
  });
  return e;
}

Array edges(const Array& shallow, const Array& deep, EdgeMode mode) {
  switch (mode) {
    case EdgeMode::gram:
      return difference(gram(deep), gram(shallow));
    case EdgeMode::variation:
      return gram(difference(deep, shallow));
    case EdgeMode::distance:
      return difference(squared_distances(deep), squared_distances(shallow));
  }
  return {};
}

Array squared_norm(const Array& a, GraphReduction reduction) {
  const double sum = dot(a.v, a.v);
  return scalar(reduction == GraphReduction::sum ? sum : sum / static_cast<double>(a.shape.count()));
}

}  // namespace

Array cross_entropy(const Array& z, const Array& label, const Array* weights, int ignore_index) {
  const Array log_p = log_softmax(z);
  double sum = 0, total = 0;
  for_each_label(label, ignore_index, [&](auto n, auto h, auto w, auto id) {
    const double weight = weights ? weights->v[static_cast<std::size_t>(id)] : 1;
    sum -= weight * log_p.at(n, h, w, id);
    total += weight;
  });
  return scalar(total > 0 ? sum / total : 0);
}

Array dice_loss(const Array& z, const Array& label, int ignore_index, double smooth) {
  const Array p = softmax(z);
  double dice = 0;
  for (std::int64_t c = 0; c < z.shape.c; ++c) {
    double both = 0, predicted = 0, true_pixels = 0;
    for_each_label(label, ignore_index, [&](auto n, auto h, auto w, auto id) {
      both += id == c ? p.at(n, h, w, c) : 0;
      predicted += square(p.at(n, h, w, c));
      true_pixels += id == c ? 1 : 0;
    });
    dice += (2 * both + smooth) / (predicted + true_pixels + smooth);
  }
  return scalar(1 - dice / static_cast<double>(z.shape.c));
}

Array kd_loss(const Array& student, const Array& teacher, double tau, bool element_mean, const Array* label,
              int ignore_index) {
  const Array log_s = log_softmax(student, tau), log_t = log_softmax(teacher, tau);
  const Shape& shape = student.shape;
  const auto wrong = [&](auto n, auto h, auto w) {
    if (!label || n >= label->shape.n) return false;
    const auto id = static_cast<std::int64_t>(label->at(n, h, w, 0));
    if (id == ignore_index || id < 0 || id >= shape.c) return false;
    for (std::int64_t c = 0; c < shape.c; ++c)
      if (teacher.at(n, h, w, c) > teacher.at(n, h, w, id)) return true;
    return false;
  };
  double divergence = 0;
  for_each_element(shape, [&](auto n, auto h, auto w, auto c) {
    if (wrong(n, h, w)) return;
    const double t = log_t.at(n, h, w, c);
    divergence += std::exp(t) * (t - log_s.at(n, h, w, c));
  });
  const std::int64_t count = element_mean ? student.shape.count() : student.shape.pixels();
  return scalar(tau * tau * divergence / static_cast<double>(count));
}

Array mse_loss(const Array& a, const Array& b) {
  const Array d = difference(a, b);
  return scalar(dot(d.v, d.v) / static_cast<double>(a.shape.count()));
}

Array salience(const Array& map, const SalienceShape& p) {
  const int r = (p.k - 1) / 2;
  const Shape& s = map.shape;
  Array patches({s.n, 1, s.c, static_cast<std::int64_t>(p.k) * p.k});
  const auto score = [&](auto n, auto y, auto x, auto c) {
    const auto value = [&](auto h, auto w) { return p.absolute ? std::abs(map.at(n, h, w, c)) : map.at(n, h, w, c); };
    if (p.mode == SalienceMode::peak) return value(y, x);
    double sum = 0;
    for (auto h = y - r; h <= y + r; ++h)
      for (auto w = x - r; w <= x + r; ++w)
        if (map.inside(h, w)) sum += value(h, w);
    return sum / (p.k * p.k);
  };
  for_each_element({s.n, 1, 1, s.c}, [&](auto n, auto, auto, auto c) {
    std::int64_t best_h = 0, best_w = 0;
    double best = -std::numeric_limits<double>::infinity(), second = best;
    for (std::int64_t y = 0; y < s.h; ++y)
      for (std::int64_t x = 0; x < s.w; ++x) {
        const double here = score(n, y, x, c);
        if (here > best) {
          second = best;
          best = here;
          best_h = y;
          best_w = x;
        } else {
          second = std::max(second, here);
        }
      }
    note_kink((best - second) / 2);
    for (int i = 0; i < p.k; ++i)
      for (int j = 0; j < p.k; ++j)
        if (map.inside(best_h + i - r, best_w + j - r))
          patches.at(n, 0, c, i * p.k + j) = map.at(n, best_h + i - r, best_w + j - r, c);
  });
  return patches;
}

Array variation_vertex(const Array& student_shallow, const Array& student_deep, const Array& teacher_shallow,
                       const Array& teacher_deep, GraphReduction reduction) {
  return squared_norm(difference(difference(student_deep, student_shallow), difference(teacher_deep, teacher_shallow)),
                      reduction);
}

Array variation_edge(const Array& student_shallow, const Array& student_deep, const Array& teacher_shallow,
                     const Array& teacher_deep, const VariationGraphShape& p) {
  return squared_norm(
      difference(edges(student_shallow, student_deep, p.edges), edges(teacher_shallow, teacher_deep, p.edges)),
      p.reduction);
}

}  // namespace gf::test::reference
