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
  return foreign({{"ignore_index", "pad_index padding_idx pad_id ignore_id ignore_label ignore"},
                  {"lengths", "padding pad length"}});
}

std::vector<ForeignName> SmoothingConfig::foreign_names() const {
  return foreign({{"epsilon", "eps value alpha label_smoothing"}, {"kind", "type"}});
}

std::vector<ForeignName> ReduceConfig::foreign_names() const {
  return foreign({{"over", "axis dim axes"}, {"divide", "by divisor normalize_by"}, {"divide_eps", "eps"}});
}

std::vector<ForeignName> LossConfig::foreign_names() const {
  return foreign({{"smoothing.epsilon", "label_smoothing label_smoothing_factor smoothing_eps label_smooth smooth"},
                  {"preset", "reduction loss_type type normalization loss_normalization_type"},
                  {"input", "from_logits"},
                  {"mask.ignore_index", "pad_index padding_idx pad_id ignore_id"},
                  {"weights.class.file", "class_weight class_weights weight"},
                  {"", "name pos_weight focal_gamma gamma margin temperature"}});
}

}  // namespace seqgrad
