// report.html of a run: curves, samples over time, attention, what was configured and where it ran, in one file.
#pragma once
#include <string>
#include <vector>

#include "engine/train/trainer.h"

namespace seqgrad {

// The page for what was measured, what stands in the run directory now, and the weights as they are. `test` are lines
// about the test, once there are any. It depends on results only, not on times, so that a resumed run has the page of
// an uninterrupted one.
std::string report_page(const TrainJob& job, const TrainState& state, int64_t total_steps,
                        const std::vector<MetricRow>& rows, const std::vector<std::string>& test);

}  // namespace seqgrad
