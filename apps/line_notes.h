// What a person should know about the lines that he typed.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/data/surface.h"
#include "engine/run/loaded_run.h"

namespace seqgrad {

struct Line {
  int64_t number;
  std::string typed, text;  // text: as the model reads it
  std::vector<int32_t> ids;
};

class LineNotes {
 public:
  LineNotes(const LoadedRun& run, const Surface& surface, bool quiet) : run_(run), surface_(surface), quiet_(quiet) {}

  // On stderr: words that the model does not know, with the nearest that it knows, and, once, a line that seems to be
  // several sentences. `quiet`: nothing.
  void about(const Line& line);

 private:
  void name_unknown(const Line& line) const;
  std::string about_unknown(const std::string& token) const;

  const LoadedRun& run_;
  const Surface& surface_;
  bool quiet_, several_told_ = false;
};

}  // namespace seqgrad
