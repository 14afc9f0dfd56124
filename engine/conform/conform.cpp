#include "engine/conform/conform.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/conform/name_answers.h"
#include "engine/conform/shrink.h"

namespace seqgrad {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t most_refusals = 3, most_telling_batches = 6;

// A dtype that is refused at the first question is not one that the program takes, whatever its hello says.
Reply first_answer(Trial& t, const std::vector<LossBatch>& drawn) {
  const std::vector<FloatType> dtypes = t.program.dtypes;
  for (const FloatType type : dtypes) {
    t.subject.ask_in(type);
    for (size_t i = 0; i < drawn.size(); ++i) t.batches[i] = rounded_to(drawn[i], type);
    Reply reply = t.ask(t.batches[0], "value", true);
    if (reply.refusal.empty() || type == dtypes.back()) return reply;
  }
  return {};
}

// Answers of all batches; false where so many are refused that nothing can be said of the loss.
bool ask_values(Trial& t, const std::vector<LossBatch>& drawn) {
  size_t refused = 0;
  for (size_t i = 0; i < t.batches.size(); ++i) {
    t.replies.push_back(i == 0 ? first_answer(t, drawn) : t.ask(t.batches[i], "value", true));
    t.answers_in = std::max(t.answers_in, t.replies.back().dtype);
    const bool is_meant = t.meant && !t.expected(t.batches[i]);
    if (!t.replies.back().refusal.empty() && !is_meant && ++refused == most_refusals) return false;
  }
  return true;
}

void choose_telling(Trial& t) {
  std::vector<LossBatch> good;
  std::vector<size_t> places;
  for (size_t i = 0; i < t.replies.size(); ++i)
    if (t.replies[i].refusal.empty()) good.push_back(t.batches[i]), places.push_back(i);
  for (const size_t i : most_telling(good, most_telling_batches)) t.telling.push_back(places[i]);
}

// A question that has more answers than rounding tells, if there is one: nothing else can be said of such a loss. Every
// batch is asked again, as answers may change now and then alone.
std::optional<Evidence> another_answer(Trial& t) {
  for (size_t i = 0; i < t.replies.size(); ++i) {
    if (!t.replies[i].refusal.empty()) continue;
    const LossBatch& batch = t.batches[i];
    const Reply again = t.ask(batch, "repeat", false);
    if (!again.refusal.empty()) continue;
    const std::vector<double>&first = t.replies[i].answer.value, &second = again.answer.value;
    const Worst w = worst_of(second, first, t.scale_of(batch, t.replies[i].answer).value);
    if (w.differs())
      return Evidence{
          "pure:state", fmt::format("the same batch twice: {} and {}", value_text(first), value_text(second)),
          batch,        w.got,
          w.want,       false};
  }
  return std::nullopt;
}

bool is_wanted(const ConformOptions& o, const std::string& id) {
  return (o.only.empty() || o.only.count(id)) && !o.skip.count(id);
}

// Notes under --strict; and what nobody said how it should be leaves the exit code alone.
void settle(PropertyResult& r, const Property& p, const ConformOptions& o) {
  const bool is_no_loss = !r.evidence.empty() && r.evidence[0].id.starts_with("value:");
  if (r.verdict == Verdict::note && o.strict) r.verdict = Verdict::broken;
  if (!p.is_universal && !o.meant && !is_no_loss && (r.verdict == Verdict::broken || r.verdict == Verdict::note))
    r.verdict = Verdict::described;
}

// Where an answer is another each time: the property that says so, and no other.
void run_pure_alone(Trial& t, const ConformOptions& o, ConformReport& report) {
  for (const Property& p : properties()) {
    const bool is_pure = std::string(p.id) == "pure";
    PropertyResult r = is_pure ? p.run(t) : not_tried(p.id, "answers change from call to call");
    settle(r, p, o);
    report.properties.push_back(std::move(r));
  }
}

void run_properties(Trial& t, const ConformOptions& o, ConformReport& report) {
  for (const Property& p : properties()) {
    PropertyResult r = !is_wanted(o, p.id) ? not_tried(p.id, o.skip.count(p.id) ? "--skip" : "--only")
                       : t.telling.empty() ? not_tried(p.id, "no batch was answered")
                                           : p.run(t);
    settle(r, p, o);
    report.properties.push_back(std::move(r));
  }
}

// Whether the value of a batch is wrong in the way that was found on all of them.
bool shows_value(Trial& t, const LossBatch& b) {
  const std::optional<LossAnswer> want = t.expected(b);
  const Reply r = want ? t.ask(b, "shrink", false) : Reply{};
  if (!want || !r.refusal.empty()) return false;
  const bool differs = worst_of(r.answer.value, want->value, 4 * t.scale_of(b, *want).value).differs();
  return differs && (!t.found || t.is_explained(b, r.answer));
}

bool shows_gradient(Trial& t, const LossBatch& b) {
  const std::optional<LossAnswer> want = t.expected(b);
  const Reply r = want ? t.ask(b, "shrink", true) : Reply{};
  if (!want || want->d_x.empty() || !r.refusal.empty()) return false;
  return worst_of(r.answer.d_x, want->d_x, 4 * t.scale_of(b, *want).d_x).differs();
}

// Poison that reaches the value, or a live gradient, where a dead cell of 0 does not.
bool shows_poison(Trial& t, const LossBatch& b) {
  LossBatch clean = b;
  const std::vector<uint8_t> live = live_predictions(b), targets = live_targets(b);
  const auto width = static_cast<size_t>(b.width());
  for (size_t n = 0; n < live.size(); ++n) {
    for (size_t v = n * width; v < (n + 1) * width; ++v)
      if (!live[n]) clean.x[v] = b.kind == PredictionKind::probs ? 1 / static_cast<double>(width) : 0;
    if (!targets[n] && !clean.inputs.targets.empty()) clean.inputs.targets[n] = 0;
  }
  const Reply one = t.ask(clean, "shrink", true), two = t.ask(b, "shrink", true);
  if (!one.refusal.empty() || !two.refusal.empty()) return false;
  const Scale limits = t.scale_of(clean, one.answer);
  if (worst_of(two.answer.value, one.answer.value, limits.value).differs()) return true;
  for (size_t i = 0; i < two.answer.d_x.size(); ++i)
    if (live[i / width] && worst_of({two.answer.d_x[i]}, {one.answer.d_x[i]}, limits.d_x).differs()) return true;
  return false;
}

// Whether a property, tried on this batch alone, is broken in the same way.
bool shows_again(const Trial& t, const Property& p, const std::string& id, const LossBatch& b) {
  Trial alone(t.subject, {b}, t.meant, t.seed);
  alone.batches[0].upstream.clear();
  alone.found = t.found;
  alone.answers_in = t.answers_in;
  alone.replies.push_back(alone.ask(alone.batches[0], "shrink", true));
  if (!alone.replies[0].refusal.empty()) return false;
  alone.telling = {0};
  const PropertyResult r = p.run(alone);
  return std::any_of(r.evidence.begin(), r.evidence.end(), [&](const Evidence& e) { return !e.is_note && e.id == id; });
}

using Shows = std::function<bool(const LossBatch&)>;
Shows shows_of(Trial& t, const Property& p, const std::string& id) {
  const std::string property = p.id;
  if (property == "value") return [&t](const LossBatch& b) { return shows_value(t, b); };
  if (property == "gradient") return [&t](const LossBatch& b) { return shows_gradient(t, b); };
  if (property == "poison") return [&t](const LossBatch& b) { return shows_poison(t, b); };
  // A dtype and a size need many tokens, an empty batch has none; the others are shown by the value.
  if (property == "dtype" || property == "size" || property == "extras" || property == "control" || property == "empty")
    return {};
  return [&t, &p, id](const LossBatch& b) { return shows_again(t, p, id, b); };
}

std::optional<Smallest> smallest_of(Trial& t, const std::string& property, const LossBatch& from, const Shows& shows) {
  LossBatch best = shrink(from, t.program, t.subject.dtype(), {}, shows);
  best.reason = "the smallest that shows it";
  const Reply reply = t.ask(best, "smallest", true);
  const std::optional<LossAnswer> want = t.expected(best);
  if (!reply.refusal.empty() || !want) return std::nullopt;
  Smallest out{property, std::move(best), reply.answer.value, want->value, reply.answer, std::nullopt};
  if (property == "gradient" && !reply.answer.d_x.empty()) {
    const Worst w = worst_of(reply.answer.d_x, want->d_x, t.scale_of(out.batch, *want).d_x);
    out.got = {w.got}, out.want = {w.want};
  }
  if (t.meant) out.meant = answer_of(*t.meant, out.batch);
  return out;
}

// Of the first property, in the order in which they are told, whose fault a batch can be held against.
void find_smallest(Trial& t, ConformReport& report) {
  for (const Property& p : properties())
    for (const PropertyResult& r : report.properties) {
      if (r.id != p.id || r.verdict != Verdict::broken || r.evidence.empty()) continue;
      const Evidence& e = r.evidence[0];
      const Shows shows = shows_of(t, p, e.id);
      if (!shows || !e.batch || e.is_note || e.id.starts_with("refuses:")) continue;
      if ((report.smallest = smallest_of(t, r.id, *e.batch, shows))) return;
    }
}

// What the program says to each batch that a report has, once more.
void keep_answers(Trial& t, ConformReport& report) {
  for (PropertyResult& r : report.properties)
    for (Evidence& e : r.evidence) {
      if (!e.batch || e.id.starts_with("refuses:")) continue;
      Reply reply = t.ask(*e.batch, "save", true);
      if (reply.refusal.empty()) e.answer = std::move(reply.answer);
    }
}

void refuse_what_fits_nothing(const LossMeaning& meaning, const std::vector<LossBatch>& batches) {
  std::string why;
  for (const LossBatch& b : batches) try {
      answer_of(meaning, b);
      return;
    } catch (const InputError& e) {
      why = e.what();
    }
  refuse("--means {}: it refuses what the program takes: {}", meaning.name, why);
}

// Asks all that is to be asked, and writes down what is found. Throws ProgramFault where the program ends it.
void judge(Trial& trial, Subject& subject, const std::vector<LossBatch>& drawn, const ConformOptions& o,
           ConformReport& report) {
  const bool answered = ask_values(trial, drawn);
  report.dtype = subject.dtype();
  if (!answered) {
    const Reply& last = trial.replies.back();
    const LossBatch& batch = trial.batches[trial.replies.size() - 1];
    report.properties.push_back({"value",
                                 Verdict::broken,
                                 "",
                                 {{"refuses:value", "refuses batches: " + shown(last.refusal), batch, 0, 0, false}}});
    return;
  }
  settle_probs_mode(trial);
  choose_telling(trial);
  if ((trial.changed = another_answer(trial))) {
    run_pure_alone(trial, o, report);
  } else {
    report.named_batches = name_it(trial);
    report.naming = trial.naming;
    report.would_fit_shifted = would_fit_shifted(trial);
    run_properties(trial, o, report);
    find_smallest(trial, report);
  }
  if (o.keeps_answers) keep_answers(trial, report);
}

// Nothing that was tried is nothing that holds.
int exit_of(const ConformReport& r) {
  if (!r.failure.empty()) return static_cast<int>(ExitCode::system);
  if (r.count(Verdict::not_tried) == r.properties.size()) return static_cast<int>(ExitCode::refused);
  return static_cast<int>(r.count(Verdict::broken) > 0 ? ExitCode::no : ExitCode::done);
}

}  // namespace

