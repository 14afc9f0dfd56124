// Task `pig_latin`: one to three invented words, "street apple" to "eetstray appleway". What stands before the first
// vowel moves to the end and "ay" follows; a word that begins with a vowel gets "way". `y` is a vowel but as the first
// letter; the u of `qu` is none.
#include "engine/data/split.h"

namespace seqgrad {

static std::string pig_latin(const std::string& word) {
  size_t vowel = 0;
  while (vowel < word.size()) {
    const bool y = word[vowel] == 'y' && vowel > 0, u_of_qu = word[vowel] == 'u' && vowel > 0 && word[vowel - 1] == 'q';
    if (y || (std::string_view("aeiou").find(word[vowel]) != std::string_view::npos && !u_of_qu)) break;
    ++vowel;
  }
  return vowel == 0 ? word + "way" : word.substr(vowel) + word.substr(0, vowel) + "ay";
}

static std::string draw_word(Random& random) {
  static const char* const onsets[] = {"",   "",    "b",  "bl", "br",  "c",  "ch", "cl",  "cr", "d",  "dr", "f",
                                       "fl", "fr",  "g",  "gl", "gr",  "h",  "j",  "k",   "kn", "l",  "m",  "n",
                                       "p",  "pl",  "pr", "qu", "r",   "s",  "sc", "scr", "sh", "sl", "sp", "squ",
                                       "st", "str", "t",  "th", "thr", "tr", "v",  "w",   "wh", "y",  "z"};
  static const char* const vowels[] = {"a", "e", "i", "o", "u", "ai", "ea", "ee", "io", "oa", "oo", "ou", "y"};
  static const char* const codas[] = {"",  "",  "b",  "ck", "d",  "ft", "g",  "l", "ld",
                                      "m", "n", "nd", "ng", "nt", "r",  "st", "t"};
  std::string word;
  for (uint64_t syllables = 1 + random.below(3); syllables > 0; --syllables) {
    word += onsets[random.below(std::size(onsets))];
    word += vowels[random.below(std::size(vowels))];
    word += codas[random.below(std::size(codas))];
  }
  return word;
}

static Splits make_pig_latin(const TaskOptions& options) {
  const auto draw = [](Random& random) {
    Pair pair;
    for (uint64_t words = 1 + random.below(3); words > 0; --words) {
      const std::string word = draw_word(random);
      pair.source += (pair.source.empty() ? "" : " ") + word;
      pair.target += (pair.target.empty() ? "" : " ") + pig_latin(word);
    }
    return pair;
  };
  return draw_splits({"pig_latin", 20'000, 1'000, 2'000, draw}, options);
}

static const bool registered = register_task({"pig_latin", "invented words in Pig Latin", "char", make_pig_latin});

}  // namespace seqgrad
