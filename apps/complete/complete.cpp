// `seqgrad complete`: the scripts with which shells complete command lines, and the manual page.
#include <fmt/chrono.h>

#include <cstdlib>
#include <ctime>
#include <iostream>

#include "apps/command.h"
#include "apps/complete/candidates.h"
#include "apps/complete/man_page.h"
#include "engine/core/error.h"

namespace seqgrad {
namespace {

// Bash cuts words at '=', and then puts what is offered after the last one: what stands before it is taken off.
constexpr const char* bash = R"(_seqgrad() {
  local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} words
  read -ra words <<<"$line"
  [[ $line != *[[:space:]] ]] || words+=("")
  local typed=${words[-1]}
  mapfile -t COMPREPLY < <(printf '%s\n' "${words[@]}" | "$1" complete words 2>/dev/null)
  [[ $COMP_WORDBREAKS != *=* ]] || COMPREPLY=("${COMPREPLY[@]#"${typed%"${typed##*=}"}"}")
  [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}
complete -o default -F _seqgrad seqgrad
)";

constexpr const char* zsh = R"(#compdef seqgrad
_seqgrad() {
  local -a found
  found=("${(@f)$(print -rl -- "${(@)words[1,CURRENT]}" | "${(Q)words[1]}" complete words 2>/dev/null)}")
  if [[ -z ${found[1]} ]]; then
    _files
  else
    compadd -Q -S '' -- "${(@M)found:#*=}"
    compadd -Q -- "${(@)found:#*=}"
  fi
}
if [[ ${funcstack[1]} == _seqgrad ]]; then _seqgrad; else compdef _seqgrad seqgrad; fi
)";

constexpr const char* fish = R"(function __seqgrad
  set -l words (commandline -opc) (commandline -ct)
  printf '%s\n' $words | $words[1] complete words 2>/dev/null
end
complete -c seqgrad -a '(__seqgrad)'
)";

// As a package's build fixes it, or today.
std::string date() {
  const char* fixed = std::getenv("SOURCE_DATE_EPOCH");
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(fixed ? std::time_t{std::atoll(fixed)} : std::time(nullptr)));
}

std::string candidates_for_input() {
  std::vector<std::string> words;
  for (std::string line; std::getline(std::cin, line);) words.push_back(line);
  std::string out;
  for (const std::string& c : candidates(words)) out += c + "\n";
  return out;
}

int complete(const std::string& what) {
  if (what == "words")
    fmt::print("{}", candidates_for_input());
  else
    fmt::print("{}", what == "man" ? man_page(date()) : what == "bash" ? bash : what == "zsh" ? zsh : fish);
  return 0;
}

std::function<int()> declare(OptionSet app) {
  auto what = std::make_shared<std::string>();
  app.add_option(
         "what", *what,
         "A shell, whose script is printed; man: the manual page; words: what the last word of a command line may "
         "be, which standard input has, a word a line")
      .type_name("bash|zsh|fish|man|words")
      .required()
      .check(one_of({"bash", "zsh", "fish", "man", "words"}));
  return [what] { return complete(*what); };
}

const bool registered = register_command({"complete",
                                          "Print what completes command lines in a shell, or the manual page",
                                          "source <(seqgrad complete bash)",
                                          declare,
                                          {"completion", "completions", "man"}});

}  // namespace
}  // namespace seqgrad
