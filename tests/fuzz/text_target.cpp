// Lines of text and vocabulary files: what is accepted survives encoding, decoding and writing.
#include "engine/core/error.h"
#include "engine/data/surface.h"
#include "engine/data/tokenizer.h"
#include "engine/io/lines.h"
#include "tests/fuzz/targets.h"
#include "tests/support/corpora.h"

using namespace seqgrad;

namespace {

void use(const Tokenizer& tokenizer, const std::vector<std::string>& lines) {
  const std::string text = tokenizer.serialized();
  const auto again = parse_tokenizer(lines_of(text, "v"), "v");
  require(again->fingerprint() == tokenizer.fingerprint(), "a vocabulary reads back as it was written");
  const Vocabulary& v = tokenizer.vocabulary();
  for (const std::string& line : lines) {
    std::vector<int32_t> units;
    const std::vector<int32_t> ids = tokenizer.encode(line, &units);
    require(units.size() == ids.size(), "an id has a unit");
    require(tokenizer.split(line).size() == ids.size(), "a token has an id");
    for (const int32_t id : ids) require(id >= unk_id && id < v.size(), "text gives no control id");
    const std::string decoded = tokenizer.decode(ids);
    const bool known = std::count(ids.begin(), ids.end(), +unk_id) == 0;
    if (known) require(tokenizer.encode(decoded) == ids, "decoded text encodes to the same ids");
    present(as_words(line, [&](std::string_view word) { return v.id(word) != unk_id; }));
    v.nearest(line.substr(0, 40));
  }
}

}  // namespace

void fuzz_text(std::string_view input) {
  if (input.size() > 4096) return;  // nothing in here depends on more
  try {
    const std::vector<std::string> lines = lines_of(input, "text");
    if (lines.empty()) return;
    if (lines[0].starts_with("seqgrad-vocabulary")) {
      const auto tokenizer = parse_tokenizer(lines, "source.vocab");
      use(*tokenizer, lines);
      std::string written;
      for (const std::string& line : lines) written += line + "\n";
      require(tokenizer->serialized() == written, "a vocabulary file has one spelling");
    } else {
      const std::vector<CountedText> texts = counted(lines);
      for (const char* kind : {"word", "char"})
        for (const bool lowercase : {false, true})
          use(*tokenizer_kind(kind).train(texts, {kind, 0, 1, lowercase}), lines);
      if (input.size() % 8 == 0) use(*tokenizer_kind("bpe").train(texts, {"bpe", 0, 1, false}), lines);  // slow
    }
  } catch (const InputError& e) {
    check_message(e.what());
  }
}
