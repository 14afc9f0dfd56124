// metrics.jsonl leads: the table is made from it whenever its columns change and when a run resumes.
#include "engine/io/metric_log.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/io/atomic_write.h"

namespace seqgrad {
namespace {

using json = nlohmann::ordered_json;

// Each whole line that append could have written.
template <class F>
void for_each_line(const std::string& path, const F& f) {
  if (!std::filesystem::exists(path)) return;
  std::istringstream in(read_file(path, size_t{1} << 30));
  for (std::string line; std::getline(in, line);) {
    const json parsed = json::parse(line, nullptr, false);
    if (parsed.is_object() && parsed.contains("step") && parsed["step"].is_number_integer()) f(line, parsed);
  }
}

// RFC 4180. JSON has no NaN, and writes null for it.
std::string cell(const json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text == "null") return "";
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  for (size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) text.insert(at, "\"");
  return "\"" + text + "\"";
}

std::string table_row(const std::vector<std::string>& columns, const json& line) {
  std::string out;
  for (const std::string& name : columns)
    out += (&name == &columns[0] ? "" : ",") + (line.contains(name) ? cell(line[name]) : "");
  return out;
}

bool add_columns(std::vector<std::string>& columns, const json& line) {
  const size_t before = columns.size();
  for (const auto& [name, value] : line.items())
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
  return columns.size() > before;
}

}  // namespace

MetricLog::MetricLog(const std::string& run)
    : path_(run + "/metrics.jsonl"),
      table_(run + "/metrics.csv"),
      events_{{"train", EventLog(run + "/tb/train")}, {"dev", EventLog(run + "/tb/valid")}} {}

void MetricLog::append(const std::string& kind, int64_t step, const Metrics& values) {
  json line = {{"kind", kind}, {"step", step}};
  for (const auto& [name, value] : values) line[name] = value;
  append_line(path_, line.dump());
  if (add_columns(columns_, line))
    rewrite_table();
  else
    append_line(table_, table_row(columns_, line));
  if (const auto found = events_.find(kind); found != events_.end()) found->second.append(step, values);
}

void MetricLog::rewrite_table() {
  columns_.clear();
  for_each_line(path_, [&](const std::string&, const json& line) { add_columns(columns_, line); });
  std::string text, header;
  for (const std::string& name : columns_) header += (header.empty() ? "" : ",") + cell(name);
  for_each_line(path_, [&](const std::string&, const json& line) { text += table_row(columns_, line) + "\n"; });
  atomic_write(table_, text.empty() ? "" : header + "\n" + text);
}

void MetricLog::truncate_after(int64_t step) {
  for (auto& [kind, log] : events_) log.resume_after(step);
  if (!std::filesystem::exists(path_)) return;
  std::string kept;
  for_each_line(path_, [&](const std::string& line, const json& parsed) {
    if (parsed["step"].get<int64_t>() <= step) kept += line + "\n";
  });
  atomic_write(path_, kept);
  rewrite_table();
}

std::vector<MetricRow> MetricLog::rows() const {
  std::vector<MetricRow> out;
  for_each_line(path_, [&](const std::string&, const json& line) {
    MetricRow row{"", line["step"].get<int64_t>(), {}};
    if (line.contains("kind") && line["kind"].is_string()) row.kind = line["kind"].get<std::string>();
    for (const auto& [name, value] : line.items())
      if (name != "kind" && name != "step")
        row.values.emplace_back(name, value.is_number() ? value.get<double>() : std::nan(""));
    out.push_back(std::move(row));
  });
  return out;
}

}  // namespace seqgrad
