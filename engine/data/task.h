// Built-in toy tasks: each registers itself by name and makes its splits from a seed, without a download.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace seqgrad {

struct Pair {
  std::string source, target;     // tokens separated by single spaces, or plain characters for character tasks
  std::vector<std::string> tags;  // phenomena that `evaluate` reports one by one
  std::string given{};            // the target as its file has it, where data.normalize or data.lowercase changed it
  const std::string& reference() const { return given.empty() ? target : given; }
};

struct TaskOptions {
  uint64_t seed = 1;
  int64_t train = 0, dev = 0, test = 0;  // pairs wanted; 0 = the task's own size
  std::string direction;                 // for tasks that have two, e.g. "de-en"; empty = the task's default
  std::string lexicon;                   // path, for tasks that read a word table
};

struct Splits {
  std::vector<Pair> train, dev, test;
  std::map<std::string, std::vector<Pair>> reported;  // further test sets, reported without a bar
};

struct Task {
  const char* name;
  const char* doc;
  const char* vocabulary;              // "word" or "char": what the task's text is made of
  Splits (*make)(const TaskOptions&);  // throws InputError when the options ask for what the task cannot give

  // What a report says of the task; null and "" where there is nothing to say.
  std::string (*title)(const TaskOptions&) = nullptr;  // "German -> English"; null: the name
  const char* test_note = "";                          // what is special about the test split
  bool sentences = false;                              // shown as people write sentences: "The dog sleeps."
  // Exact matches of translators without learning, by name, that a model must beat.
  std::vector<std::pair<std::string, double>> (*baselines)(const TaskOptions&, const std::vector<Pair>& train,
                                                           const std::vector<Pair>& test) = nullptr;
};

// Registered tasks by name, in name order; registration is a static initialiser in the task's own file:
//   static const bool registered = register_task({"copy", "…", "word", make_copy});
const std::map<std::string, Task>& tasks();
bool register_task(const Task& task);

}  // namespace seqgrad
