// `seqgrad translate`: a line in, a line out.
#include <cerrno>
#include <cstdio>
#include <set>
#include <system_error>

#include "apps/command.h"
#include "engine/core/utf8.h"
#include "engine/data/surface.h"
#include "engine/io/text.h"
#include "models/run.h"

namespace seqgrad {
namespace {

constexpr size_t longest_line = size_t{1} << 20;
constexpr size_t most_tokens = 2000;

struct Options {
  CommonOptions common;
  std::string run, checkpoint = "best";
};

// Each word once, and no more of them than a person reads: looking for near ones takes a while.
void name_unknown_words(const LoadedRun& run, const std::string& text, int64_t line) {
  constexpr size_t most_named = 10;
  std::set<std::string> unknown;
  const Vocabulary& v = run.source->vocabulary();
  for (const std::string& token : run.source->split(text)) {
    if (v.id(token) != unk_id || !unknown.insert(token).second || unknown.size() > most_named) continue;
    std::string near;
    for (const std::string& word : v.nearest(token)) near += (near.empty() ? "" : ", ") + shown(word);
    note(fmt::format("line {}: '{}' is not in the vocabulary{}", line, shown(token),
                     near.empty() ? "" : "; the nearest known: " + near));
  }
  if (unknown.size() > most_named) note(fmt::format("line {}: and {} more", line, unknown.size() - most_named));
}

int translate(const Options& o) {
  const auto run = open_run(o.run, o.common.overrides(), o.checkpoint);
  o.common.tell(run->describe());
  const bool words = run->config.data.vocabulary.kind().value_or(
                         task_of(run->config.data) ? task_of(run->config.data)->vocabulary : "word") == "word";
  const auto known = [&](std::string_view w) { return run->source->vocabulary().id(w) != unk_id; };
  std::string line;
  for (int64_t number = 1; read_line(stdin, "standard input", longest_line, line); ++number) {
    if (line.size() > longest_line) refuse("line {}: more than the {} bytes that are translated", number, longest_line);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (const size_t bad = utf8_error(line); bad < line.size())
      refuse("line {}: byte {} is not UTF-8", number, bad + 1);
    const std::string text = words ? normalise(line, known) : line;
    const std::vector<int32_t> ids = run->source->encode(text);
    std::string out;
    if (!ids.empty()) {
      if (ids.size() > most_tokens)
        refuse("line {}: {} tokens; at most {} are translated", number, ids.size(), most_tokens);
      if (words && !o.common.quiet) name_unknown_words(*run, text, number);
      Tape::current().reset();
      out = run->target->decode(run->model->greedy(make_source_batch({&ids, 1}, 1), run->decode())[0].ids);
      if (words && text != line) out = present(out);  // a sentence as a person types it comes back so
    }
    fmt::print("{}\n", out);
    if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category());
  }
  return 0;
}

std::function<int()> declare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("run", o->run, "Run directory")->required()->type_name("RUN");
  app.add_option("--checkpoint", o->checkpoint, "best, last or step-000500")->type_name("NAME");
  o->common.declare(app);
  return [o] { return translate(*o); };
}

const bool registered =
    register_command({"translate", "Translate standard input line by line",
                      "echo 'Der Hund liest das Buch.' | seqgrad translate runs/phrases-0001", declare});

}  // namespace
}  // namespace seqgrad
