#pragma once
// Text into HTML and numbers into text, the same way all over the report.
#include <cstdint>
#include <string>
#include <string_view>

namespace gf {

// & < > " ' as entities; control characters, which no HTML may hold, as spaces; what is no UTF-8 as
// U+FFFD.
std::string html_escape(std::string_view text);
// For src="...": the picture itself ("data:image/..."), or of any other address an empty one. A page loads nothing from
// elsewhere, whatever the files of a run say that it is made of.
std::string picture_source(std::string_view uri);

std::string score_text(double v, int digits = 3);  // "0.842", an en dash for NaN
std::string count_text(double v);                  // "38.29 M", "1.55 G", "912"; an en dash for NaN

}  // namespace gf
