// Batches are b-major here; a program of layout `time` has the transposed tensors.
#include "engine/conform/round.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/check/case_inputs.h"
#include "engine/conform/cells.h"
#include "engine/loss/sequence_loss.h"
#include "engine/text/words.h"

namespace seqgrad {
namespace {

using Dims = std::vector<int64_t>;

// [B,T,…] as the program has it.
class Layouts {
 public:
  Layouts(const Program& program, const LossBatch& batch)
      : time_(program.time_major), b_(batch.inputs.batch), t_(batch.inputs.steps) {}

  Dims dims(std::initializer_list<int64_t> rest) const {
    Dims out = time_ ? Dims{t_, b_} : Dims{b_, t_};
    out.insert(out.end(), rest);
    return out;
  }
  template <class T>
  std::vector<T> outward(const std::vector<T>& x, int64_t width) const {
    return time_ && !x.empty() ? from_time_major(x, t_, b_, width) : x;
  }
  template <class T>
  std::vector<T> inward(const std::vector<T>& x, int64_t batch, int64_t steps, int64_t width) const {
    return time_ && !x.empty() ? from_time_major(x, batch, steps, width) : x;
  }

 private:
  bool time_;
  int64_t b_, t_;
};

std::vector<int64_t> labels_of(const Program& p, const LossBatch& batch) {
  std::vector<int64_t> labels = batch.inputs.targets;
  const std::vector<uint8_t> counted = counted_cells(batch.inputs);
  for (size_t n = 0; n < labels.size(); ++n)
    if (!counted[n]) labels[n] = p.ignore;
  return labels;
}

std::vector<uint8_t> mask_of(const LossInputs& in) { return in.mask ? *in.mask : counted_cells(in); }

std::vector<int64_t> lengths_of(const LossInputs& in) {
  if (in.lengths) return *in.lengths;
  std::vector<int64_t> lengths(static_cast<size_t>(in.batch), 0);
  const std::vector<uint8_t> counted = counted_cells(in);
  for (size_t n = 0; n < counted.size(); ++n) lengths[n / static_cast<size_t>(in.steps)] += counted[n];
  return lengths;
}

std::set<std::string> words_of(const std::string& line) {
  std::set<std::string> out;
  for (const std::string_view word : split_whitespace(line)) out.emplace(word);
  return out;
}

std::string find(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

const NamedArray& tensor_of(const SafetensorsFile& file, const std::string& name, Dims want, bool or_one = false) {
  const NamedArray* a = file.find(name);
  if (!a) refuse("it has no tensor '{}'", name);
  if (!is_floating(a->dtype)) refuse("its {} is of dtype {}; expected floating-point numbers", name, name_of(a->dtype));
  if (a->shape != want && !(or_one && a->shape == Dims{1}))
    refuse("its {} is of shape [{}]; expected [{}]", name, fmt::join(a->shape, ","), fmt::join(want, ","));
  return *a;
}

}  // namespace

Dims value_shape(const Program& p, const LossBatch& batch) {
  const int64_t b = batch.inputs.batch, t = std::max<int64_t>(0, batch.inputs.steps - (batch.shifts ? 1 : 0));
  switch (p.axis) {
    case Over::all: return {};
    case Over::time: return {b};
    case Over::batch: return {t};
    case Over::none: return {b, t};
  }
  return {};
}

std::vector<WireTensor> wire_tensors(const Program& p, const LossBatch& batch, FloatType type) {
  const LossInputs& in = batch.inputs;
  const Layouts layout(p, batch);
  const int64_t width = batch.width(), v = in.classes;
  std::vector<WireTensor> out;
  const auto floats = [&](const char* name, Dims shape, const std::vector<double>& x) {
    if (p.takes_input(name)) out.push_back(wire_floats(name, std::move(shape), x, type));
  };
  const bool rows = batch.kind == PredictionKind::row_loss;
  floats(p.prediction(), rows ? layout.dims({}) : layout.dims({width}), layout.outward(batch.x, width));
  floats("weight", {v, width}, batch.weight);
  floats("bias", {v}, batch.bias);
  if (p.takes_input("targets")) out.push_back(wire_ids("targets", layout.dims({}), layout.outward(in.targets, 1)));
  if (p.takes_input("labels"))
    out.push_back(wire_ids("labels", layout.dims({}), layout.outward(labels_of(p, batch), 1)));
  floats("dense", layout.dims({v}), layout.outward(in.dense, v));
  if (p.takes_input("mask")) out.push_back(wire_mask("mask", layout.dims({}), layout.outward(mask_of(in), 1)));
  if (p.takes_input("lengths")) out.push_back(wire_ids("lengths", {in.batch}, lengths_of(in)));
  if (in.token_weight) floats("token_weight", layout.dims({}), layout.outward(*in.token_weight, 1));
  if (in.example_weight) floats("example_weight", {in.batch}, *in.example_weight);
  if (in.class_weight) floats("class_weight", {v}, *in.class_weight);
  if (p.takes_input("num_items") && batch.num_items)
    out.push_back(wire_floats("num_items", {}, std::span(&*batch.num_items, 1), FloatType::f64));
  if (!batch.upstream.empty()) {
    Dims shape = value_shape(p, batch);
    std::vector<double> up = batch.upstream;
    if (shape.size() == 2 && p.time_major) {
      up = from_time_major(up, shape[1], shape[0]);
      std::swap(shape[0], shape[1]);
    }
    out.push_back(wire_floats("upstream", shape, up, FloatType::f64));
  }
  return out;
}

std::string encode_question(const Program& p, const LossBatch& batch, FloatType type, int64_t round,
                            const Question& question) {
  Metadata metadata{{"round", fmt::format("{}", round)},
                    {"kind", question.kind},
                    {"want", question.gradient ? "value gradient" : "value"}};
  if (question.parts > 0) {
    metadata["part"] = fmt::format("{}", question.part);
    metadata["parts"] = fmt::format("{}", question.parts);
  }
  return encode_frame(metadata, wire_tensors(p, batch, type));
}

Reply decode_reply(const Program& p, const LossBatch& batch, std::string_view frame, int64_t round,
                   const Question& question) {
  const SafetensorsFile file = decode_frame(frame);
  if (const std::string got = find(file.metadata, "round"); got != fmt::format("{}", round))
    refuse("its round is '{}'; round {} was asked", shown(got), round);
  Reply reply;
  reply.refusal = find(file.metadata, "error");
  reply.changed = words_of(find(file.metadata, "changed"));
  if (!reply.refusal.empty()) return reply;
  const Layouts layout(p, batch);
  const Dims shape = value_shape(p, batch);
  Dims wire = shape;
  if (shape.size() == 2 && p.time_major) std::swap(wire[0], wire[1]);
  LossAnswer& a = reply.answer;
  const auto numbers = [&](const std::string& name, const Dims& want, bool or_one = false) {
    const NamedArray& tensor = tensor_of(file, name, want, or_one);
    for (const FloatType type : all_float_types)
      if (tensor.stored == name_of(type)) reply.dtype = std::max(reply.dtype, type);
    return to_doubles(tensor);
  };
  a.value = numbers("value", wire, shape.empty());
  if (shape.size() == 2) a.value = layout.inward(a.value, shape[0], shape[1], 1);
  if (!question.gradient) return reply;
  const int64_t b = batch.inputs.batch, t = batch.inputs.steps, v = batch.inputs.classes, width = batch.width();
  const bool rows = batch.kind == PredictionKind::row_loss;
  for (const std::string& name : p.gradients) {
    if (name == "d_weight")
      a.d_weight = numbers(name, {v, width});
    else if (name == "d_bias")
      a.d_bias = numbers(name, {v});
    else
      a.d_x = layout.inward(numbers(name, rows ? layout.dims({}) : layout.dims({width})), b, t, width);
  }
  return reply;
}

}  // namespace seqgrad
