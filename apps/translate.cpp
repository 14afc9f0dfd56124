// `seqgrad translate`: a line in, a line out.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <optional>
#include <system_error>

#include "apps/line_notes.h"
#include "apps/options.h"
#include "apps/run_options.h"
#include "apps/shared_processes.h"
#include "engine/comm/together.h"
#include "engine/data/odd_text.h"
#include "engine/data/surface.h"
#include "engine/device/prepared_weights.h"
#include "engine/io/inputs.h"
#include "engine/io/line_reader.h"
#include "engine/io/terminal.h"
#include "engine/text/utf8.h"
#include "engine/train/attention.h"
#include "engine/train/evaluate.h"

namespace seqgrad {
namespace {

constexpr size_t longest_line = size_t{1} << 20;
constexpr size_t most_tokens = 2000;
constexpr size_t most_lines = 512;  // that wait for one another

struct Options {
  RunOptions run;
  std::optional<int64_t> nbest;
  bool scores = false, raw = false, skip_bad = false;
  std::string attention;
};

// Checks a line and turns it into ids.
Line read(const LoadedRun& run, const Surface& surface, std::string typed, int64_t number) {
  if (typed.size() > longest_line) refuse("line {}: more than the {} bytes that are translated", number, longest_line);
  if (!typed.empty() && typed.back() == '\r') typed.pop_back();
  if (number == 1 && typed.starts_with("\xEF\xBB\xBF")) typed.erase(0, 3);
  if (const size_t bad = utf8_error(typed); bad < typed.size())
    refuse("line {}: byte {} is not UTF-8", number, bad + 1);
  std::string text = surface.read(typed);
  std::vector<int32_t> ids = blank(text) ? std::vector<int32_t>{} : run.source->encode(text);
  if (ids.size() > most_tokens)
    refuse("line {}: {} tokens; at most {} are translated", number, ids.size(), most_tokens);
  return {number, std::move(typed), std::move(text), std::move(ids)};
}

// Lines of standard input as they come, some at a time: as many as are there.
class Input {
 public:
  Input(const Options& o, const LoadedRun& run, const Surface& surface)
      : o_(o), run_(run), surface_(surface), notes_(run, surface, o.run.common.quiet) {}

  // At least one line; none at the end of the input.
  std::vector<Line> next() {
    std::vector<Line> lines;
    std::string typed;
    while (!ended_ && lines.size() < most_lines && (lines.empty() || input_.ready())) {
      ended_ = !input_.next(typed);
      if (!ended_) take(std::move(typed), lines);
    }
    return lines;
  }

  int64_t skipped() const { return skipped_; }
  // Throws what a line was refused for, once the lines before it have their answers.
  void rethrow() const {
    if (refused_) std::rethrow_exception(refused_);
  }

 private:
  void take(std::string typed, std::vector<Line>& lines) {
    const bool too_long = typed.size() > longest_line;
    try {
      lines.push_back(read(run_, surface_, std::move(typed), ++number_));
      notes_.about(lines.back());
    } catch (const InputError& e) {
      if (!o_.skip_bad) {
        refused_ = std::make_exception_ptr(
            InputError(fmt::format("{}; --skip-bad answers such lines with empty ones", e.what())));
        ended_ = true;
        return;
      }
      note(fmt::format("{}: skipped, its translation is empty", e.what()));
      lines.push_back({number_, "", "", {}});
      ++skipped_;
      if (too_long) input_.skip_rest();
    }
  }

