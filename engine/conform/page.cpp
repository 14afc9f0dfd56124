// The report as one page, in the style of explain's: no network, no script.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/conform/conform.h"
#include "engine/html/page.h"
#include "engine/naming/findings.h"
#include "engine/text/escape.h"

namespace seqgrad {
namespace {

constexpr std::string_view style = R"css(
.verdict{display:inline-block;min-width:6em;font-weight:600}.broken{color:var(--series1)}.holds{color:var(--series2)}
.pair{font-variant-numeric:tabular-nums}
.cells{display:grid;gap:.4rem;justify-content:start;overflow-x:auto;margin:.6rem 0}
.cells>div{border:1px solid var(--rule);border-radius:.4rem;padding:.4rem .6rem;background:var(--panel);min-width:8.5em}
.cells>.dead{opacity:.6;border-style:dashed}.cells b{display:block}
.bar{height:.4rem;background:var(--heat);border-radius:.2rem;margin-top:.3rem}
)css";

std::string section(const char* id, const char* title, const std::string& body) {
  return fmt::format("<section id=\"{}\">\n{}{}</section>\n", id, heading(2, title), body);
}

// What it is in a sentence, and its other names on a click.
std::string naming(const ConformReport& r) {
  const auto strong = [](const std::string& text) {
    return fmt::format("<p><strong>{}</strong></p>\n", for_html(text));
  };
  if (!r.failure.empty()) return strong("The program failed.") + preformatted(r.failure);
  const std::string not_it = r.meant.empty() ? "" : "It is not " + r.meant;
  if (r.naming.fits.empty())
    return strong((not_it.empty() ? "" : not_it + ". ") + "No loss that is known fits its answers.");
  const LossHypothesis& h = r.naming.fits[0];
  std::vector<std::string> names;
  for (const LossHypothesis& fit : r.naming.fits) names.insert(names.end(), fit.names.begin(), fit.names.end());
  const std::string begin = r.meant.empty() ? "It is " : h.ids.empty() ? "It is " + r.meant + ": " : not_it + ", but ";
  std::string out =
      strong(fmt::format("{}{}; that fits {} of {} batches.", begin, h.sentence, r.named_batches, r.batches));
  if (names.empty()) return out;
  return out + folded(fmt::format("Its names: {}{}", names[0],
                                  names.size() > 1 ? fmt::format(" and {} more", names.size() - 1) : ""),
                      paragraph(fmt::format("{}", fmt::join(names, " = "))));
}

// A token a cell: its logits, its target, what it adds to the value that is meant.
std::string grid(const Smallest& s) {
  const LossInputs& in = s.batch.inputs;
  constexpr int64_t most_cells = 60, most_classes = 12;
  if (in.batch * in.steps > most_cells || s.batch.width() > most_classes || in.steps == 0)
    return paragraph("It is too large to be drawn.");
  const std::vector<uint8_t> live = live_predictions(s.batch);
  double sum = 0;
  if (s.meant)
    for (size_t n = 0; n < live.size(); ++n) sum += std::abs(s.meant->coefficient[n] * s.meant->row_loss[n]);
  std::string out =
      fmt::format("<div class=\"cells\" style=\"grid-template-columns:repeat({},max-content)\">\n", in.steps);
  const auto width = static_cast<size_t>(s.batch.width());
  for (size_t n = 0; n < live.size(); ++n) {
    std::string x;
    for (size_t v = 0; v < width; ++v) x += (v ? ", " : "") + number_text(s.batch.x[n * width + v]);
    out +=
        fmt::format("<div{}><b>({},{})</b>{} [{}]", live[n] ? "" : " class=\"dead\"", n / static_cast<size_t>(in.steps),
                    n % static_cast<size_t>(in.steps), name_of(s.batch.kind), for_html(x));
    if (!in.targets.empty() && s.batch.kind != PredictionKind::row_loss)
      out += fmt::format("<br/>target {}", in.targets[n]);
    if (in.token_weight) out += fmt::format("<br/>weight {:g}", (*in.token_weight)[n]);
    if (!live[n]) out += "<br/>does not count";
    if (live[n] && s.meant) {
      const double part = s.meant->coefficient[n] * s.meant->row_loss[n],
                   share = sum > 0 ? 100 * std::abs(part) / sum : 0;
      out += fmt::format("<br/>ℓ {}, adds {}<div class=\"bar\" style=\"width:{:.0f}%\"></div>",
                         number_text(s.meant->row_loss[n]), number_text(part), share);
    }
    out += "</div>\n";
  }
  return out + "</div>\n";
}

std::string smallest(const ConformReport& r) {
  const Smallest& s = *r.smallest;
  const LossInputs& in = s.batch.inputs;
  const std::string what = s.property == "gradient" ? "gradient" : "value";
  return paragraph(fmt::format("B={} T={} V={}; it shows: {}.", in.batch, in.steps, in.classes, s.property)) + grid(s) +
         table({"", what}, {{"got", s.got.empty() ? "nothing" : value_text(s.got)},
                            {r.meant.empty() ? "as named" : r.meant, value_text(s.want)}});
}

std::string property_rows(const ConformReport& r) {
  std::string out =
      "<div class=\"frame\"><table>\n<thead><tr><th>property</th><th></th><th>what was seen</th><th>got</th><th>should "
      "be</th><th>finding</th></tr></thead>\n<tbody>\n";
  for (const PropertyResult& p : r.properties) {
    const char* kind = p.verdict == Verdict::broken  ? "verdict broken"
                       : p.verdict == Verdict::holds ? "verdict holds"
                                                     : "verdict";
    const auto row = [&](const std::string& text, const std::string& got, const std::string& want,
                         const std::string& id) {
      out += fmt::format(
          "<tr><td>{}</td><td><span class=\"{}\">{}</span></td><td>{}</td><td class=\"pair\">{}</td><td "
          "class=\"pair\">{}</td><td>{}</td></tr>\n",
          for_html(p.id), kind, name_of(p.verdict), for_html(text), got, want, for_html(id));
    };
    if (p.evidence.empty()) row(p.text, "", "", "");
    for (const Evidence& e : p.evidence)
      row(e.text, e.got == e.want ? "" : number_text(e.got), e.got == e.want ? "" : number_text(e.want), e.id);
  }
  return out + "</tbody></table></div>\n";
}

std::string nearest(const ConformReport& r) {
  std::vector<std::vector<std::string>> rows;
  for (const Nearest& n : r.naming.nearest)
    rows.push_back({n.hypothesis.sentence, number_text(n.least), number_text(n.most)});
  return table({"the nearest", "least ratio", "greatest ratio"}, rows);
}

}  // namespace

std::string report_page(const ConformReport& r) {
  const Program& p = r.program;
  std::string body = heading(1, p.name) + naming(r);
  body += paragraph(fmt::format("{}{}; takes {}; {} batches up to B={} T={} V={}, seed {}.",
                                p.framework.empty() ? "" : p.framework + ", ", word_for(r.dtype), p.takes_text(),
                                r.batches, r.most_examples, r.most_steps, r.most_classes, r.seed));
  if (r.naming.fits.empty() && !r.naming.nearest.empty()) body += nearest(r);
  if (r.smallest) body += section("smallest", "The smallest batch", smallest(r));
  body += section("properties", "Properties", property_rows(r));
  const std::vector<std::string> mends = mends_of(r);
  if (!mends.empty()) {
    std::string all = paragraph("In PyTorch, with weights of ones where there are none:");
    for (const std::string& m : mends) all += preformatted(m);
    body += section("mend", "What mends it", all);
  }
  body += fmt::format("<p class=\"soft\">seqgrad {}; again: {}</p>\n", SEQGRAD_VERSION, for_html(r.repeat));
  return page("conform: " + p.name, body, {style, "", ""});
}

}  // namespace seqgrad
