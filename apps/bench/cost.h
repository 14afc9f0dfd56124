// What a training step of a reference model and a translation cost by formula: the limits that `bench` holds times and
// peaks against.
#pragma once
#include <string>

#include "apps/bench/reference_model.h"

namespace seqgrad {

struct StepCost {
  // Multiplications and additions of the products, in 10^9: forward, and twice that backward. Recurrences and keys
  // count at every padded position, readout and output projection where a target is. Gates, softmax and Adam are not in
  // it.
  double gflop;
  // Read and written by Adam and by clearing the gradients: 28 + 4 bytes a parameter.
  double update_bytes;
  // Held at once: parameters, gradients and both moments; values and gradients of all positions; one tile of logits.
  double memory_bytes;
};

// `target_words` are the real ones of a batch, `parameters` those of the model; float32.
StepCost step_cost(const ReferenceModel& model, const std::string& attention, double target_words, double parameters);

// What decides about the products of a translation.
struct DecodeSizes {
  int64_t embedding, encoder_hidden, directions, encoder_layers, decoder_hidden, decoder_layers, readout, vocabulary;
  std::string attention;
  bool input_feeding;
};

// 10^9 multiplications and additions of the products of one sentence: its source of so many words read once, and a
// target of so many, its end included, written by each of `beam` hypotheses.
double decode_gflop(const DecodeSizes& sizes, double source_words, double target_words, double beam);

}  // namespace seqgrad
