// Pictures and masks, told apart by their content: PNG, JPEG, BMP, TIFF.
#include "data/image.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gf;
  const fuzz::InputAsFile file(data, size, ".picture");
  fuzz::refuses_or_reads([&] { to_channels(read_image(file.path()), 3, file.path()); });
  fuzz::refuses_or_reads([&] { read_mask(file.path()); });
  return 0;
}
