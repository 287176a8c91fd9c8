#include "engine/tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "engine/autograd.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"
#include "tests/engine/error_text.h"

namespace gf::test {
namespace {

using V = std::vector<float>;

Tensor counting(const Shape& s) {
  V v(static_cast<std::size_t>(s.count()));
  std::iota(v.begin(), v.end(), 0.0f);
  return Tensor::from(v, s);
}

}  // namespace

TEST_CASE("tensors are made dense, in NHWC order") {
  const Tensor t = counting({2, 3, 4, 5});
  CHECK(t.dense());
  CHECK(t.pixel_stride() == 5);
  CHECK(t.count() == 120);
  CHECK(t.data()[((1 * 3 + 2) * 4 + 3) * 5 + 4] == 119);
  CHECK(Tensor::full({1, 1, 2, 2}, 3.5f).to_vector() == V{3.5f, 3.5f, 3.5f, 3.5f});
  CHECK(Tensor::zeros({1, 1, 1, 3}).to_vector() == V{0, 0, 0});
  CHECK(Tensor::scalar(2).item() == 2);
  CHECK(Tensor::from(std::vector<std::int32_t>{1, -2}, {1, 1, 1, 2}).dtype() == DType::i32);
  CHECK(!Tensor());
  CHECK(Tensor::empty({0, 8, 8, 3}).to_vector().empty());
}

TEST_CASE("views share memory: channels, images, shapes") {
  const Tensor t = counting({2, 1, 2, 3});
  const Tensor channels = t.view_channels(1, 2);
  CHECK(!channels.dense());
  CHECK(channels.pixel_stride() == 3);
  CHECK(channels.to_vector() == V{1, 2, 4, 5, 7, 8, 10, 11});
  CHECK(channels.view_images(1, 1).to_vector() == V{7, 8, 10, 11});
  CHECK(channels.view_channels(1, 1).to_vector() == V{2, 5, 8, 11});
  CHECK(t.view_images(1, 1).to_vector() == V{6, 7, 8, 9, 10, 11});
  CHECK(t.view_shape({1, 1, 1, 12}).data() == t.data());
  channels.mutable_data()[0] = 100;
  CHECK(t.data()[1] == 100);
  CHECK(t.to_dense().data() == t.data());
  CHECK(channels.to_dense().data() != channels.data());
  CHECK(channels.to_dense().pixel_stride() == 2);
}

TEST_CASE("a view keeps the memory alive, the last handle frees it") {
  const std::size_t before = memory_statistics().total.now;
  Tensor view;
  {
    const Tensor t = counting({1, 8, 8, 64});
    view = t.view_channels(3, 2);
  }
  CHECK(view.to_vector()[1] == 4);
  CHECK(memory_statistics().total.now > before);
  view = {};
  CHECK(memory_statistics().total.now == before);
}

TEST_CASE("mistakes are named with shapes") {
  const Tensor t = counting({2, 1, 2, 3});
  CHECK(error_text([&] { t.view_channels(2, 2); }) ==
        "channel range outside the tensor: [2,1,2,3]: expected 0..3, found 2..4");
  CHECK(error_text([&] { t.view_images(-1, 1); }) ==
        "image range outside the tensor: [2,1,2,3]: expected 0..2, found -1..0");
  CHECK(error_text([&] {
          t.view_shape({1, 1, 1, 11});
        }) == "reshape changes the number of elements: [2,1,2,3]: expected [2,1,2,3], found [1,1,1,11]");
  CHECK(error_text([&] {
          t.view_channels(0, 2).view_shape({1, 1, 1, 8});
        }) == "reshape of a tensor that is not dense: [2,1,2,2]; call to_dense() first");
  CHECK(error_text([&] { t.item(); }) == "item() of a tensor that is no float32 scalar: [2,1,2,3]");
  CHECK(error_text([] { Tensor::empty({1, -1, 1, 1}); }) == "negative extent: tensor [1,-1,1,1]");
  CHECK(error_text([] {
          Tensor::from(V{1, 2}, {1, 1, 1, 3});
        }) == "wrong number of values for a tensor: [1,1,1,3]: expected 3, found 2");
}

TEST_CASE("handles share the gradient slot, views and detached tensors do not") {
  Tensor t = counting({1, 1, 1, 3});
  const Tensor same = t;
  t.require_grad();
  CHECK(same.requires_grad());
  CHECK(!t.detach().requires_grad());
  CHECK(!t.view_channels(0, 1).requires_grad());
  const auto slot = t.slot();
  t.require_grad();
  CHECK(t.slot() == slot);
}

TEST_CASE("rebind moves the data for every handle, and a wide tensor becomes dense") {
  const Tensor t = counting({1, 1, 2, 3}), same = t;
  const auto storage = allocate(1024);
  t.rebind(storage, 256);
  CHECK(same.data<std::byte>() == static_cast<std::byte*>(storage.get()) + 256);
  CHECK(same.to_vector() == V{0, 1, 2, 3, 4, 5});
  const Tensor wide = counting({1, 1, 2, 3}).view_channels(1, 2);
  wide.rebind(storage, 512);
  CHECK(wide.dense());
  CHECK(wide.to_vector() == V{1, 2, 4, 5});
}

TEST_CASE("fresh tensors hold NaN in the tests") { CHECK(std::isnan(Tensor::empty({1, 1, 1, 1}).item())); }

}  // namespace gf::test
