// Products by their three sizes, tensors by their widths.
#include "apps/bench/cost.h"

namespace seqgrad {

StepCost step_cost(const ReferenceModel& m, const std::string& attention, double target_words, double parameters) {
  const auto n = [](int64_t x) { return static_cast<double>(x); };
  const double e = n(m.embedding), h = n(m.encoder_hidden), d = n(m.decoder_hidden), v = n(m.vocabulary), c = 2 * h,
               source = n(m.batch) * n(m.source_steps), target = n(m.batch) * n(m.target_steps);
  const bool additive = attention == "additive", attends = attention != "none";

  double products = source * 2 * 3 * h * (e + h) + n(m.batch) * c * d + target * 3 * d * (e + d) + target_words * d * v;
  if (attention == "general" || additive) products += source * c * d;  // keys
  if (attends)
    products += target * n(m.source_steps) * (d + c) + target_words * (d + c) * d;  // scores, context; readout
  if (additive) products += target * d * d + source * 3 * d * c;  // query; values, as inputs of the cell

  // Of a GRU: projected input 3, gates 4, states and the states before them 2; gradients of input, gates and states 7.
  double numbers = source * (2 * e + 2 * 16 * h) + target * (2 * e + 16 * d) + 2 * target_words * d + 512 * v;
  if (attends) numbers += source * 2 * d + target * (2 * n(m.source_steps) + 2 * c + 2 * (d + c) + 4 * d);
  if (additive) numbers += source * 2 * 3 * d + target * 2 * d;  // projected values; query
  return {6e-9 * products, 32 * parameters, 16 * parameters + 4 * numbers};
}

double decode_gflop(const DecodeSizes& z, double source_words, double target_words, double beam) {
  const auto n = [](int64_t x) { return static_cast<double>(x); };
  const double e = n(z.embedding), h = n(z.encoder_hidden), d = n(z.decoder_hidden), o = n(z.readout),
               c = h * n(z.directions), v = n(z.vocabulary);
  const bool additive = z.attention == "additive", attends = z.attention != "none";

  double source = c * 3 * (e + h) + n(z.encoder_layers - 1) * c * 3 * (c + h);
  if (z.attention == "general" || additive) source += c * d;  // keys

  const double joined = additive ? c : z.input_feeding ? o : 0;  // what the first layer reads beside the word
  double word = 3 * d * (e + joined + d) + n(z.decoder_layers - 1) * 3 * d * 2 * d + o * v;
  if (attends) word += source_words * (d + c) + (d + c) * o;  // scores, context; readout
  if (additive) word += d * d;                                // query
  return 2e-9 * (source_words * source + c * d + beam * target_words * word);
}

}  // namespace seqgrad