static std::vector<std::string> ids_of(const ConformReport& r, bool with_notes) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& id) {
    if (!id.empty() && std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
  };
  if (!r.naming.fits.empty())
    for (const std::string& id : r.naming.fits[0].ids) add(id);
  for (const PropertyResult& p : r.properties)
    for (const Evidence& e : p.evidence)
      if (with_notes || !e.is_note || p.verdict == Verdict::broken) add(e.id);
  return out;
}

std::vector<std::string> ConformReport::finding_ids() const {
  std::vector<std::string> out = ids_of(*this, true);
  const bool has_no_name = std::any_of(properties.begin(), properties.end(), [](const PropertyResult& p) {
    return p.id == "value" && p.verdict == Verdict::broken && p.evidence[0].id.empty();
  });
  if (has_no_name && (naming.fits.empty() || naming.fits[0].ids.empty())) out.insert(out.begin(), "none");
  return out;
}
std::vector<std::string> ConformReport::fault_ids() const { return ids_of(*this, false); }

size_t ConformReport::count(Verdict verdict) const {
  return static_cast<size_t>(std::count_if(properties.begin(), properties.end(),
                                           [&](const PropertyResult& p) { return p.verdict == verdict; }));
}

ConformReport conform(Subject& subject, const ConformOptions& o) {
  const auto begin = Clock::now();
  if (std::none_of(properties().begin(), properties().end(), [&](const Property& p) { return is_wanted(o, p.id); }))
    refuse("conform: --only and --skip leave no property to try");
  ConformReport report;
  report.program = subject.program();
  report.meant = o.meant ? o.meant->name : "";
  report.repeat = o.repeat;
  report.seed = o.draw.seed;
  const std::vector<LossBatch> drawn = draw_batches(report.program, o.draw);
  report.batches = drawn.size();
  for (const LossBatch& b : drawn) {
    report.most_examples = std::max(report.most_examples, b.inputs.batch);
    report.most_steps = std::max(report.most_steps, b.inputs.steps);
    report.most_classes = std::max(report.most_classes, b.inputs.classes);
  }
  std::optional<LossMeaning> meant = o.meant;
  if (meant) meant->fixed = report.program.fixed;
  if (meant) refuse_what_fits_nothing(*meant, drawn), report.meant_options = options_for(*meant, drawn[0]);
  Trial trial(subject, drawn, meant, o.draw.seed);
  try {
    judge(trial, subject, drawn, o, report);
  } catch (const ProgramFault& e) {
    if (e.fault == Fault::stopped) throw;
    report.failure = e.what();
    report.dtype = subject.dtype();
    if (trial.last) {
      const std::optional<LossAnswer> want = trial.expected(*trial.last);
      report.smallest =
          Smallest{"failure", *trial.last, {}, want ? want->value : std::vector<double>{}, {}, std::nullopt};
    }
  }
  report.exit = exit_of(report);
  report.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return report;
}

}  // namespace seqgrad
