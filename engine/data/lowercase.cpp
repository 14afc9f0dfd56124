// The blocks of Unicode's simple lower-case mapping: most are a shift, the rest alternates capital and small letter.
#include "engine/data/lowercase.h"

#include "engine/core/utf8.h"

namespace seqgrad {

static char32_t lower(char32_t c) {
  const auto in = [c](char32_t first, char32_t last) { return first <= c && c <= last; };
  const char32_t next_of_even = c | 1;             // capital is even, small letter follows
  const char32_t next_of_odd = c % 2 ? c + 1 : c;  // capital is odd
  if (in('A', 'Z') || in(0xC0, 0xD6) || in(0xD8, 0xDE)) return c + 0x20;
  if (c == 0x130) return 'i';
  if (c == 0x178) return 0xFF;
  if (in(0x100, 0x137) || in(0x14A, 0x177)) return next_of_even;
  if (in(0x139, 0x148) || in(0x179, 0x17E)) return next_of_odd;
  if (c == 0x370 || c == 0x372 || c == 0x376 || in(0x3D8, 0x3EF)) return next_of_even;
  if (c == 0x37F) return 0x3F3;
  if (c == 0x386) return 0x3AC;
  if (in(0x388, 0x38A)) return c + 37;
  if (c == 0x38C) return 0x3CC;
  if (in(0x38E, 0x38F)) return c + 63;
  if (in(0x391, 0x3A1) || in(0x3A3, 0x3AB)) return c + 0x20;
  if (c == 0x3CF) return 0x3D7;
  if (c == 0x3F4) return 0x3B8;
  if (c == 0x3F7 || c == 0x3FA) return c + 1;
  if (c == 0x3F9) return 0x3F2;
  if (in(0x3FD, 0x3FF)) return c - 130;
  if (in(0x400, 0x40F)) return c + 0x50;
  if (in(0x410, 0x42F)) return c + 0x20;
  if (in(0x460, 0x481) || in(0x48A, 0x4BF) || in(0x4D0, 0x52F)) return next_of_even;
  if (c == 0x4C0) return 0x4CF;
  if (in(0x4C1, 0x4CE)) return next_of_odd;
  if (c == 0x1E9E) return 0xDF;
  return c;
}

std::string lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text.substr(i));
    const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[i + k]); };
    if (length == 1) {
      out += static_cast<char>(lower(byte(0)));
    } else if (length == 2 || length == 3) {
      const char32_t c = length == 2 ? (byte(0) & 0x1Fu) << 6 | (byte(1) & 0x3Fu)
                                     : (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
      const char32_t small = lower(c);
      if (small == c) {
        out += text.substr(i, length);
      } else if (small < 0x80) {
        out += static_cast<char>(small);
      } else {  // every small letter of the table is below U+0800
        out += static_cast<char>(0xC0 | small >> 6);
        out += static_cast<char>(0x80 | (small & 0x3F));
      }
    } else {
      out += text.substr(i, length == 0 ? 1 : length);
    }
    i += length == 0 ? 1 : length;
  }
  return out;
}

}  // namespace seqgrad
