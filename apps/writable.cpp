#include "apps/writable.h"

#include "engine/io/atomic_file.h"

namespace gf {

void require_writable(const std::string& file) { const AtomicFile trial(file); }

}  // namespace gf
