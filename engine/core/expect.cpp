// Patterns are read anew in each call: they are short, and an op is called a few hundred times a step.
#include "engine/core/expect.h"

#include <cctype>
#include <cstring>

#include "engine/core/tape.h"

namespace seqgrad {
namespace {

// A pattern "[...,3H,E+C] i32?", taken apart.
struct Pattern {
  const char* dims;  // behind '[' and "...,"
  int rank = 0;      // without what "..." stands for
  bool leading, ids, optional;

  explicit Pattern(const char* text) {
    leading = std::strncmp(text, "[...", 4) == 0;
    dims = text + (!leading ? 1 : text[4] == ',' ? 5 : 4);
    const char* const end = std::strchr(dims, ']');
    for (const char* p = dims; p < end; ++p) rank += p == dims || *p == ',';
    ids = std::strstr(end, "i32") != nullptr;
    optional = std::strchr(end, '?') != nullptr;
  }
  bool has_rank_of(const Shape& shape) const { return leading ? shape.rank() >= rank : shape.rank() == rank; }

  // Calls f(begin of the dimension's text, its size in `shape`) for each.
  template <class F>
  void for_each(const Shape& shape, const F& f) const {
    const char* p = dims;
    for (int i = shape.rank() - rank; i < shape.rank(); ++i) {
      f(p, shape[i]);
      while (*p != ',' && *p != ']') ++p;
      ++p;
    }
  }
};

bool is_letter(const char* p) { return std::isupper(static_cast<unsigned char>(*p)) && (p[1] == ',' || p[1] == ']'); }

// "3H", "E+C", "1"; unknown where a letter is.
int64_t value_of(const char* p, const Dims& dims) {
  int64_t sum = 0;
  for (;; ++p) {  // at the '+'
    int64_t term = 0, digits = 0;
    for (; std::isdigit(static_cast<unsigned char>(*p)); ++p, ++digits) term = 10 * term + (*p - '0');
    if (std::isupper(static_cast<unsigned char>(*p))) {
      const int64_t size = dims[*p++];
      if (size == Dims::unknown) return Dims::unknown;
      term = digits ? term * size : size;
    }
    sum += term;
    if (*p != '+') return sum;
  }
}

[[noreturn]] void refuse_operands(const char* op, std::initializer_list<Operand> operands, bool dtypes_fit) {
  std::string given, expected;
  for (const Operand& o : operands) {
    const Tensor& x = o.tensor;
    const Pattern pattern(o.shape);
    const std::string shape = o.shape;
    given += fmt::format("{}{} {}", given.empty() ? "" : ", ", o.name,
                         x.defined() ? fmt::format("{} {}", name_of(x.dtype), x.shape.str()) : "none");
    expected += fmt::format("{}{} {}{}", expected.empty() ? "" : ", ", o.name, shape.substr(0, shape.find('?')),
                            pattern.optional ? " or none" : "");
  }
  refuse("{}: {}; expected {}{}", op, given, expected, dtypes_fit ? "" : "; numbers all float32 or all float64");
}

}  // namespace

Dims expect(const char* op, std::initializer_list<Operand> operands) {
  const Tensor* of_device = nullptr;
  const Tensor* of_dtype = nullptr;
  bool dtypes_fit = true, fits = true;
  Dims dims;
  for (const Operand& o : operands) {
    const Tensor& x = o.tensor;
    const Pattern pattern(o.shape);
    if (!x.defined()) {
      fits &= pattern.optional;
      continue;
    }
    if (!of_device) of_device = &x;
    check_alive(op, x, *of_device);
    if (!pattern.ids && !of_dtype) of_dtype = &x;
    dtypes_fit &= pattern.ids ? x.dtype == DType::i32 : is_floating(x.dtype) && x.dtype == of_dtype->dtype;
    fits &= pattern.has_rank_of(x.shape);
    if (!pattern.has_rank_of(x.shape)) continue;
    pattern.for_each(x.shape, [&](const char* p, int64_t size) {
      if (is_letter(p) && dims[*p] == Dims::unknown) dims.set(*p, size);
    });
  }
  for (const Operand& o : operands)
    if (fits && o.tensor.defined())
      Pattern(o.shape).for_each(o.tensor.shape,
                                [&](const char* p, int64_t size) { fits &= value_of(p, dims) == size; });
  if (!fits || !dtypes_fit) refuse_operands(op, operands, dtypes_fit);
  return dims;
}

}  // namespace seqgrad
