#pragma once

namespace gf {

extern const char* const kVersion;   // "0.1.0"
extern const char* const kBackends;  // "cpu (oneDNN 2.6.3) | simt yes ... | cuda kernels ..."

}  // namespace gf
