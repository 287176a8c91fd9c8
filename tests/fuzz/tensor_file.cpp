// Tensor files that users bring: npz and safetensors, told apart by their first bytes.
#include "engine/io/tensor_file.h"

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gf;
  const fuzz::InputAsFile file(data, size, ".bin");
  fuzz::refuses_or_reads([&] {
    const auto opened = open_tensor_file(file.path());
    for (const FileTensor& t : opened->tensors()) fuzz::refuses_or_reads([&] { opened->floats(t.name); });
  });
  return 0;
}
