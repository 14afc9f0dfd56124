// The registry of tokenisers and their files.
#include "engine/data/tokenizer.h"

#define XXH_INLINE_ALL
#include <fmt/ranges.h>
#include <xxhash.h>

#include "engine/core/error.h"
#include "engine/core/registry.h"
#include "engine/io/lines.h"

namespace seqgrad {

static std::map<std::string, TokenizerKind>& registry() {
  static std::map<std::string, TokenizerKind> all;
  return all;
}

const std::map<std::string, TokenizerKind>& tokenizer_kinds() { return registry(); }

bool register_tokenizer(const TokenizerKind& kind) { return register_once(registry(), "tokenizer", kind.name, kind); }

const TokenizerKind& tokenizer_kind(const std::string& name) {
  const auto found = registry().find(name);
  if (found != registry().end()) return found->second;
  std::vector<std::string> names;
  for (const auto& entry : registry()) names.push_back(entry.first);
  refuse("unknown vocabulary kind '{}' (one of {})", shown(name), fmt::join(names, ", "));
}

std::string Tokenizer::fingerprint() const {
  const std::string text = serialized();
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path) {
  return parse_tokenizer(read_lines(path), path);
}

std::shared_ptr<const Tokenizer> parse_tokenizer(std::span<const std::string> lines, const std::string& path) {
  constexpr std::string_view begin = "seqgrad-vocabulary 1 ";
  if (lines.empty() || lines[0].compare(0, begin.size(), begin) != 0)
    refuse("{}:1: expected '{}KIND', got '{}'; this is not a vocabulary file", shown_path(path), begin,
           lines.empty() ? "" : shown(lines[0]));
  const auto kind = registry().find(lines[0].substr(begin.size()));
  if (kind == registry().end())
    refuse("{}:1: unknown vocabulary kind '{}'", shown_path(path), shown(lines[0].substr(begin.size())));
  return kind->second.load(shown_path(path), lines);
}

}  // namespace seqgrad
