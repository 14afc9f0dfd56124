// First weights from a file.
#pragma once
#include <string>

#include "engine/data/tokenizer.h"
#include "engine/train/model.h"
#include "models/config.h"

namespace seqgrad {

// Copies the tensors of model.init.file (safetensors, float32 or float64, PyTorch's names and shapes) over the model's
// parameters and returns what was done in words; "" without a file. A name that begins with a key of model.init.rename
// begins with its value instead; the longest key counts. Refused, by the tensor's name, before anything is changed: a
// tensor that the model does not have, one of another shape, one that is not finite, two with one name, and a layer
// that the file has in part. Embeddings and the output layer of a run are refused where that run's vocabulary is not
// `source` or `target` (null: not compared): the same row would be another word.
std::string init_weights(const ModelConfig& config, SequenceModel& model, const Tokenizer* source = nullptr,
                         const Tokenizer* target = nullptr);

}  // namespace seqgrad
