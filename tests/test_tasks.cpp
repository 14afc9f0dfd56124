// The built-in tasks: what each split holds, and that every target is right.
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "engine/data/split.h"
#include "tests/catch.h"

using namespace seqgrad;

namespace {

Splits make(const std::string& task, TaskOptions options = {}) {
  REQUIRE(tasks().count(task) == 1);
  return tasks().at(task).make(options);
}

TaskOptions sizes(uint64_t seed, int64_t train, int64_t dev, int64_t test) {
  TaskOptions options;
  options.seed = seed;
  options.train = train;
  options.dev = dev;
  options.test = test;
  return options;
}

std::vector<int> integers(const std::string& text) {
  std::istringstream in(text);
  std::vector<int> out;
  for (int n; in >> n;) out.push_back(n);
  return out;
}

std::set<std::string> sources(const std::vector<Pair>& pairs) {
  std::set<std::string> out;
  for (const Pair& p : pairs) out.insert(p.source);
  return out;
}

std::vector<Pair> all(const Splits& splits) {
  std::vector<Pair> out = splits.train;
  for (const auto* part : {&splits.dev, &splits.test}) out.insert(out.end(), part->begin(), part->end());
  for (const auto& set : splits.reported) out.insert(out.end(), set.second.begin(), set.second.end());
  return out;
}

bool equal(const std::vector<Pair>& a, const std::vector<Pair>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Pair& x, const Pair& y) {
    return x.source == y.source && x.target == y.target && x.tags == y.tags;
  });
}

// Tasks whose splits a hash of the source decides; phrases has a rule of its own.
const std::vector<std::string> hashed{"copy", "reverse", "sort"};

}  // namespace

TEST_CASE("no source is ever in two splits, for every seed and size") {
  for (const std::string& name : hashed) {
    CAPTURE(name);
    std::set<std::string> train, dev, test;
    for (uint64_t seed : {1, 2, 77})
      for (int64_t size : {1, 10, 300}) {
        const Splits splits = make(name, sizes(seed, 4 * size, size, size));
        CHECK(splits.train.size() == static_cast<size_t>(4 * size));
        CHECK(splits.dev.size() == static_cast<size_t>(size));
        CHECK(splits.test.size() == static_cast<size_t>(size));
        CHECK(sources(splits.test).size() == splits.test.size());
        CHECK(sources(splits.dev).size() == splits.dev.size());
        for (const auto& s : sources(splits.train)) train.insert(s);
        for (const auto& s : sources(splits.dev)) dev.insert(s);
        for (const auto& s : sources(splits.test)) test.insert(s);
      }
    for (const std::string& s : test) {
      CHECK(train.count(s) == 0);
      CHECK(dev.count(s) == 0);
    }
    for (const std::string& s : dev) CHECK(train.count(s) == 0);
  }
}

TEST_CASE("splits are a function of the seed, and a smaller one is the beginning of a larger one") {
  for (const std::string& name : hashed) {
    CAPTURE(name);
    const Splits large = make(name, sizes(3, 200, 50, 60)), small = make(name, sizes(3, 20, 10, 60));
    CHECK(equal(all(large), all(make(name, sizes(3, 200, 50, 60)))));
    CHECK(!equal(large.test, make(name, sizes(4, 200, 50, 60)).test));
    CHECK(equal(large.test, small.test));
    CHECK(equal({large.train.begin(), large.train.begin() + 20}, small.train));
    CHECK(equal({large.dev.begin(), large.dev.begin() + 10}, small.dev));
  }
}

TEST_CASE("copy, reverse and sort rewrite lists of numbers") {
  const std::map<std::string, std::function<void(std::vector<int>&)>> rewrite{
      {"copy", [](std::vector<int>&) {}},
      {"reverse", [](std::vector<int>& x) { std::reverse(x.begin(), x.end()); }},
      {"sort", [](std::vector<int>& x) { std::sort(x.begin(), x.end()); }}};
  for (const auto& task : rewrite) {
    CAPTURE(task.first);
    CHECK(std::string(tasks().at(task.first).vocabulary) == "word");
    const Splits splits = make(task.first);
    CHECK(splits.train.size() == 50'000);
    CHECK(splits.dev.size() == 1'000);
    CHECK(splits.test.size() == 1'000);
    std::set<int> seen;
    std::set<size_t> lengths;
    for (const Pair& pair : all(splits)) {
      std::vector<int> numbers = integers(pair.source);
      seen.insert(numbers.begin(), numbers.end());
      task.second(numbers);
      if (integers(pair.target) != numbers) FAIL(pair.source << " -> " << pair.target);
    }
    CHECK(seen.size() == 50);
    CHECK(*seen.begin() == 0);
    CHECK(*seen.rbegin() == 49);
    for (const Pair& pair : splits.train) lengths.insert(integers(pair.source).size());
    CHECK(lengths.size() == 25);
    CHECK(*lengths.rbegin() == 25);
    for (const Pair& pair : splits.test) CHECK(integers(pair.source).size() >= 2);
    CHECK(splits.reported.size() == (task.first == "sort" ? 0 : 2));
    for (const auto& set : splits.reported) {
      CHECK(set.second.size() == 500);
      for (const Pair& pair : set.second) CHECK("length_" + std::to_string(integers(pair.source).size()) == set.first);
    }
  }
}
