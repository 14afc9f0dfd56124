// The words of other programs for what the `model` and `decode` sections have.
#include "models/config.h"

namespace seqgrad {

Choice attention_choice() {
  return choice({"none", "dot", "general", "additive"}, {{"bahdanau", "additive"},
                                                         {"mlp", "additive"},
                                                         {"concat", "additive"},
                                                         {"luong", "general"},
                                                         {"multiplicative", "general"},
                                                         {"bilinear", "general"},
                                                         {"true", "general"},
                                                         {"dot_product", "dot"},
                                                         {"scaled_dot", "dot"},
                                                         {"luong_dot", "dot"},
                                                         {"luong_general", "general"},
                                                         {"luong_concat", "additive"}});
}

std::vector<ForeignName> EncoderConfig::foreign_names() const {
  return {{"num_layers", "layers"}, {"n_layers", "layers"},     {"depth", "layers"},      {"hidden_size", "hidden"},
          {"hidden_dim", "hidden"}, {"rnn_size", "hidden"},     {"units", "hidden"},      {"size", "hidden"},
          {"num_units", "hidden"},  {"bidir", "bidirectional"}, {"brnn", "bidirectional"}};
}
std::vector<std::string> EncoderConfig::bare_keys() const { return {"hidden"}; }

std::vector<ForeignName> DecoderConfig::foreign_names() const {
  return {{"num_layers", "layers"},  {"n_layers", "layers"},   {"depth", "layers"},
          {"hidden_size", "hidden"}, {"hidden_dim", "hidden"}, {"rnn_size", "hidden"},
          {"units", "hidden"},       {"size", "hidden"},       {"num_units", "hidden"}};
}
std::vector<std::string> DecoderConfig::bare_keys() const { return {"hidden"}; }

std::vector<ForeignName> DropoutConfig::foreign_names() const {
  return {{"rate", "embedding,hidden"}, {"p", "embedding,hidden"}, {"prob", "embedding,hidden"},
          {"emb", "embedding"},         {"rnn", "hidden"},         {"layers", "hidden"}};
}
std::vector<std::string> DropoutConfig::bare_keys() const { return {"embedding", "hidden"}; }

std::vector<ForeignName> InitConfig::foreign_names() const { return {{"path", "file"}, {"checkpoint", "file"}}; }

std::vector<ForeignName> ModelConfig::foreign_names() const {
  return {{"embedding_dim", "embedding"},
          {"embedding_size", "embedding"},
          {"embed_dim", "embedding"},
          {"emb_dim", "embedding"},
          {"emb_size", "embedding"},
          {"emb", "embedding"},
          {"dim_emb", "embedding"},
          {"word_vec_size", "embedding"},
          {"num_embed", "embedding"},
          {"hidden", "encoder.hidden,decoder.hidden"},
          {"hidden_size", "encoder.hidden,decoder.hidden"},
          {"hidden_dim", "encoder.hidden,decoder.hidden"},
          {"rnn_size", "encoder.hidden,decoder.hidden"},
          {"rnn_num_hidden", "encoder.hidden,decoder.hidden"},
          {"dim_rnn", "encoder.hidden,decoder.hidden"},
          {"units", "encoder.hidden,decoder.hidden"},
          {"num_units", "encoder.hidden,decoder.hidden"},
          {"layers", "encoder.layers,decoder.layers"},
          {"num_layers", "encoder.layers,decoder.layers"},
          {"n_layers", "encoder.layers,decoder.layers"},
          {"enc_layers", "encoder.layers"},
          {"encoder_layers", "encoder.layers"},
          {"enc_depth", "encoder.layers"},
          {"dec_layers", "decoder.layers"},
          {"decoder_layers", "decoder.layers"},
          {"dec_depth", "decoder.layers"},
          {"encoder_hidden", "encoder.hidden"},
          {"encoder_hidden_size", "encoder.hidden"},
          {"decoder_hidden", "decoder.hidden"},
          {"decoder_hidden_size", "decoder.hidden"},
          {"bidir", "encoder.bidirectional"},
          {"brnn", "encoder.bidirectional"},
          {"attn", "attention"},
          {"attention_type", "attention"},
          {"attention_mechanism", "attention"},
          {"global_attention", "attention"},
          {"rnn_attention_type", "attention"},
          {"input_feed", "input_feeding"},
          {"tie_embeddings", "tied_embeddings"},
          {"tied_softmax", "tied_embeddings"},
          {"tie_weights", "tied_embeddings"},
          {"weight_tying", "tied_embeddings"},
          {"tie_word_embeddings", "tied_embeddings"},
          {"share_decoder_embeddings", "tied_embeddings"},
          {"share_decoder_input_output_embed", "tied_embeddings"},
          {"drop", "dropout"},
          {"dropout_p", "dropout"},
          {"dropout_rate", "dropout"},
          {"dropout_rnn", "dropout.hidden"},
          {"emb_dropout", "dropout.embedding"},
          {"embedding_dropout", "dropout.embedding"},
          {"hidden_dropout", "dropout.hidden"},
          {"pretrained", "init.file"},
          {"load_model", "init.file"},
          {"train_from", "init.file"},
          {"pretrained_model", "init.file"},
          {"finetune_from_model", "init.file"}};
}

std::vector<ForeignName> DecodeConfig::foreign_names() const {
  return {{"beam_size", "beam"},
          {"beam_width", "beam"},
          {"beams", "beam"},
          {"num_beams", "beam"},
          {"alpha", "length_penalty"},
          {"beam_alpha", "length_penalty"},
          {"lenpen", "length_penalty"},
          {"len_penalty", "length_penalty"},
          {"length_penalty_alpha", "length_penalty"},
          {"max_len_a", "max_ratio"},
          {"max_len_b", "max_extra"},
          {"max_length_factor", "max_ratio"},
          {"max_length", "max_extra"},
          {"max_output_length", "max_extra"},
          {"max_new_tokens", "max_extra"}};
}

std::vector<std::string> DecodeConfig::bare_keys() const { return {"beam"}; }

std::vector<ForeignName> Config::foreign_names() const {
  std::vector<ForeignName> all = RunConfig::foreign_names();
  for (const ForeignName& n : std::initializer_list<ForeignName>{{"testing", "decode"},
                                                                 {"decoding", "decode"},
                                                                 {"decoder", "model.decoder"},
                                                                 {"encoder", "model.encoder"},
                                                                 {"inference", "decode"},
                                                                 {"generation", "decode"},
                                                                 {"search", "decode"},
                                                                 {"beam_search", "decode"},
                                                                 {"network", "model"},
                                                                 {"architecture", "model"}})
    all.push_back(n);
  return all;
}

}  // namespace seqgrad
