// Written by hand: five elements.
#include "engine/check/junit.h"

#include "engine/text/escape.h"

namespace seqgrad {

std::string junit_xml(const std::vector<CaseReport>& reports) {
  size_t failures = 0, errors = 0;
  double seconds = 0;
  std::string cases;
  for (const CaseReport& r : reports) {
    const size_t slash = r.path.find_last_of('/');
    const std::string name = slash == std::string::npos ? r.path : r.path.substr(slash + 1);
    const std::string folder = slash == std::string::npos ? "" : r.path.substr(0, slash);
    seconds += r.seconds;
    cases += fmt::format("  <testcase classname=\"{}\" name=\"{}\" time=\"{:.6f}\"", for_xml(folder), for_xml(name),
                         r.seconds);
    if (r.verdict == Verdict::as_expected) {
      cases += "/>\n";
      continue;
    }
    const bool error = r.verdict == Verdict::unreadable;
    ++(error ? errors : failures);
    const char* element = error ? "error" : "failure";
    cases += fmt::format(">\n    <{} message=\"{}\">{}</{}>\n  </testcase>\n", element, for_xml(r.lines.at(0)),
                         for_xml(fmt::format("{}", fmt::join(r.lines, "\n"))), element);
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"seqgrad check\" tests=\"{}\" "
      "failures=\"{}\" errors=\"{}\" time=\"{:.6f}\">\n{}</testsuite>\n</testsuites>\n",
      reports.size(), failures, errors, seconds, cases);
}

}  // namespace seqgrad
