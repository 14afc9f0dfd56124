// One mend for all that was found: two would contradict each other.
#include <algorithm>
#include <string_view>

#include "engine/conform/conform.h"
#include "engine/naming/torch.h"

namespace seqgrad {
namespace {

bool is_of_loss(const FindingInfo& f) {
  const std::string_view id = f.id;
  return id == "none" || (*f.mend && !id.starts_with("upstream:"));
}

bool has(const ConformReport& r, const char* begin) {
  const std::vector<std::string> ids = r.finding_ids();
  return std::any_of(ids.begin(), ids.end(), [&](const std::string& id) { return id.starts_with(begin); });
}

// What is meant; where nobody said it the reduction that was named, and of parts that do not add up a mean over tokens.
std::optional<LossOptions> right_loss(const ConformReport& r) {
  if (r.meant_options) return r.meant_options;
  if (!r.naming.fits.empty() && r.naming.fits[0].options) return r.naming.fits[0].options;
  if (has(r, "micro:")) return LossOptions{};
  return std::nullopt;
}

std::string loss_lines(const ConformReport& r) {
  std::optional<LossOptions> options = right_loss(r);
  if (!options) return "";
  if (r.program.takes_input("dense")) options->target = Target::dense;
  TorchInputs in;
  in.kind = r.program.kind;
  in.token_weight = r.program.takes_input("token_weight");
  in.example_weight = r.program.takes_input("example_weight");
  in.class_weight = r.program.takes_input("class_weight");
  in.bias = r.program.takes_input("bias");
  in.num_items = r.program.takes_input("num_items") || has(r, "micro:");
  in.guarded = r.meant_options || has(r, "empty:");
  std::string lines = torch_lines(*options, in);
  if (!r.program.takes_input("num_items") && lines.find("num_items") != std::string::npos)
    lines.insert(0, "# num_items: an argument more, the divisor of all micro-batches together\n");
  return lines;
}

}  // namespace

std::string mend_of(const ConformReport& r, const FindingInfo& f) { return is_of_loss(f) ? loss_lines(r) : f.mend; }

std::vector<std::string> mends_of(const ConformReport& r) {
  std::vector<std::string> out;
  const std::vector<std::string> ids = r.finding_ids();
  for (const FindingInfo& f : findings()) {
    if (std::find(ids.begin(), ids.end(), f.id) == ids.end()) continue;
    std::string mend = mend_of(r, f);
    if (!mend.empty() && std::find(out.begin(), out.end(), mend) == out.end()) out.push_back(std::move(mend));
  }
  return out;
}

}  // namespace seqgrad
