// Cases compared with their gold, and folders of them.
#pragma once
#include <string>
#include <vector>

#include "engine/check/compare.h"
#include "engine/check/run_case.h"

namespace seqgrad {

struct CheckOptions {
  std::optional<DType> dtype;  // none: the case's own
  Device device = Device::cpu;
  std::optional<double> ulps;  // a limit of that many units in the last place instead of the case's
  std::string loss;            // keys in place of the case's reduction (read_case_with_loss); empty: its own
  bool verbose = false;        // all names that --which finds
};

enum class Verdict { as_expected, differs, unreadable };

struct CaseReport {
  std::string path;
  Verdict verdict = Verdict::as_expected;
  std::vector<std::string> lines;       // what is wrong: one a gold, and what --which finds
  std::vector<Comparison> comparisons;  // of every gold, good ones too
  std::vector<std::string> notes;       // what a person should know of a case that is as expected
  double seconds = 0;
};

// Never throws what is wrong with the case: that is its verdict. SystemError passes.
CaseReport check_case(const std::string& path, const CheckOptions& options);
CaseReport check_case(const LossCase& c, const CheckOptions& options);

// Cases that are meant to be one loss, in the order given: what explains the wrong values of all of them is told of
// each; where nothing does, what explains its own.
std::vector<CaseReport> check_together(const std::vector<std::string>& paths, const CheckOptions& options);

// The cases among the paths, and in folders to any depth, sorted within each; a path that is a file is one, whatever it
// holds, and so is a folder that cannot be read: checking it says why. Throws InputError for a path that is not there.
std::vector<std::string> find_cases(const std::vector<std::string>& paths);

// "342 cases: 340 as expected, 1 not, 1 unreadable".
std::string tally(const std::vector<CaseReport>& reports);
ExitCode exit_code(const std::vector<CaseReport>& reports);  // refused for none at all

// Two safetensors files, any, tensor by tensor; limits of 0 compare bits. One report, as of a case.
CaseReport check_files(const std::string& a, const std::string& b, const Limits& limits);

}  // namespace seqgrad
