// What a fuzzer feeds with bytes, and tests/fuzz/test_fuzz_corpus.cpp with the saved ones. A target returns when the
// input is accepted or refused as it should be; anything else (a broken property too) leaves by another exception or a
// signal.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

void fuzz_config(std::string_view input);        // a YAML file and, after NUL bytes, --set options
void fuzz_safetensors(std::string_view input);   // a file
void fuzz_text(std::string_view input);          // a vocabulary file, or lines of text
void fuzz_cases(std::string_view input);         // a loss case: YAML and, after a NUL byte, tensors
void fuzz_command_line(std::string_view input);  // arguments separated by line feeds
void fuzz_answers(std::string_view input);       // what a program under test sends
void fuzz_printers(std::string_view input);      // a text that a printer prints, one of them
void every_printer(std::string_view input);      // a text that all of them print

inline void require(bool holds, const char* property) {
  if (!holds) throw std::logic_error(std::string("broken property: ") + property);
}

// R3: the first line of a message is short and prints nothing raw.
inline void check_message(std::string_view message) {
  const std::string_view line = message.substr(0, message.find('\n'));
  require(line.size() <= 400, "a message's first line has at most 400 bytes");
  for (const char c : line) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "control bytes are escaped");
}
