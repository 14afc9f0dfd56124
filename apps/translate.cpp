// `seqgrad translate`: a line in, a line out.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <optional>
#include <set>
#include <system_error>

#include "apps/options.h"
#include "apps/run_options.h"
#include "engine/core/utf8.h"
#include "engine/data/surface.h"
#include "engine/io/line_reader.h"
#include "engine/io/terminal.h"
#include "engine/train/attention.h"

namespace seqgrad {
namespace {

constexpr size_t longest_line = size_t{1} << 20;
constexpr size_t most_tokens = 2000;
constexpr size_t most_lines = 512;  // that wait for one another

struct Options {
  RunOptions run;
  std::optional<int64_t> nbest;
  bool scores = false;
  std::string attention;
};

struct Line {
  int64_t number;
  std::string typed, text;  // text: as the model's words
  std::vector<int32_t> ids;
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

// Checks a line and turns it into ids.
Line read(const LoadedRun& run, bool words, std::string typed, int64_t number) {
  if (typed.size() > longest_line) refuse("line {}: more than the {} bytes that are translated", number, longest_line);
  if (!typed.empty() && typed.back() == '\r') typed.pop_back();
  if (number == 1 && typed.starts_with("\xEF\xBB\xBF")) typed.erase(0, 3);
  if (const size_t bad = utf8_error(typed); bad < typed.size())
    refuse("line {}: byte {} is not UTF-8", number, bad + 1);
  const auto known = [&](std::string_view w) { return run.source->vocabulary().id(w) != unk_id; };
  std::string text = words ? normalise(typed, known) : typed;
  std::vector<int32_t> ids = run.source->encode(text);
  if (ids.size() > most_tokens)
    refuse("line {}: {} tokens; at most {} are translated", number, ids.size(), most_tokens);
  return {number, std::move(typed), std::move(text), std::move(ids)};
}

// A sentence as a person types it comes back so.
std::string as_typed(const Line& line, const std::string& translation, bool words) {
  return words && line.text != line.typed ? present(translation) : translation;
}

// A line of text for a line; with --nbest lines as in Moses' n-best lists: the number of the sentence from 0, the text,
// its features, its score.
void print(const Options& o, const Line& line, const std::vector<Hypothesis>& found, const Tokenizer& target,
           bool words) {
  for (const Hypothesis& h : found) {
    const std::string text = data_for(as_typed(line, target.decode(h.ids), words), STDOUT_FILENO);
    if (!o.nbest)
      fmt::print("{}{}\n", o.scores ? fmt::format("{:.4f}\t", h.score) : "", text);
    else
      fmt::print("{} ||| {}{}\n", line.number - 1, text,
                 o.scores ? fmt::format(" ||| logp= {:.4f} ||| {:.4f}", h.log_p, h.score) : "");
  }
}

int translate(const Options& o) {
  const auto run = o.run.open();
  DecodeOptions decode = run->config.decode_options();
  decode.nbest = o.nbest.value_or(1);
  if (decode.nbest > decode.beam)
    refuse("translate: --nbest {0} needs --beam {0} or more; the beam is {1}", decode.nbest, decode.beam);
  std::optional<AttentionPage> page;
  if (!o.attention.empty()) {
    if (run->config.model.attention() == "none")
      refuse("translate: --attention: this model looks at nothing; it was trained with model.attention: none");
    page.emplace(o.attention);
    decode.attention = true;
  }
  const bool words = run->config.data.vocabulary.kind().value_or(
                         task_of(run->config.data) ? task_of(run->config.data)->vocabulary : "word") == "word";
  LineReader input(STDIN_FILENO, "standard input", longest_line);
  std::string typed;
  int64_t number = 0;
  for (bool more = true; more;) {
    std::vector<Line> lines;
    std::vector<std::vector<int32_t>> sources;
    std::exception_ptr refused;  // after the lines before it have their answers
    while (lines.size() < most_lines && (lines.empty() || input.ready()) && (more = input.next(typed))) {
      try {
        lines.push_back(read(*run, words, typed, ++number));
      } catch (const InputError&) {
        refused = std::current_exception();
        more = false;
        break;
      }
      const Line& line = lines.back();
      if (!line.ids.empty()) sources.push_back(line.ids);
      if (words && !o.run.common.quiet) name_unknown_words(*run, line.text, line.number);
    }
    const auto found = decode_all(*run->model, sources, decode);
    size_t next = 0;
    for (const Line& line : lines) {
      const std::vector<Hypothesis> best = line.ids.empty() ? std::vector<Hypothesis>(1) : found[next++];
      print(o, line, best, *run->target, words);
      if (page && !line.ids.empty())
        page->add(line.number, line.typed, as_typed(line, run->target->decode(best[0].ids), words),
                  attention_map(run->source->split(line.text), best[0], run->target->vocabulary()));
    }
    if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category());
    if (refused) {
      if (page) page->write();
      std::rethrow_exception(refused);
    }
  }
  if (page) page->write();
  return 0;
}

std::function<int()> declare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("--nbest", o->nbest, "Print the N best translations, as Moses' n-best lists do")
      ->type_name("N")
      ->check(whole(1));
  app.add_flag("--scores", o->scores, "Print log p over the length penalty before each line, after it with --nbest");
  app.add_option("--attention", o->attention, "Write a page that shows at which words each translation looked")
      ->type_name("FILE.html");
  o->run.declare(app);
  return [o] { return translate(*o); };
}

const bool registered = register_command({"translate",
                                          "Translate standard input line by line",
                                          "echo 'Der Hund liest das Buch.' | seqgrad translate runs/phrases-0001",
                                          declare,
                                          {"predict", "decode", "infer", "generate", "interactive"},
                                          {{"--ckpt", "--checkpoint"},
                                           {"--beam-size", "--beam"},
                                           {"--num-beams", "--beam"},
                                           {"--n-best", "--nbest"},
                                           {"--alpha", "--length-penalty"},
                                           {"--lenpen", "--length-penalty"}}});

}  // namespace
}  // namespace seqgrad
