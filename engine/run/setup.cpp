// What takes long or much memory comes after what can be refused without it.
#include "engine/run/setup.h"

#include "engine/run/memory_need.h"
#include "engine/run/run_files.h"
#include "engine/run/start_together.h"
#include "engine/train/checkpoint.h"
#include "engine/train/loss_sources.h"
#include "engine/train/scores.h"

namespace seqgrad {

std::unique_ptr<SequenceModel> make_model(const Config& config, ModelSizes sizes, Device device) {
  check_model_memory(config, sizes, device);
  return config.model->make(sizes, config.precision() == "fp64" ? DType::f64 : DType::f32, device,
                            static_cast<uint64_t>(config.seed()));
}

static ModelSizes sizes_of(const Data& data) { return {data.source->size(), data.target->size()}; }

// A mistake that training would meet after its run directory is made.
static void check_training(const Config& config, const Setup& s) {
  if (config.loss.options().over != Over::all && config.loss.options().then == Then::nothing)
    refuse(
        "loss: this loss is a vector, and training differentiates a scalar; add one of the lines\n  loss: {{reduce: "
        "{{then: sum}}}}\n  loss: {{reduce: {{then: mean}}}}");
  check_weights(s.loss, config.data, s.data.train);
  check_checkpoint_metric(config, s.data.dev);
  const int64_t first = 0;
  const Batch batch = make_batch(s.data.train, {&first, 1}, 1);
  build_live_rows(loss_inputs(batch, s.loss), s.loss.options);  // refuses the rest of its inputs
  const ModelSizes sizes = sizes_of(s.data);
  check_model_memory(config, sizes, s.settings.device);
  check_batches(config, s.data, s.settings.device, model_bytes(config, sizes), batch_bytes(config, sizes.target_words));
}

Setup set_up(const Config& config, Purpose purpose, const std::string& run, Processes& processes) {
  Setup s;
  require_parts(config, processes, !run.empty());
  s.settings = apply_process_settings(config, processes);
  const Vocabularies kept = run.empty() ? Vocabularies{} : load_vocabularies(run);
  s.data = load_data(config.data, static_cast<uint64_t>(config.seed()), kept.source, kept.target);
  check_loss_sources(config, s.data);
  s.loss = make_loss_setup(config.loss, s.data.target->size());
  if (purpose == Purpose::training) check_training(config, s);
  const Device device = purpose == Purpose::training ? s.settings.device : Device::cpu;
  s.model = make_model(config, sizes_of(s.data), device);
  if (processes.count() > 1) {
    RunValues values = decisive(config, device, processes);
    add_data(values, s.data, s.loss);
    require_same(processes, values);
  }
  if (run.empty() || last_checkpoint(run + "/checkpoints").empty())
    s.initialised = config.model->init_weights(*s.model, s.data.source.get(), s.data.target.get());
  return s;
}

}  // namespace seqgrad
