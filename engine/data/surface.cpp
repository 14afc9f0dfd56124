// Only the ends of words and the first letter are touched.
#include "engine/data/surface.h"

#include <vector>

#include "engine/text/unicode.h"
#include "engine/text/words.h"

namespace seqgrad {

static constexpr std::string_view marks = ".,?!;:";

// A line's words, marks cut off.
struct Cut {
  std::vector<std::string> words;
  bool marks = false;  // whether any was cut off
};

static Cut cut_marks(std::string_view typed, const Known& known) {
  Cut out;
  for_each_word(typed, [&](std::string_view word) {
    std::vector<std::string> marks_of_word;
    while (word.size() > 1 && marks.find(word.back()) != std::string_view::npos && !known(word)) {
      marks_of_word.emplace_back(1, word.back());
      word.remove_suffix(1);
    }
    out.words.emplace_back(word);
    out.words.insert(out.words.end(), marks_of_word.rbegin(), marks_of_word.rend());
    out.marks |= !marks_of_word.empty();
  });
  return out;
}

std::string as_words(std::string_view typed, const Known& known) {
  auto [words, cut] = cut_marks(typed, known);
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (i == 0) {
      const std::string lower = to_lower(word);
      const bool capital_follows = words.size() > 1 && to_lower(words[1]) != words[1];
      if (lower != word && known(lower) && (!known(word) || (cut && capital_follows))) word = lower;
    }
    out += (i ? " " : "") + word;
  }
  return out;
}

std::string present(std::string_view words) {
  std::string out;
  for_each_word(words, [&](std::string_view word) {
    const bool mark = word.size() == 1 && marks.find(word[0]) != std::string_view::npos;
    if (!out.empty() && !mark) out += ' ';
    out += word;
  });
  return capitalize_first(out);
}

static std::string_view without_closing(std::string_view word) {
  for (const std::string_view quote : {"\"", "'", ")", "]", "”", "’", "“", "«", "»"})
    if (word.size() > quote.size() && word.ends_with(quote)) word.remove_suffix(quote.size());
  return word;
}

static bool ends_sentence(std::string_view word, const Known& known) {
  const std::string_view core = without_closing(word);
  const char last = core.back();
  if (core.size() == 1) return last == '.' || last == '?' || last == '!';
  if (last == '?' || last == '!') return true;
  if (last != '.' || known(core)) return false;
  int64_t letters = 0;
  for_each_code_point(core.substr(0, core.size() - 1), [&](CodePoint c, std::string_view) {
    letters = category(c.value).starts_with('L') ? letters + 1 : 0;  // those next to the full stop
  });
  return letters > 3;
}

static bool has_letters(std::string_view word) {
  bool found = false;
  for_each_code_point(word, [&](CodePoint c, std::string_view) { found |= category(c.value).starts_with('L'); });
  return found;
}

bool several_sentences(std::string_view typed, const Known& known) {
  bool ended = false, several = false;
  for_each_word(typed, [&](std::string_view word) {
    several |= ended && has_letters(word);
    ended = ends_sentence(word, known) || (ended && !has_letters(word));
  });
  return several;
}

Surface::Surface(const DataConfig& config, const Tokenizer& source)
    : source_(source), form_(text_form(config)), words_(vocabulary_kind(config) == "word") {
  const Task* task = task_of(config);
  sentences_ = task ? task->sentences : vocabulary_kind(config) != "char";
}

// A word may be a megabyte of full stops, and each of them asks. None is brought into its form that is too long to be a
// token in it: forms join the letters of at most this many bytes into one byte.
bool Surface::known(std::string_view word) const {
  constexpr size_t joined = 8;
  const Vocabulary& vocabulary = source_.vocabulary();
  return word.size() <= joined * vocabulary.longest() && vocabulary.id(form_(word)) != unk_id;
}

std::string Surface::read(std::string_view typed) const {
  const std::string text = form_(typed);
  return words_ ? as_words(text, [&](std::string_view word) { return known(word); }) : text;
}

std::string Surface::show(const std::string& written) const {
  return words_ && sentences_ ? present(written) : written;
}

}  // namespace seqgrad
