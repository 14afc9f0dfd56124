// The built-in tasks: what each split holds, and that every target is right.
#include <algorithm>
#include <ctime>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "engine/core/error.h"
#include "engine/data/number_words.h"
#include "engine/data/split.h"
#include "tests/support/catch.h"

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

std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const InputError& e) {
    CHECK(std::string(e.what()).size() <= 400);
    return e.what();
  }
  return "";
}

std::vector<std::string> words(const std::string& text, const std::string& separators = " ") {
  std::vector<std::string> out(1);
  for (const char c : text)
    if (separators.find(c) == separators.npos)
      out.back() += c;
    else
      out.emplace_back();
  return out;
}

// Tasks whose splits a hash of the source decides; phrases has a rule of its own.
std::vector<std::string> hashed() {
  std::vector<std::string> names;
  for (const auto& task : tasks())
    if (task.first != "phrases") names.push_back(task.first);
  return names;
}

// The value of number words, read from the left; -1 where they are none.
int value_of(const std::string& text) {
  static const std::vector<std::string> ones = words(
      "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
      "eighteen nineteen");
  static const std::vector<std::string> tens = words("twenty thirty forty fifty sixty seventy eighty ninety");
  int total = 0, group = 0;
  for (const std::string& word : words(text, " -")) {
    const auto one = std::find(ones.begin(), ones.end(), word);
    const auto ten = std::find(tens.begin(), tens.end(), word);
    if (one != ones.end())
      group += static_cast<int>(one - ones.begin());
    else if (ten != tens.end())
      group += 10 * (2 + static_cast<int>(ten - tens.begin()));
    else if (word == "hundred")
      group *= 100;
    else if (word == "thousand")
      total += 1000 * std::exchange(group, 0);
    else
      return -1;
  }
  return total + group;
}

}  // namespace

