// Model files that came from elsewhere: the header alone, and the whole network as predict loads it.
#include "engine/io/checkpoint.h"

#include "distill/model_file.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gf;
  const fuzz::InputAsFile file(data, size, ".gfm");
  fuzz::refuses_or_reads([&] { read_checkpoint_state(file.path()); });
  fuzz::refuses_or_reads([&] { load_network(file.path()); });
  fuzz::refuses_or_reads([&] { load_paraphrasers(file.path()); });
  return 0;
}
