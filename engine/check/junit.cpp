// Written by hand: five elements, and text escaped once.
#include "engine/check/junit.h"

#include "engine/core/utf8.h"

namespace seqgrad {
namespace {

// XML 1.0 has no place for most control bytes, nor for what is not UTF-8, not even escaped.
std::string escaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(std::string_view(text).substr(i));
    const auto byte = static_cast<unsigned char>(text[i]);
    if (length == 0 || (byte < 0x20 && text[i] != '\n') || byte == 0x7f)
      out += '?';
    else if (length > 1)
      out += text.substr(i, length);
    else
      out += text[i] == '&'    ? "&amp;"
             : text[i] == '<'  ? "&lt;"
             : text[i] == '>'  ? "&gt;"
             : text[i] == '"'  ? "&quot;"
             : text[i] == '\n' ? "&#10;"
                               : std::string(1, text[i]);
    i += std::max<size_t>(1, length);
  }
  return out;
}

}  // namespace

std::string junit_xml(const std::vector<CaseReport>& reports) {
  size_t failures = 0, errors = 0;
  double seconds = 0;
  std::string cases;
  for (const CaseReport& r : reports) {
    const size_t slash = r.path.find_last_of('/');
    const std::string name = slash == std::string::npos ? r.path : r.path.substr(slash + 1);
    const std::string folder = slash == std::string::npos ? "" : r.path.substr(0, slash);
    seconds += r.seconds;
    cases += fmt::format("  <testcase classname=\"{}\" name=\"{}\" time=\"{:.6f}\"", escaped(folder), escaped(name),
                         r.seconds);
    if (r.verdict == Verdict::as_expected) {
      cases += "/>\n";
      continue;
    }
    const bool error = r.verdict == Verdict::unreadable;
    ++(error ? errors : failures);
    const char* element = error ? "error" : "failure";
    cases += fmt::format(">\n    <{} message=\"{}\">{}</{}>\n  </testcase>\n", element, escaped(r.lines.at(0)),
                         escaped(fmt::format("{}", fmt::join(r.lines, "\n"))), element);
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"seqgrad check\" tests=\"{}\" "
      "failures=\"{}\" errors=\"{}\" time=\"{:.6f}\">\n{}</testsuite>\n</testsuites>\n",
      reports.size(), failures, errors, seconds, cases);
}

}  // namespace seqgrad
