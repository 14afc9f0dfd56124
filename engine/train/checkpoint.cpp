// Everything is read and checked before the first number of the model is changed.
#include "engine/train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/comm/together.h"
#include "engine/io/directories.h"
#include "engine/io/files.h"
#include "engine/io/output.h"
#include "engine/io/system_calls.h"
#include "engine/nn/broadcast.h"

namespace seqgrad {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

constexpr int version = 2;
constexpr size_t largest_header = size_t{16} << 20;  // of a file of tensors

template <class T>
NamedArray array_of(const ParameterStore& store, const Parameter& p, const Tensor& buffer, const std::string& name) {
  const Shape shape = p.file_shape();
  const std::vector<T> data = store.to_file<T>(p, buffer);
  return named_array<T>(name, {shape.begin(), shape.end()}, data.data());
}

std::vector<NamedArray> arrays(const ParameterStore& store,
                               const std::vector<std::pair<std::string, Tensor>>& buffers) {
  std::vector<NamedArray> out;
  dispatch(store.dtype(), [&]<class T> {
    for (const auto& [prefix, buffer] : buffers)
      for (const Parameter& p : store.parameters()) out.push_back(array_of<T>(store, p, buffer, prefix + p.name));
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
        refuse("{}: error: tensor '{}' has shape {}; the model has {}", shown_path(file.path), shown(t.name), got.str(),
               s.str());
      }
      if (t.dtype != store.dtype())
        refuse("{}: error: tensor '{}' is {}; the model is {}", shown_path(file.path), shown(t.name), name_of(t.dtype),
               name_of(store.dtype()));
      dispatch(t.dtype, [&]<class T> {
        const auto* data = t.data<T>();
        for (int64_t i = 0; i < t.numel(); ++i)
          if (!std::isfinite(data[i]))
            refuse("{}: error: tensor '{}' holds {} at {}", shown_path(file.path), shown(t.name), data[i], i);
      });
    }
  if (file.tensors.size() != wanted) {
    for (const NamedArray& t : file.tensors) {
      bool known = false;
      for (const std::string& prefix : prefixes)
        for (const Parameter& p : store.parameters()) known |= t.name == prefix + p.name;
      if (!known) refuse("{}: error: the model has no tensor '{}'", shown_path(file.path), shown(t.name));
    }
  }
}

void copy_in(const SafetensorsFile& file, ParameterStore& store, const std::string& prefix, const Tensor& buffer) {
  dispatch(store.dtype(), [&]<class T> {
    for (Parameter& p : store.parameters()) store.from_file<T>(p, buffer, file.at(prefix + p.name).data<T>());
  });
}

// JSON has no NaN and no infinities: they are texts.
json to_json(double x) { return std::isfinite(x) ? json(x) : json(fmt::format("{}", x)); }
void from_json(const json& j, double& x) {
  const bool text = j.is_string();
  x = text && j == "inf" ? HUGE_VAL : text && j == "-inf" ? -HUGE_VAL : text && j == "nan" ? NAN : j.get<double>();
}

json to_json(const ReportedLoss& l) {
  return {{"numerator", to_json(l.numerator)},
          {"divisor", to_json(l.divisor)},
          {"nll", to_json(l.nll_sum)},
          {"live", l.live}};
}
void from_json(const json& j, ReportedLoss& l) {
  from_json(j.at("numerator"), l.numerator);
  from_json(j.at("divisor"), l.divisor);
  from_json(j.at("nll"), l.nll_sum);
  l.live = j.at("live");
}

json to_json(const Interval& i) {
  json compared = json::array();
  for (const ReportedLoss& l : i.compared) compared.push_back(to_json(l));
  return {{"loss", to_json(i.loss)},
          {"compared", compared},
          {"tokens", i.tokens},
          {"positions", i.positions},
          {"grad_norm", to_json(i.grad_norm)}};
}
void from_json(const json& j, Interval& i) {
  from_json(j.at("loss"), i.loss);
  for (const json& c : j.at("compared")) from_json(c, i.compared.emplace_back());
  i.tokens = j.at("tokens"), i.positions = j.at("positions");
  from_json(j.at("grad_norm"), i.grad_norm);
}

json to_json(const Plateau& p) {
  return {{"best", to_json(p.best)}, {"any", p.any}, {"bad", p.bad}, {"scale", p.scale}};
}
void from_json(const json& j, Plateau& p) {
  from_json(j.at("best"), p.best);
  p.any = j.at("any"), p.bad = j.at("bad"), p.scale = j.at("scale");
}

json to_json(const Overfitting& o) {
  return {{"step", o.step}, {"dev", to_json(o.dev)}, {"train", to_json(o.train)}, {"rises", o.rises}};
}
void from_json(const json& j, Overfitting& o) {
  o.step = j.at("step"), o.rises = j.at("rises");
  from_json(j.at("dev"), o.dev);
  from_json(j.at("train"), o.train);
}

// Whitespace aside, so that it tells nothing but the values.
std::string checksum(const json& state) {
  const std::string text = state.dump();
  return fmt::format("{:016x}", XXH64(text.data(), text.size(), 0));
}

// A file of tensors, at most as large as `buffers` times the model and a header.
SafetensorsFile read_tensors(const std::string& path, const ParameterStore& store, size_t buffers) {
  const size_t numbers = static_cast<size_t>(store.count()) * size_of(store.dtype());
  return read_safetensors(path, buffers * numbers + largest_header);
}

}  // namespace

