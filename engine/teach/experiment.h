// An experiment: one question about a batch that a person can answer with a guess, the engine's numbers, and the
// reason. A new one is one file in engine/teach/experiments/ that registers itself.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/teach/lesson_batch.h"

namespace seqgrad {

using Cell = std::variant<std::string, double>;

// How a table may be drawn beside being read: column numbers of its x axis, its lines or bars, and their error bars.
struct ChartHint {
  std::string kind;  // "line" or "bar"
  size_t x = 0;
  std::vector<size_t> y;
  std::vector<size_t> error;  // half the length of each y's bar; empty: none
};

struct DataTable {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;
  std::optional<ChartHint> chart;
};

// A number that one gets by a mistake, and by which.
struct Mistake {
  double value = 0;
  std::string words;
};

struct Experiment {
  std::string id, title;  // "padding", "Mask, multiply, then mean counts the padding"
  int number = 0;         // its place in the course
  std::string question;
  std::string predict;  // what the reader is asked to guess; the answer is the number `prediction`
  double prediction = 0;
  std::vector<Mistake> mistakes;
  std::vector<DataTable> tables;
  std::vector<std::pair<std::string, double>> numbers;  // further ones, by name
  std::string answer;                                   // with its reason
};

// What an experiment does with a batch: none where the batch cannot show it (one sentence, no padding).
struct ExperimentKind {
  int number;
  const char* id;
  const char* title;
  const char* lacks;  // of a batch that cannot show it: what it has not, or would need
  std::function<std::optional<Experiment>(const LessonBatch&)> run;  // fills all but number, id and title
};

bool register_experiment(ExperimentKind kind);
const std::vector<ExperimentKind>& experiment_kinds();  // by number

// Those that the batch can show, or the one of that id; InputError for an id that there is not.
std::vector<Experiment> run_experiments(const LessonBatch& s, const std::string& only = "");
// Why the batch cannot show the experiment of that id, in words.
std::string why_not(const LessonBatch& s, const std::string& id);

}  // namespace seqgrad
