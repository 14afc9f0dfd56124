#include "tests/conform/own_loss.h"

#include "engine/check/case_inputs.h"

using namespace seqgrad;

namespace {

// b-major numbers of a tensor [B,T,…] or [T,B,…].
std::vector<double> numbers(const NamedArray& a, bool time) {
  std::vector<double> x = to_doubles(a);
  if (!time || a.shape.size() < 2) return x;
  return from_time_major(x, a.shape[1], a.shape[0], a.shape.size() == 3 ? a.shape[2] : 1);
}
template <class T>
std::vector<T> whole(const std::vector<double>& x) {
  return {x.begin(), x.end()};
}

LossInputs inputs_of(const SafetensorsFile& f, const Program& p, LossOptions& o) {
  const NamedArray& x = f.at(p.prediction());
  LossInputs in;
  in.batch = x.shape[p.time_major ? 1 : 0];
  in.steps = x.shape[p.time_major ? 0 : 1];
  in.classes = p.kind == PredictionKind::row_loss ? 1
               : p.kind == PredictionKind::hidden ? f.at("weight").shape[0]
                                                  : x.shape[2];
  const auto cells = [&](const char* name) { return numbers(f.at(name), p.time_major); };
  if (f.find("targets")) in.targets = whole<int64_t>(cells("targets"));
  if (f.find("labels")) in.targets = whole<int64_t>(cells("labels")), o.ignore_index = p.ignore;
  if (f.find("dense")) in.dense = cells("dense"), o.target = Target::dense;
  if (f.find("mask")) in.mask = whole<uint8_t>(cells("mask"));
  if (f.find("lengths")) in.lengths = whole<int64_t>(to_doubles(f.at("lengths")));
  if (f.find("token_weight")) in.token_weight = cells("token_weight");
  if (f.find("example_weight")) in.example_weight = to_doubles(f.at("example_weight"));
  if (f.find("class_weight")) in.class_weight = to_doubles(f.at("class_weight"));
  if (p.kind == PredictionKind::row_loss) in.targets.assign(static_cast<size_t>(in.batch * in.steps), 0);
  return in;
}

// [B,T,width] without its last column, or without its first.
template <class T>
std::vector<T> cut(const std::vector<T>& x, int64_t batch, int64_t steps, bool first) {
  std::vector<T> out;
  const int64_t width = static_cast<int64_t>(x.size()) / std::max<int64_t>(1, batch * steps);
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i)
    if (const int64_t t = i / width % steps; t != (first ? 0 : steps - 1)) out.push_back(x[static_cast<size_t>(i)]);
  return out;
}

// As `labels[:, 1:]` beside `logits[:, :-1]`.
void shift(LossInputs& in, std::vector<double>& x) {
  const int64_t b = in.batch, t = in.steps;
  x = cut(x, b, t, false);
  in.targets = cut(in.targets, b, t, true);
  in.dense = cut(in.dense, b, t, true);
  if (in.mask) in.mask = cut(*in.mask, b, t, true);
  if (in.token_weight) in.token_weight = cut(*in.token_weight, b, t, true);
  if (in.lengths)
    for (int64_t& length : *in.lengths) length = std::max<int64_t>(0, length - 1);
  in.steps = t - 1;
}

// The gradient of what was cut: the last column has none.
std::vector<double> with_last_column(const std::vector<double>& g, int64_t batch, int64_t steps) {
  std::vector<double> out;
  const int64_t row = static_cast<int64_t>(g.size()) / std::max<int64_t>(1, batch),
                width = row / std::max<int64_t>(1, steps - 1);
  for (int64_t b = 0; b < batch; ++b) {
    out.insert(out.end(), g.begin() + b * row, g.begin() + (b + 1) * row);
    out.insert(out.end(), static_cast<size_t>(width), 0.0);
  }
  return out;
}

// A reduction of row losses alone, and its gradient.
std::pair<std::vector<double>, std::vector<double>> reduced_rows(const LossInputs& in, const std::vector<double>& x,
                                                                 const LossOptions& o, double divisor,
                                                                 const LiveRows& rows, const std::vector<double>& up) {
  std::vector<double> losses, gradient(x.size(), 0.0);
  for (const LiveRow& r : rows.rows) losses.push_back(x[static_cast<size_t>(r.row)]);
  const Coefficients c = coefficients(rows, o, divisor);
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const auto entry = up.size() < 2 ? 0 : static_cast<size_t>(group_of(rows, rows.rows[i], o.over));
    gradient[static_cast<size_t>(rows.rows[i].row)] = c.rows[i] * (up.empty() ? 1 : up[entry]);
  }
  static_cast<void>(in);
  return {reduce(rows, losses, o, divisor).value, gradient};
}

}  // namespace

