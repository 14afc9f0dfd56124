// From a config to what steps are made with, in the order in which a person should hear of mistakes: settings of the
// process, data, loss, memory, model.
#pragma once
#include <memory>
#include <string>

#include "engine/comm/processes.h"
#include "engine/run/process_settings.h"
#include "engine/train/step.h"

namespace seqgrad {

// Refuses a model that cannot fit in memory, before it allocates anything.
std::unique_ptr<SequenceModel> make_model(const Config& config, ModelSizes sizes, Device device = Device::cpu);

struct Setup {
  ProcessSettings settings;
  Data data;
  LossSetup loss;
  std::unique_ptr<SequenceModel> model;
  std::string initialised;  // which weights came from a file, in words; "" for none
};

enum class Purpose {
  training,    // all that training would meet after its run directory is made is refused here
  inspection,  // some batches are looked at, by a model on the CPU
};

// `run`: a run directory that goes on, whose vocabularies these are and whose checkpoint has the weights; "": none.
// InputError for all that cannot begin so, SystemError where the device is not to be had. Several processes do it
// together, and are refused where what decides the bytes of the run is not the same in all.
Setup set_up(const Config& config, Purpose purpose, const std::string& run = "", Processes& processes = alone());

}  // namespace seqgrad
