#include "apps/complete/man_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/command.h"

namespace seqgrad {

// As roff prints it: a hyphen that was meant may be copied to a shell, and a dot that begins a line is no request.
static std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    if (c == '-' || c == '\\') out += '\\';
    out += c == '\\' ? 'e' : c;
  }
  return out;
}

static std::string options_text(const Command& command) {
  std::string out;
  for (const OptionText& o : options_of(command)) {
    const std::string name = fmt::format("{}", fmt::join(o.names, ", "));
    out += fmt::format(".TP\n{}{}{}\n{}\n", name.empty() ? "" : "\\fB" + roff(name) + "\\fR",
                       name.empty() || o.type.empty() ? "" : " ", o.type.empty() ? "" : "\\fI" + roff(o.type) + "\\fR",
                       roff(o.doc));
  }
  return out;
}

std::string man_page(const std::string& date) {
  std::string out = fmt::format(
      ".TH SEQGRAD 1 {0} \"seqgrad {1}\" \"User Commands\"\n.SH NAME\nseqgrad \\- {2}\n"
      ".SH SYNOPSIS\n\\fBseqgrad\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
      ".SH DESCRIPTION\n{3}\nEach command tells its options with \\fB\\-\\-help\\fR.\n.SH COMMANDS\n",
      date, SEQGRAD_VERSION, "loss of sequences: train, teach and test", roff(what_seqgrad_does));
  for (const auto& [name, command] : commands())
    out += fmt::format(".SS {}\n{}.\n{}.PP\nExample:\n.PP\n.nf\n.RS\n{}\n.RE\n.fi\n", roff(name), roff(command.doc),
                       options_text(command), roff(command.example));
  return out +
         ".SH EXIT STATUS\n"
         ".TP\n0\nDone; all that was asked holds.\n"
         ".TP\n1\nSomething that was checked does not hold.\n"
         ".TP\n2\nWhat a person can mend: a command line, a config, an input. The message says what to write.\n"
         ".TP\n3\nWhat the machine refused: a disk, memory, a device, a program that was started.\n";
}

}  // namespace seqgrad