std::string OwnLoss::answer(const SafetensorsFile& f) const {
  LossOptions o = options_;
  LossInputs in = inputs_of(f, program_, o);
  std::vector<double> x = numbers(f.at(program_.prediction()), program_.time_major);
  const int64_t all_steps = in.steps;
  if (program_.shifts) shift(in, x);
  const LiveRows rows = build_live_rows(in, o);
  const double divisor = f.find("num_items") ? to_doubles(f.at("num_items"))[0] : rows.divisor;
  const bool hidden = program_.kind == PredictionKind::hidden, single = type_ != FloatType::f64;
  std::vector<double> up;
  if (f.find("upstream")) up = numbers(f.at("upstream"), program_.time_major);
  std::vector<double> value;
  std::map<std::string, std::pair<std::vector<int64_t>, std::vector<double>>> gradients;
  std::vector<int64_t> shape;
  if (program_.kind == PredictionKind::row_loss) {
    auto [v, g] = reduced_rows(in, x, o, divisor, rows, up);
    value = v;
    gradients["d_row_loss"] = {{in.batch, in.steps}, g};
    const Shape s = result_shape(rows, o);
    shape = {s.begin(), s.end()};
  } else {
    Tape::current().reset();
    const auto leaf = [&](const std::vector<double>& numbers_of_it, Shape s) {
      return single ? variable(from_host(std::vector<float>(numbers_of_it.begin(), numbers_of_it.end()), s))
                    : variable(from_host(numbers_of_it, s));
    };
    const int64_t width = hidden ? f.at("weight").shape[1] : in.classes;
    const Tensor t = leaf(x, {in.batch, in.steps, width});
    Tensor weight, bias;
    if (hidden) weight = leaf(to_doubles(f.at("weight")), {in.classes, width});
    if (f.find("bias")) bias = leaf(to_doubles(f.at("bias")), {in.classes});
    const LossResult r =
        hidden ? linear_sequence_loss(t, weight, bias, in, rows, o, divisor) : sequence_loss(t, in, rows, o, divisor);
    if (up.empty()) up.assign(static_cast<size_t>(r.value.shape.numel()), 1.0);
    Tape::current().backward(r.value, single ? from_host(std::vector<float>(up.begin(), up.end()), r.value.shape)
                                             : from_host(up, r.value.shape));
    value = r.values;
    shape = {r.value.shape.begin(), r.value.shape.end()};
    const auto add = [&](const std::string& name, const Tensor& of) {
      if (!of.defined()) return;
      std::vector<double> g;
      dispatch(of.dtype, [&]<class T> {
        const std::vector<T> host = to_host<T>(grad(of));
        g.assign(host.begin(), host.end());
      });
      gradients["d_" + name] = {{of.shape.begin(), of.shape.end()}, g};
    };
    add(program_.prediction(), t), add("weight", weight), add("bias", bias);
  }
  if (program_.shifts) {
    auto& [dims, g] = gradients["d_" + std::string(program_.prediction())];
    g = with_last_column(g, in.batch, all_steps);
    dims[1] = all_steps;
  }
  std::vector<WireTensor> out;
  const auto send = [&](const std::string& name, std::vector<int64_t> s, std::vector<double> numbers_of_it,
                        bool cells) {
    if (program_.time_major && cells && s.size() > 1) {
      numbers_of_it = from_time_major(numbers_of_it, s[1], s[0], s.size() == 3 ? s[2] : 1);
      std::swap(s[0], s[1]);
    }
    out.push_back(wire_floats(name, s, numbers_of_it, std::max(type_, name == "value" ? value_in : gradients_in)));
  };
  send("value", shape, value, true);
  for (const auto& [name, g] : gradients) send(name, g.first, g.second, name != "d_weight" && name != "d_bias");
  return encode_frame({{"round", std::to_string(rounds_)}}, out);
}
