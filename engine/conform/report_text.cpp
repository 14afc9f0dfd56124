// The report as a terminal shows it: what the loss is, what it does wrong, what it does right, what mends it.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "engine/check/compare.h"
#include "engine/conform/cells.h"
#include "engine/conform/conform.h"
#include "engine/html/page.h"
#include "engine/naming/findings.h"
#include "engine/text/numbers.h"

namespace seqgrad {
namespace {

constexpr int64_t id_column = 112;
constexpr size_t most_names = 4, most_evidence = 3;
constexpr double worth_telling = 3;  // seconds

std::string line_with_id(const std::string& text, const std::string& id) {
  const int64_t gap = std::max<int64_t>(3, id_column - text_columns(text));
  return text + (id.empty() ? "" : std::string(static_cast<size_t>(gap), ' ') + id) + "\n";
}

std::string labelled(const std::string& label, const std::string& text, const std::string& id = "") {
  return line_with_id(fmt::format("  {:<10} {}", label, text), id);
}

// "Σ mℓ / (B·T) = tf1.losses.sum_over_batch_size = mlx.mean (and 1 more; fits 40 of 40)".
std::string name_text(const ConformReport& r) {
  const LossHypothesis& h = r.naming.fits[0];
  std::vector<std::string> names = h.names;
  for (size_t i = 1; i < r.naming.fits.size(); ++i)
    names.insert(names.end(), r.naming.fits[i].names.begin(), r.naming.fits[i].names.end());
  std::erase(names, r.meant);
  std::string out = h.sentence;
  for (size_t i = 0; i < names.size() && i < most_names; ++i) out += " = " + names[i];
  const std::string more = names.size() > most_names ? fmt::format("and {} more; ", names.size() - most_names) : "";
  return out + fmt::format(" ({}fits {} of {})", more, r.named_batches, r.batches);
}

// What is another loss than the meant one breaks `value`; not where that was left out.
std::string left_out_line(const ConformReport& r) {
  if (r.meant.empty() || r.naming.fits[0].ids.empty()) return "";
  for (const PropertyResult& p : r.properties)
    if (p.id == "value" && p.verdict == Verdict::not_tried)
      return fmt::format("  the value was left out ({}) and counts for nothing here\n", p.text);
  return "";
}

std::string naming_lines(const ConformReport& r) {
  if (!r.naming.fits.empty()) {
    const LossHypothesis& h = r.naming.fits[0];
    const std::string begin = r.meant.empty() ? "it is "
                              : h.ids.empty() ? "it is " + r.meant + ": "
                                              : "not " + r.meant + ": ";
    return line_with_id("  " + begin + name_text(r), fmt::format("{}", fmt::join(h.ids, " "))) + left_out_line(r);
  }
  if (r.naming.nearest.empty()) return "";
  std::string out = line_with_id(
      fmt::format("  {}no loss that is known fits all batches{}; the nearest:",
                  r.meant.empty() ? "" : "not " + r.meant + ": ", r.naming.stopped ? " (search stopped)" : ""),
      "none");
  for (const Nearest& n : r.naming.nearest)
    out += fmt::format("    x {:.6g} … {:.6g} = {}{}\n", n.least, n.most, n.hypothesis.sentence,
                       n.hypothesis.names.empty() ? "" : " = " + n.hypothesis.names[0]);
  return out;
}

std::string who_counts(const LossBatch& b) {
  if (b.inputs.lengths) return fmt::format("lengths {}", fmt::join(*b.inputs.lengths, ","));
  std::vector<int64_t> counts;
  bool prefixes = true;
  const std::vector<uint8_t> counted = counted_cells(b.inputs);
  for (auto at = counted.begin(); at != counted.end(); at += b.inputs.steps) {
    counts.push_back(std::count(at, at + b.inputs.steps, 1));
    prefixes &= std::is_sorted(at, at + b.inputs.steps, std::greater<>());
  }
  return fmt::format("{} {}", prefixes ? "lengths" : "mask with", fmt::join(counts, ","));
}

std::string smallest_text(const ConformReport& r, const Smallest& s) {
  const LossInputs& in = s.batch.inputs;
  std::string text = fmt::format("B={} T={} V={}, {}", in.batch, in.steps, in.classes, who_counts(s.batch));
  if (s.property == "failure") return text + ": asked when it failed";
  if (s.property != "value" && s.property != "gradient" && s.property != "poison") return text + " shows " + s.property;
  const char* what = s.property == "gradient" ? "a gradient of " : "";
  const bool one = s.got.size() == 1 && s.want.size() == 1;
  const auto [got, want] =
      one ? different_texts(s.got[0], s.want[0]) : std::pair{value_text(s.got), value_text(s.want)};
  text += fmt::format(": got {}{}, {} {}", what, got, r.meant.empty() ? "the loss that was named" : r.meant, want);
  if (s.got.size() != 1 || s.want.size() != 1 || s.want[0] == 0 || s.got[0] == 0 || !std::isfinite(s.got[0]))
    return text;
  const double ratio = s.got[0] / s.want[0];
  const std::string exact = fraction(ratio);
  return text + (exact.empty() ? fmt::format(" (x {:.4g})", ratio) : exact == "1" ? "" : " (" + exact + ")");
}

// The smallest batch as a table that a pencil can check.
std::string cells_text(const Smallest& s) {
  const LossInputs& in = s.batch.inputs;
  constexpr int64_t most_cells = 12, most_classes = 6;
  if (in.batch * in.steps > most_cells || s.batch.width() > most_classes) return "";
  const std::vector<uint8_t> live = live_predictions(s.batch);
  std::string out;
  for (size_t n = 0; n < live.size(); ++n) {
    const auto width = static_cast<size_t>(s.batch.width()), t = static_cast<size_t>(in.steps);
    std::vector<std::string> x;
    for (size_t v = 0; v < width; ++v) x.push_back(number_text(s.batch.x[n * width + v]));
    out += fmt::format("             ({},{}) {} [{}]{}{}{}\n", n / t, n % t, name_of(s.batch.kind), fmt::join(x, ", "),
                       in.targets.empty() ? "" : fmt::format("  target {}", in.targets[n]),
                       in.token_weight ? fmt::format("  weight {:g}", (*in.token_weight)[n]) : "",
                       !live[n]  ? "  does not count"
                       : s.meant ? fmt::format("  loss {}", number_text(s.meant->row_loss[n]))
                                 : "");
  }
  return out;
}

// Broken ones and notes, line by line; value and gradient only where the name does not say it all.
std::string evidence_lines(const ConformReport& r) {
  std::string out;
  for (const PropertyResult& p : r.properties) {
    if (p.verdict == Verdict::holds || p.verdict == Verdict::not_tried) continue;
    size_t shown = 0;
    for (const Evidence& e : p.evidence) {
      const bool same_shape = !r.meant_options || r.meant_options->over == r.program.axis;
      const bool is_told = same_shape && (p.id == "value" || p.id == "gradient") && r.smallest &&
                           !r.naming.fits.empty() &&
                           (e.id.empty() || std::count(r.naming.fits[0].ids.begin(), r.naming.fits[0].ids.end(), e.id));
      if (is_told || shown++ == most_evidence) continue;
      out += labelled(p.id, (e.is_note && p.verdict == Verdict::note ? "note: " : "") + e.text, e.id);
    }
  }
  return out;
}

std::string others_line(const ConformReport& r) {
  std::vector<std::string> hold, said, left;
  for (const PropertyResult& p : r.properties) {
    if (p.verdict == Verdict::holds && p.text.empty()) hold.push_back(p.id);
    if (p.verdict == Verdict::holds && !p.text.empty())
      (p.id == "value" || p.id == "gradient" || p.id == "extras" ? hold : said)
          .push_back(p.id == "value" || p.id == "gradient" || p.id == "extras" ? p.id : p.id + " " + p.text);
    if (p.verdict == Verdict::described && !p.text.empty()) said.push_back(p.id + " " + p.text);
    if (p.verdict == Verdict::described && p.text.empty() && p.evidence.empty()) said.push_back(p.id + " as named");
    if (p.verdict == Verdict::not_tried && !p.text.starts_with("--"))
      left.push_back(fmt::format("{} ({})", p.id, p.text));
  }
  std::vector<std::string> parts;
  if (!hold.empty()) parts.push_back(fmt::format("{} hold{}", fmt::join(hold, ", "), hold.size() == 1 ? "s" : ""));
  if (!said.empty()) parts.push_back(fmt::format("{}", fmt::join(said, "; ")));
  if (!left.empty()) parts.push_back(fmt::format("not tried: {}", fmt::join(left, ", ")));
  return parts.empty() ? "" : fmt::format("  {}\n", fmt::join(parts, "; "));
}

// In PyTorch, which is said where the program is of another framework.
std::string mend_lines(const ConformReport& r) {
  const bool is_torch = r.program.framework.find("torch") != std::string::npos;
  std::string out;
  for (const std::string& mend : mends_of(r)) {
    for (size_t at = 0; at < mend.size();) {
      const size_t end = std::min(mend.find('\n', at), mend.size());
      out += labelled(at == 0 ? "mend" : "", mend.substr(at, end - at) + (at == 0 && !is_torch ? "  # PyTorch" : ""));
      at = end + 1;
    }
  }
  return out;
}

std::string tally_line(const ConformReport& r, size_t findings) {
  const auto holds = static_cast<int64_t>(r.count(Verdict::holds)),
             described = static_cast<int64_t>(r.count(Verdict::described));
  const bool no_name = findings == 0 && r.count(Verdict::broken) > 0;
  std::string out = fmt::format("{}; {} broken, {} {}",
                                no_name ? "no finding with a name" : counted(static_cast<int64_t>(findings), "finding"),
                                counted(static_cast<int64_t>(r.count(Verdict::broken)), "property", "properties"),
                                holds, holds == 1 ? "holds" : "hold");
  if (const size_t notes = r.count(Verdict::note))
    out += fmt::format(", {}", counted(static_cast<int64_t>(notes), "note"));
  if (described > 0) out += fmt::format(", {} described", described);
  return out + fmt::format(", {} not tried\n", r.count(Verdict::not_tried));
}

// A function that is compiled takes its time where a shape is new, and for nothing else.
std::string time_text(const ConformReport& r) {
  const AnswerSeconds& a = r.answers;
  return fmt::format(
      "{:.2f} s: {:.2f} in the first rounds of {}, in which functions are compiled; {:.2f} in the other {} rounds; "
      "{:.2f} to find its name",
      r.seconds, a.first, counted(a.shapes, "shape"), a.others, r.rounds - a.shapes, r.naming.seconds);
}

}  // namespace

std::string report_text(const ConformReport& r, bool verbose) {
  const Program& p = r.program;
  std::string out = fmt::format("{} ({}{}): takes {}; {} up to B={} T={} V={}, seed {}\n", shown(p.name),
                                p.framework.empty() ? "" : shown(p.framework) + ", ", word_for(r.dtype), p.takes_text(),
                                counted(static_cast<int64_t>(r.batches), "batch", "batches"), r.most_examples,
                                r.most_steps, r.most_classes, r.seed);
  if (!r.failure.empty()) {
    out += "  " + r.failure + "\n";
    if (r.smallest) out += labelled("batch", smallest_text(r, *r.smallest));
    return out;
  }
  for (const std::string& key : r.program.unknown_keys) out += labelled("hello", key);
  out += naming_lines(r);
  if (r.smallest) {
    out += labelled("smallest", smallest_text(r, *r.smallest));
    if (verbose) out += cells_text(*r.smallest);
  }
  out += evidence_lines(r) + others_line(r);
  if (r.count(Verdict::not_tried) == r.properties.size()) out += "  nothing was tried\n";
  for (const std::string& hint : hints_of(r)) out += labelled("hint", hint);
  out += mend_lines(r);
  if (r.count(Verdict::broken) > 0) out += labelled("again", r.repeat);
  if (verbose || r.seconds > worth_telling) out += labelled("time", time_text(r));
  return out + tally_line(r, r.fault_ids().size());
}

}  // namespace seqgrad
