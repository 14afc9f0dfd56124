// The report for programs: JSON, and JUnit's XML.
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/conform/cells.h"
#include "engine/conform/conform.h"
#include "engine/io/json_text.h"
#include "engine/naming/findings.h"
#include "engine/text/escape.h"

namespace seqgrad {
namespace {

using Json = nlohmann::ordered_json;

Json number(double x) { return std::isfinite(x) ? Json(x) : Json(std::isnan(x) ? "nan" : x > 0 ? "inf" : "-inf"); }

Json numbers(const std::vector<double>& x) {
  Json out = Json::array();
  for (const double value : x) out.push_back(number(value));
  return out;
}

Json batch_json(const LossBatch& b) {
  const LossInputs& in = b.inputs;
  Json out{{"B", in.batch}, {"T", in.steps}, {"V", in.classes}, {"reason", b.reason}};
  constexpr size_t most_numbers = 1000;  // larger ones are drawn again from the seed
  if (b.x.size() > most_numbers) return out;
  out[name_of(b.kind)] = numbers(b.x);
  if (!b.weight.empty()) out["weight"] = numbers(b.weight);
  if (!b.bias.empty()) out["bias"] = numbers(b.bias);
  if (!in.dense.empty()) out["dense"] = numbers(in.dense);
  if (!in.targets.empty()) out["targets"] = in.targets;
  if (in.lengths) out["lengths"] = *in.lengths;
  if (in.mask) out["mask"] = *in.mask;
  if (in.token_weight) out["token_weight"] = numbers(*in.token_weight);
  if (in.example_weight) out["example_weight"] = numbers(*in.example_weight);
  if (in.class_weight) out["class_weight"] = numbers(*in.class_weight);
  if (!b.upstream.empty()) out["upstream"] = numbers(b.upstream);
  return out;
}

Json name_json(const Naming& naming) {
  Json out{
      {"fits", Json::array()}, {"nearest", Json::array()}, {"stopped", naming.stopped}, {"seconds", naming.seconds}};
  for (const LossHypothesis& h : naming.fits)
    out["fits"].push_back(
        {{"sentence", h.sentence}, {"names", h.names}, {"ids", h.ids}, {"constant", number(h.constant)}});
  for (const Nearest& n : naming.nearest)
    out["nearest"].push_back({{"sentence", n.hypothesis.sentence},
                              {"names", n.hypothesis.names},
                              {"least", number(n.least)},
                              {"most", number(n.most)}});
  return out;
}

Json property_json(const PropertyResult& p) {
  Json evidence = Json::array();
  for (const Evidence& e : p.evidence) {
    Json one{{"id", e.id}, {"text", e.text}, {"got", number(e.got)}, {"want", number(e.want)}, {"note", e.is_note}};
    if (e.batch) one["batch"] = batch_json(*e.batch);
    evidence.push_back(std::move(one));
  }
  return {{"id", p.id}, {"verdict", name_of(p.verdict)}, {"text", p.text}, {"evidence", evidence}};
}

}  // namespace

std::string report_json(const ConformReport& r) {
  Json out{{"format", 1},
           {"seqgrad", SEQGRAD_VERSION},
           {"name", r.program.name},
           {"framework", r.program.framework},
           {"takes", r.program.takes_text()},
           {"unknown_keys", r.program.unknown_keys},
           {"dtype", word_for(r.dtype)},
           {"meant", r.meant.empty() ? Json(nullptr) : Json(r.meant)},
           {"seed", r.seed},
           {"batches", r.batches},
           {"up_to", {{"B", r.most_examples}, {"T", r.most_steps}, {"V", r.most_classes}}},
           {"rounds", r.rounds},
           {"seconds", r.seconds},
           {"answers", {{"first", r.answers.first}, {"shapes", r.answers.shapes}, {"others", r.answers.others}}},
           {"exit", r.exit},
           {"failure", r.failure.empty() ? Json(nullptr) : Json(r.failure)},
           {"is", name_json(r.naming)}};
  out["findings"] = Json::array();
  const std::vector<std::string> ids = r.finding_ids();
  for (const std::string& id : ids) {
    Json one{{"id", id}};
    for (const FindingInfo& f : findings())
      if (id == f.id) one["sentence"] = f.sentence, one["code"] = f.code, one["mend"] = mend_of(r, f);
    out["findings"].push_back(std::move(one));
  }
  out["hints"] = hints_of(r);
  out["properties"] = Json::array();
  for (const PropertyResult& p : r.properties) out["properties"].push_back(property_json(p));
  out["smallest"] = nullptr;
  if (r.smallest)
    out["smallest"] = {{"property", r.smallest->property},
                       {"got", numbers(r.smallest->got)},
                       {"want", numbers(r.smallest->want)},
                       {"batch", batch_json(r.smallest->batch)}};
  return json_text(out, 2);
}

std::string report_junit(const ConformReport& r) {
  std::string cases;
  const std::string name = for_xml(r.program.name);
  const auto add = [&](const std::string& id, const std::string& body) {
    cases += fmt::format("  <testcase classname=\"{}\" name=\"{}\"{}\n", name, for_xml(id), body);
  };
  for (const PropertyResult& p : r.properties) {
    std::string lines, ids;
    for (const Evidence& e : p.evidence) {
      lines += e.id + (e.id.empty() ? "" : ": ") + e.text + "\n";
      if (!e.id.empty()) ids += (ids.empty() ? "" : " ") + e.id;
    }
    if (p.verdict == Verdict::broken && ids.empty()) ids = "none";
    if (p.verdict == Verdict::broken)
      add(p.id, fmt::format(">\n    <failure type=\"{}\" message=\"{}\">{}</failure>\n  </testcase>", for_xml(ids),
                            for_xml(p.evidence.empty() ? p.text : p.evidence[0].text), for_xml(lines)));
    else if (p.verdict == Verdict::not_tried)
      add(p.id, fmt::format(">\n    <skipped message=\"{}\"/>\n  </testcase>", for_xml(p.text)));
    else if (!lines.empty())
      add(p.id, fmt::format(">\n    <system-out>{}</system-out>\n  </testcase>", for_xml(lines)));
    else
      add(p.id, "/>");
  }
  if (!r.failure.empty())
    add("program", fmt::format(">\n    <error message=\"{}\">{}</error>\n  </testcase>",
                               for_xml(r.failure.substr(0, r.failure.find('\n'))), for_xml(r.failure)));
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"seqgrad conform\" tests=\"{}\" "
      "failures=\"{}\" "
      "errors=\"{}\" skipped=\"{}\" time=\"{:.6f}\">\n{}</testsuite>\n</testsuites>\n",
      r.properties.size() + (r.failure.empty() ? 0 : 1), r.count(Verdict::broken), r.failure.empty() ? 0 : 1,
      r.count(Verdict::not_tried), r.seconds, cases);
}

}  // namespace seqgrad
