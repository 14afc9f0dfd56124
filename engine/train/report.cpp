// Reads the run's own files back, so that what the page shows is what they hold.
#include "engine/train/report.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/config/describe.h"
#include "engine/data/surface.h"
#include "engine/html/chart.h"
#include "engine/html/page.h"
#include "engine/io/directories.h"
#include "engine/io/lines.h"
#include "engine/train/attention.h"
#include "engine/train/run_info.h"

namespace seqgrad {
namespace {

// What each logged loss is divided by.
std::map<std::string, std::string> loss_units(const LossConfig& config) {
  const LossOptions options = config.options();
  std::map<std::string, std::string> units = {{"loss", printed_unit(options)}};
  const bool class_weights = !config.weights.classes.file().value.empty();
  for (const ComparedPreset& p : compared_presets(config.compare(), options, class_weights))
    units["loss." + p.name] = printed_unit(p.options);
  return units;
}

// What a record tells besides results.
const std::set<std::string> times = {"seconds", "tokens_per_second"};

// A chart for each name that was logged, in the order of their first appearance: train and dev in one. Times are no
// result, and a count that stayed 0 tells nothing.
std::string curves(const std::vector<MetricRow>& rows, const std::map<std::string, std::string>& units) {
  std::vector<std::string> names;
  std::map<std::string, std::map<std::string, Series>> charts;  // by name, then by kind
  for (const MetricRow& row : rows) {
    if (row.kind != "train" && row.kind != "dev") continue;
    for (const auto& [name, value] : row.values) {
      if (times.count(name) || name == "epoch") continue;
      if (charts.find(name) == charts.end()) names.push_back(name);
      Series& s = charts[name][row.kind];
      s.name = row.kind;
      s.points.emplace_back(static_cast<double>(row.step), value);
    }
  }
  std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.starts_with("loss") > b.starts_with("loss");
  });
  std::string out;
  for (const std::string& name : names) {
    const std::vector<Series> series = {charts[name]["train"],
                                        charts[name]["dev"]};  // each with its colour, also alone
    const std::string unit = units.count(name) ? units.at(name) : "", gap = unit.empty() || unit[0] == ' ' ? "" : " ";
    const bool zero = std::all_of(series.begin(), series.end(), [](const Series& s) {
      return std::all_of(s.points.begin(), s.points.end(), [](const auto& p) { return p.second == 0; });
    });
    const bool log = name.starts_with("loss") || name == "perplexity" || name == "grad_norm";
    if (!(zero && name == "skipped")) out += line_chart({name + gap + unit, "step", series, log});
  }
  return out.empty() ? paragraph("Nothing was logged yet.") : "<div class=\"grid\">\n" + out + "</div>\n";
}

struct Sample {
  std::string source, reference;
  std::vector<std::pair<int64_t, std::string>> translations;  // (step, text)
};

std::vector<Sample> read_samples(const std::string& directory, int64_t last_step) {
  std::vector<Sample> samples;
  for (const std::string& name : list_directory(directory)) {
    const int64_t step = step_of(name, ".txt");
    if (step < 0 || step > last_step) continue;
    size_t i = 0;
    std::string source, reference;
    for (const std::string& line : read_lines(directory + "/" + name)) {
      const std::string kind = line.substr(0, line.find(' ')), text = line.size() > 11 ? line.substr(11) : "";
      if (kind == "source") source = text;
      if (kind == "reference") reference = text;
      if (kind != "model") continue;
      if (samples.size() <= i) samples.push_back({source, reference, {}});
      samples[i++].translations.emplace_back(step, text);
    }
  }
  return samples;
}

// One row for as long as the translation stayed the same.
std::string sample_card(const Sample& s, const std::function<std::string(const std::string&)>& shown_as) {
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < s.translations.size();) {
    size_t end = i + 1;
    while (end < s.translations.size() && s.translations[end].second == s.translations[i].second) ++end;
    const int64_t first = s.translations[i].first, last = s.translations[end - 1].first;
    const std::string& text = s.translations[i].second;
    rows.push_back({first == last ? with_commas(first) : with_commas(first) + "–" + with_commas(last),
                    shown_as(text) + (text == s.reference ? "  ✓" : "")});
    i = end;
  }
  return "<div class=\"card\">" + heading(3, shown_as(s.source)) + paragraph("Reference: " + shown_as(s.reference)) +
         table({"step", "translation"}, rows) + "</div>\n";
}

