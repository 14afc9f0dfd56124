// Data, model and loss of a config, stopped before the loss.
#include "engine/run/first_batch.h"

#include "engine/data/batcher.h"
#include "engine/data/data_notes.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"
#include "engine/ops/view.h"
#include "engine/run/setup.h"
#include "engine/train/trainer.h"

namespace seqgrad {

FirstBatch first_batch(const Config& config, const std::string& path, int64_t sentences) {
  const Setup setup = set_up(config, Purpose::inspection);
  const Data& data = setup.data;
  BatchOptions batching = batch_options(config);
  batching.by = BatchBy::sentences;
  batching.size = sentences;
  const Batch batch = Batcher(data.train, batching).next();
  FirstBatch out;
  out.data = describe_data(data);
  LessonBatch& s = out.batch;
  s.inputs = loss_inputs(batch, setup.loss);
  s.options = setup.loss.options;
  s.options.input = Input::logits;
  {
    Tape::current().reset();
    const NoGrad no_grad;
    const Readout r = setup.model->forward(batch, {});
    const int64_t n = batch.batch * batch.target_steps;
    s.x = to_host<double>(add(matmul(reshape(r.hidden, {n, r.hidden.shape[2]}), r.weight, false, true), r.bias));
  }
  if (setup.loss.options.input == Input::probs) s = with_probabilities(s);
  Subject& subject = out.subject;
  subject.source = path;
  subject.kind = "config";
  subject.title = config.name();
  subject.about = "its first batch, by a model that has learned nothing yet";
  if (config.model->first_weights()) subject.about = "its first batch, by the model of model.init.file";
  for (int64_t id = 0; id < data.target->size(); ++id)
    subject.words.emplace_back(data.target->vocabulary().token(static_cast<int32_t>(id)));
  for (const int64_t i : batch.sentences) subject.sources.push_back(data.train.pairs[static_cast<size_t>(i)].source);
  return out;
}

}  // namespace seqgrad
