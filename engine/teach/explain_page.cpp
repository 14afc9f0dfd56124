// The page's frame; tables that follow edits are filled by its script (engine/teach/page/*.js).
#include "engine/teach/explain_page.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#include "engine/html/bar_chart.h"
#include "engine/html/chart.h"
#include "engine/html/page.h"
#include "engine/teach/page_assets.h"
#include "engine/text/escape.h"

namespace seqgrad {
namespace {

std::string text_of(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  const double x = std::get<double>(cell);
  return std::isnan(x) ? "NaN" : std::isinf(x) ? (x > 0 ? "inf" : "-inf") : fmt::format("{:.6g}", x == 0 ? 0 : x);
}

double number_of(const Cell& cell) {
  return std::holds_alternative<double>(cell) ? std::get<double>(cell) : std::nan("");
}

// Paragraphs are parted by empty lines.
std::string paragraphs(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find("\n\n", at), text.size());
    if (end > at) out += paragraph(text.substr(at, end - at));
    at = end + 2;
  }
  return out;
}

// The x column's texts; where two rows have the same, with the texts of their other columns.
std::vector<std::string> labels_of(const DataTable& t) {
  std::vector<std::string> short_ones, long_ones;
  for (const auto& row : t.rows) {
    short_ones.push_back(text_of(row.at(t.chart->x)));
    long_ones.push_back(short_ones.back());
    for (size_t i = 0; i < row.size(); ++i)
      if (i != t.chart->x && std::holds_alternative<std::string>(row[i])) long_ones.back() += ", " + text_of(row[i]);
  }
  const bool unique = std::set<std::string>(short_ones.begin(), short_ones.end()).size() == short_ones.size();
  return unique ? short_ones : long_ones;
}

std::string chart_of(const DataTable& t) {
  const ChartHint& hint = *t.chart;
  const auto errors = [&](const std::vector<Cell>& row, size_t i) {
    return i < hint.error.size() ? number_of(row.at(hint.error[i])) : 0.0;
  };
  const std::string name = hint.x < t.columns.size() ? t.columns[hint.x] : "";
  if (hint.kind == "line") {
    Chart chart{t.title, name, {}};
    for (size_t i = 0; i < hint.y.size(); ++i) {
      Series s{t.columns.at(hint.y[i]), {}, {}};
      for (const auto& row : t.rows) {
        s.points.emplace_back(number_of(row.at(hint.x)), number_of(row.at(hint.y[i])));
        if (!hint.error.empty()) s.errors.push_back(errors(row, i));
      }
      chart.series.push_back(std::move(s));
    }
    return line_chart(chart);
  }
  BarChart chart{t.title, {}, {}};
  chart.labels = labels_of(t);
  for (size_t i = 0; i < hint.y.size(); ++i) {
    Bars bars{t.columns.at(hint.y[i]), {}, {}};
    for (const auto& row : t.rows) {
      bars.values.push_back(number_of(row.at(hint.y[i])));
      if (!hint.error.empty()) bars.errors.push_back(errors(row, i));
    }
    chart.series.push_back(std::move(bars));
  }
  return bar_chart(chart);
}

std::string table_of(const DataTable& t) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : t.rows) {
    rows.emplace_back();
    for (const Cell& cell : row) rows.back().push_back(text_of(cell));
  }
  const std::string numbers = table(t.columns, rows);
  if (t.chart) return chart_of(t) + folded("The numbers of this chart", numbers);
  return (t.title.empty() ? "" : heading(4, t.title)) + numbers;
}

// A question, a place for a guess, and the answer folded away.
std::string asked(const std::string& predict, const std::string& attribute, const std::string& answer) {
  return fmt::format(
      "<p><strong>Predict:</strong> {}</p>\n"
      "<div class=\"guess\" {}><label>your guess <input type=\"text\" inputmode=\"decimal\" "
      "autocomplete=\"off\"/></label>"
      "<button type=\"button\">Reveal</button><output></output></div>\n"
      "<details class=\"answer\"><summary>Answer</summary>\n{}</details>\n",
      for_html(predict), attribute, answer);
}

