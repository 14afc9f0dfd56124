// Sentences as people type them, and as word-level models see them.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "engine/data/config.h"

namespace seqgrad {

using Known = std::function<bool(std::string_view word)>;

// "Die Frau liest das Buch." -> "die Frau liest das Buch .": words are separated by single spaces, . , ? ! ; : are cut
// off those that are not known with them, and the first word loses its capital where it is known only without; where it
// is known in both ways, it does if a mark was cut off and the next word has a capital. So text whose words are all
// known comes back unchanged, but for its spaces.
std::string as_words(std::string_view typed, const Known& known);

// The other way: "the woman reads the book ." -> "The woman reads the book."
std::string present(std::string_view words);

// Whether a sentence seems to end before the end of the line. Abbreviations of up to three letters and those that are
// known with their full stop end none.
bool several_sentences(std::string_view typed, const Known& known);

// What a run's models read and write, by the kind of their vocabulary. The one way from a line of text to the text that
// is encoded, and back.
class Surface {
 public:
  Surface(const DataConfig& config, const Tokenizer& source);
  // Whether sentences are words with spaces between, so that they are typed and printed in another form.
  bool words() const { return words_; }
  bool sentences() const { return sentences_; }        // and not, say, numbers that are to be sorted
  std::string read(std::string_view typed) const;      // what the source tokeniser is given, in the run's text form
  std::string show(const std::string& written) const;  // a translation as a person would type it
  bool known(std::string_view word) const;             // to the source vocabulary

 private:
  const Tokenizer& source_;
  TextForm form_;
  bool words_, sentences_;
};

}  // namespace seqgrad
