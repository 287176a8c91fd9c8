// The mirroring that kernel cases need on a GPU, tried with memory elsewhere on the host.
#include "tests/harness/mirror.h"

#include "kernels/elementwise.h"
#include "tests/harness/kernel_case.h"

namespace gf {
namespace {

using namespace harness;
using Values = std::vector<double>;

const Simt device{workspace};

TEST_CASE("mirror: kernels work on the twin, the host reads what they wrote") {
  const Buffer<> x = Buffer<>::of({1, 2, 1, 2}, 3, {1, 2, 3, 4});
  Buffer<> outer({1, 2, 1, 2}, 1);
  const void* at_home = outer.view().data;
  {
    Mirrors mirrors(memory_elsewhere());
    CHECK(outer.view().data != at_home);
    copy(device, x.view(), outer.view());
    CHECK(outer.values() == Values{1, 2, 3, 4});
    CHECK(outer.sentinels_intact());
    const View kept = outer.view();
    fill(device, 7, kept);
    CHECK(outer.values() == Values{7, 7, 7, 7});
    fill(device, 8, kept);  // a view that was asked for before the host looked
    CHECK(outer.values() == Values{8, 8, 8, 8});
    mirrors.bring_home();
  }
  CHECK(outer.view().data == at_home);
  CHECK(outer.values() == Values{8, 8, 8, 8});
}

TEST_CASE("mirror: the host's memory is nonsense while a kernel may write the twin") {
  Buffer<> x = Buffer<>::of({1, 1, 1, 2}, 0, {1, 2});
  const float* at_home = data_as<float>(x.view());
  Mirrors mirrors(memory_elsewhere());
  x.view();
  CHECK(at_home[0] != 1);
  CHECK(x.values() == Values{1, 2});
  CHECK(at_home[0] == 1);
}

TEST_CASE("mirror: a view made before the run shows nonsense, the host sees the numbers") {
  const Buffer<> x = Buffer<>::of({1, 1, 1, 2}, 0, {1, 2});
  Buffer<> y({1, 1, 1, 2});
  const ConstView early = x.view();
  Mirrors mirrors(memory_elsewhere());
  copy(device, early, y.view());
  CHECK(y.values() != Values{1, 2});
  CHECK(x.values() == Values{1, 2});
}

TEST_CASE("mirror: what the host writes, copies and moves") {
  Mirrors mirrors(memory_elsewhere());
  Buffer<> x({1, 1, 1, 3});
  fill(device, 5, x.view());
  x.at(0, 1) = 6;
  Buffer<> y = x, z({1, 1, 1, 3});
  unary(device, Unary::scale, 2, x.view(), z.view());
  CHECK(z.values() == Values{10, 12, 10});
  CHECK(y.values() == Values{5, 6, 5});
  fill(device, 9, y.view());
  x = y;
  CHECK(x.values() == Values{9, 9, 9});
  fill(device, 3, z.view());
  x = std::move(z);
  unary(device, Unary::scale, 2, x.view(), y.view());
  CHECK(y.values() == Values{6, 6, 6});
  CHECK(static_cast<float>(x.at(0, 2)) == 3);
}

TEST_CASE("mirror: an overrun on the device is seen on the host") {
  for (const std::int64_t past : {-1, 2, 4}) {
    Mirrors mirrors(memory_elsewhere());
    Buffer<> x({1, 2, 1, 2}, 1);  // elements 0, 1, 3, 4 of what the view sees
    fill(device, 5, x.view());
    CHECK(x.sentinels_intact());
    View v = x.view();
    fill(device, 5, View(data_as<float>(v) + (past == 4 ? 5 : past), DType::f32, {1, 1, 1, 1}));
    CHECK(!x.sentinels_intact());
  }
}

}  // namespace
}  // namespace gf
