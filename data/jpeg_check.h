#pragma once
// What stb_image does not check in a JPEG (markers of ITU-T T.81, annex B): it writes past its array where a Huffman
// table (DHT) names more than 256 codes, takes tables that the file never gave out of fresh memory and reads outside of
// its arrays with them, and fills the missing part of a truncated file with gray.
#include <cstdint>
#include <string>
#include <vector>

namespace gf {

// By the first bytes; four suffice.
bool is_jpeg(const std::vector<std::uint8_t>& file);

// Errors (bad_data): a table or a segment that cannot be, a file that ends before the end of its picture. Walks over
// the markers as stb does, decodes nothing.
void require_sound_jpeg(const std::vector<std::uint8_t>& file, const std::string& path);

}  // namespace gf
