// The parts of pages: hostile text stays text, charts and heat maps say what they were given, a run's report holds what
// the run did.
#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "engine/html/chart.h"
#include "engine/html/heat_map.h"
#include "engine/html/page.h"
#include "engine/text/escape.h"
#include "tests/support/catch.h"
#include "tests/support/event_reader.h"
#include "tests/support/markup.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
using namespace seqgrad::testing;

TEST_CASE("text in a page stays text") {
  CHECK(text_columns("Füße") == 4);
  CHECK(text_columns("犬の") == 4);
  const std::string all =
      page(hostile, heading(1, hostile) + paragraph(hostile) + table({hostile}, {{hostile, hostile}}) +
                        folded(hostile, preformatted(hostile)) +
                        line_chart({hostile, hostile, {{hostile, {{1, 2}, {2, 3}}}}}) +
                        heat_map({{hostile}, {hostile}, {0.5F}}, hostile));
  CHECK(count(all, "<script") == 0);
  CHECK(count(all, "<img") == 0);
  CHECK(count(all, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;") >= 12);
  check_markup(all);
}

TEST_CASE("a page asks the network for nothing") {
  const std::string html = page("t", paragraph("b"));
  CHECK(html.find("<!DOCTYPE html>\n") == 0);
  CHECK(has(html, "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\""));
  for (const char* part : {"http:", "https:", "//", "src=", "url(", "@import"}) {
    CAPTURE(part);
    CHECK_FALSE(has(html, part));
  }
}

TEST_CASE("ticks are round and enclose the range") {
  using V = std::vector<double>;
  CHECK((round_ticks(0, 10, 5) == V{0, 2, 4, 6, 8, 10}));
  CHECK((round_ticks(3, 97, 4) == V{0, 50, 100}));
  CHECK((round_ticks(-1, 1, 4) == V{-1, -0.5, 0, 0.5, 1}));
  for (const double x : {0.0, 3.0, -2e-9, 1e300, -7e12}) {
    const V t = round_ticks(x, x, 4);
    CAPTURE(x);
    CHECK((t.front() < x && t.back() > x && t.size() < 12));
  }
}

TEST_CASE("a logarithmic axis stands where values above 0 span a wide range") {
  using V = std::vector<double>;
  const auto near = [](const V& a, const V& b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) { return std::abs(x / y - 1) < 1e-12; });
  };
  CHECK(near(log_ticks(1, 100, 7), {1, 2, 5, 10, 20, 50, 100}));
  CHECK(near(log_ticks(3, 45, 7), {2, 5, 10, 20, 50}));
  CHECK(near(log_ticks(0.5, 9000, 7), {0.1, 1, 10, 100, 1000, 10000}));
  CHECK(near(log_ticks(1e-9, 1e9, 7), {1e-9, 1e-6, 1e-3, 1, 1e3, 1e6, 1e9}));
  for (const auto& [low, high] : {std::pair{1e-300, 1e300}, std::pair{0.07, 1.4}, std::pair{2.0, 2e4}}) {
    const V t = log_ticks(low, high, 7);
    CAPTURE(low, high);
    CHECK((t.front() <= low && t.back() >= high * (1 - 1e-12) && t.size() >= 2 && t.size() <= 8));
  }
  const Series wide{"train", {{0, 100}, {1, 10}, {2, 1}}}, narrow{"train", {{0, 10}, {1, 1}}},
      zero{"train", {{0, 100}, {1, 0}}};
  const std::string chart = line_chart({"loss", "step", {wide}, true});
  check_markup(chart);
  CHECK(has(chart, "logarithmic scale"));
  CHECK(has(chart, "M54.0 10.0L220.0 105.0L386.0 200.0"));  // a power of ten is as high as the next
  for (const Series& s : {narrow, zero}) CHECK_FALSE(has(line_chart({"loss", "step", {s}, true}), "logarithmic"));
  CHECK_FALSE(has(line_chart({"loss", "step", {wide}}), "logarithmic"));
}

TEST_CASE("a chart draws each series with gaps where a value is none, and legends tell the last") {
  Series loss{"train", {{10, 4.0}, {20, NAN}, {30, 2.0}, {40, INFINITY}, {50, 1.5}, {60, 1.25}}};
  const std::string one = line_chart({"loss /tok", "step", {loss, {"dev", {{30, 2.5}, {60, 1.75}}}}});
  CHECK(has(line_chart({"x", "step", {{}, loss}}), "<g class=\"s1\">"));
  check_markup(one);
  CHECK(count(one, "<g class=\"s0\">") == 1);
  CHECK(has(one, "</svg>train 1.25</span>"));
  CHECK(has(one, "</svg>dev 1.75</span>"));
  CHECK(has(one, "<title>train, 30: 2</title>"));
  const std::string path = one.substr(one.find("class=\"line\" d=\"") + 16, 200), line = path.substr(0, path.find('"'));
  CHECK(std::count(line.begin(), line.end(), 'M') == 3);  // three pieces
  CHECK(std::count(line.begin(), line.end(), 'L') == 1);
  for (const char* wrong : {"nan", "inf"}) CHECK_FALSE(has(one.substr(0, one.find("legend")), wrong));
  CHECK(has(line_chart({"x", "step", {{"train", {{1, NAN}}}}}), "no finite value"));
  CHECK(has(line_chart({"x", "step", {}}), "no finite value"));

  Series spike{"train", {}};
  for (int i = 0; i < 100000; ++i) spike.points.emplace_back(i, i == 54321 ? 9.0 : 1.0);
  const std::string many = line_chart({"loss", "step", {spike}});
  CHECK(many.size() < 20000);
  CHECK(has(many, " 10.0"));  // the spike reaches near the top: no point of a column is averaged away
}