  const Options& o_;
  const LoadedRun& run_;
  const Surface& surface_;
  LineNotes notes_;
  LineReader input_{STDIN_FILENO, "standard input", longest_line};
  std::exception_ptr refused_;
  bool ended_ = false;
  int64_t number_ = 0, skipped_ = 0;
};

// The translations of a line as they are printed, best first, no text twice.
struct Answer {
  std::string text;
  const Hypothesis* hypothesis;
};

std::vector<Answer> answers(const Options& o, const LoadedRun& run, const Surface& surface,
                            const std::vector<Hypothesis>& found) {
  std::vector<Answer> out;
  for (const Hypothesis& h : found) {
    if (out.size() == static_cast<size_t>(o.nbest.value_or(1))) break;
    const std::string written = run.target->decode(h.ids);
    std::string text = o.raw ? written : surface.show(written);
    if (std::none_of(out.begin(), out.end(), [&](const Answer& a) { return a.text == text; }))
      out.push_back({std::move(text), &h});
  }
  return out;
}

// A line of text for a line; with --nbest lines as in Moses' n-best lists: the number of the sentence from 0, the text,
// its features, its score.
void print(const Options& o, const Line& line, const std::vector<Answer>& found) {
  for (const auto& [written, h] : found) {
    const std::string text = data_for(written, STDOUT_FILENO);
    if (!o.nbest)
      fmt::print("{}{}\n", o.scores ? fmt::format("{:.4f}\t", h->score) : "", text);
    else
      fmt::print("{} ||| {}{}\n", line.number - 1, text,
                 o.scores ? fmt::format(" ||| logp= {:.4f} ||| {:.4f}", h->log_p, h->score) : "");
  }
}

DecodeOptions search_of(const Options& o, const LoadedRun& run) {
  DecodeOptions decode = run.config.decode_options();
  if (const int64_t nbest = o.nbest.value_or(1); nbest > decode.beam)
    refuse("translate: --nbest {0} needs --beam {0} or more; the beam is {1}", nbest, decode.beam);
  // Of pieces, several hypotheses may be one text: all that the beam has are looked at.
  decode.nbest = o.nbest ? decode.beam : 1;
  decode.attention = !o.attention.empty();
  if (decode.attention && !run.config.model->has_attention())
    refuse("translate: --attention: this model looks at nothing; it was trained with model.attention: none");
  return decode;
}

using Sources = std::vector<std::vector<int32_t>>;

// What the first process has read, in all of them.
Sources in_all(Processes& processes, const std::vector<Line>& lines) {
  const std::string text = from_first(processes, [&] {
    ByteWriter out;
    out.add(lines.size());
    for (const Line& line : lines) out.add_all(line.ids);
    return text_of(out.take());
  });
  const Bytes bytes = bytes_of(text);
  ByteReader in(bytes);
  Sources sources(in.next<size_t>());
  for (auto& ids : sources) ids = in.next_all<int32_t>();
  return sources;
}

// Translates for the process that has the lines, until there are no more.
void serve(Processes& processes, SequenceModel& model, const DecodeOptions& decode) {
  const PreparedWeights prepared;  // once for all lines
  for (;;) {
    const Sources sources = in_all(processes, {});
    if (sources.empty()) break;
    decode_all(model, sources, decode, processes);
  }
  from_first(processes, {});  // whether all lines were taken
}

int translate(const Options& o) {
  Processes& processes = shared_processes();
  std::unique_ptr<LoadedRun> run;
  DecodeOptions decode;
  together(processes, [&] {
    run = o.run.open(processes);
    decode = search_of(o, *run);
  });
  if (processes.rank() > 0) return serve(processes, *run->model, decode), static_cast<int>(ExitCode::done);
  std::optional<AttentionPage> page;
  remember_input("/dev/stdin");
  if (decode.attention) page.emplace(o.attention);
  const Surface surface(run->config.data, *run->source);
  Input input(o, *run, surface);
  const PreparedWeights prepared;  // once for all lines
  for (;;) {
    const std::vector<Line> lines = input.next();
    const Sources sources = in_all(processes, lines);
    if (lines.empty()) break;
    const auto found = decode_all(*run->model, sources, decode, processes);
    for (size_t i = 0; i < lines.size(); ++i) {
      const auto best = answers(o, *run, surface, found[i]);
      print(o, lines[i], best);
      if (page && !lines[i].ids.empty())
        page->add(lines[i].number, lines[i].typed, best[0].text,
                  attention_map(run->source->split(lines[i].text), *best[0].hypothesis, run->target->vocabulary()));
    }
    if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category());
  }
  if (page) page->write();
  from_first(processes, [&] { return input.rethrow(), std::string(); });
  if (input.skipped() == 0) return static_cast<int>(ExitCode::done);
  note(fmt::format("{} line{} skipped", input.skipped(), input.skipped() == 1 ? " was" : "s were"));
  return static_cast<int>(ExitCode::no);
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  app.add_option("--nbest", o->nbest,
                 "Print the N best translations, as Moses' n-best lists do; fewer where the beam holds a text twice")
      .type_name("N")
      .check(whole(1));
  app.add_flag("--scores", o->scores, "Print log p over the length penalty before each line, after it with --nbest");
  app.add_flag("--raw", o->raw, "Print the model's words as they are, which is what evaluate scores");
  app.add_flag("--skip-bad", o->skip_bad,
               "Answer a line that is too long or not UTF-8 with an empty one, and exit with 1 at the end");
  app.add_option("--attention", o->attention, "Write a page that shows at which words each translation looked")
      .type_name("FILE.html");
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
                                           {"--lenpen", "--length-penalty"}},
                                          true});

}  // namespace
}  // namespace seqgrad
