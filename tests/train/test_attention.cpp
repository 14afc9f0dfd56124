// Attention pages: a map a sentence, hostile words as text, and what is refused before any work.
#include <test_paths.h>
#include <algorithm>

#include "engine/train/attention.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

std::string train(const Scratch& dir, const std::string& name, const std::string& attention) {
  const Result r = run_seqgrad(
      dir, "train " SEQGRAD_SOURCE_DIR
           "/configs/copy.yaml -q --set 'data.sizes={train: 200, dev: 20, test: 20}' "
           "--set model.embedding=8 --set model.encoder.hidden=8 --set model.decoder.hidden=16 --set train.epochs=null "
           "--set train.steps=4 --set decode.max_ratio=1.0 --set decode.max_extra=2 --set model.attention=" +
               attention + " --run-dir " + (dir / name));
  CAPTURE(r.err);
  REQUIRE(r.code == 0);
  return dir / name;
}

}  // namespace

TEST_CASE("the attention page has a map for each sentence, whose rows sum to 100 per cent") {
  const Scratch dir;
  for (const char* kind : {"dot", "general", "additive"}) {
    CAPTURE(kind);
    const std::string run = train(dir, kind, kind), page = dir / "page.html",
                      input = "1 2 3\n\n<script>alert('x')</script> & \"5\"\n7\n";
    const Result plain = run_seqgrad(dir, "translate " + run, input);
    const Result r = run_seqgrad(dir, "translate " + run + " --attention " + page, input);
    CHECK(r.code == 0);
    CHECK(r.out == plain.out);
    const std::string html = slurp(page);
    CHECK(count(html, "<svg class=\"map\"") == 3);
    CHECK(has(html, "<h2>1. 1 2 3</h2>"));
    CHECK(has(html, "<h2>4. 7</h2>"));
    CHECK_FALSE(has(html, "<script"));
    CHECK(has(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
    // The only source word of the last sentence has all the weight of every row.
    const std::string last = html.substr(html.find("<h2>4. 7</h2>"));
    CHECK(count(last, "fill-opacity=\"1.00\"") == count(last, "class=\"cell\""));
    CHECK(count(last, "class=\"cell\"") >= 1);
    const Result wide = run_seqgrad(dir, "translate " + run + " --beam 4 --nbest 2 --attention " + page, input);
    CHECK(wide.code == 0);
    CHECK(count(slurp(page), "<svg class=\"map\"") == 3);
    const std::string report = slurp(run + "/report.html");
    CHECK(count(report, "<svg class=\"map\"") == 3);
    CHECK(has(report, "<h2>Attention</h2>"));
  }
}

TEST_CASE("a long text's page says that it shows a part, an empty one's that there was nothing") {
  const Scratch dir;
  const std::string run = train(dir, "run", "general"), page = dir / "page.html";
  std::string input;
  for (int i = 0; i < 203; ++i) input += "1 2\n";
  REQUIRE(run_seqgrad(dir, "translate " + run + " --attention " + page, input).code == 0);
  CHECK(count(slurp(page), "<svg class=\"map\"") == 200);
  CHECK(has(slurp(page), "The first 200 of 203 sentences."));
  REQUIRE(run_seqgrad(dir, "translate " + run + " --attention " + page, "\n").code == 0);
  CHECK(has(slurp(page), "There was nothing to translate."));
}

TEST_CASE("an attention page that cannot be is refused before any work") {
  const Scratch dir;
  const std::string run = train(dir, "none", "none");
  const Result none = run_seqgrad(dir, "translate " + run + " --attention " + (dir / "page.html"), "1 2\n");
  CHECK(none.code == 2);
  CHECK(none.out.empty());
  CHECK(first_line(none.err) ==
        "error: translate: --attention: this model looks at nothing; it was trained with model.attention: none");
  CHECK_FALSE(std::filesystem::exists(dir / "page.html"));
  CHECK_FALSE(has(slurp(run + "/report.html"), "<svg class=\"map\""));
  const std::string other = train(dir, "run", "general");
  for (const std::string& path : {dir / "nowhere/page.html", dir.path.string()}) {
    const Result r = run_seqgrad(dir, "translate " + other + " --attention " + path, "1 2\n");
    CAPTURE(r.err);
    CHECK(r.code == 3);
    CHECK(r.out.empty());
    CHECK(first_line(r.err).find("error: " + path + ": cannot ") == 0);
  }
}
