// Every line of a text is translated and scored: what evaluate says is what the metrics say of translate's output.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/metrics/bleu.h"
#include "engine/metrics/chrf.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace fs = std::filesystem;
using namespace seqgrad;
using Json = nlohmann::json;

namespace {

using Lines = std::vector<std::string>;
using Documents = std::vector<Lines>;

Lines lines_of(const std::string& text) {
  Lines out;
  std::stringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::string joined(const Lines& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

struct Text {
  Lines source, target;
};

// "das alte Haus sieht das Kind ." and its translation, in an order that mixes all of them.
Text sentences(size_t first, size_t count) {
  const Lines adjectives = {"alte", "kleine", "gute", "rote"}, old = {"old", "small", "good", "red"};
  const Lines nouns = {"Haus", "Kind", "Buch", "Tier", "Bild"},
              things = {"house", "child", "book", "animal", "picture"};
  const Lines verbs = {"sieht", "sucht", "kennt"}, acts = {"sees", "seeks", "knows"};
  Text t;
  for (size_t i = first; i < first + count; ++i) {
    const size_t k = i * 157 % 300, a = k % 4, n = k / 4 % 5, v = k / 20 % 3, m = k / 60;
    t.source.push_back("das " + adjectives[a] + " " + nouns[n] + " " + verbs[v] + " das " + nouns[m] + " .");
    t.target.push_back("the " + old[a] + " " + things[n] + " " + acts[v] + " the " + things[m] + " .");
  }
  return t;
}

// One run for all tests: a word model of these sentences, trained until it is right about some.
struct Trained {
  Scratch dir;
  std::string run = dir / "run";

  Trained() {
    write("train", sentences(0, 200));
    Text dev = sentences(200, 20);
    dev.source[3] = " ", dev.target[5] = "";
    write("dev", dev);
    const Result r = train("--run-dir " + run);
    INFO(r.err);
    REQUIRE(r.code == 0);
  }
  void write(const std::string& name, const Text& text) const {
    dir.write(name + ".de", joined(text.source));
    dir.write(name + ".en", joined(text.target));
  }
  Result train(const std::string& more) const {
    dir.write("c.yaml",
              "data: {train: {src: train.de, trg: train.en}, dev: {src: dev.de, trg: dev.en}}\n"
              "model: {embedding: 16, encoder: {hidden: 16}, decoder: {hidden: 24}}\n"
              "train: {steps: 150, batch: {size: 16}, validate_every: 50}\noptim: {lr: 0.02}\nthreads: 1\n");
    return run_seqgrad(dir, "train " + (dir / "c.yaml") + " " + more);
  }
  Json evaluate(const std::string& flags) const {
    const Result r = run_seqgrad(dir, "evaluate " + run + " --json " + flags);
    INFO(r.err);
    REQUIRE(r.code == 0);
    return Json::parse(r.out);
  }
  Lines translate(const std::string& flags, const Lines& source) const {
    const Result r = run_seqgrad(dir, "translate " + run + " -q " + flags, joined(source));
    INFO(r.err);
    REQUIRE(r.code == 0);
    const Lines out = lines_of(r.out);
    REQUIRE(out.size() == source.size());
    return out;
  }
};

const Trained& trained() {
  static const Trained one;
  return one;
}

// A sentence in the ways in which people type it.
Lines typed(const Lines& source) {
  Lines out;
  for (size_t i = 0; i < source.size(); ++i) {
    std::string s = source[i];
    if (s.find_first_not_of(" \t") == s.npos) {
      out.push_back(s);
      continue;
    }
    if (i % 2 == 0) s = s.substr(0, s.size() - 2) + ".";  // attached
    if (i % 3 == 0) s[0] = 'D';
    if (i % 5 == 0) s = "  " + s.replace(s.find(' '), 1, " \t ") + " ";
    out.push_back(s);
  }
  return out;
}

void check_scores(const Json& e, const Lines& hypotheses, const Documents& references,
                  const BleuOptions& options = {}) {
  CHECK(e.at("sentences") == hypotheses.size());
  CHECK(std::abs(e.at("bleu").get<double>() - corpus_bleu(hypotheses, references, options).score) <= 1e-9);
  CHECK(std::abs(e.at("chrf").get<double>() - corpus_chrf(hypotheses, references, {options.lowercase})) <= 1e-9);
  CHECK(e.at("bleu_signature") == bleu_signature(options, references.size()));
  CHECK(e.at("chrf_signature") == chrf_signature({options.lowercase}, references.size()));
}

std::string given(const Trained& t, const Lines& source, const Documents& references) {
  std::string flags = "--src " + t.dir.write("given.de", joined(source));
  for (size_t i = 0; i < references.size(); ++i)
    flags += " --ref " + t.dir.write("given" + std::to_string(i), joined(references[i]));
  return flags;
}

}  // namespace

TEST_CASE("evaluate scores translate --raw's output, blank lines included, however a line is typed") {
  const Trained& t = trained();
  Text text = sentences(220, 30);
  text.source[0] = "", text.source[7] = " \t", text.target[9] = "", text.source[11] = text.target[11] = "";
  const Json plain = t.evaluate(given(t, text.source, {text.target}));
  CHECK(plain.at("blank") == 4);
  CHECK(plain.at("tokens") == 26 * 8);
  CHECK(plain.at("bleu").get<double>() > 10);
  const Lines raw = t.translate("--raw", text.source);
  CHECK(raw[0].empty());
  CHECK(raw[7].empty());
  CHECK_FALSE(raw[9].empty());
  check_scores(plain, raw, {text.target});
  int64_t exact = 0;
  for (size_t i = 0; i < raw.size(); ++i) exact += raw[i] == text.target[i];
  CHECK(exact > 0);
  CHECK(plain.at("sequence_accuracy").get<double>() == static_cast<double>(exact) / 30);

  const Lines odd = typed(text.source);
  REQUIRE(odd != text.source);
  CHECK(t.translate("--raw", odd) == raw);
  Json of_odd = t.evaluate(given(t, odd, {text.target}));
  CHECK(of_odd == plain);
  // The loss is that of the lines with words.
  Text words;
  for (size_t i = 0; i < raw.size(); ++i)
    if (i != 0 && i != 7 && i != 9 && i != 11)
      words.source.push_back(text.source[i]), words.target.push_back(text.target[i]);
  const Json whole = t.evaluate(given(t, words.source, {words.target}));
  CHECK(whole.at("blank") == 0);
  for (const char* key : {"loss", "perplexity", "token_accuracy", "tokens"}) CHECK(whole.at(key) == plain.at(key));
  const Result said = run_seqgrad(t.dir, "evaluate " + t.run + " " + given(t, text.source, {text.target}));
  CHECK(has(said.out, "30 sentences, 208 tokens; checkpoint best (step-000"));
  CHECK(has(said.out, "4 of them without words on a side: in the scores, not in loss, perplexity and token accuracy"));
  CHECK(has(said.out, " (nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0)\nchrF2 "));
  CHECK(has(said.out, " (nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0)\n"));
}

TEST_CASE("the dev split is scored line by line as well, and read as translate reads it") {
  const Trained& t = trained();
  const Lines source = lines_of(slurp(t.dir / "dev.de")), reference = lines_of(slurp(t.dir / "dev.en"));
  const Json e = t.evaluate("--split dev");
  CHECK(e.at("blank") == 2);
  check_scores(e, t.translate("--raw", source), {reference});
  CHECK(has(slurp(t.run + "/metrics.jsonl"), "\"chrf\""));
  t.dir.write("dev.de", joined(typed(source)));
  const Json of_typed = t.evaluate("--split dev");
  t.dir.write("dev.de", joined(source));
  CHECK(of_typed == e);
}

TEST_CASE("translate prints sentences as people write them, on every line, and words with --raw") {
  const Trained& t = trained();
  const Text text = sentences(230, 6);
  const Lines raw = t.translate("--raw", text.source), shown = t.translate("", text.source);
  for (size_t i = 0; i < raw.size(); ++i) {
    CAPTURE(raw[i], shown[i]);
    CHECK(raw[i].substr(0, 4) == "the ");
    CHECK(raw[i].ends_with(" ."));
    CHECK(shown[i] == "The " + raw[i].substr(4, raw[i].size() - 6) + ".");
  }
  CHECK(t.translate("", typed(text.source)) == shown);
  CHECK(run_seqgrad(t.dir, "translate " + t.run + " --raw", text.source[0] + "\n").out == raw[0] + "\n");
}

TEST_CASE("evaluate takes sacreBLEU's options and several references") {
  const Trained& t = trained();
  const Text text = sentences(220, 20);
  Lines other = text.target, capitals = text.target;
  std::reverse(other.begin(), other.end());
  for (std::string& line : capitals)
    for (char& c : line) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const Lines raw = t.translate("--raw", text.source);
  const std::string one = given(t, text.source, {capitals});
  check_scores(t.evaluate(one), raw, {capitals});
  check_scores(t.evaluate(one + " --lowercase"), raw, {capitals}, {{}, true});
  CHECK(t.evaluate(one + " --lowercase").at("bleu").get<double>() > t.evaluate(one).at("bleu").get<double>() + 5);
  for (const std::string& name : bleu_token_names())
    check_scores(t.evaluate(given(t, text.source, {text.target}) + " --tokenize " + name), raw, {text.target},
                 {bleu_tokens(name), false});
  const std::string both = given(t, text.source, {other, text.target});
  check_scores(t.evaluate(both), raw, {other, text.target});
  CHECK(t.evaluate(both).at("sequence_accuracy") ==
        t.evaluate(given(t, text.source, {text.target})).at("sequence_accuracy"));
  check_scores(t.evaluate(given(t, text.source, {text.target}) + " --set report.bleu.tokenize=char"), raw,
               {text.target}, {BleuTokens::character, false});
  const auto refused = [&](const std::string& flags) {
    const Result r = run_seqgrad(t.dir, "evaluate " + t.run + " " + flags);
    CHECK(r.code == 2);
    return first_line(r.err);
  };
  CHECK(has(refused("--tokenize ja"), "--tokenize: expected 13a or none or char or zh, got 'ja'"));
  t.dir.write("short.en", "a\n");
  CHECK(has(refused(given(t, text.source, {text.target}) + " --ref " + (t.dir / "short.en")),
            "short.en has 1 line but "));
  CHECK(has(refused("--src " + (t.dir / "given.de")), "--src and --ref go together"));
}

TEST_CASE("what keeps a score or a loss from being what a reader takes it for is told") {
  const Scratch dir;
  const std::string decomposed = "cafe\u0301 u\u0308ber sen\u0303or tu\u0308r";
  dir.write("train.tsv", "a b\t" + decomposed + "\t2\nb a\tx y z w\t1\n");
  dir.write("dev.tsv", "a b\t" + decomposed + "\t1\nb a\tx y z w\t1\n");
  const std::string config = dir.write("c.yaml",
                                       "data: {train: {tsv: train.tsv}, dev: {tsv: dev.tsv}}\nmodel: {embedding: 4, "
                                       "encoder: {hidden: 4}, decoder: {hidden: "
                                       "4}}\nloss: {weights: {example: true}}\ntrain: {steps: 1}\n");
  const std::string form =
      "dev: 1 of 2 references are not in the Unicode form that the model writes (data.normalize: nfc)";
  CHECK(has(run_seqgrad(dir, "train " + config + " --run-dir " + (dir / "run")).err, form));
  CHECK(has(run_seqgrad(dir, "evaluate " + (dir / "run") + " --split dev").err, form));
  CHECK(has(run_seqgrad(dir, "evaluate " + (dir / "run") + " --split train").err,
            "train: its weights and masks are left out"));
  dir.write("source", "a b\n"), dir.write("reference", decomposed + "\n");
  CHECK(
      has(run_seqgrad(dir, "evaluate " + (dir / "run") + " --src " + (dir / "source") + " --ref " + (dir / "reference"))
              .err,
          "1 of 1 references are not in the Unicode form"));
  CHECK_FALSE(has(run_seqgrad(dir, "evaluate " + (dir / "run") + " --split dev -q").err, "Unicode form"));
}

TEST_CASE("where no reference has four tokens BLEU is not a number") {
  const Trained& t = trained();
  const Text text = sentences(220, 4);
  const std::string flags = given(t, text.source, {{"the old house", "a b c", "x", ""}});
  CHECK(t.evaluate(flags).at("bleu").is_null());
  CHECK(t.evaluate(flags).at("chrf").is_number());
  CHECK(has(run_seqgrad(t.dir, "evaluate " + t.run + " " + flags).out,
            "BLEU n/a (no reference has four tokens; see chrF2)\nchrF2 "));
  CHECK(t.evaluate(flags + " --tokenize char").at("bleu").is_number());
  CHECK(run_seqgrad(t.dir, "evaluate " + t.run + " --tokenize char --lowercase " + flags).code == 0);
}

TEST_CASE("lines that are refused stop translate, or are answered with empty ones") {
  const Trained& t = trained();
  const std::string good = "das alte Haus sieht das Kind .";
  const std::string answer = t.translate("", {good})[0];
  std::string many;
  for (int i = 0; i < 2500; ++i) many += "Haus ";
  const std::string input =
      good + "\n\xff\xfe\n" + good + "\n" + std::string(size_t{3} << 20, 'x') + "\n" + many + "\n" + good;
  const Result stopped = run_seqgrad(t.dir, "translate " + t.run, input);
  CHECK(stopped.code == 2);
  CHECK(stopped.out == answer + "\n");
  CHECK(first_line(stopped.err) == "error: line 2: byte 1 is not UTF-8; --skip-bad answers such lines with empty ones");
  const Result skipped = run_seqgrad(t.dir, "translate " + t.run + " --skip-bad", input);
  CHECK(skipped.code == 1);
  CHECK(lines_of(skipped.out) == Lines{answer, "", answer, "", "", answer});
  for (const char* part : {"line 2: byte 1 is not UTF-8: skipped, its translation is empty\n",
                           "line 4: more than the 1048576 bytes that are translated: skipped",
                           "line 5: 2500 tokens; at most 2000 are translated: skipped", "\n3 lines were skipped\n"})
    CHECK(has(skipped.err, part));
  const Result list = run_seqgrad(t.dir, "translate " + t.run + " --skip-bad --nbest 1", input);
  CHECK(lines_of(list.out)[1] == "1 ||| ");
  CHECK(run_seqgrad(t.dir, "translate " + t.run + " --skip-bad", good).code == 0);
}

TEST_CASE("an n-best list of a model of pieces holds no text twice") {
  const Trained& t = trained();
  std::string tsv;
  for (const char* line : {"ab ba abab", "ba ab", "abba ab", "baba", "ab abab ba", "abab"})
    tsv += std::string(line) + "\t" + line + "\n";
  const std::string file = t.dir.write("pieces.tsv", tsv);
  t.dir.write("p.yaml",
              "data: {train: {tsv: pieces.tsv}, dev: {tsv: pieces.tsv}, vocabulary: {kind: bpe, size: 12}}\n"
              "model: {embedding: 4, encoder: {hidden: 4}, decoder: {hidden: 4}}\n"
              "train: {steps: 1, batch: {size: 2}}\ndecode: {max_ratio: 1.0, max_extra: 2}\n");
  const Result trained_once = run_seqgrad(t.dir, "train " + (t.dir / "p.yaml") + " -q --run-dir " + (t.dir / "pieces"));
  INFO(trained_once.err);
  REQUIRE(trained_once.code == 0);
  const auto out = [&](const std::string& flags) {
    return lines_of(run_seqgrad(t.dir, "translate " + (t.dir / "pieces") + flags, "ab ba\n").out);
  };
  const Lines list = out(" --beam 30 --nbest 30");
  CHECK(list.size() > 3);
  CHECK(list.size() < 30);  // the beam held some texts in several segmentations
  for (size_t i = 0; i < list.size(); ++i) CHECK(std::count(list.begin(), list.end(), list[i]) == 1);
  CHECK(out(" --beam 30") == Lines{list[0].substr(6)});
  CHECK(out(" --beam 30 --nbest 3") == Lines(list.begin(), list.begin() + 3));
}

TEST_CASE("text that is in pieces already is no text for a vocabulary of pieces") {
  const Trained& t = trained();
  const std::string pieces = t.dir.write("cut.tsv", "\u2581ein \u2581Hu nd\t\u2581a \u2581do g\n");
  const Result r = t.train("--run-dir " + (t.dir / "cut") + " --set data.train='{src: null, trg: null, tsv: " + pieces +
                           "}' --set data.vocabulary.kind=bpe");
  CHECK(r.code == 2);
  CHECK(has(first_line(r.err),
            "data.vocabulary.kind: bpe cuts words into pieces, and this text is in pieces already "
            "(2 of 3 words have a \u2581); write kind: word, or give the text itself"));
}

TEST_CASE("translate says what it makes of a line that is not a sentence of known words") {
  const Trained& t = trained();
  const auto err = [&](const std::string& input) { return run_seqgrad(t.dir, "translate " + t.run, input).err; };
  const std::string two = "Das Haus sieht das Kind. das Kind sieht das Haus.\n";
  CHECK(err(two + two) == "line 1: seems to hold several sentences, and is translated as one; write one a line\n");
  CHECK(err("das Haus sieht das Kind.\n").empty());
  CHECK(has(err("das Hau\u00adser\n"), "is not in the vocabulary"));
  CHECK(has(err("das Haus\u00a0\n"), "; 'Haus' looks the same and is: "));
  CHECK(has(err("\u2581das Haus\n"), "is how vocabularies of pieces write the beginning of a word: type words\n"));
}

TEST_CASE("a checkpoint is refused where BLEU chooses it and has no value") {
  const Trained& t = trained();
  Text one_word = sentences(0, 20);
  for (std::string& line : one_word.target) line = line.substr(0, 7);
  t.write("words", one_word);
  const std::string flags = "--set data.dev.src=" + (t.dir / "words.de") +
                            " --set data.dev.trg=" + (t.dir / "words.en") + " --set train.steps=1 --run-dir " +
                            (t.dir / "words");
  const Result refused = t.train(flags + " --set checkpoint.metric=bleu");
  CHECK(refused.code == 2);
  CHECK(has(first_line(refused.err), "checkpoint.metric: bleu has no value here: no reference of dev has four tokens"));
  const Result r = t.train(flags);
  CHECK(r.code == 0);
  CHECK(has(r.err, "BLEU n/a"));
  CHECK(has(slurp(t.dir / "words/metrics.jsonl"), "\"bleu\":null"));
  fs::remove_all(t.dir / "words");
  CHECK(t.train(flags + " --set checkpoint.metric=bleu --set report.bleu.tokenize=char").code == 0);
  fs::remove_all(t.dir / "words");
}

TEST_CASE("a run that is not there, or has not got that far, is told with what there is") {
  const Trained& t = trained();
  const auto refused = [&](const std::string& run) {
    const Result r = run_seqgrad(t.dir, "translate " + run, "");
    CHECK(r.code == 2);
    CHECK(r.err == first_line(r.err) + "\n");
    return first_line(r.err);
  };
  CHECK(has(refused(t.run + " --checkpoint step-000007"),
            ": error: the run has no checkpoint 'step-000007' yet; it has best, last, step-000"));
  CHECK(has(refused(t.dir / "c.yaml"), "c.yaml: error: is a config file, not a run directory; train it first"));
  CHECK(has(refused(t.dir / "train.de"), "train.de: error: no run directory, but a file"));
  CHECK(has(refused(t.dir / "none"), "none: error: no such run directory"));
  fs::create_directories(t.dir / "begun/checkpoints");
  for (const char* file : {"config.resolved.yaml", "run.json", "source.vocab", "target.vocab"})
    fs::copy(t.run + "/" + file, t.dir / "begun/" + file);
  CHECK(has(refused(t.dir / "begun"), ": error: the run has no checkpoint yet"));
  fs::copy(t.run + "/checkpoints/last/", t.dir / "begun/checkpoints/last");
  CHECK(has(refused(t.dir / "begun"),
            ": error: the run has no checkpoint 'best' yet; it has last: add --checkpoint last"));
  fs::remove_all(t.dir / "begun");
}