// How the weights as they are translate the first dev sentences; nothing where the model has no attention.
std::string attention_maps(const TrainJob& job, const std::function<std::string(const std::string&)>& shown_as) {
  const Corpus& dev = job.data.dev;
  std::vector<std::vector<int32_t>> sources;
  for (int64_t i = 0; i < std::min(job.config.report.samples(), dev.size()); ++i) sources.push_back(dev.source[i]);
  DecodeOptions decode = job.decode;
  decode.attention = true;
  const auto found = decode_all(job.model, sources, decode);
  std::string out;
  for (size_t i = 0; i < found.size(); ++i) {
    const Hypothesis& h = found[i][0];
    if (sources[i].empty()) continue;
    if (h.attention.empty()) return "";
    const std::string source = dev.pairs[i].source;
    out += "<div class=\"card\">" + heading(3, shown_as(source)) + paragraph(shown_as(job.data.target->decode(h.ids))) +
           heat_map(attention_map(job.data.source->split(source), h, job.data.target->vocabulary()),
                    "attention to: " + source) +
           "</div>\n";
  }
  if (out.empty()) return "";
  return heading(2, "Attention") + paragraph(std::string("How the model translates them now. ") + attention_words) +
         "<div class=\"maps\">\n" + out + "</div>\n";
}

void flatten(const nlohmann::ordered_json& j, const std::string& name, std::vector<std::vector<std::string>>& rows) {
  if (j.is_object())
    for (const auto& [key, value] : j.items()) flatten(value, name.empty() ? key : name + " " + key, rows);
  else
    rows.push_back({name, j.is_string() ? j.get<std::string>() : j.dump()});
}

std::string best_checkpoint(const TrainJob& job, const TrainState& state, const std::vector<MetricRow>& rows) {
  if (state.best_step == 0) return "";
  std::vector<std::vector<std::string>> cells;
  for (const MetricRow& row : rows)
    if (row.kind == "dev" && row.step == state.best_step) {
      cells.clear();
      for (const auto& [name, value] : row.values)
        if (!times.count(name)) cells.push_back({name, std::isnan(value) ? "n/a" : fmt::format("{:.5g}", value)});
    }
  return paragraph(fmt::format("Best checkpoint by {}: step {}. On the dev split:", job.config.checkpoint.metric(),
                               with_commas(state.best_step))) +
         table({}, cells);
}

}  // namespace

std::string report_page(const TrainJob& job, const TrainState& state, int64_t total_steps,
                        const std::vector<MetricRow>& rows, const std::vector<std::string>& test) {
  const std::string name = std::filesystem::weakly_canonical(job.run).filename();
  auto environment = read_run_info(job.run);
  const Task* task = task_of(job.config.data);
  const auto shown_as = [&](const std::string& text) { return task && task->sentences ? present(text) : text; };

  std::string body = heading(1, name) + paragraph(describe_job(job)) +
                     paragraph(fmt::format("Step {} of {}", with_commas(state.step), with_commas(total_steps)));
  for (const std::string& line : test) body += paragraph(line);
  body += best_checkpoint(job, state, rows);
  body += heading(2, "Learning curves") + curves(rows, loss_units(job.config.loss));

  if (const auto samples = read_samples(job.run + "/samples", state.step); !samples.empty()) {
    body += heading(2, "Samples over time") + paragraph("Sentences of the dev split, at each validation.");
    body += "<div class=\"grid\">\n";
    for (const Sample& s : samples) body += sample_card(s, shown_as);
    body += "</div>\n";
  }

  body += attention_maps(job, shown_as);

  std::vector<std::vector<std::string>> changed;
  for (const Difference& d : changes(job.config)) changed.push_back({d.key, d.value, d.standard});
  body += heading(2, "Configuration");
  body += changed.empty() ? paragraph("Every key is at its default.") : table({"key", "value", "default"}, changed);
  body += folded("Every key", preformatted(resolved_yaml(job.config, false)));

  std::vector<std::vector<std::string>> facts;
  for (const char* time_or_result : {"seconds", "seconds_of", "results"}) environment.erase(time_or_result);
  flatten(environment, "", facts);
  body += heading(2, "Environment") + table({}, facts);
  return page(name, body);
}

}  // namespace seqgrad
