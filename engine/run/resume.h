// What is said, and what is kept, when a run goes on under other settings than it was begun with.
#pragma once
#include <string>
#include <vector>

#include "engine/train/trainer.h"

namespace seqgrad {

// On resume only what does not change the numbers, or only how far they go, may be set: refuses other keys.
void check_resume_overrides(const std::vector<std::string>& set);

// Refuses steps or epochs that were changed to no more than are done at `state`: nothing is left to train, and the step
// that would have been validated as the last one is over.
void check_length(const Config& before, const Config& now, const TrainState& state, const Corpus& train);

// "train.steps: 9; now 12" for each key whose value differs.
std::vector<std::string> config_changes(const Config& before, const Config& now);

// Where another number of steps bends the schedule: the rates of the last step and of the next one, in words; "" where
// the next step has the rate that it would have had.
std::string rate_jump(const Config& before, const Config& now, const TrainState& state, const Corpus& train);

}  // namespace seqgrad
