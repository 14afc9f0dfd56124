// What the values of options may be, and what is said of a command line that is wrong.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "engine/config/likely.h"

namespace seqgrad {

// For ->check(…): a whole number, written in digits, from `least` to `most`.
CLI::Validator whole(int64_t least, int64_t most = std::numeric_limits<int64_t>::max());
// A number from `least` to `most`.
CLI::Validator number(double least, double most);
// One of some words; `aliases` are other programs' words for them.
CLI::Validator one_of(std::vector<std::string> words, Aliases aliases = {});
// --device, as every command has it.
CLI::Option* add_device(CLI::App& app, std::string& device);

// No option or argument of `app` takes an empty value, which is what a shell makes of a variable that is not set. Call
// it when all are declared: what a value's own check says of it comes first.
void refuse_empty_values(CLI::App& app);
// Such a value after an equals sign ("--html=") as an argument of its own; the parser would take the next one for it.
std::vector<std::string> with_empty_values(const CLI::App& app, const std::vector<std::string>& arguments);

// The message for what `app` refused of `arguments` (the first is the program), without the parser's own words.
std::string usage_problem(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments);

}  // namespace seqgrad
