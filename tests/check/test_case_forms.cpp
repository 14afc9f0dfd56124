// How a case may be written: numbers in its YAML file, the small forms of its keys, gold in lists of steps.
#include <cmath>

#include "engine/check/bless.h"
#include "engine/check/check_case.h"
#include "engine/check/inline_tensors.h"
#include "engine/config/describe.h"
#include "tests/support/catch.h"
#include "tests/support/config_walk.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

std::vector<NamedArray> read(const std::string& yaml, bool dense = false) {
  return inline_tensors(parse_yaml(yaml, "c.yaml"), dense);
}
std::string said(const std::string& yaml) {
  return error_of([&] { read(yaml); });
}

}  // namespace

TEST_CASE("every key of a case: absent, second value, wrong type, out of range, misspelt") {
  walk_every_key<CaseConfig>();
}

TEST_CASE("what is expected and tolerated is written as it is read") {
  for (const char* text : {"value", "{error: E04}", "{error: E10, message: \"a: b\"}"}) {
    Expectation e;
    CHECK(Codec<Expectation>::parse(parse_yaml(text, "x"), e) == "");
    CHECK(Codec<Expectation>::yaml(e) == text);
  }
  GoldTolerance t;
  CHECK(Codec<GoldTolerance>::parse(parse_yaml("{atol: 0.5}", "x"), t) == "");
  CHECK(Codec<GoldTolerance>::yaml(t) == "{rtol: 0.0, atol: 0.5}");
  const auto expectation = [](const char* text) {
    Expectation e;
    return Codec<Expectation>::parse(parse_yaml(text, "x"), e);
  };
  CHECK(expectation("gold") == "expected value or {error: E04}, got 'gold'");
  CHECK(has(expectation("{message: x}"), "expected value or {error: E04}, got "));
  CHECK(expectation("{error: E04, because: x}") == "unknown key 'because'; expected error, message");
  CHECK(has(expectation("{error: [E04]}"), "expected text"));
  CHECK(has(expectation("{error: E04, message: [x]}"), "expected text"));
  for (const char* code : {"E00", "E18", "E4", "E1x", "F04"}) {
    CAPTURE(code);
    CHECK(expectation(fmt::format("{{error: {}}}", code).c_str()) ==
          fmt::format("expected an error of the loss, E01 to E17, got '{}'", code));
  }
  const auto tolerance = [&](const char* text) { return Codec<GoldTolerance>::parse(parse_yaml(text, "x"), t); };
  CHECK(has(tolerance("0.5"), "expected {rtol: …, atol: …}, got "));
  CHECK(has(tolerance("{}"), "expected {rtol: …, atol: …}, got "));
  CHECK(tolerance("{rtol: 0.5, ulp: 1}") == "unknown key 'ulp'; expected rtol, atol");
  CHECK(tolerance("{atol: -0.5}") == "atol must be at least 0");
}

TEST_CASE("numbers in a case's YAML file: NaN, infinities and truths in each spelling") {
  const std::vector<NamedArray> a =
      read("{x: [.nan, .NaN, nan, NaN], y: [.inf, inf, -.inf, -inf], mask: [true, false, 1, 0], z: 1, none: []}");
  const auto numbers = [&](size_t i) { return std::vector<double>(a[i].data<double>(), a[i].data<double>() + 4); };
  for (const double x : numbers(0)) CHECK(std::isnan(x));
  CHECK(numbers(1) == std::vector<double>{INFINITY, INFINITY, -INFINITY, -INFINITY});
  CHECK(a[2].dtype == DType::u8);
  CHECK(std::vector<uint8_t>(a[2].data<uint8_t>(), a[2].data<uint8_t>() + 4) == std::vector<uint8_t>{1, 0, 1, 0});
  CHECK((a[3].shape.empty() && *a[3].data<double>() == 1));
  CHECK(a[4].shape == std::vector<int64_t>{0});
  CHECK(read("{targets: [[0.5]]}", true)[0].dtype == DType::f64);
  CHECK(read("{targets.0: [1]}")[0].dtype == DType::i64);
}