std::string checkpoint_name(int64_t step) { return fmt::format("step-{:06}", step); }

int64_t step_of(const std::string& name, const std::string& suffix) {
  int64_t step = 0;
  const std::string_view digits = name.starts_with("step-") ? std::string_view(name).substr(5) : std::string_view();
  std::from_chars(digits.data(), digits.data() + digits.size(), step);
  return step >= 0 && checkpoint_name(step) + suffix == name ? step : -1;
}

std::vector<int64_t> published_checkpoints(const std::string& directory) {
  std::vector<int64_t> steps;
  for (const std::string& name : list_directory(directory))
    if (const int64_t step = step_of(name); step >= 0) steps.push_back(step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::string last_checkpoint(const std::string& directory) {
  std::error_code ignored;
  if (fs::is_directory(directory + "/last", ignored)) return directory + "/last";
  const std::vector<int64_t> steps = published_checkpoints(directory);
  return steps.empty() ? "" : directory + "/" + checkpoint_name(steps.back());
}

void drop_copied_links(const std::string& directory) {
  std::error_code ignored;
  for (const char* link : {"/last", "/best"}) {
    const std::string copy = directory + link;
    if (!fs::is_directory(fs::symlink_status(copy, ignored))) continue;
    const std::string path = directory + "/" + checkpoint_name(load_state(copy).step);
    if (fs::exists(path, ignored))
      remove_directory(copy);
    else
      rename_to(copy, path);
  }
}

std::string state_text(const TrainState& s) {
  json kept = json::array();
  for (const auto& [metric, step] : s.kept) kept.push_back({to_json(metric), step});
  json state = {{"version", version},
                {"step", s.step},
                {"updates", s.updates},
                {"skipped", s.skipped},
                {"epoch", s.epoch},
                {"index", s.index},
                {"best", to_json(s.best)},
                {"best_step", s.best_step},
                {"stale", s.stale},
                {"plateau", to_json(s.plateau)},
                {"overfitting", to_json(s.overfitting)},
                {"train_loss", to_json(s.train_loss)},
                {"interval", to_json(s.interval)},
                {"kept", kept}};
  state["xxh64"] = checksum(state);
  return state.dump(2) + "\n";
}

static void write_files(const std::string& temporary, const ParameterStore& store, const TrainState& s,
                        Metadata about) {
  about["format"] = "pt";
  write_safetensors(temporary + "/model.safetensors", arrays(store, {{"", store.values()}}), about);
  write_safetensors(temporary + "/optim.safetensors",
                    arrays(store, {{"m.", store.moment(0)}, {"v.", store.moment(1)}}));
  write_output(temporary + "/state.json", state_text(s));
}

std::string save_checkpoint(const std::string& directory, SequenceModel& model, const TrainState& state,
                            const Metadata& about) {
  const std::string path = directory + "/" + checkpoint_name(state.step), temporary = temporary_directory(path);
  try {
    write_files(temporary, model.store(), state, about);
    publish_directory(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
  return path;
}

void load_weights(const std::string& checkpoint, SequenceModel& model) {
  const SafetensorsFile file = read_tensors(checkpoint + "/model.safetensors", model.store(), 1);
  check_fits(file, model.store(), {""});
  copy_in(file, model.store(), "", model.store().values());
}

void load_average(const std::vector<std::string>& checkpoints, SequenceModel& model) {
  ParameterStore& store = model.store();
  std::vector<std::vector<double>> sums;
  for (const std::string& checkpoint : checkpoints) {
    const SafetensorsFile file = read_tensors(checkpoint + "/model.safetensors", store, 1);
    check_fits(file, store, {""});
    size_t i = 0;
    dispatch(store.dtype(), [&]<class T> {
      for (const Parameter& p : store.parameters()) {
        if (sums.size() == i) sums.emplace_back(static_cast<size_t>(p.shape.numel()));
        const auto* data = file.at(p.name).data<T>();
        for (double& x : sums[i]) x += static_cast<double>(*data++);
        ++i;
      }
    });
  }
  dispatch(store.dtype(), [&]<class T> {
    size_t i = 0;
    for (Parameter& p : store.parameters()) {
      std::vector<T> mean;
      for (const double x : sums[i++]) mean.push_back(static_cast<T>(x / static_cast<double>(checkpoints.size())));
      store.from_file(p, store.values(), mean.data());
    }
  });
}

TrainState load_state(const std::string& checkpoint) {
  const std::string path = checkpoint + "/state.json";
  return parse_state(read_file(path, size_t{1} << 20), path);
}

TrainState parse_state(const std::string& text, const std::string& state_path) {
  TrainState s;
  try {
    json j = json::parse(text);
    if (j.at("version").get<int>() > version)
      refuse("{}: error: written by a newer version ({}); this one reads up to {}", shown_path(state_path),
             j.at("version").get<int>(), version);
    if (j.at("version").get<int>() < version)
      refuse(
          "{}: error: written by an older version ({}), whose runs this one cannot go on with; translate and evaluate "
          "still read its weights",
          shown_path(state_path), j.at("version").get<int>());
    const std::string sum = j.at("xxh64");
    j.erase("xxh64");
    if (sum != checksum(j)) refuse("{}: error: the content differs from its checksum", shown_path(state_path));
    s.step = j.at("step"), s.updates = j.at("updates"), s.skipped = j.at("skipped"), s.epoch = j.at("epoch"),
    s.index = j.at("index");
    from_json(j.at("best"), s.best);
    s.best_step = j.at("best_step"), s.stale = j.at("stale");
    from_json(j.at("plateau"), s.plateau);
    from_json(j.at("overfitting"), s.overfitting);
    from_json(j.at("train_loss"), s.train_loss);
    from_json(j.at("interval"), s.interval);
    for (const json& k : j.at("kept")) {
      s.kept.emplace_back(0, k.at(1).get<int64_t>());
      from_json(k.at(0), s.kept.back().first);
    }
    if (s.step < 0 || s.updates < 0 || s.epoch < 0 || s.index < 0)
      refuse("{}: error: a negative position", shown_path(state_path));
  } catch (const json::exception&) {
    refuse("{}: error: not the state of a checkpoint", shown_path(state_path));
  }
  return s;
}

TrainState load_checkpoint(const std::string& checkpoint, SequenceModel& model) {
  ParameterStore& store = model.store();
  const TrainState s = load_state(checkpoint);
  const SafetensorsFile weights = read_tensors(checkpoint + "/model.safetensors", store, 1),
                        moments = read_tensors(checkpoint + "/optim.safetensors", store, 2);
  check_fits(weights, store, {""});
  check_fits(moments, store, {"m.", "v."});
  copy_in(weights, store, "", store.values());
  copy_in(moments, store, "m.", store.moment(0));
  copy_in(moments, store, "v.", store.moment(1));
  return s;
}

TrainState load_checkpoint(const std::string& checkpoint, SequenceModel& model, Processes& processes) {
  const std::string text = from_first(processes, [&] { return state_text(load_checkpoint(checkpoint, model)); });
  broadcast(processes, model.store());
  return parse_state(text, checkpoint);
}

}  // namespace seqgrad
