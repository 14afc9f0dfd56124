// A loss case: a `loss` section, the tensors that it is computed from, and the numbers that are expected of it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/check/case_config.h"
#include "engine/io/safetensors.h"
#include "engine/loss/sequence_loss.h"

namespace seqgrad {

// Numbers with a shape; of a case's [B,T…] tensors the shape is as in its file, lists of steps put together as [T,B…].
struct Values {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<double> numbers;
};

struct LossCase {
  std::string path;   // as it was named: a folder or a YAML file
  std::string where;  // of the file case.yaml
  std::unique_ptr<CaseConfig> config;
  std::optional<LossError> refused;  // the loss section's own error, in a case that expects one
  Layout layout = Layout::batch;
  std::vector<NamedArray> tensors;  // inputs, as in the file
  std::vector<Values> gold, peer;   // without "gold." and "peer."
  bool inline_tensors = false;      // they stand in the YAML file

  const NamedArray* find(const std::string& name) const;
  const Values* gold_of(const std::string& name) const;
  bool has_prediction(const char* name) const;  // "logits", "probs", "hidden" or "row_loss"; also a list of steps
  DType dtype() const;                          // of its float inputs: what it runs in
};

// What read_case reads: case.yaml and tensors.safetensors of a folder, or one YAML file and nothing.
struct CaseFiles {
  std::string yaml, tensors;
};
CaseFiles files_of(const std::string& path);

// A folder with case.yaml and tensors.safetensors, or one YAML file with its tensors inline. Throws InputError, naming
// file and key, for whatever is not as tests/cases/README.md has it; an error of the loss itself (E01-E17) that tensors
// cause is left to the run, and one that its section causes is kept in `refused` where the case expects an error.
LossCase read_case(const std::string& path, bool repaired = false);  // with a lesson's `repair` in place
// With another reduction, or other keys of the loss section in their place; what else the section says about the row
// loss stays. `loss` is YAML: "{preset: torch.mean}".
LossCase read_case_with_loss(const std::string& path, const std::string& loss);
LossCase read_case_with_preset(const std::string& path, const std::string& preset);
// The same from memory: `tensors` are those of tensors.safetensors, or none.
LossCase make_case(const Node& yaml, std::optional<SafetensorsFile> tensors, const std::string& path);

// Whether a path names a case: a folder with case.yaml, or a YAML file with a `loss` section and tensors.
bool is_case(const std::string& path);

}  // namespace seqgrad
