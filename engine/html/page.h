// The parts that every page is made of: one file each, no network, no script, light and dark, paper too.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace seqgrad {

// How many columns the text takes in a fixed-width font; a rough guess for scripts whose characters are wide.
int64_t text_columns(std::string_view text);

// What a page that answers edits has beside its body: more style, data, and a script that reads them.
struct PageScript {
  std::string_view style;
  std::string_view json;  // found by the script as the element "data"
  std::string_view code;  // JavaScript
};

// A whole document; `body` is HTML, `title` text. Its policy forbids the browser to load anything, and to run any
// script but the one given here.
std::string page(std::string_view title, std::string_view body, const PageScript& script = {});

std::string heading(int level, std::string_view text);
std::string paragraph(std::string_view text);
// Cells are text; without a header there is no header row. Wide tables scroll in their own frame.
std::string table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows);
std::string folded(std::string_view summary, std::string_view body);  // body is HTML, shown on a click and on paper
std::string preformatted(std::string_view text);

}  // namespace seqgrad
