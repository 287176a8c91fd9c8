#include "kernels/one_hot.h"

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

TEST_CASE("one_hot: classes, ignored labels, labels of no class") {
  for (const Shape& s : {Shape{2, 3, 5, 1}, Shape{1, 31, 33, 2}, Shape{2, 7, 3, 31}, Shape{1, 5, 9, 32},
                         Shape{1, 3, 4, 33}, Shape{1, 2, 5, 257}})
    for (const std::int64_t extra : {0, 3})
      for (const int ignore_index : {-1, 0, 255}) {
        INFO(s.str(), " extra ", extra, " ignore ", ignore_index);
        Values ids, want;
        for (std::int64_t p = 0; p < s.pixels(); ++p) {
          const std::int64_t id = p % 7 == 3 ? 255 : p % 7 == 5 ? -1 : p * 5 % (s.c + 1);
          ids.push_back(static_cast<double>(id));
          for (std::int64_t c = 0; c < s.c; ++c) want.push_back(c == id && id != ignore_index ? 1 : 0);
        }
        const Buffer<std::int32_t> label = Buffer<std::int32_t>::of({s.n, s.h, s.w, 1}, extra, ids);
        on_every_device([&](const auto& device) {
          Buffer<> y(s, extra);
          one_hot(device, ignore_index, label.view(), y.view());
          CHECK(same_bits(y.values(), want));
          CHECK(y.sentinels_intact());
          return y.values();
        });
      }
}

TEST_CASE("one_hot: wrong views are refused") {
  const Buffer<std::int32_t> label({1, 2, 3, 1});
  Buffer<> y({1, 2, 4, 3});
  CHECK(message_of([&] { one_hot(Cpu{workspace}, -1, label.view(), y.view()); }).find("wrong shape") !=
        std::string::npos);
}

}  // namespace
}  // namespace gf
