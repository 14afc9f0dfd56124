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
  return {{"source", "src"},      {"src_file", "src"}, {"source_file", "src"}, {"path_src", "src"},
          {"target", "trg"},      {"tgt", "trg"},      {"trg_file", "trg"},    {"tgt_file", "trg"},
          {"target_file", "trg"}, {"path_tgt", "trg"}, {"reference", "trg"},   {"ref", "trg"},
          {"path", "tsv"},        {"file", "tsv"},     {"csv", "tsv"},         {"pairs", "tsv"}};
}

std::vector<std::string> FilesConfig::bare_keys() const { return {"tsv"}; }

std::vector<ForeignName> VocabularyConfig::foreign_names() const {
  return {{"type", "kind"},
          {"level", "kind"},
          {"tokenizer", "kind"},
          {"tokenizer_type", "kind"},
          {"max_size", "size"},
          {"max_vocab_size", "size"},
          {"vocab_size", "size"},
          {"voc_limit", "size"},
          {"limit", "size"},
          {"num_words", "size"},
          {"max_tokens", "size"},
          {"min_freq", "min_frequency"},
          {"min_count", "min_frequency"},
          {"voc_min_freq", "min_frequency"},
          {"vocab_min_frequency", "min_frequency"},
          {"shared", "share"},
          {"joint", "share"},
          {"joined", "share"}};
}
std::vector<std::string> VocabularyConfig::bare_keys() const { return {"kind", "size"}; }

std::vector<ForeignName> DataWeightsConfig::foreign_names() const {
  return {{"sample", "example"}, {"sentence", "example"}, {"pair", "example"}, {"word", "token"}};
}

std::vector<ForeignName> SizesConfig::foreign_names() const {
  return {{"valid", "dev"}, {"validation", "dev"}, {"val", "dev"}, {"eval", "dev"}, {"training", "train"}};
}

std::vector<ForeignName> DataConfig::foreign_names() const {
  return {{"valid", "dev"},
          {"validation", "dev"},
          {"val", "dev"},
          {"eval", "dev"},
          {"training", "train"},
          {"testing", "test"},
          {"dataset", "task"},
          {"name", "task"},
          {"src", "train.src"},
          {"trg", "train.trg"},
          {"tgt", "train.trg"},
          {"tsv", "train.tsv"},
          {"train_src", "train.src"},
          {"train_trg", "train.trg"},
          {"train_tgt", "train.trg"},
          {"valid_src", "dev.src"},
          {"valid_tgt", "dev.trg"},
          {"dev_src", "dev.src"},
          {"dev_trg", "dev.trg"},
          {"train_sets", "train.src,train.trg"},
          {"valid_sets", "dev.src,dev.trg"},
          {"size", "sizes.train"},
          {"num_examples", "sizes.train"},
          {"max_len", "max_length"},
          {"max_seq_len", "max_length"},
          {"max_seq_length", "max_length"},
          {"max_sent_length", "max_length"},
          {"max_sequence_length", "max_length"},
          {"max_source_length", "max_length"},
          {"max_target_length", "max_length"},
          {"src_seq_length", "max_length"},
          {"lower", "lowercase"},
          {"do_lower_case", "lowercase"},
          {"vocab", "vocabulary"},
          {"vocab_size", "vocabulary.size"},
          {"src_vocab_size", "vocabulary.size"},
          {"voc_limit", "vocabulary.size"},
          {"num_words", "vocabulary.size"},
          {"vocab_min_freq", "vocabulary.min_frequency"},
          {"voc_min_freq", "vocabulary.min_frequency"},
          {"min_freq", "vocabulary.min_frequency"},
          {"level", "vocabulary.kind"},
          {"tokenizer", "vocabulary.kind"},
          {"tokenizer_type", "vocabulary.kind"},
          {"share_vocab", "vocabulary.share"},
          {"shared_vocab", "vocabulary.share"},
          {"joined_dictionary", "vocabulary.share"},
          {"sample_weight", "weights.example"},
          {"sample_weights", "weights.example"},
          {"example_weights", "weights.example"},
          {"token_weights", "weights.token"}};
}

}  // namespace seqgrad
