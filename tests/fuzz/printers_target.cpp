// A text in the place of every name and value that is printed: what a terminal, a page, an XML file, YAML and JSON get
// of it is safe there and means the same.
#include "apps/command.h"
#include "engine/check/junit.h"
#include "engine/config/codec.h"
#include "engine/html/bar_chart.h"
#include "engine/html/chart.h"
#include "engine/html/heat_map.h"
#include "engine/html/page.h"
#include "engine/io/json_text.h"
#include "engine/io/terminal.h"
#include "engine/teach/course.h"
#include "engine/teach/explain_page.h"
#include "engine/text/escape.h"
#include "engine/text/utf8.h"
#include "tests/fuzz/markup_problem.h"
#include "tests/fuzz/targets.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <nlohmann/json.hpp>

using namespace seqgrad;

namespace {

void check_terminal(std::string_view text, bool one_line) {
  require(utf8_error(text) == text.size(), "a terminal gets UTF-8");
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    require((byte >= 0x20 && byte != 0x7F) || (byte == '\n' && !one_line), "a terminal gets no control byte");
    require(!(byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0), "a terminal gets no C1 control");
    require(!(byte == 0xE2 && text.substr(i, 2) == "\xE2\x80" && text.substr(i, 3) >= "\xE2\x80\xA8" &&
              text.substr(i, 3) <= "\xE2\x80\xAE"),
            "a terminal gets no character that reorders its line");
  }
}

void check_markup(const std::string& markup) {
  const std::string problem = markup_problem(markup);
  require(problem.empty(), problem.c_str());
}

void terminal(const std::string& text) {
  const std::string shown_text = for_terminal(text);
  check_terminal(shown_text, true);
  require(for_terminal(shown_text) == shown_text, "what is escaped stays the same");
  check_terminal(lines_for_terminal(text), false);
  check_terminal(shown(text), true);
  check_terminal(shown_path(text), true);
  require(utf8_characters(shown(text)) <= 61, "values are cut");
  check_terminal(message_for("error: " + text, -1), false);
  check_terminal(for_terminal(command_line({"train", "--resume", text})), true);
  for (const char c : for_url(text)) require(c > 0x20 && c < 0x7F, "an address is ASCII");
}

// A small batch with the text for every name.
Explanation explanation_of(const std::string& text) {
  static const Explanation plain = explain(
      make_case(
          parse_yaml("loss: {preset: torch.mean}\ntensors:\n  logits: [[[0.5, 1.5, -1]]]\n  targets: [[1]]\n", "c", ""),
          std::nullopt, "c"),
      {{"torch.mean"}, 24, false});
  Explanation e = plain;
  Subject& s = e.subject;
  s.source = s.title = s.about = s.question = s.predict = s.answer = s.repair = text;
  s.words = {text, text, text}, s.sources = {text};
  for (TokenView& t : e.tokens) t.text = t.refused = text;
  for (Mode& m : e.modes) m.name = m.who = text;
  Experiment x;
  x.id = x.title = x.question = x.predict = x.answer = text;
  x.mistakes = {{1, text}};
  x.tables = {{text, {text, text}, {{text, 1.0}}, ChartHint{"bar", 0, {1}, {}}}};
  e.experiments = {x};
  e.warnings = {text};
  e.error = text;
  return e;
}

void pages(const std::string& text) {
  check_markup(page(text, heading(1, text) + paragraph(text) + table({text}, {{text, text}}) +
                              folded(text, preformatted(text)) + line_chart({text, text, {{text, {{1, 2}, {2, 3}}}}}) +
                              bar_chart({text, {text}, {{text, {1}, {}}}}) + heat_map({{text}, {text}, {0.5F}}, text)));
}

void explanation_page(const std::string& text) {
  const std::string whole = explain_page(explanation_of(text));
  check_markup(whole);
  require(whole.find("</script", whole.find("<script")) == whole.find("</script>\n<script nonce="),
          "no text ends the page's data");
}

void explanation(const std::string& text) {
  const Explanation e = explanation_of(text);
  for (const bool ascii : {false, true}) require(nlohmann::json::accept(to_json(e, ascii)), "an explanation is JSON");
  check_terminal(lines_for_terminal(to_text(e) + lesson_text(e, false) + lesson_text(e, true)), false);
  check_terminal(to_json(e, true), true);
}

void files(const std::string& text) {
  CaseReport differs, unreadable;
  differs.path = text, differs.verdict = Verdict::differs, differs.lines = {text};
  unreadable.path = text + "/x", unreadable.verdict = Verdict::unreadable, unreadable.lines = {text};
  check_markup(junit_xml({differs, unreadable}));
  require(nlohmann::json::accept(json_text({{text, text}})), "JSON holds every name");
  if (utf8_error(text) != text.size() || text.find('\0') != std::string::npos) return;  // no text of a config
  const Node root = parse_yaml("key: " + Codec<std::string>::yaml(text) + "\n", "c", "");
  require(root.items.at(0).text == text, "YAML reads back as it was written");
}

}  // namespace

constexpr size_t most = 1024;  // bytes; nothing in here depends on more

// One of them, by a hash of the text: an explanation takes a hundred times as long as a line for the terminal.
void fuzz_printers(std::string_view input) {
  if (input.size() > most) return;
  const std::string text(input);
  const auto which = XXH3_64bits(text.data(), text.size()) % 64;
  if (which == 0) return explanation_page(text);
  if (which == 1) return explanation(text);
  which < 10 ? pages(text) : which < 22 ? files(text) : terminal(text);
}

void every_printer(std::string_view input) {
  if (input.size() > most) return;
  for (const auto print : {terminal, pages, explanation_page, explanation, files}) print(std::string(input));
}