TEST_CASE("no source is ever in two splits, for every seed and size") {
  for (const std::string& name : hashed()) {
    CAPTURE(name);
    std::set<std::string> train, dev, test;
    for (uint64_t seed : {1, 2, 77})
      for (int64_t size : {1, 10, 100, 350}) {
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
  for (const std::string& name : hashed()) {
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

TEST_CASE("every hashed task makes its own sizes and its splits by the rule") {
  CHECK(hashed().size() >= 9);
  for (const std::string& name : hashed()) {
    CAPTURE(name);
    const Splits splits = make(name);
    const SplitShares shares = name == "roman" ? SplitShares{70, 10} : SplitShares{};
    for (const Pair& pair : splits.dev) REQUIRE(part_of(pair.source, shares) == Part::dev);
    for (const Pair& pair : splits.test) REQUIRE(part_of(pair.source, shares) == Part::test);
    std::map<std::string, std::string> target;
    for (const Pair& pair : all(splits)) {
      const auto first = target.emplace(pair.source, pair.target);
      REQUIRE(first.second);
      REQUIRE(!pair.target.empty());
    }
  }
}

TEST_CASE("sizes that a task cannot give are refused") {
  CHECK(refusal([] {
          make("roman", sizes(1, 3'000, 0, 0));
        }).find("task roman: 3000 train pairs wanted, but there are only") == 0);
  const TaskText few{"few", 10, 10, 10, [](Random& random) {
                       return Pair{std::to_string(random.below(1000)), "x", {}};
                     }};
  CHECK(draw_splits(few, sizes(1, 100, 20, 90)).test.size() == 90);
  const std::string message = refusal([&] { draw_splits(few, sizes(1, 10, 10, 300)); });
  CHECK(message.find("task few: 300 test pairs wanted, but only 1") == 0);
  CHECK(message.find("lower data.sizes.test") != message.npos);
}

TEST_CASE("options that a task has no use for are refused") {
  for (const std::string& name : hashed()) {
    TaskOptions options = sizes(1, 1, 1, 1);
    options.direction = "de-en";
    CHECK(refusal([&] { make(name, options); }).find("task " + name + " has one direction") == 0);
    options.direction = "";
    options.lexicon = "words.tsv";
    CHECK(refusal([&] { make(name, options); }).find("task " + name + " reads no word table") == 0);
  }
}

TEST_CASE("number words read back as their number") {
  std::set<std::string> seen;
  for (int n = 0; n < 1'000'000; n += n < 10'000 ? 1 : 37) {
    const std::string text = number_words(n);
    if (value_of(text) != n || !seen.insert(text).second) FAIL(n << " is '" << text << "'");
  }
  CHECK(number_words(0) == "zero");
  CHECK(number_words(21) == "twenty-one");
  CHECK(number_words(100) == "one hundred");
  CHECK(number_words(40'014) == "forty thousand fourteen");
  CHECK(number_words(706'042) == "seven hundred six thousand forty-two");
  CHECK(number_words(999'999) == "nine hundred ninety-nine thousand nine hundred ninety-nine");
  for (const char* task : {"number_words", "words_number"}) {
    std::set<size_t> digits;
    for (const Pair& pair : all(make(task))) {
      const bool from_words = std::string(task) == "words_number";
      const std::string& number = from_words ? pair.target : pair.source;
      if (value_of(from_words ? pair.source : pair.target) != std::stoi(number))
        FAIL(pair.source << " -> " << pair.target);
      digits.insert(number.size());
    }
    CHECK(digits == std::set<size_t>{1, 2, 3, 4, 5, 6});
    for (const Pair& pair : make(task).test) CHECK(value_of(task[0] == 'w' ? pair.source : pair.target) >= 100);
  }
}

TEST_CASE("roman holds each number from 1 to 3,999 once, rightly written") {
  const std::regex form("M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})");
  const std::map<char, int> value{{'I', 1}, {'V', 5}, {'X', 10}, {'L', 50}, {'C', 100}, {'D', 500}, {'M', 1000}};
  const Splits splits = make("roman");
  std::set<int> seen;
  for (const Pair& pair : all(splits)) {
    int n = 0;
    for (size_t i = 0; i < pair.target.size(); ++i) {
      const int v = value.at(pair.target[i]);
      n += i + 1 < pair.target.size() && v < value.at(pair.target[i + 1]) ? -v : v;
    }
    CHECK(std::to_string(n) == pair.source);
    CHECK(std::regex_match(pair.target, form));
    seen.insert(n);
  }
  CHECK(seen.size() == 3'999);
  CHECK(*seen.begin() == 1);
  CHECK(*seen.rbegin() == 3'999);
  CHECK(std::abs(static_cast<int>(splits.train.size()) - 2'799) < 100);
}

TEST_CASE("addition adds") {
  std::set<size_t> lengths;
  for (const Pair& pair : all(make("addition"))) {
    const auto operands = words(pair.source, "+");
    REQUIRE(operands.size() == 2);
    const int a = std::stoi(operands[0]), b = std::stoi(operands[1]);
    CHECK((a <= 999 && b <= 999 && std::to_string(a) == operands[0] && std::to_string(b) == operands[1]));
    CHECK(std::to_string(a + b) == pair.target);
    lengths.insert(pair.source.size());
  }
  CHECK(lengths == std::set<size_t>{3, 4, 5, 6, 7});
}

TEST_CASE("a date fits one layout only and is the day that its target names") {
  const std::string day = "([1-9]|[12][0-9]|3[01])", two = "([0-3][0-9])", year = "((?:19|20)[0-9][0-9])";
  const std::string month = "(January|February|March|April|May|June|July|August|September|October|November|December)";
  const std::string mon = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
  const std::string upper = "(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)";
  const std::string weekday = "(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)", wkd = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
  struct Layout {
    std::regex form;
    int year, month, day;  // groups
    int seen = 0;
  };
  std::vector<Layout> layouts{{std::regex(year + "/([01][0-9])/" + two), 1, 2, 3},
                              {std::regex(day + "\\.([1-9]|1[0-2])\\." + year), 3, 2, 1},
                              {std::regex(day + " " + month + " " + year), 3, 2, 1},
                              {std::regex(month + " " + day + ", " + year), 3, 1, 2},
                              {std::regex(wkd + " " + day + " " + mon + " " + year), 3, 2, 1},
                              {std::regex(two + "-" + upper + "-" + year), 3, 2, 1},
                              {std::regex("the " + day + "(?:st|nd|rd|th) of " + month + " " + year), 3, 2, 1},
                              {std::regex(weekday + ", " + month + " " + day + ", " + year), 3, 1, 2}};
  const auto number_of_month = [](std::string text) {
    if (std::isdigit(static_cast<unsigned char>(text[0]))) return std::stoi(text);
    text = text.substr(0, 3);
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return static_cast<int>(std::string("janfebmaraprmayjunjulaugsepoctnovdec").find(text)) / 3 + 1;
  };
  const std::vector<std::string> weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  for (const Pair& pair : all(make("dates", sizes(1, 6'000, 500, 1'000)))) {
    int fitting = 0;
    for (Layout& layout : layouts) {
      std::smatch found;
      if (!std::regex_match(pair.source, found, layout.form)) continue;
      ++fitting;
      ++layout.seen;
      const int y = std::stoi(found[layout.year]), m = number_of_month(found[layout.month]),
                d = std::stoi(found[layout.day]);
      char iso[64];
      std::snprintf(iso, sizeof iso, "%04d-%02d-%02d", y, m, d);
      if (iso != pair.target) FAIL(pair.source << " -> " << pair.target);
      std::tm time{};
      time.tm_year = y - 1900;
      time.tm_mon = m - 1;
      time.tm_mday = d;
      const time_t seconds = timegm(&time);
      gmtime_r(&seconds, &time);
      CHECK(time.tm_mday == d);  // the day exists
      for (const std::string& name : weekdays)
        if (pair.source.substr(0, 3) == name) CHECK(weekdays[time.tm_wday] == name);
      if (pair.source.substr(0, 4) == "the ") {
        const std::string ending = pair.source.substr(pair.source.find(" of") - 2, 2);
        const bool teen = d >= 11 && d <= 13;
        CHECK(ending == (!teen && d % 10 == 1   ? "st"
                         : !teen && d % 10 == 2 ? "nd"
                         : !teen && d % 10 == 3 ? "rd"
                                                : "th"));
      }
    }
    CAPTURE(pair.source);
    CHECK(fitting == 1);
  }
  for (const Layout& layout : layouts) CHECK(layout.seen > 700);
}

TEST_CASE("pig latin moves what stands before the first vowel") {
  const std::regex consonants("^(y?(?:qu|[b-df-hj-np-tv-xz])*)(.*)$");
  const auto pig_latin = [&](const std::string& word) {
    std::smatch part;
    std::regex_match(word, part, consonants);
    return part[1].length() == 0 ? word + "way" : part[2].str() + part[1].str() + "ay";
  };
  const auto line = [&](const std::string& text) {
    std::string out;
    for (const std::string& word : words(text)) out += (out.empty() ? "" : " ") + pig_latin(word);
    return out;
  };
  REQUIRE(line("the air conditioning is working") == "ethay airway onditioningcay isway orkingway");
  REQUIRE(line("queen squid style my yellow apple rhythm") ==
          "eenquay idsquay ylestay ymay ellowyay appleway ythmrhay");
  std::set<size_t> counts;
  for (const Pair& pair : all(make("pig_latin"))) {
    if (line(pair.source) != pair.target) FAIL(pair.source << " -> " << pair.target);
    counts.insert(words(pair.source).size());
  }
  CHECK(counts == std::set<size_t>{1, 2, 3});
}
