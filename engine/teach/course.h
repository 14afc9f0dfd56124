// Lessons: a batch with a deliberate flaw, a question whose answer is a number, guesses judged by how one gets them.
#pragma once
#include <string>
#include <vector>

#include "engine/teach/explain.h"

namespace seqgrad {

// The lessons of a folder, in the order of their names. InputError where there is none.
std::vector<std::string> find_lessons(const std::string& folder);

// The flawed batch and the lesson's own experiments, which run on the repaired one where that can show them. Where the
// loss refuses the flawed file before it is a batch (a wrong shape), the repaired batch is shown and a warning says
// what is refused.
Explanation explain_lesson(const std::string& path, const ExplainOptions& options = {});

// What the reader is asked to guess is the lesson's gold.value: what the repaired file's loss is.
struct Guess {
  bool right = false;
  std::vector<std::string> lines;  // "right: …", or by which mistake one gets that number
};
Guess judge(const std::string& path, const std::string& typed);

// The question and what one needs to answer it; `answer`: everything.
std::string lesson_text(const Explanation& e, bool answer);

// A page's name without ".html": of configs/lessons/01_padding.yaml, or of a case's folder, its last part.
std::string page_stem(const std::string& path);

// One page a lesson, each under a name of its own, and index.html into the directory, which is made.
void write_course(const std::vector<std::string>& lessons, const std::string& directory);

}  // namespace seqgrad
