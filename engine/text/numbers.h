// Numbers and nouns in sentences.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace seqgrad {

std::string with_commas(int64_t count);  // 20,000

// "1 pair", "0 pairs", "20,000 pairs"; `plural` where it is not the noun and an s.
std::string counted(int64_t count, std::string_view noun, std::string_view plural = "");

}  // namespace seqgrad
