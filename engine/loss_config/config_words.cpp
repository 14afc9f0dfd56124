// The words of other programs for what the `loss` section has.
#include "engine/loss_config/config.h"

namespace seqgrad {

Choice preset_choice() {
  return choice(preset_names, {{"cross_entropy", "token_mean"},
                               {"cross_entropy_loss", "token_mean"},
                               {"categorical_crossentropy", "token_mean"},
                               {"ce", "token_mean"},
                               {"xent", "token_mean"},
                               {"nll", "token_mean"},
                               {"nll_loss", "token_mean"},
                               {"mean", "torch.mean"},
                               {"tokens", "token_mean"},
                               {"true", "token_mean"},
                               {"batch", "batch_mean"},
                               {"sents", "batch_mean"},
                               {"sentences", "sentence_mean"},
                               {"none", "sum"},
                               {"torch", "torch.mean"},
                               {"pytorch", "torch.mean"},
                               {"F.cross_entropy", "torch.mean"},
                               {"torch.nn.CrossEntropyLoss", "torch.mean"},
                               {"nn.CrossEntropyLoss", "torch.mean"},
                               {"tf", "tfa.sequence_loss"},
                               {"tensorflow", "tfa.sequence_loss"},
                               {"sequence_loss", "tfa.sequence_loss"},
                               {"sequence_loss_by_example", "tf1.sequence_loss_by_example"},
                               {"keras", "keras.sum_over_batch_size"},
                               {"sparse_categorical_crossentropy", "keras.sum_over_batch_size"},
                               {"sum_over_batch_size", "keras.sum_over_batch_size"},
                               {"fairseq", "fairseq.tokens"},
                               {"label_smoothed_cross_entropy", "fairseq.tokens"},
                               {"opennmt", "opennmt.tokens"},
                               {"joeynmt", "joeynmt.batch"},
                               {"hf", "hf.causal_lm"},
                               {"huggingface", "hf.causal_lm"},
                               {"transformers", "hf.causal_lm"},
                               {"marian", "marian.ce-sum"},
                               {"ce-sum", "marian.ce-sum"},
                               {"ce-mean", "marian.ce-mean"},
                               {"ce-mean-words", "marian.ce-mean-words"}});
}

std::vector<ForeignName> MaskConfig::foreign_names() const {
  return {{"pad_index", "ignore_index"},
          {"padding_idx", "ignore_index"},
          {"pad_id", "ignore_index"},
          {"ignore_id", "ignore_index"},
          {"ignore_label", "ignore_index"},
          {"ignore", "ignore_index"},
          {"padding", "lengths"},
          {"pad", "lengths"},
          {"length", "lengths"}};
}

std::vector<ForeignName> SmoothingConfig::foreign_names() const {
  return {
      {"eps", "epsilon"}, {"value", "epsilon"}, {"alpha", "epsilon"}, {"label_smoothing", "epsilon"}, {"type", "kind"}};
}

std::vector<ForeignName> ReduceConfig::foreign_names() const {
  return {{"axis", "over"},           {"dim", "over"},      {"axes", "over"}, {"by", "divide"}, {"divisor", "divide"},
          {"normalize_by", "divide"}, {"eps", "divide_eps"}};
}

std::vector<ForeignName> LossConfig::foreign_names() const {
  return {{"label_smoothing", "smoothing.epsilon"},
          {"label_smoothing_factor", "smoothing.epsilon"},
          {"smoothing_eps", "smoothing.epsilon"},
          {"label_smooth", "smoothing.epsilon"},
          {"smooth", "smoothing.epsilon"},
          {"reduction", "preset"},
          {"loss_type", "preset"},
          {"type", "preset"},
          {"normalization", "preset"},
          {"loss_normalization_type", "preset"},
          {"from_logits", "input"},
          {"pad_index", "mask.ignore_index"},
          {"padding_idx", "mask.ignore_index"},
          {"pad_id", "mask.ignore_index"},
          {"ignore_id", "mask.ignore_index"},
          {"class_weight", "weights.class.file"},
          {"class_weights", "weights.class.file"},
          {"weight", "weights.class.file"}};
}

}  // namespace seqgrad
