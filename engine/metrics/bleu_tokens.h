// What BLEU takes for a word, as sacreBLEU's tokenizers of the same names do.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace seqgrad {

enum class BleuTokens {
  mteval_13a,  // "13a": punctuation apart, as in NIST's mteval-v13a
  none,        // the text's own white space
  character,   // "char": every character that is not white space
  chinese      // "zh": Chinese characters and punctuation one by one, the rest as in 13a
};

std::vector<std::string> bleu_token_names();    // "13a", "none", "char", "zh"
BleuTokens bleu_tokens(std::string_view name);  // refuses another name
const std::string& name_of(BleuTokens tokens);

// The tokens of a line, separated by white space.
std::string tokenize(std::string_view line, BleuTokens tokens);

}  // namespace seqgrad
