// Lengths are those of the longer side.
#include "engine/data/long_lines.h"

#include <algorithm>

#include "engine/core/error.h"
#include "engine/text/numbers.h"

namespace seqgrad {

int64_t longer_side(const Corpus& corpus, int64_t row) {
  return std::max(corpus.source.length(row), corpus.target.length(row));
}

std::string place_of(const DataConfig& data, const Corpus& corpus, int64_t row) {
  const FilesConfig* files = corpus.name == "train"  ? &data.train
                             : corpus.name == "dev"  ? &data.dev
                             : corpus.name == "test" ? &data.test
                                                     : nullptr;
  const int64_t line = corpus.lines[static_cast<size_t>(row)];
  if (!files || !files->given()) return fmt::format("{}, pair {}", corpus.name, line);
  const bool target = corpus.target.length(row) > corpus.source.length(row);
  const std::string& path = !files->tsv().value.empty() ? files->tsv().value
                            : target                    ? files->trg().value
                                                        : files->src().value;
  return fmt::format("{}:{}", shown_path(path), line);
}

void check_long_lines(const DataConfig& c, Data& data) {
  constexpr int64_t times = 10, short_enough = 500;  // a line of so many tokens takes seconds at most
  int64_t trained = 0;
  for (int64_t i = 0; i < data.train.size(); ++i) trained = std::max(trained, longer_side(data.train, i));
  for (const Corpus* corpus : {&data.dev, &data.test}) {
    int64_t longest = 0, many = 0;
    for (int64_t i = 0; i < corpus->size(); ++i) {
      if (longer_side(*corpus, i) <= std::max(short_enough, times * trained)) continue;
      ++many;
      if (longer_side(*corpus, i) > longer_side(*corpus, longest)) longest = i;
    }
    if (many == 0) continue;
    data.notes.push_back(fmt::format(
        "{}: {} tokens on one line{}, and no training sentence has more than {}: each pass over {} may take minutes "
        "with it; write one sentence a line, or take it out",
        place_of(c, *corpus, longest), with_commas(longer_side(*corpus, longest)),
        many == 1 ? "" : fmt::format(" (and {} more such line{})", many - 1, many == 2 ? "" : "s"), trained,
        corpus->name));
  }
}

}  // namespace seqgrad
