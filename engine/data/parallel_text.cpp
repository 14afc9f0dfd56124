// Reading pairs and their weights line by line, and choosing among them.
#include "engine/data/parallel_text.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/data/streams.h"
#include "engine/io/lines.h"
#include "engine/text/numbers.h"

namespace seqgrad {

static double number(std::string_view text, const std::string& path, size_t line) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || !std::isfinite(value))
    refuse("{}:{}: expected a number such as 0.5, got '{}'", shown_path(path), line, shown(text));
  return value;
}

static std::vector<double> numbers(std::string_view text, const std::string& path, size_t line) {
  std::vector<double> row;
  for (size_t i = 0; i < text.size();) {
    const size_t end = std::min(text.find_first_of(" \t", i), text.size());
    if (end > i) row.push_back(number(text.substr(i, end - i), path, line));
    i = end + 1;
  }
  return row;
}

std::string TextForm::operator()(std::string_view line) const {
  std::string text = form ? normalize(line, *form) : std::string(line);
  return lowercase ? to_lower(text) : text;
}

// A pair as its file has it, in the form of the run.
static Pair in_form(const TextForm& form, Pair pair) {
  if (!form.form && !form.lowercase) return pair;
  pair.source = form(pair.source);
  std::string target = form(pair.target);
  if (target != pair.target) pair.given = std::exchange(pair.target, std::move(target));
  return pair;
}

// Each line of a file of text, which is looked at for what is odd in it.
static void for_each_text(const std::string& path, OddText& odd, const std::function<void(std::string_view)>& text) {
  const bool is_new = odd.begin(path);
  for_each_line(path, [&](std::string_view line) {
    if (is_new) odd.look(line);
    text(line);
  });
}