TEST_CASE("numbers in a case's YAML file that have no shape are refused by their place") {
  const auto at = [](int column, const std::string& why) {
    return fmt::format("2 c.yaml:1:{}: error: tensors.{}", column, why);
  };
  CHECK(said("5") == "2 c.yaml:1:1: error: tensors: expected names and lists, got '5'");
  CHECK(said("{x: [1, [2]]}") == at(9, "x: a list stands where others have a number"));
  CHECK(said("{x: [[1], 2]}") == at(11, "x: a number stands where others have a list"));
  CHECK(said("{x: [[1], [2, 3]]}") == at(11, "x: a list of 2 where others have 1"));
  CHECK(has(said("{x: [[[[[[1]]]]]]}"), "x: lists nested more than "));
  CHECK(has(said("{x: ['nan']}"), "x: expected a number, got 'nan'"));
  CHECK(has(said("{x: [one]}"), "x: expected a finite number, got 'one'"));
  CHECK(has(said("{x: {y: 1}}"), "x: expected a number, got a section"));
  CHECK(has(said("{mask: [2]}"), "mask: expected whole numbers from 0 to 1, got 2"));
  CHECK(has(said("{mask: [-1]}"), "mask: expected whole numbers from 0 to 1, got -1"));
  CHECK(has(said("{lengths: [1.5]}"), "lengths: expected whole numbers from "));
  CHECK(has(said("{targets: [.nan]}"), "targets: expected whole numbers from "));
}

TEST_CASE("our own gold of a list case stands in lists of steps, and its provenance on one line") {
  const Scratch dir;
  std::filesystem::create_directories(dir / "list");
  const double z[] = {0, 1, 2, 0};
  const int64_t y[] = {1, 0};
  const auto record = [&](const std::string& yaml) {
    dir.write("list/case.yaml", yaml);
    std::vector<NamedArray> tensors;
    for (const char* t : {"0", "1"}) {
      tensors.push_back(named_array(std::string("logits.") + t, {2, 2}, z));
      tensors.push_back(named_array(std::string("targets.") + t, {2}, y));
    }
    write_safetensors(dir / "list/tensors.safetensors", tensors);
    return error_of([&] { bless(dir / "list", "1.2.3", "by hand"); });
  };
  const std::string loss = "name: list\nloss: {layout: list, reduce: {over: none, divide: one}}";
  for (const char* end : {"", "\n"}) {
    CHECK(record(loss + end) == "");
    CHECK(slurp(dir / "list/case.yaml") == loss + "\nprovenance: \"seqgrad 1.2.3, by hand\"\n");
  }
  const SafetensorsFile file = read_safetensors(dir / "list/tensors.safetensors");
  for (const char* name : {"gold.value.0", "gold.value.1", "gold.row_loss.1", "gold.d_logits.0"}) {
    CAPTURE(name);
    CHECK(file.find(name) != nullptr);
  }
  CHECK(file.at("gold.d_logits.1").shape == std::vector<int64_t>{2, 2});
  CHECK(std::abs(file.at("gold.row_loss.0").data<double>()[0] - std::log1p(std::exp(-1.0))) < 1e-15);
  CHECK(check_case(read_case(dir / "list"), {}).verdict == Verdict::as_expected);

  CHECK(record("provenance: \"seqgrad 1, once\"  # ours\n" + loss + "\n") == "");
  CHECK(slurp(dir / "list/case.yaml") == "provenance: \"seqgrad 1.2.3, by hand\"\n" + loss + "\n");
  const std::string one_line = "provenance: write it on one line, so that it can be replaced";
  CHECK(has(record("provenance: seqgrad 1,\n  once\n" + loss + "\n"), "case.yaml:1: error: " + one_line));
  CHECK(has(record("provenance:\n  seqgrad 1\n" + loss + "\n"), "error: " + one_line));
  CHECK(has(record("expect: {error: E04}\n" + loss + "\n"), "expect: an error has no gold"));
  dir.write("one.yaml", "loss: {}\ntensors: {logits: [[[0.0]]], targets: [[0]]}\n");
  CHECK(has(error_of([&] { bless(dir / "one.yaml", "1", "x"); }), "its tensors stand in the YAML file"));
  write_safetensors(
      dir / "list/tensors.safetensors",
      {named_array("logits.0", {2, 2}, z), named_array("targets.0", {2}, y), named_array("gold.value.0", {2}, z)});
  dir.write("list/case.yaml", loss);
  CHECK(has(error_of([&] { bless(dir / "list", "1", "x"); }),
            "its gold is a peer's (no provenance); it is not overwritten"));
}