std::string experiment_html(const Experiment& e) {
  std::string answer;
  for (const DataTable& t : e.tables) answer += table_of(t);
  std::vector<std::vector<std::string>> numbers;
  for (const auto& [name, value] : e.numbers) numbers.push_back({name, text_of(value)});
  if (!numbers.empty()) answer += table({}, numbers);
  return fmt::format(
      "<section class=\"card\" id=\"x-{}\">\n{}{}{}</section>\n", for_html(e.id),
      heading(3, fmt::format("{}. {}", e.number, e.title)), paragraphs(e.question),
      asked(e.predict, fmt::format("data-experiment=\"{}\"", for_html(e.id)), answer + paragraphs(e.answer)));
}

std::string lesson(const Subject& s) {
  std::string answer = paragraphs(s.answer);
  if (!s.repair.empty()) answer += paragraph("What mends the file:") + preformatted(s.repair);
  return "<section class=\"card\" id=\"lesson\">\n" + heading(2, "The question") +
         fmt::format("<p class=\"question\">{}</p>\n", for_html(s.question)) +
         asked(s.predict, "data-lesson=\"1\"", answer) + "</section>\n";
}

std::string section(const char* id, const char* title, const std::string& body) {
  return fmt::format("<section id=\"{}\">\n{}{}</section>\n", id, heading(2, title), body);
}

const char* frame = "<div class=\"frame\"></div>\n";

const char* tools =
    "<div class=\"tools\"><button type=\"button\" id=\"reset\">Reset</button>"
    "<button type=\"button\" id=\"unmask\">Unmask all</button><button type=\"button\" id=\"mask\">Mask all</button>"
    "<button type=\"button\" id=\"ones\">All weights 1</button></div>\n";

std::string heat_key(const Explanation& e) {
  if (e.batch.row_loss)
    return paragraph(
        "What each loss pulls with: its weight over all that divides it. Cells that do not count are blank.");
  const bool all = static_cast<int64_t>(e.shown.size()) == e.batch.inputs.classes;
  return fmt::format(
      "<p>A step against the gradient raises the words in <span class=\"key down\"></span> (−) and lowers those in "
      "<span class=\"key up\"></span> (+); <span class=\"key target\"></span> is the target. Rows of cells that do not "
      "count are blank: their gradient is exactly 0. {}</p>\n",
      all ? "" : fmt::format("The {} words of {} with the largest gradients.", e.shown.size(), e.batch.inputs.classes));
}

}  // namespace

std::string explain_page(const Explanation& e) {
  const Subject& s = e.subject;
  std::string body = heading(1, s.title) + paragraphs(s.about);
  body += "<p id=\"badge\" role=\"status\">These tables need JavaScript; the answers below do not.</p>\n";
  if (!e.error.empty()) body += paragraph("The engine refuses this batch as it stands: " + e.error);
  if (!s.question.empty()) body += lesson(s);
  body += section("batch", "The batch",
                  paragraph("Press a token to mask it or let it count; change its weight below it. Arrow keys move "
                            "between cells. ℓ is the token's loss, the bar its share of the value.") +
                      tools + frame + "<p class=\"problem\" role=\"alert\"></p>\n<p id=\"sum\" role=\"status\"></p>\n" +
                      folded("Token by token, as a table", "<div class=\"frame tokens\"></div>\n"));
  std::string rest = section("modes", "The same batch in every mode",
                             paragraph("What each framework calls the loss. The chosen one is drawn above and below.") +
                                 frame + "<div id=\"code\"></div>\n");
  rest += section("gradient", "The gradient of the chosen mode", heat_key(e) + frame);
  rest += section("divisors", "What one may divide by", frame);
  if (!e.experiments.empty()) {
    std::string all;
    for (const Experiment& x : e.experiments) all += experiment_html(x);
    rest += section(
        "experiments", "Experiments with this batch",
        "<p class=\"screen\"><label><input type=\"checkbox\" id=\"hide\" checked=\"checked\"/> predict first, then "
        "reveal</label></p>\n<div class=\"experiments\">\n" +
            all + "</div>\n");
  }
  // The modes tell a lesson's answer.
  body += s.question.empty()
              ? rest
              : "<details id=\"later\"><summary>Every mode, the gradient and the experiments: after your "
                "guess</summary>\n" +
                    rest + "</details>\n";
  for (const std::string& w : e.warnings) body += paragraph("Warning: " + w);
  body += fmt::format("<p class=\"soft\">seqgrad {}, from {}; every number was computed in float64.</p>\n",
                      SEQGRAD_VERSION, for_html(s.source));
  const std::string json = to_json(e);
  return page(s.title, body, {page_style, json, page_script});
}

}  // namespace seqgrad
