// Numbers of tokens, by the order in which they came first.
#include "engine/data/token_index.h"

#include <map>
#include <string>

#include "engine/core/random.h"
#include "tests/support/catch.h"

using namespace seqgrad;

TEST_CASE("an index numbers tokens as they come and finds each again, those of one hash too") {
  std::map<std::string, int32_t> wanted;
  TokenIndex index;
  CHECK(index.find("") == -1);
  Random random(3, 0);
  bool right = true;
  for (int i = 0; i < 400000; ++i) {  // of which some ten share the 32 bits of their hash
    const std::string text =
        random.below(4) ? std::to_string(random.below(100000000)) : std::string(random.below(9), 'a');
    const auto [at, is_new] = wanted.emplace(text, static_cast<int32_t>(wanted.size()));
    right = right && index.find(text) == (is_new ? -1 : at->second) && index.add(text) == at->second;
  }
  CHECK(right);
  REQUIRE(index.tokens().size() == wanted.size());
  for (const auto& [text, number] : wanted)
    right = right && index.find(text) == number && index.tokens()[static_cast<size_t>(number)] == text;
  CHECK(right);
  CHECK(index.find("b") == -1);
}
