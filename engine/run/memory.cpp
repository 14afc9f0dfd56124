// Limits are those of the whole machine or group, not what is free now: what is refused here could not have worked.
#include "engine/run/memory.h"

#include <sys/resource.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "engine/device/device_memory.h"
#include "engine/train/trainer.h"

namespace seqgrad {
namespace {

namespace fs = std::filesystem;

void lower(MemoryLimit& limit, double bytes, const std::string& what) {
  if (bytes < limit.bytes) limit = {bytes, what};
}

// A file of one number, as the kernel writes limits; none where there is no such file, or "max" in it.
std::optional<double> number_in(const fs::path& path) {
  std::string text;
  std::ifstream in(path);
  uint64_t value = 0;
  if (!(in >> text)) return std::nullopt;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return static_cast<double>(value);
}

// The limits of a group and of all above it.
void lower_by_groups(MemoryLimit& limit, const fs::path& top, const std::string& group, const char* file) {
  for (fs::path at = fs::path(group).relative_path();; at = at.parent_path()) {
    if (const auto bytes = number_in(top / at / file))
      lower(limit, *bytes, fmt::format("the control group /{} allows", shown_path(at.string())));
    if (at.empty()) return;
  }
}

// /proc/self/cgroup has a line "ID:controllers:group" for each hierarchy; that of version 2 is "0::group".
void lower_by_control_groups(MemoryLimit& limit, const std::string& root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",",
                      group = line.substr(second + 1);
    if (controllers == ",,") lower_by_groups(limit, root + "/sys/fs/cgroup", group, "memory.max");
    if (controllers.find(",memory,") != controllers.npos)
      lower_by_groups(limit, root + "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
  }
}

struct Largest {
  double bytes = 0;
  int64_t sentences = 0, row = 0;  // of its batch; the longest one's row of the corpus
};

int64_t length(const Corpus& corpus, int64_t row) {
  return std::max(corpus.source.length(row), corpus.target.length(row));
}

void take_larger(Largest& largest, const Corpus& corpus, std::span<const int64_t> rows, int64_t bucket,
                 const BatchBytes& bytes) {
  const auto padded = [&](int64_t n) { return (n + bucket - 1) / bucket * bucket; };
  int64_t source = 0, target = 0, longest = rows[0];
  for (const int64_t row : rows) {
    source = std::max(source, corpus.source.length(row)), target = std::max(target, corpus.target.length(row) + 1);
    if (length(corpus, row) > length(corpus, longest)) longest = row;
  }
  const auto count = static_cast<int64_t>(rows.size());
  if (const double needed = bytes(count, padded(source), padded(target)); needed > largest.bytes)
    largest = {needed, count, longest};
}

Largest largest_of_training(const RunConfig& config, const Corpus& train, const BatchBytes& bytes) {
  Largest largest;
  Batcher batcher(train, batch_options(config));
  for (int64_t i = 0; i < batcher.batches(0); ++i)
    take_larger(largest, train, batcher.sentences({0, i}), config.train.batch.bucket(), bytes);
  return largest;
}

Largest largest_of_evaluation(const Corpus& corpus, const BatchBytes& bytes) {
  Largest largest;
  for (const auto& rows : evaluation_batches(corpus)) take_larger(largest, corpus, rows, 1, bytes);
  return largest;
}

// "dev.de:3" of a sentence in a file, "data.dev, pair 3" of one that a task made.
std::string place_of(const DataConfig& data, const Corpus& corpus, int64_t row) {
  const FilesConfig* files = corpus.name == "train"  ? &data.train
                             : corpus.name == "dev"  ? &data.dev
                             : corpus.name == "test" ? &data.test
                                                     : nullptr;
  const int64_t line = corpus.lines[static_cast<size_t>(row)];
  if (!files || !files->given()) return fmt::format("{}, pair {}", corpus.name, line);
  const bool target = corpus.target.length(row) > corpus.source.length(row);
  const std::string& path = !files->tsv().value.empty() ? files->tsv().value
                            : target                    ? files->trg().value
                                                        : files->src().value;
  return fmt::format("{}:{}", shown_path(path), line);
}

std::string megabytes(double bytes) { return fmt::format("{:.0f} MB", std::ceil(bytes / 1e6)); }

}  // namespace

MemoryLimit memory_limit(Device device, const std::string& root) {
  if (device == Device::cuda) return {static_cast<double>(gpu_memory()), "the GPU has"};
  struct sysinfo info {};
  sysinfo(&info);
  MemoryLimit limit{static_cast<double>(info.totalram) * info.mem_unit, "this machine has"};
  lower_by_control_groups(limit, root);
  rlimit addresses{};
  if (getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY)
    lower(limit, static_cast<double>(addresses.rlim_cur), "the limit of addresses (ulimit -v) allows");
  return limit;
}

void check_memory(double bytes, const std::string& what, const std::string& hint, Device device) {
  const MemoryLimit limit = memory_limit(device);
  if (bytes > limit.bytes)
    refuse("{} about {}; {} {} ({})", what, megabytes(bytes), limit.what, megabytes(limit.bytes), hint);
}

void check_batches(const RunConfig& config, const Data& data, Device device, double model_bytes,
                   const BatchBytes& bytes) {
  const auto check = [&](const Corpus& corpus, const Largest& largest, const char* hint) {
    const std::string others =
        largest.sentences == 1 ? "" : fmt::format("the batch of {} sentences with ", largest.sentences);
    check_memory(model_bytes + largest.bytes,
                 fmt::format("{}: error: {}this sentence of {} tokens needs, with the model,",
                             place_of(config.data, corpus, largest.row), others, length(corpus, largest.row)),
                 hint, device);
  };
  check(data.train, largest_of_training(config, data.train, bytes),
        "make train.batch.size, data.max_length or model.* smaller");
  std::vector<const Corpus*> others = {&data.dev, &data.test};
  for (const auto& [name, corpus] : data.reported) others.push_back(&corpus);
  for (const Corpus* corpus : others)
    if (corpus->size() > 0)
      check(*corpus, largest_of_evaluation(*corpus, bytes), "shorten the sentence or take it out");
}

}  // namespace seqgrad