std::vector<std::string> read_text(const std::string& path, OddText& odd) {
  std::vector<std::string> lines;
  for_each_text(path, odd, [&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

// What a line that is not two columns, or two and a weight, is told.
[[noreturn]] static void refuse_columns(const std::string& path, size_t line, std::string_view text, size_t count) {
  const std::string place = fmt::format("{}:{}", shown_path(path), line);
  const char* columns = "'source<tab>target' or 'source<tab>target<tab>weight'";
  if (count == 1) refuse("{}: expected {}, got no tab: '{}'", place, columns, shown(text));
  const size_t third = text.find('\t', text.find('\t') + 1) + 1;
  const std::string what = shown(text.substr(third, text.find('\t', third) - third)),
                    cure = fmt::format("keep two columns: cut -f1,2 {} > pairs.tsv", shown_path(path));
  if (count == 3)
    refuse("{}: expected a number such as 0.5 in the third column, the weight of the pair, got '{}'; {}", place, what,
           cure);
  refuse("{}: expected {}, got {} columns, the third '{}'; {}", place, columns, count, what, cure);
}

static bool is_number(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() && std::isfinite(value);
}

static void read_tsv(ParallelText& text, const std::string& path, const TextForm& form) {
  size_t columns = 0;  // of the first line that is not blank
  size_t i = 0;        // this line, from 1
  for_each_text(path, text.odd, [&](std::string_view line) {
    text.lines.push_back(static_cast<int64_t>(++i));
    if (blank(line)) {
      text.pairs.push_back({});
      if (columns == 3) text.example_weight.push_back(1);
      return;
    }
    const size_t count = 1 + static_cast<size_t>(std::count(line.begin(), line.end(), '\t'));
    const size_t first = line.find('\t'), second = line.find('\t', first + 1);
    if (count != 2 && (count != 3 || (columns == 0 && !is_number(line.substr(second + 1)))))
      refuse_columns(path, i, line, count);
    if (columns == 0) {
      columns = count;
      if (count == 3) text.example_weight.assign(i - 1, 1.0);
      text.weight_column = count == 3;
    }
    if (count != columns)
      refuse("{}:{}: {} columns where earlier lines have {}; a weight stands in every line or in none",
             shown_path(path), i, count, columns);
    const std::string_view target = line.substr(first + 1, second == line.npos ? line.npos : second - first - 1);
    text.pairs.push_back(in_form(form, {std::string(line.substr(0, first)), std::string(target), {}}));
    if (count == 3) text.example_weight.push_back(number(line.substr(second + 1), path, i));
  });
}

static std::vector<int64_t> lines_from_1(size_t count) {
  std::vector<int64_t> lines(count);
  std::iota(lines.begin(), lines.end(), 1);
  return lines;
}

std::string ParallelText::place(int64_t line) const {
  return path.empty() ? fmt::format("{}, line {}", name, line) : fmt::format("{}:{}", shown_path(path), line);
}

void refuse_line_counts(const std::string& one, size_t lines, const std::string& other, size_t wanted) {
  refuse("{} has {} but {} has {}; line n of one must translate line n of the other", shown_path(one),
         counted(static_cast<int64_t>(lines), "line"), shown_path(other), wanted);
}

static void read_two_files(ParallelText& text, const TextFiles& files, const TextForm& form) {
  WordLines source, target, given;
  for_each_text(files.source, text.odd, [&](std::string_view line) { source.push_back(form(line)); });
  for_each_text(files.target, text.odd, [&](std::string_view line) {
    const std::string read = form(line);
    if (read != line) {
      given.fill_up_to(target.size());
      given.push_back(line);
    }
    target.push_back(read);
  });
  if (source.size() != target.size())
    refuse_line_counts(files.source, static_cast<size_t>(source.size()), files.target,
                       static_cast<size_t>(target.size()));
  text.pairs = Pairs(std::move(source), std::move(target), std::move(given));
  text.lines = lines_from_1(text.pairs.size());
}

// The lines of a file that says something about each pair.
static std::vector<std::string> lines_for(const ParallelText& text, const std::string& path) {
  std::vector<std::string> lines = read_lines(path);
  if (lines.size() != text.pairs.size())
    refuse("{} has {} but {} has {}; line n belongs to pair n", shown_path(path),
           counted(static_cast<int64_t>(lines.size()), "line"), text.name,
           counted(static_cast<int64_t>(text.pairs.size()), "pair"));
  return lines;
}

// Rows of one number a target unit and one for the end; rows of blank pairs may be anything, as those are dropped.
static std::vector<std::vector<double>> read_rows(const ParallelText& text, const std::string& path,
                                                  const UnitCount& units) {
  const std::vector<std::string> lines = lines_for(text, path);
  std::vector<std::vector<double>> rows(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    const Pair pair = text.pairs[i];
    if (blank(pair.source) || blank(pair.target)) continue;
    rows[i] = numbers(lines[i], path, i + 1);
    const auto wanted = static_cast<size_t>(units(pair.target) + 1);
    if (rows[i].size() != wanted)
      refuse("{}:{}: {} for {}; expected {}, the last for the end of the sentence", shown_path(path), i + 1,
             counted(static_cast<int64_t>(rows[i].size()), "number"),
             counted(static_cast<int64_t>(wanted) - 1, "target token"), wanted);
  }
  return rows;
}

ParallelText read_parallel_text(const std::string& name, const TextFiles& files, const WeightFiles& weights,
                                const UnitCount& units, const TextForm& form) {
  ParallelText text;
  text.name = name;
  text.path = files.tsv.empty() ? files.target : files.tsv;
  text.odd = OddText(form.form);
  files.tsv.empty() ? read_two_files(text, files, form) : read_tsv(text, files.tsv, form);
  if (!weights.example.empty()) {
    if (!text.example_weight.empty())
      refuse("{}: its third column already weighs the pairs of {}; leave out data.weights.example or the column",
             shown_path(files.tsv), name);
    const std::vector<std::string> lines = lines_for(text, weights.example);
    for (size_t i = 0; i < lines.size(); ++i) text.example_weight.push_back(number(lines[i], weights.example, i + 1));
  }
  if (!weights.token.empty()) text.token_weight = read_rows(text, weights.token, units);
  if (!weights.mask.empty()) {
    const auto rows = read_rows(text, weights.mask, units);
    for (size_t i = 0; i < rows.size(); ++i) {
      text.mask.emplace_back();
      for (const double x : rows[i]) {
        if (x != 0 && x != 1) refuse("{}:{}: expected 0 or 1, got {}", shown_path(weights.mask), i + 1, x);
        text.mask.back().push_back(x != 0);
      }
    }
  }
  return text;
}

ParallelText text_of_task(const std::string& name, const std::vector<Pair>& pairs, const TextForm& form) {
  ParallelText text;
  text.name = name;
  text.lines = lines_from_1(pairs.size());
  for (const Pair& pair : pairs) text.pairs.push_back(in_form(form, pair));
  return text;
}

void ParallelText::select(std::span<const size_t> rows) {
  const auto keep = [&](auto& items) {
    if (items.empty()) return;
    std::remove_reference_t<decltype(items)> selected;
    for (const size_t row : rows) selected.push_back(std::move(items[row]));
    items = std::move(selected);
  };
  pairs.select(rows);
  keep(lines);
  keep(example_weight);
  keep(token_weight);
  keep(mask);
}

[[noreturn]] static void nothing_left(const ParallelText& text, const Skipped& skipped, int64_t max_length) {
  if (text.pairs.empty())
    refuse("{}: there is no pair: {} is empty", text.name, text.path.empty() ? "the text" : shown_path(text.path));
  refuse("{}: no pair left of {}: {} blank on a side{}", text.name, text.pairs.size(), skipped.blank,
         max_length > 0 ? fmt::format(", {} longer than data.max_length {}", skipped.too_long, max_length) : "");
}

void Skipped::add_too_long(int64_t line) {
  constexpr size_t few = 5;
  ++too_long;
  if (too_long_lines.size() < few) too_long_lines.push_back(line);
}

std::string Skipped::text() const {
  std::string out = fmt::format("{} blank, {} too long", blank, too_long);
  if (too_long > 0)
    out += fmt::format(" (line{} {}{})", too_long == 1 ? "" : "s", fmt::join(too_long_lines, ", "),
                       too_long > std::ssize(too_long_lines) ? ", ..." : "");
  return out;
}

void require_words(const ParallelText& text) {
  Skipped skipped;
  for (const Pair& pair : text.pairs) skipped.blank += blank(pair.source) || blank(pair.target);
  if (skipped.blank == static_cast<int64_t>(text.pairs.size())) nothing_left(text, skipped, 0);
}

void drop_unusable(ParallelText& text, int64_t max_length, const UnitCount& source_units,
                   const UnitCount& target_units) {
  std::vector<size_t> kept;
  size_t i = 0;
  for (const Pair& pair : text.pairs) {
    if (blank(pair.source) || blank(pair.target))
      ++text.skipped.blank;
    else if (max_length > 0 && (source_units(pair.source) > max_length || target_units(pair.target) > max_length))
      text.skipped.add_too_long(text.lines[i]);
    else
      kept.push_back(i);
    ++i;
  }
  if (kept.empty()) nothing_left(text, text.skipped, max_length);
  if (kept.size() < text.pairs.size()) text.select(kept);
}

void corrupt_targets(ParallelText& text, double share, double weight, uint64_t seed) {
  const size_t size = text.pairs.size();
  const auto count = static_cast<size_t>(std::llround(share * static_cast<double>(size)));
  if (count < 2)
    refuse("data.corrupt: share {} of {} pairs is {}; at least 2 must exchange their targets", share, size, count);
  std::vector<size_t> all(size);
  std::iota(all.begin(), all.end(), size_t{0});
  std::vector<size_t> chosen = all;
  Random random(seed, streams::corrupt);
  random.shuffle(chosen);
  chosen.resize(count);
  const auto rotate = [&](auto& rows) {  // chosen[k] gets what chosen[k + 1] had
    for (size_t k = 0; k + 1 < count; ++k) std::swap(rows[chosen[k]], rows[chosen[k + 1]]);
  };
  rotate(all);
  text.pairs.select_targets(all);
  if (!text.token_weight.empty()) rotate(text.token_weight);
  if (!text.mask.empty()) rotate(text.mask);
  if (text.example_weight.empty()) text.example_weight.assign(size, 1.0);
  for (const size_t i : chosen) text.example_weight[i] *= weight;
}

}  // namespace seqgrad
