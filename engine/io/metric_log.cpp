// metrics.jsonl leads: the table is made from its rows whenever its columns change and when a run resumes.
#include "engine/io/metric_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/core/error.h"
#include "engine/io/directories.h"
#include "engine/io/files.h"
#include "engine/io/line_reader.h"
#include "engine/io/output.h"

namespace seqgrad {
namespace {

using json = nlohmann::ordered_json;

// A line as append could have written it.
std::optional<MetricRow> parse_row(const std::string& line) {
  const json parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("step") || !parsed["step"].is_number_integer()) return std::nullopt;
  MetricRow row{"", parsed["step"].get<int64_t>(), {}};
  if (parsed.contains("kind") && parsed["kind"].is_string()) row.kind = parsed["kind"].get<std::string>();
  for (const auto& [name, value] : parsed.items())
    if (name != "kind" && name != "step")
      row.values.emplace_back(name, value.is_number() ? value.get<double>() : std::nan(""));
  return row;
}

// RFC 4180.
std::string quoted(std::string text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  for (size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) text.insert(at, "\"");
  return "\"" + text + "\"";
}

std::string table_row(const std::vector<std::string>& columns, const MetricRow& row) {
  std::string out = fmt::format("{},{}", quoted(row.kind), row.step);
  for (size_t i = 2; i < columns.size(); ++i) {
    const auto found =
        std::find_if(row.values.begin(), row.values.end(), [&](const auto& v) { return v.first == columns[i]; });
    out += ",";
    if (found != row.values.end() && std::isfinite(found->second)) out += json(found->second).dump();
  }
  return out;
}

bool during_training(const std::string& kind) { return kind == "train" || kind == "dev"; }

}  // namespace

MetricLog::MetricLog(const std::string& run)
    : path_(run + "/metrics.jsonl"), table_(run + "/metrics.csv"), tensorboard_(run + "/tb/") {
  read(std::numeric_limits<int64_t>::max(), [](const std::string&) { return true; });
}

EventLog& MetricLog::events(const std::string& kind) {
  return events_.try_emplace(kind, tensorboard_ + kind).first->second;
}

void MetricLog::append(const std::string& kind, int64_t step, const Metrics& values) {
  json line = {{"kind", kind}, {"step", step}};
  for (const auto& [name, value] : values) line[name] = value;
  synced_ = false;
  append_line(path_, line.dump());
  rows_.push_back({kind, step, values});
  if (add_columns(rows_.back()))
    rewrite_table();
  else
    append_line(table_, table_row(columns_, rows_.back()));
  events(kind).append(step, values);
}

bool MetricLog::add_columns(const MetricRow& row) {
  const size_t before = columns_.size();
  if (columns_.empty()) columns_ = {"kind", "step"};
  for (const auto& [name, value] : row.values)
    if (std::find(columns_.begin(), columns_.end(), name) == columns_.end()) columns_.push_back(name);
  return columns_.size() > before;
}

void MetricLog::rewrite_table() {
  std::string text;
  for (const std::string& name : columns_) text += (text.empty() ? "" : ",") + quoted(name);
  if (!text.empty()) text += "\n";
  for (const MetricRow& row : rows_) text += table_row(columns_, row) + "\n";
  write_output(table_, text);
}

// Rows up to `last_step` that `wanted` takes by their kind. They stand in the order of steps, results at the end, so
// that the first other one ends them.
void MetricLog::read(int64_t last_step, bool (*wanted)(const std::string& kind)) {
  constexpr size_t longest = size_t{1} << 20;  // bytes of a line; append writes none of that length
  rows_.clear(), columns_.clear();
  kept_ = 0, damaged_ = 0, torn_ = false;
  if (!std::filesystem::is_regular_file(path_)) return;
  const struct File {
    int descriptor;
    ~File() { ::close(descriptor); }
  } file{open(path_.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.descriptor < 0) system_failure("{}: cannot open ({})", shown_path(path_), std::strerror(errno));
  LineReader in(file.descriptor, shown_path(path_), longest);
  uintmax_t end = 0;
  int64_t no_rows = 0;  // so far; those at the end are what a killed process left
  for (std::string line; in.next(line) && line.size() <= longest;) {
    end += line.size() + 1;
    auto row = parse_row(line);
    if (!row) {
      ++no_rows;
      continue;
    }
    if (row->step > last_step || !wanted(row->kind)) break;
    kept_ = end, damaged_ = no_rows;
    add_columns(*row);
    rows_.push_back(std::move(*row));
  }
  const uintmax_t size = std::filesystem::file_size(path_);
  torn_ = kept_ > size;
  kept_ = std::min(kept_, size);
}

void MetricLog::truncate_after(int64_t step) {
  for (const std::string& kind : list_directory(tensorboard_))
    events(kind).resume_after(during_training(kind) ? step : -1);
  read(step, during_training);
  if (!std::filesystem::is_regular_file(path_)) return;
  std::error_code error;
  std::filesystem::resize_file(path_, kept_, error);
  if (error) system_failure("{}: cannot shorten ({})", shown_path(path_), error.message());
  synced_ = false;
  if (torn_) append_bytes(path_, "\n");
  rewrite_table();
}

void MetricLog::sync() {
  if (synced_) return;
  for (const std::string& path : {path_, table_}) sync_file(path);
  if (!named_) sync_file(std::filesystem::path(path_).parent_path());
  named_ = true;
  for (auto& [kind, log] : events_) log.sync();
  synced_ = true;
}

}  // namespace seqgrad
