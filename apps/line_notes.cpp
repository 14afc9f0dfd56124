// Unknown words, and what people type where a word is wanted.
#include "apps/line_notes.h"

#include <set>

#include "apps/command.h"
#include "engine/data/unknown_word.h"

namespace seqgrad {
void LineNotes::about(const Line& line) {
  if (quiet_) return;
  name_unknown(line);
  const auto known = [&](std::string_view word) { return surface_.known(word); };
  if (several_told_ || !surface_.sentences() || !several_sentences(line.typed, known)) return;
  note(
      fmt::format("line {}: seems to hold several sentences, and is translated as one; write one a line", line.number));
  several_told_ = true;
}

// Each word once, and no more of them than a person reads: looking for near ones takes a while.
void LineNotes::name_unknown(const Line& line) const {
  constexpr size_t most_named = 10;
  std::set<std::string> unknown;
  const Vocabulary& v = run_.source->vocabulary();
  for (const std::string& token : run_.source->split(line.text)) {
    if (v.id(token) != unk_id || !unknown.insert(token).second || unknown.size() > most_named) continue;
    note(fmt::format("line {}: {}", line.number, about_unknown(token)));
  }
  if (unknown.size() > most_named) note(fmt::format("line {}: and {} more", line.number, unknown.size() - most_named));
}

std::string LineNotes::about_unknown(const std::string& token) const {
  constexpr std::string_view piece_mark = "\u2581";
  if (token.find(piece_mark) != token.npos)
    return fmt::format(
        "'{}' is not in the vocabulary; {} is how vocabularies of pieces write the beginning of a word: "
        "type words",
        shown(token), piece_mark);
  return surface_.words() ? unknown_word(run_.source->vocabulary(), token)
                          : fmt::format("'{}' is not in the vocabulary", shown(token));
}

}  // namespace seqgrad
