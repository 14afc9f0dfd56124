// Patterns of shapes: what fits them, the sizes they give, and what is said where something does not.
#include "engine/core/expect.h"

#include "engine/core/tape.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

Tensor f32(Shape shape) { return zeros(shape, DType::f32); }

// What is refused of one operand beside h [2,H=3].
std::string refused(const Tensor& x, const char* pattern) {
  const Tensor h = f32({2, 3});
  return error_of([&] { expect("op", {{"x", x, pattern}, {"h", h, "[B,H]"}}); });
}

}  // namespace

TEST_CASE("a pattern takes the shapes it means and no others") {
  Tape::current().reset();
  struct Try {
    const char* pattern;
    std::vector<Shape> fit, other;
  };
  for (const Try& t : std::vector<Try>{
           {"[B,H]", {{2, 3}}, {{2}, {3, 3}, {2, 2}, {2, 3, 1}, {}}},
           {"[H,3H]", {{3, 9}}, {{3, 3}, {9, 3}, {9}}},
           {"[B,T,2H]", {{2, 5, 6}, {2, 0, 6}}, {{2, 5, 3}, {2, 6}, {1, 5, 6}}},
           {"[B+H,H+2B+1]", {{5, 8}}, {{5, 7}, {3, 8}, {5}}},
           {"[B,1,H]", {{2, 1, 3}}, {{2, 2, 3}, {2, 3}}},
           {"[...]", {{}, {4}, {1, 2, 3, 4}}, {}},
           {"[...,H]", {{3}, {4, 5, 3}, {0, 3}}, {{}, {4}, {3, 4}}},
           {"[...,B,H]", {{2, 3}, {7, 2, 3}}, {{3}, {3, 2}, {}}},
           {"[]", {{}}, {{1}}},
       }) {
    CAPTURE(t.pattern);
    for (const Shape& shape : t.fit) {
      CAPTURE(shape.str());
      CHECK(refused(f32(shape), t.pattern) == "");
    }
    for (const Shape& shape : t.other) {
      CAPTURE(shape.str());
      CHECK(refused(f32(shape), t.pattern) ==
            fmt::format("2 op: x float32 {}, h float32 [2,3]; expected x {}, h [B,H]", shape.str(), t.pattern));
    }
  }
}

TEST_CASE("the sizes of letters are given back") {
  Tape::current().reset();
  const Tensor x = f32({4, 5, 9}), w = f32({3, 9});
  const Dims d = expect("op", {{"x", x, "[B,T,3H]"}, {"w", w, "[H,3H]"}, {"h", {}, "[B,H]?"}});
  CHECK((d['B'] == 4 && d['T'] == 5 && d['H'] == 3));
  CHECK(d['S'] == Dims::unknown);
}

TEST_CASE("dtypes, absent operands, earlier steps and other devices are refused in the op's name") {
  Tape& tape = Tape::current();
  tape.reset();
  const Tensor old = f32({2, 3});
  tape.reset();
  CHECK(refused(zeros({2}, DType::i32), "[B] i32") == "");
  CHECK(refused({}, "[B,H]?") == "");
  CHECK(refused({}, "[B] i32?") == "");
  CHECK(refused({}, "[B,H]") == "2 op: x none, h float32 [2,3]; expected x [B,H], h [B,H]");
  CHECK(
      refused(f32({3}), "[B] i32?") ==
      "2 op: x float32 [3], h float32 [2,3]; expected x [B] i32 or none, h [B,H]; numbers all float32 or all float64");
  CHECK(has(refused(f32({2}), "[B] i32"), "; numbers all float32 or all float64"));
  CHECK(has(refused(zeros({2, 3}, DType::i32), "[B,H]"), "; numbers all float32 or all float64"));
  CHECK(has(refused(zeros({2, 3}, DType::f64), "[B,H]"), "; numbers all float32 or all float64"));
  CHECK(has(refused(zeros({2, 3}, DType::f32, Device::cuda), "[B,H]"), "they must be on one device"));
  CHECK(has(refused(old, "[B,H]"), "op: a tensor of an earlier step"));
}