TEST_CASE("a heat map has a cell a weight, and says what it leaves out") {
  const std::string small =
      heat_map({{"the", "dog", "</s>"}, {"der", "Hund"}, {0.9F, 0.1F, 0.004F, 0.996F, 0.5F, 0.5F}}, "x");
  check_markup(small);
  CHECK(count(small, "class=\"cell\"") == 5);  // less than half a per cent is paper
  CHECK(has(small, "<title>the - der: 90%</title>"));
  CHECK(has(small, "fill-opacity=\"0.90\""));
  CHECK(has(small, "&lt;/s&gt;</text>"));
  const std::string big = heat_map(
      {std::vector<std::string>(121, "r"), std::vector<std::string>(130, "c"), std::vector<float>(121 * 130, 0.5F)},
      "x");
  CHECK(count(big, "class=\"cell\"") == 120 * 120);
  CHECK(has(big, "the first 120 of 121 target words and 120 of 130 source words"));
  const std::string wide = heat_map({{"r"}, std::vector<std::string>(60, "word"), std::vector<float>(60, 0.5F)}, "x");
  CHECK(has(wide, "<svg class=\"map dense\" width=\"1"));
  CHECK(std::stod(wide.substr(wide.find("width=\"") + 7)) < 1248);  // 80 rem less the page's margins
  CHECK(error_of([] { heat_map({{"a"}, {"b"}, {}}, "x"); }) == "2 a heat map of 1 x 1 has 0 weights");
  CHECK(heat_map({{}, {}, {}}, "x").size() > 10);
}

TEST_CASE("a run's report holds its curves, samples, configuration and environment") {
  const Scratch dir;
  const std::string run = dir / "run";
  const std::string config = dir.write("tiny.yaml",
                                       "name: tiny\ndata: {task: copy, sizes: {train: 200, dev: 20, test: 20}}\n"
                                       "model: {embedding: 8, encoder: {hidden: 8}, decoder: {hidden: 16}}\nloss: "
                                       "{compare: [sentence_mean, tf1.losses.sum]}\n"
                                       "train: {steps: 12, batch: {size: 16}, log_every: 4, validate_every: 6}\n");
  REQUIRE(run_seqgrad(dir, "train " + config + " --max-steps 4 --run-dir " + run).code == 0);
  const std::string stopped = slurp(run + "/report.html");
  CHECK(has(stopped, "<p>Step 4 of 12</p>"));
  check_markup(stopped);
  const Result r = run_seqgrad(dir, "train --resume " + run);
  REQUIRE(r.code == 0);
  CHECK(r.out.find("test: 20 sentences") == 0);
  CHECK(has(r.err, "Try:   echo "));
  CHECK(has(r.err, "\nSee:   " + run + "/report.html\nLearn: "));
  const std::string report = slurp(run + "/report.html");
  check_markup(report);
  CHECK(has(report, "<h1>run</h1>"));
  CHECK(has(report, "<p>" + for_html(first_line(r.out)) + "</p>"));
  CHECK(has(report, "<p>Step 12 of 12</p>"));
  for (const char* name : {"loss /tok", "loss.sentence_mean /sent", "loss.tf1.losses.sum (sum)", "perplexity", "lr",
                           "grad_norm", "bleu"}) {
    CAPTURE(name);
    CHECK(count(report, "<h3>" + std::string(name) + "</h3>") == 1);
  }
  for (const char* side : {"train", "dev", "test"}) {  // what loss.compare reports, TensorBoard shows too
    std::set<std::string> tags;
    for (const ReadEvent& e : shown_events(run + "/tb/" + side))
      for (const auto& [tag, value] : e.values) tags.insert(tag);
    for (const char* tag : {"loss", "loss.sentence_mean", "loss.tf1.losses.sum"}) CHECK(tags.count(tag) == 1);
  }
  CHECK(has(report, "</svg>dev "));
  CHECK(has(report, "<td>train.log_every</td><td>4</td><td>50</td>"));
  CHECK(has(report, "<td>data train pairs</td><td>200</td>"));
  CHECK(count(report, "<th>translation</th>") == 3);
  for (const char* file : {"step-000000.txt", "step-000006.txt", "step-000012.txt"})
    CHECK(std::filesystem::exists(run + "/samples/" + file));

  // Text of the run that looks like markup, and a file that is none of ours.
  std::ofstream(run + "/samples/step-000006.txt")
      << "source     " << hostile << "\nreference  r\nmodel      " << hostile << "\n\n";
  std::ofstream(run + "/samples/step-6.txt") << "source     not ours\nreference  r\nmodel      m\n";
  REQUIRE(run_seqgrad(dir, "train --resume " + run).code == 0);
  const std::string again = slurp(run + "/report.html");
  check_markup(again);
  CHECK(count(again, "<script") == 0);
  CHECK(has(again, "&lt;script&gt;"));
  CHECK_FALSE(has(again, "not ours"));
}
