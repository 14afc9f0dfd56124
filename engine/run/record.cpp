// Comparing and writing go over the same lists of members, so that what is recorded is also compared.
#include "engine/run/record.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/config/problems.h"
#include "engine/core/thread_pool.h"
#include "engine/io/directories.h"
#include "engine/io/files.h"
#include "engine/io/output.h"
#include "engine/ops/row_passes.h"

namespace seqgrad {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

// Members of run.json that decide the bytes of a run beside its data.
struct Member {
  const char *name, *words;
  std::string value;
};

std::vector<Member> surroundings(const std::string& run, Device device) {
  const std::string config = read_file(run + "/config.resolved.yaml", size_t{1} << 20);
  return {
      {"seqgrad", "version", SEQGRAD_VERSION},
      {"isa", "instruction set", row_passes<float>().isa},
      {"hardware", "device", device == Device::cpu ? "cpu" : backend(device).describe()},
      {"config", "content of config.resolved.yaml", fmt::format("{:016x}", XXH64(config.data(), config.size(), 0))}};
}

json to_json(const std::vector<Content>& contents) {
  json out = json::object();
  for (const Content& c : contents) out[c.name] = {{c.is_split ? "pairs" : "numbers", c.count}, {"content", c.digits}};
  return out;
}

std::vector<Content> from_json(const json& j) {
  std::vector<Content> out;
  for (const auto& [name, held] : j.items()) {
    if (!held.is_object() || !held.value("content", json()).is_string()) continue;
    for (const bool is_split : {true, false})
      if (const json count = held.value(is_split ? "pairs" : "numbers", json()); count.is_number_integer())
        out.push_back({name, count.get<int64_t>(), is_split, held["content"].get<std::string>()});
  }
  return out;
}

const Content* find(const std::vector<Content>& contents, const std::string& name) {
  const auto found = std::find_if(contents.begin(), contents.end(), [&](const Content& c) { return c.name == name; });
  return found == contents.end() ? nullptr : &*found;
}

json read_record(const std::string& run) {
  const std::string path = run + "/run.json";
  json record = json::parse(read_file(path, size_t{1} << 20), nullptr, false);
  if (!record.is_object()) refuse("{}: error: does not describe a run", shown_path(path));
  return record;
}

std::string nearest_run(const fs::path& path) {
  std::error_code ignored;
  const fs::path parent = path.has_parent_path() ? path.parent_path() : ".";
  if (!fs::is_directory(parent, ignored)) return "";
  std::vector<std::string> runs;
  for (const std::string& name : list_directory(parent))
    if (fs::exists(parent / name / "run.json", ignored)) runs.push_back(name);
  const std::string near = closest(path.filename(), runs);
  return near.empty() ? "" : (path.has_parent_path() ? path.parent_path() / near : fs::path(near)).string();
}

}  // namespace

std::string run_around(const std::string& path) {
  std::error_code ignored;
  fs::path at = path;
  for (int depth = 0; depth < 3 && at.has_parent_path() && at != at.parent_path(); ++depth) {
    at = at.parent_path();
    if (fs::exists(at / "run.json", ignored)) return at.string();
  }
  return "";
}

std::string recorded_vocabulary(const std::string& run, const std::string& side) {
  const json vocabulary = read_record(run).value(side + "_vocabulary", json());
  const json fingerprint = vocabulary.is_object() ? vocabulary.value("fingerprint", json()) : json();
  return fingerprint.is_string() ? fingerprint.get<std::string>() : "";
}

void require_run_directory(const std::string& path) {
  std::error_code ignored;
  if (fs::exists(path + "/run.json", ignored)) return;
  fs::path plain(path);
  if (!plain.has_filename()) plain = plain.parent_path();  // of "runs/x/"
  const bool there = fs::exists(path, ignored);
  const std::string around = there ? run_around(plain.string()) : "", near = there ? "" : nearest_run(plain);
  if (!around.empty()) refuse("{}: error: no run directory; it lies in {}", shown_path(path), shown_path(around));
  if (!there)
    refuse("{}: error: no such run directory{}", shown_path(path),
           near.empty() ? "" : fmt::format(" (did you mean {}?)", shown_path(near)));
  if (!fs::is_directory(path, ignored)) refuse("{}: error: no run directory, but a file", shown_path(path));
  refuse("{}: error: no run directory; it holds no run.json, so no training has begun in it", shown_path(path));
}

// Processes by host, or null for one that was not started among several.
static json hosts_of(const ProcessSettings& settings) {
  if (settings.hosts.empty()) return {};
  json hosts = json::object();
  for (const std::string& host : settings.hosts) hosts[host] = hosts.value(host, 0) + 1;
  return {{"mpi", settings.mpi}, {"processes", hosts}};
}

void record_hosts(const std::string& run, const ProcessSettings& settings) {
  json record = read_record(run);
  const json now = hosts_of(settings);
  if (record.value("hosts", json()) == now) return;
  if (now.is_null())
    record.erase("hosts");
  else
    record["hosts"] = now;
  write_output(run + "/run.json", record.dump(2) + "\n");
}

std::string new_record(const std::string& run, const Data& data, const LossSetup& loss,
                       const ProcessSettings& settings) {
  json record;
  for (const Member& m : surroundings(run, settings.device)) record[m.name] = m.value;
  record["device"] = settings.text;
  if (!settings.hosts.empty()) record["hosts"] = hosts_of(settings);
  record["cpu"] = backend(Device::cpu).describe();
  record["threads"] = threads();
  for (const auto& [side, tokenizer] : {std::pair{"source", data.source}, {"target", data.target}})
    record[std::string(side) + "_vocabulary"] = {{"size", tokenizer->size()},
                                                 {"fingerprint", tokenizer->fingerprint()}};
  record["data"] = to_json(contents_of(data, loss));
  return record.dump(2) + "\n";
}

Found compare_with_record(const std::string& run, const std::vector<Content>& now, Device device) {
  const json record = read_record(run);
  Found found;
  for (const Member& m : surroundings(run, device)) {
    const json was = record.value(m.name, json());
    if (was.is_string() && was != m.value)
      found.surroundings.push_back(fmt::format("{}: {}; now {}", m.words, shown(was.get<std::string>()), m.value));
  }
  if (!record.contains("data") || !record["data"].is_object()) return found;
  const std::vector<Content> before = from_json(record["data"]);
  const auto add = [&](const std::string& name, const Content* a, const Content* b) {
    const std::string was = a ? shown(a->text()) : "none", is = b ? b->text() : "none";
    if (was != is) found.data.push_back(fmt::format("{}: {}; now {}", shown(name), was, is));
  };
  for (const Content& c : before) add(c.name, &c, find(now, c.name));
  for (const Content& c : now)
    if (c.is_split && !find(before, c.name)) add(c.name, nullptr, &c);
  return found;
}

void record_changes(const std::string& run, int64_t step, const std::vector<Content>& now, Device device,
                    const std::vector<std::string>& changes) {
  if (changes.empty()) return;
  json record = read_record(run);
  for (const Member& m : surroundings(run, device)) record[m.name] = m.value;
  record["data"] = to_json(now);
  if (!record["changes"].is_array()) record["changes"] = json::array();
  for (const std::string& change : changes) record["changes"].push_back(fmt::format("step {}: {}", step, change));
  write_output(run + "/run.json", record.dump(2) + "\n");
}

}  // namespace seqgrad
