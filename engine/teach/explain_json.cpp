// The JSON of an explanation, as explain.h documents it.
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/teach/explain.h"

namespace seqgrad {
namespace {

using json = nlohmann::ordered_json;

json number(double x) {
  if (std::isfinite(x)) return x == 0 ? 0.0 : x;  // one zero
  return std::isnan(x) ? "nan" : x > 0 ? "inf" : "-inf";
}

json numbers(const std::vector<double>& x) {
  json out = json::array();
  for (const double v : x) out.push_back(number(v));
  return out;
}

// A scalar loss's one number, or the entries of a vector.
json entries(const std::vector<double>& x, bool scalar) {
  if (x.empty() && scalar) return nullptr;
  return scalar && x.size() == 1 ? number(x[0]) : numbers(x);
}

json optional_numbers(const std::optional<std::vector<double>>& x) { return x ? numbers(*x) : json(nullptr); }

json divide(const Divide& d) {
  if (d.nested()) {
    json out{{"time", d.time}, {"batch", d.batch}};
    if (d.time == "const" || d.batch == "const") out["const"] = d.k;
    return out;
  }
  if (d.flat == "const") return {{"const", d.k}};
  return d.flat;
}

void add_reduction(json& out, const LossOptions& o) {
  static const char* const axes[] = {"all", "time", "batch", "none"};
  static const char* const zero[] = {"zero", "nan", "error"};
  static const char* const scopes[] = {"global", "accum", "micro"};
  out["over"] = axes[static_cast<int>(o.over)];
  out["divide"] = divide(o.divide);
  out["divide_eps"] = o.divide_eps;
  out["on_zero"] = zero[static_cast<int>(o.on_zero)];
  out["then"] = o.then == Then::nothing ? json(nullptr) : json(o.then == Then::sum ? "sum" : "mean");
  out["scope"] = scopes[static_cast<int>(o.scope)];
  out["class_scope"] = o.class_scope == ClassScope::target ? "target" : "class";
}

json token(const TokenView& v, bool row_loss) {
  json out{{"b", v.b}, {"t", v.t}};
  out["id"] = v.id < 0 && (row_loss || v.text == "(distribution)") ? json(nullptr) : json(v.id);
  out["text"] = v.text;
  out["mask"] = v.mask;
  out["why"] = v.why;
  out["token_weight"] = number(v.token_weight);
  out["example_weight"] = number(v.example_weight);
  out["class_weight"] = number(v.class_weight);
  out["class_sum"] = number(v.class_sum);
  out["weight"] = number(v.weight);
  out["live"] = v.live;
  const bool known = v.live && v.alone && !row_loss;
  out["p"] = known ? number(std::exp(-v.alone->nll)) : json(nullptr);
  out["nll"] = known ? number(v.alone->nll) : json(nullptr);
  out["loss"] = v.live ? number(v.loss) : json(nullptr);
  out["correct"] = known ? json(v.alone->correct) : json(nullptr);
  out["weighted"] = number(v.live ? v.weight * v.loss : 0);
  out["coefficient"] = number(v.coefficient);
  out["contribution"] = number(v.contribution);
  out["share"] = number(v.share);
  out["gradient_norm"] = number(v.gradient_norm);
  out["gradient"] = numbers(v.gradient);
  out["refused"] = v.refused;
  out["alone"] = nullptr;
  if (v.alone)
    out["alone"] = {{"p", number(std::exp(-v.alone->nll))},  {"nll", number(v.alone->nll)},
                    {"loss", number(v.alone->loss)},         {"correct", v.alone->correct},
                    {"gradient_norm", number(v.alone_norm)}, {"logit_norm", number(v.alone->logit_norm)},
                    {"gradient", numbers(v.alone->gradient)}};
  if (v.alone && row_loss)
    for (const char* of_prediction : {"p", "nll", "correct"}) out["alone"][of_prediction] = nullptr;
  return out;
}

json mode(const Mode& m) {
  json out{{"name", m.name}, {"who", m.who}, {"formula", m.formula}, {"own", m.own}, {"own_row_loss", m.own_row_loss}};
  add_reduction(out, m.options);
  out["alone"] = nullptr;
  if (m.own_row_loss) {
    out["alone"] = json::array();
    for (const auto& a : m.alone)
      out["alone"].push_back(a ? json{{"loss", number(a->loss)}, {"logit_norm", number(a->logit_norm)}}
                               : json(nullptr));
  }
  out["report"] = nullptr;
  if (!m.options.report.divide.empty())
    out["report"] = {{"divide", m.options.report.divide}, {"exponential", m.options.report.exponential}};
  const bool scalar = m.options.over == Over::all || m.options.then != Then::nothing;
  out["value"] = entries(m.values, scalar);
  out["numerator"] = entries(m.numerators, m.options.over == Over::all);
  out["divisor"] = entries(m.divisors, m.options.over == Over::all);
  out["words"] = m.divisor_words;
  out["printed"] = number(m.printed);
  out["gradient_norm"] = number(m.gradient_norm);
  out["refused"] = m.refused;
  out["lines"] = json::object();
  for (const auto& [framework, line] : m.lines) out["lines"][framework] = line;
  return out;
}

json table_json(const DataTable& t) {
  json out{{"title", t.title}, {"columns", t.columns}, {"rows", json::array()}, {"chart", nullptr}};
  for (const auto& row : t.rows) {
    json cells = json::array();
    for (const Cell& c : row)
      cells.push_back(std::holds_alternative<double>(c) ? number(std::get<double>(c)) : json(std::get<std::string>(c)));
    out["rows"].push_back(std::move(cells));
  }
  if (t.chart)
    out["chart"] = {{"kind", t.chart->kind}, {"x", t.chart->x}, {"y", t.chart->y}, {"error", t.chart->error}};
  return out;
}

json experiment_json(const Experiment& e) {
  json out{{"number", e.number},        {"id", e.id},
           {"title", e.title},          {"question", e.question},
           {"predict", e.predict},      {"prediction", number(e.prediction)},
           {"mistakes", json::array()}, {"tables", json::array()},
           {"numbers", json::object()}, {"answer", e.answer}};
  for (const Mistake& m : e.mistakes) out["mistakes"].push_back({{"value", number(m.value)}, {"words", m.words}});
  for (const DataTable& t : e.tables) out["tables"].push_back(table_json(t));
  for (const auto& [name, x] : e.numbers) out["numbers"][name] = number(x);
  return out;
}

json batch(const Explanation& e) {
  const LossInputs& in = e.batch.inputs;
  json out{{"B", in.batch}, {"T", in.steps}, {"V", in.classes}};
  out["input"] = e.batch.row_loss ? "row_loss" : e.batch.options.input == Input::probs ? "probs" : "logits";
  out["target"] = e.batch.options.target == Target::dense ? "dense" : "ids";
  out["words"] = e.subject.words;
  out["lengths"] = in.lengths ? json(*in.lengths) : json(nullptr);
  out["example_weight"] = optional_numbers(in.example_weight);
  out["upstream"] = e.batch.upstream.empty() ? json(nullptr) : numbers(e.batch.upstream);
  out["negative_weights"] = e.batch.options.allow_negative_weights;
  out["sources"] = e.subject.sources;
  return out;
}

}  // namespace

std::string to_json(const Explanation& e, bool ascii) {
  const Subject& s = e.subject;
  json out{{"format", 1}, {"source", s.source}, {"kind", s.kind}, {"title", s.title}, {"about", s.about}};
  out["lesson"] = nullptr;
  if (s.kind == "lesson")
    out["lesson"] = {{"question", s.question},
                     {"predict", s.predict},
                     {"answer", s.answer},
                     {"repair", s.repair},
                     {"prediction", s.prediction ? number(*s.prediction) : json(nullptr)},
                     {"rounding", number(rounding_of_table(e))}};
  out["batch"] = batch(e);
  add_reduction(out["loss"], e.batch.options);
  const LossOptions& o = e.batch.options;
  out["value"] = entries(e.values, o.over == Over::all || o.then != Then::nothing);
  out["numerator"] = entries(e.numerators, o.over == Over::all);
  out["divisor"] = entries(e.divisors, o.over == Over::all);
  out["gradient_norm"] = e.error.empty() ? number(e.gradient_norm) : json(nullptr);
  out["sum"] = e.sum;
  out["tokens"] = json::array();
  for (const TokenView& v : e.tokens) out["tokens"].push_back(token(v, e.batch.row_loss));
  out["shown"] = e.shown;
  out["divisors"] = json::array();
  for (const DivisorView& d : e.all_divisors)
    out["divisors"].push_back({{"name", d.name},
                               {"formula", d.formula},
                               {"words", d.words},
                               {"unit", d.unit},
                               {"value", d.value ? number(*d.value) : json(nullptr)},
                               {"plus", d.plus},
                               {"minus", d.minus}});
  out["modes"] = json::array();
  for (const Mode& m : e.modes) out["modes"].push_back(mode(m));
  out["rows"] = json::object();
  for (const auto& [framework, line] : e.rows) out["rows"][framework] = line;
  out["experiments"] = json::array();
  for (const Experiment& x : e.experiments) out["experiments"].push_back(experiment_json(x));
  out["warnings"] = e.warnings;
  out["error"] = e.error;
  return out.dump(-1, ' ', ascii, json::error_handler_t::replace);
}

}  // namespace seqgrad
