// case.yaml first: should the second write not happen, the case has a provenance and no gold, which `check` refuses.
#include "engine/check/bless.h"

#include <filesystem>

#include "engine/check/run_case.h"
#include "engine/io/files.h"
#include "engine/io/output.h"

namespace seqgrad {
namespace {

const std::string own = "seqgrad ";

// The text with this line in place of the one that `field` stands on, or at the end.
std::string with_line(const std::string& path, const FieldBase& field, const std::string& line) {
  std::string text = read_file(path, size_t{1} << 20);
  if (!field.is_set()) return text + (text.ends_with('\n') || text.empty() ? "" : "\n") + line + "\n";
  size_t begin = 0;
  for (int n = 1; n < field.origin.line; ++n) begin = text.find('\n', begin) + 1;
  const size_t end = std::min(text.find('\n', begin), text.size());
  if (!std::string_view(text).substr(begin).starts_with("provenance:") ||
      (end + 1 < text.size() && (text[end + 1] == ' ' || text[end + 1] == '\t')))
    refuse("{}:{}: error: provenance: write it on one line, so that it can be replaced", shown_path(path),
           field.origin.line);
  return text.replace(begin, end - begin, line);
}

// A [B,T…] value of a list case is stored by steps.
bool by_steps(const LossCase& c, const Values& v, Over over) {
  if (c.layout != Layout::list) return false;
  return v.name == "row_loss" || v.name == "d_logits" || v.name == "d_probs" ||
         (over == Over::none && v.shape.size() == 2);
}

}  // namespace

bool is_own(const std::string& provenance) { return provenance.starts_with(own); }

void bless(const std::string& path, const std::string& version, const std::string& reason) {
  const LossCase c = read_case(path);
  if (c.inline_tensors || !std::filesystem::is_directory(path))
    refuse(
        "{}: error: its tensors stand in the YAML file; write the gold there, or make it a folder with "
        "tensors.safetensors",
        shown_path(path));
  if (!c.config->expect().error.empty()) refuse("{}: error: expect: an error has no gold", shown_path(c.where));
  if (!c.gold.empty() && !is_own(c.config->provenance()))
    refuse("{}: error: its gold is a peer's ({}); it is not overwritten", shown_path(c.where),
           c.config->provenance().empty() ? "no provenance" : shown(c.config->provenance()));
  const CaseRun run = run_case(c, c.dtype(), Device::cpu);
  const std::string file = (std::filesystem::path(path) / "tensors.safetensors").string();
  SafetensorsFile older = read_safetensors(file);  // all but its gold stays as it is, what others noted in it too
  std::vector<NamedArray> tensors;
  for (NamedArray& t : older.tensors)
    if (!t.name.starts_with("gold.")) tensors.push_back(std::move(t));
  for (const Values& v : run.values) {
    if (!by_steps(c, v, run.inputs.options.over)) {
      tensors.push_back(named_array("gold." + v.name, v.shape, v.numbers.data()));
      continue;
    }
    const std::vector<int64_t> rest(v.shape.begin() + 1, v.shape.end());
    const size_t step = v.shape[0] ? v.numbers.size() / static_cast<size_t>(v.shape[0]) : 0;
    for (int64_t t = 0; t < v.shape[0]; ++t)
      tensors.push_back(
          named_array(fmt::format("gold.{}.{}", v.name, t), rest, v.numbers.data() + static_cast<size_t>(t) * step));
  }
  const std::string line = "provenance: " + Codec<std::string>::yaml(fmt::format("{}{}, {}", own, version, reason));
  const std::string text = with_line(c.where, c.config->provenance, line);
  check_output(file);
  write_output(c.where, text);
  write_safetensors(file, tensors, older.metadata);
}

}  // namespace seqgrad
