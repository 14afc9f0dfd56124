// Everything is read and checked before the first number of the model is changed.
#include "engine/train/checkpoint.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/io/atomic_write.h"

namespace seqgrad {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

constexpr int version = 1;

template <class T>
NamedArray array_of(const ParameterStore& store, const Parameter& p, const Tensor& buffer, const std::string& name) {
  const Shape shape = p.file_shape();
  const std::vector<T> data = store.to_file<T>(p, buffer);
  return named_array<T>(name, {shape.begin(), shape.end()}, data.data());
}

std::vector<NamedArray> arrays(const ParameterStore& store,
                               const std::vector<std::pair<std::string, Tensor>>& buffers) {
  std::vector<NamedArray> out;
  with_floating(store.dtype(), [&](auto zero) {
    for (const auto& [prefix, buffer] : buffers)
      for (const Parameter& p : store.parameters())
        out.push_back(array_of<decltype(zero)>(store, p, buffer, prefix + p.name));
  });
  return out;
}

// Each parameter exactly once, with its shape and dtype, all finite; nothing besides.
void check_fits(const SafetensorsFile& file, const ParameterStore& store, const std::vector<std::string>& prefixes) {
  size_t wanted = 0;
  for (const std::string& prefix : prefixes)
    for (const Parameter& p : store.parameters()) {
      ++wanted;
      const NamedArray& t = file.at(prefix + p.name);
      const Shape s = p.file_shape();
      if (t.shape != std::vector<int64_t>(s.begin(), s.end())) {
        Shape got;
        for (const int64_t d : t.shape)
          if (got.rank() < Shape::max_rank) got.push_back(d);
        refuse("{}: error: tensor '{}' has shape {}; the model has {}", file.path, shown(t.name), got.str(), s.str());
      }
      if (t.dtype != store.dtype())
        refuse("{}: error: tensor '{}' is {}; the model is {}", file.path, shown(t.name), name_of(t.dtype),
               name_of(store.dtype()));
      with_floating(t.dtype, [&](auto zero) {
        const auto* data = t.data<decltype(zero)>();
        for (int64_t i = 0; i < t.numel(); ++i)
          if (!std::isfinite(data[i]))
            refuse("{}: error: tensor '{}' holds {} at {}", file.path, shown(t.name), data[i], i);
      });
    }
  if (file.tensors.size() != wanted) {
    for (const NamedArray& t : file.tensors) {
      bool known = false;
      for (const std::string& prefix : prefixes)
        for (const Parameter& p : store.parameters()) known |= t.name == prefix + p.name;
      if (!known) refuse("{}: error: the model has no tensor '{}'", file.path, shown(t.name));
    }
  }
}

void copy_in(const SafetensorsFile& file, ParameterStore& store, const std::string& prefix, const Tensor& buffer) {
  with_floating(store.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (Parameter& p : store.parameters()) store.from_file<T>(p, buffer, file.at(prefix + p.name).data<T>());
  });
}

// Every number of a sum, by name, for both directions.
template <class Sum, class Visit>
void visit_sum(Sum& s, const Visit& visit) {
  visit("numerator", s.numerator);
  visit("divisor", s.divisor);
  visit("adds", s.divisor_adds);
  visit("report_divisor", s.report_divisor);
  visit("kind", s.kind);
  visit("active", s.stats.active);
  visit("live", s.stats.live);
  visit("correct", s.stats.correct);
  visit("weight", s.stats.weight);
  visit("nll", s.stats.nll_sum);
  visit("smoothed", s.stats.smoothed_sum);
  visit("z", s.stats.z_sum);
  visit("empty", s.stats.empty);
  visit("clip_hits", s.stats.clip_hits);
}

json to_json(const LossSum& s) {
  json j;
  visit_sum(s, [&](const char* name, const auto& x) { j[name] = x; });
  return j;
}

LossSum sum_from(const json& j) {
  LossSum s;
  visit_sum(s, [&](const char* name, auto& x) { j.at(name).get_to(x); });
  return s;
}

}  // namespace

std::string checkpoint_name(int64_t step) { return fmt::format("step-{:06}", step); }

std::string save_checkpoint(const std::string& directory, SequenceModel& model, const TrainState& s) {
  const ParameterStore& store = model.store();
  const std::string path = directory + "/" + checkpoint_name(s.step), temporary = path + ".tmp";
  fs::remove_all(temporary);
  make_directories(temporary);
  write_safetensors(temporary + "/model.safetensors", arrays(store, {{"", store.values()}}), {{"format", "pt"}});
  write_safetensors(temporary + "/optim.safetensors",
                    arrays(store, {{"m.", store.moment(0)}, {"v.", store.moment(1)}}));
  json kept = json::array();
  for (const auto& [metric, step] : s.kept) kept.push_back({metric, step});
  json compared = json::array();
  for (const LossSum& sum : s.interval_compared) compared.push_back(to_json(sum));
  const json state = {{"version", version},
                      {"step", s.step},
                      {"updates", s.updates},
                      {"skipped", s.skipped},
                      {"epoch", s.epoch},
                      {"index", s.index},
                      {"best", s.best},
                      {"best_step", s.best_step},
                      {"stale", s.stale},
                      {"interval", to_json(s.interval)},
                      {"interval_compared", compared},
                      {"interval_tokens", s.interval_tokens},
                      {"interval_positions", s.interval_positions},
                      {"kept", kept}};
  atomic_write(temporary + "/state.json", state.dump(2) + "\n");
  fs::remove_all(path);  // the same step, written before a crash: what stands there is about to be replaced
  publish_directory(temporary, path);
  return path;
}

void load_weights(const std::string& checkpoint, SequenceModel& model) {
  const SafetensorsFile file = read_safetensors(checkpoint + "/model.safetensors");
  check_fits(file, model.store(), {""});
  copy_in(file, model.store(), "", model.store().values());
}

TrainState load_checkpoint(const std::string& checkpoint, SequenceModel& model) {
  ParameterStore& store = model.store();
  const std::string state_path = checkpoint + "/state.json";
  TrainState s;
  try {
    const json j = json::parse(read_file(state_path, size_t{1} << 20));
    if (j.at("version").get<int>() > version)
      refuse("{}: error: written by a newer version ({}); this one reads up to {}", state_path,
             j.at("version").get<int>(), version);
    s.step = j.at("step"), s.updates = j.at("updates"), s.skipped = j.at("skipped"), s.epoch = j.at("epoch"),
    s.index = j.at("index");
    s.best = j.at("best"), s.best_step = j.at("best_step"), s.stale = j.at("stale");
    s.interval = sum_from(j.at("interval"));
    for (const json& sum : j.at("interval_compared")) s.interval_compared.push_back(sum_from(sum));
    s.interval_tokens = j.at("interval_tokens"), s.interval_positions = j.at("interval_positions");
    for (const json& k : j.at("kept")) s.kept.emplace_back(k.at(0).get<double>(), k.at(1).get<int64_t>());
    if (s.step < 0 || s.updates < 0 || s.epoch < 0 || s.index < 0) refuse("{}: error: a negative position", state_path);
  } catch (const json::exception&) {
    refuse("{}: error: not the state of a checkpoint", state_path);
  }
  const SafetensorsFile weights = read_safetensors(checkpoint + "/model.safetensors"),
                        moments = read_safetensors(checkpoint + "/optim.safetensors");
  check_fits(weights, store, {""});
  check_fits(moments, store, {"m.", "v."});
  copy_in(weights, store, "", store.values());
  copy_in(moments, store, "m.", store.moment(0));
  copy_in(moments, store, "v.", store.moment(1));
  return s;
}

}  // namespace seqgrad
