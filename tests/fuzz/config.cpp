// Configuration files of a run.
#include "apps/config.h"

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gf;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::refuses_or_reads([&] { parse_config(text, "run.toml"); });
  return 0;
}
