// explain's page holds the explanation's own numbers, its text stays text, and nothing but its one script may run.
#include <test_paths.h>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/html/bar_chart.h"
#include "engine/html/chart.h"
#include "engine/html/page.h"
#include "engine/teach/explain_page.h"
#include "engine/teach/page_assets.h"
#include "engine/text/escape.h"
#include "tests/support/catch.h"
#include "tests/support/markup.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

const std::string padded = SEQGRAD_SOURCE_DIR "/tests/cases/tfa/flags_ttff_f64";

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const size_t begin = text.find(from);
  REQUIRE(begin != std::string::npos);
  const size_t end = text.find(to, begin + from.size());
  REQUIRE(end != std::string::npos);
  return text.substr(begin + from.size(), end - begin - from.size());
}

Experiment experiment(const std::string& text) {
  Experiment e;
  e.id = "x";
  e.title = e.question = e.predict = e.answer = text;
  e.prediction = 2.5;
  e.mistakes = {{1.25, text}};
  e.tables = {{text, {text, "y", "±"}, {{1.0, 2.0, 0.5}, {2.0, 3.0, 0.25}}, ChartHint{"line", 0, {1}, {2}}},
              {text,
               {"name", text, "±", "how"},
               {{text, 2.0, 0.5, "by hand"}, {text, NAN, 0.0, "by rote"}},
               ChartHint{"bar", 0, {1}, {2}}},
              {text, {text}, {{text}, {NAN}, {-0.0}}, {}}};
  e.numbers = {{text, 0.1}};
  return e;
}

}  // namespace

TEST_CASE("the page of an explanation holds its JSON, and every experiment with its answer folded") {
  Explanation e = explain(read_case(padded));
  e.experiments.push_back(experiment("plain"));
  e.experiments.back().answer = "the answer";
  const std::string html = explain_page(e);
  check_markup(html);
  const std::string json = between(html, "<script type=\"application/json\" id=\"data\">", "</script>");
  CHECK(nlohmann::json::parse(json) == nlohmann::json::parse(to_json(e)));
  for (const Experiment& x : e.experiments) {
    CAPTURE(x.id);
    const std::string section = between(html, "id=\"x-" + x.id + "\"", "</section>");
    CHECK(has(section, "data-experiment=\"" + x.id + "\""));
    const size_t fold = section.find("<details class=\"answer\">");
    REQUIRE(fold != std::string::npos);
    CHECK(section.find(for_html(x.answer)) > fold);
    CHECK(section.find(for_html(x.question)) < fold);
  }
  const std::string drawn = between(html, "id=\"x-x\"", "</section>");
  CHECK(count(drawn, "The numbers of this chart") == 2);  // a table behind every chart
  CHECK(count(drawn, "class=\"whisker\"") == 3);
  CHECK(has(drawn, ">plain, by hand</text>"));  // bars of the same name are told apart
  CHECK(has(drawn, ">plain, by rote</text>"));
  CHECK(has(drawn, "<td>NaN</td>"));
  CHECK(has(drawn, "<td>0</td>"));
  CHECK_FALSE(has(html, "id=\"later\""));
  for (const char* id : {"badge", "sum", "reset", "mask", "unmask", "ones", "code", "hide", "batch", "modes",
                         "gradient", "divisors", "data"})
    CHECK(count(html, "id=\"" + std::string(id) + "\"") == 1);
}

TEST_CASE("text of a case stays text in its page, in its markup and in its data") {
  Explanation e = explain(read_case(padded));
  Subject& s = e.subject;
  s.kind = "lesson";
  s.prediction = 0.25;
  s.title = s.about = s.question = s.predict = s.answer = s.repair = s.source = hostile;
  s.words.assign(static_cast<size_t>(e.batch.inputs.classes), "</script><script>alert(1)</script><!--");
  s.sources = {hostile};
  for (TokenView& t : e.tokens) t.text = "</script><!--";
  e.experiments = {experiment(hostile)};
  e.warnings = {hostile};
  const std::string html = explain_page(e);
  check_markup(html);
  CHECK(html.find("id=\"later\"") < html.find("id=\"modes\""));  // whose numbers are the answer
  CHECK(count(html, "<script") == 2);
  CHECK(count(html, "</script>") == 2);
  CHECK(count(html, "<!--") == 0);
  CHECK(count(html, "<img") == 0);
  const std::string json = between(html, "id=\"data\">", "</script>");
  CHECK(nlohmann::json::parse(json) == nlohmann::json::parse(to_json(e)));
  CHECK(nlohmann::json::parse(json)["lesson"]["prediction"] == 0.25);
}

TEST_CASE("a page may load nothing and run its own script only, and the script calls no network") {
  const Explanation e = explain(read_case(padded));
  const std::string html = explain_page(e);
  const std::string nonce = between(html, "script-src 'nonce-", "'");
  CHECK(nonce.size() == 16);
  CHECK(has(html, "default-src 'none'"));
  CHECK(has(html, "<script nonce=\"" + nonce + "\">"));
  for (const char* part :
       {"http:", "https:", "src=", "url(", "@import", "fetch(", "XMLHttpRequest", "innerHTML", "eval("}) {
    CAPTURE(part);
    CHECK_FALSE(has(html, part));
  }
  CHECK(has(html, std::string(page_script)));
  CHECK(has(html, std::string(page_style)));
  Explanation other = e;
  other.subject.about += "!";
  CHECK(between(explain_page(other), "script-src 'nonce-", "'") != nonce);
  CHECK_FALSE(has(page("t", "b"), "script"));
}

TEST_CASE("a bar chart draws each value from zero, with error bars and words for what is no number") {
  const std::string html = bar_chart({"loss", {"a", "b"}, {{"one", {2, -1}, {0.5, 0}}, {"two", {NAN, 4}, {}}}});
  check_markup(html);
  CHECK(count(html, "class=\"fill\"") == 6);  // two of them in the legend
  CHECK(count(html, "class=\"whisker\"") == 1);
  CHECK(has(html, ">NaN</text>"));
  CHECK(has(html, "x=\"68.0\" y=\"18.0\" width=\"128.0\""));  // 2 of the range [-1, 4] on 320 pixels
  CHECK(has(html, "x=\"4.0\" y=\"84.0\" width=\"64.0\""));    // -1 goes to the left
  CHECK(error_of([] {
          bar_chart({"x", {"a"}, {{"s", {1, 2}, {}}}});
        }) == "2 a bar chart of 1 labels has 2 values and 0 errors");
  check_markup(bar_chart({"none", {}, {}}));
}

TEST_CASE("a line chart's error bars are drawn, and are in its range") {
  const std::string html = line_chart({"loss", "parts", {{"error", {{1, 1.0}, {2, 9.0}, {3, 9.5}}, {0.5, 8.0, 0}}}});
  check_markup(html);
  CHECK(count(html, "class=\"whisker\"") == 2);
  CHECK(has(html, ">20</text>"));  // 9 + 8 is on the axis
}

TEST_CASE("explain --html writes a page, and says what is wrong with where it should go") {
  const Scratch dir;
  const Result r = run_seqgrad(dir, "explain " + padded + " --html " + (dir / "p.html"));
  CHECK(r.code == 0);
  check_markup(slurp(dir / "p.html"));
  const Result bad = run_seqgrad(dir, "explain " + padded + " --html " + (dir / "none/p.html"));
  CHECK(bad.code == 3);
  CHECK(has(first_line(bad.err), "error: "));
}
