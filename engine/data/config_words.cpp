// The words of other programs for what the `data` section has.
#include "engine/data/config.h"

namespace seqgrad {

Choice vocabulary_choice() {
  return choice(tokenizer_names, {{"words", "word"},
                                  {"whitespace", "word"},
                                  {"space", "word"},
                                  {"token", "word"},
                                  {"character", "char"},
                                  {"characters", "char"},
                                  {"letters", "char"},
                                  {"subword", "bpe"},
                                  {"subword-nmt", "bpe"},
                                  {"sentencepiece", "bpe"},
                                  {"spm", "bpe"},
                                  {"wordpiece", "bpe"},
                                  {"unigram", "bpe"}});
}

std::vector<ForeignName> FilesConfig::foreign_names() const {
  return foreign({{"src", "source src_file source_file path_src"},
                  {"trg", "target tgt trg_file tgt_file target_file path_tgt reference ref"},
                  {"tsv", "path file csv pairs"}});
}

std::vector<std::string> FilesConfig::bare_keys() const { return {"tsv"}; }

std::vector<ForeignName> VocabularyConfig::foreign_names() const {
  return foreign({{"kind", "type level tokenizer tokenizer_type"},
                  {"size", "max_size max_vocab_size vocab_size voc_limit limit num_words max_tokens"},
                  {"min_frequency", "min_freq min_count voc_min_freq vocab_min_frequency"},
                  {"share", "shared joint joined"}});
}
std::vector<std::string> VocabularyConfig::bare_keys() const { return {"kind", "size"}; }

std::vector<ForeignName> DataWeightsConfig::foreign_names() const {
  return foreign({{"example", "sample sentence pair"}, {"token", "word"}});
}

std::vector<ForeignName> SizesConfig::foreign_names() const {
  return foreign({{"dev", "valid validation val eval"}, {"train", "training"}});
}

std::vector<ForeignName> DataConfig::foreign_names() const {
  return foreign({{"dev", "valid validation val eval"},
                  {"train", "training"},
                  {"test", "testing"},
                  {"task", "dataset name"},
                  {"", "num_workers n_workers workers shuffle"},
                  {"train.src", "src train_src"},
                  {"train.trg", "trg tgt train_trg train_tgt"},
                  {"train.tsv", "tsv"},
                  {"dev.src", "valid_src dev_src"},
                  {"dev.trg", "valid_tgt dev_trg"},
                  {"train.src,train.trg", "train_sets"},
                  {"dev.src,dev.trg", "valid_sets"},
                  {"sizes.train", "size num_examples"},
                  {"max_length",
                   "max_len max_seq_len max_seq_length max_sent_length max_sequence_length max_source_length "
                   "max_target_length src_seq_length"},
                  {"lowercase", "lower do_lower_case"},
                  {"vocabulary", "vocab"},
                  {"vocabulary.size", "vocab_size src_vocab_size voc_limit num_words"},
                  {"vocabulary.min_frequency", "vocab_min_freq voc_min_freq min_freq"},
                  {"vocabulary.kind", "level tokenizer tokenizer_type"},
                  {"vocabulary.share", "share_vocab shared_vocab joined_dictionary"},
                  {"weights.example", "sample_weight sample_weights example_weights"},
                  {"weights.token", "token_weights"}});
}

}  // namespace seqgrad
