// Nested lists become arrays; numbers are read as in configs, and NaN and infinities too.
#include "engine/check/inline_tensors.h"

#include <cmath>
#include <limits>

#include "engine/config/codec.h"

namespace seqgrad {
namespace {

constexpr size_t most_numbers = 10000;
constexpr size_t deepest = 4;

class InlineTensor {
 public:
  InlineTensor(std::string n, size_t& all) : name(std::move(n)), total(&all) {}

  std::string name;
  std::vector<int64_t> shape;
  std::vector<double> numbers;
  size_t* total;

  [[noreturn]] void bad(const Node& at, const std::string& why) const {
    refuse("{}:{}:{}: error: tensors.{}: {}", at.at.source ? shown_path(at.at.source->name) : "", at.at.line,
           at.at.column, shown(name), why);
  }

  void add(const Node& node, size_t depth) {
    if (node.kind == Node::Kind::sequence) {
      const auto length = static_cast<int64_t>(node.items.size());
      if (depth == deepest) bad(node, fmt::format("lists nested more than {} deep", deepest));
      if (depth < known_) {
        if (depth >= shape.size()) bad(node, "a list stands where others have a number");
        if (shape[depth] != length) bad(node, fmt::format("a list of {} where others have {}", length, shape[depth]));
      } else {
        shape.push_back(length);
        known_ = depth + 1;
      }
      for (const Node& item : node.items) add(item, depth + 1);
      return;
    }
    if (!leaf_) leaf_ = true, known_ = deepest;  // the first number ends the shape
    if (depth != shape.size()) bad(node, "a number stands where others have a list");
    if (++*total > most_numbers)
      bad(node, fmt::format("more than {} numbers; put the tensors into tensors.safetensors", most_numbers));
    numbers.push_back(number(node));
  }

  double number(const Node& node) const {
    const std::string& t = node.text;
    if (node.kind == Node::Kind::scalar && !node.quoted) {
      if (t == ".nan" || t == ".NaN" || t == "nan" || t == "NaN") return std::numeric_limits<double>::quiet_NaN();
      if (t == ".inf" || t == "inf") return std::numeric_limits<double>::infinity();
      if (t == "-.inf" || t == "-inf") return -std::numeric_limits<double>::infinity();
      if (t == "true" || t == "false") return t == "true";
    }
    double x = 0;
    if (std::string problem = Codec<double>::parse(node, x); !problem.empty()) bad(node, problem);
    return x;
  }

 private:
  size_t known_ = 0;
  bool leaf_ = false;
};

template <class T>
NamedArray whole(const InlineTensor& b, const Node& node, double lowest, double highest) {
  std::vector<T> out;
  for (const double x : b.numbers) {
    if (!(x >= lowest && x <= highest && x == std::floor(x)))
      b.bad(node, fmt::format("expected whole numbers from {:.0f} to {:.0f}, got {}", lowest, highest, x));
    out.push_back(static_cast<T>(x));
  }
  return named_array(b.name, b.shape, out.data());
}

}  // namespace

std::vector<NamedArray> inline_tensors(const Node& node, bool dense_targets) {
  std::vector<NamedArray> out;
  size_t total = 0;
  if (node.kind != Node::Kind::map)
    refuse("{}:{}:{}: error: tensors: expected names and lists, got {}",
           node.at.source ? shown_path(node.at.source->name) : "", node.at.line, node.at.column, node.describe());
  for (size_t i = 0; i < node.keys.size(); ++i) {
    InlineTensor b(node.keys[i].name, total);
    b.add(node.items[i], 0);
    const std::string base = b.name.substr(0, b.name.find('.'));
    constexpr double exact = 9007199254740992;  // 2^53
    if (base == "mask")
      out.push_back(whole<uint8_t>(b, node.items[i], 0, 1));
    else if (base == "lengths" || (base == "targets" && !dense_targets))
      out.push_back(whole<int64_t>(b, node.items[i], -exact, exact));
    else
      out.push_back(named_array(b.name, b.shape, b.numbers.data()));
  }
  return out;
}

}  // namespace seqgrad
