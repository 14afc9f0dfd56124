// run.json: what a run was begun with, what it goes on with, and each change on the way.
#pragma once
#include <string>
#include <vector>

#include "engine/core/backend.h"
#include "engine/run/fingerprint.h"
#include "engine/run/process_settings.h"

namespace seqgrad {

// Refuses a path that is no run directory: nothing there (and names the nearest run beside it), a file, a directory in
// a run or of something else.
void require_run_directory(const std::string& path);

// The run directory that a file or directory lies in, up to three levels below it; "" when it lies in none.
std::string run_around(const std::string& path);

// The fingerprint of the "source" or "target" vocabulary that a run was begun with; "" when its run.json has none.
std::string recorded_vocabulary(const std::string& run, const std::string& side);

// The whole of run.json for a new run, whose other files are written.
std::string new_record(const std::string& run, const Data& data, const LossSetup& loss,
                       const ProcessSettings& settings);

// Which hosts a run that goes on is made by from now on, where there are several processes or were.
void record_hosts(const std::string& run, const ProcessSettings& settings);

// What a resumed run finds otherwise than its run.json has it, in words; what run.json does not say is not compared.
struct Found {
  std::vector<std::string> data;          // "train: 3 pairs, content 0123456789abcdef; now 4 pairs, content …"
  std::vector<std::string> surroundings;  // what else decides the bytes: "instruction set: avx2; now avx512"
};
Found compare_with_record(const std::string& run, const std::vector<Content>& now, Device device);

// From now on run.json says what is found now; what it said goes, with the step, to its list of changes, and so do
// `changes`.
void record_changes(const std::string& run, int64_t step, const std::vector<Content>& now, Device device,
                    const std::vector<std::string>& changes);

}  // namespace seqgrad
