#pragma once
// The header of a .npy file (NumPy's array format 1.0 to 3.0). Text in, structure out; no files here.
//
//   \x93NUMPY | u8 major, minor | u16 (1.0) or u32 length | a Python dict as text, padded | data
//   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gf {

struct NpyHeader {
  std::string dtype;  // as safetensors names it
  std::vector<std::int64_t> shape;
  std::uint64_t bytes = 0;       // of the header
  std::uint64_t data_bytes = 0;  // that must follow it
};

// `text` begins with the file's first byte and holds at least the header. Throws ErrorKind::bad_data naming `where`:
// another format, big-endian numbers, an array in Fortran order, objects, a shape whose size no file can have.
NpyHeader parse_npy_header(std::string_view text, const std::string& where);

}  // namespace gf
