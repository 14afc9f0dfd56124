// run.json: what is known of a run besides its configuration and its metrics.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace seqgrad {

// Throws InputError where it cannot be read or is no JSON object.
nlohmann::ordered_json read_run_info(const std::string& run);
void write_run_info(const std::string& run, const nlohmann::ordered_json& info);

}  // namespace seqgrad
