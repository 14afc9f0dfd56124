// The words of other programs for what the `model` section has.
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
  return foreign({{"layers", "num_layers n_layers depth"},
                  {"hidden", "hidden_size hidden_dim rnn_size units size num_units"},
                  {"bidirectional", "bidir brnn"}});
}
std::vector<std::string> EncoderConfig::bare_keys() const { return {"hidden"}; }

std::vector<ForeignName> DecoderConfig::foreign_names() const {
  return foreign(
      {{"layers", "num_layers n_layers depth"}, {"hidden", "hidden_size hidden_dim rnn_size units size num_units"}});
}
std::vector<std::string> DecoderConfig::bare_keys() const { return {"hidden"}; }

std::vector<ForeignName> DropoutConfig::foreign_names() const {
  return foreign({{"embedding,hidden", "rate p prob"}, {"embedding", "emb"}, {"hidden", "rnn layers"}});
}
std::vector<std::string> DropoutConfig::bare_keys() const { return {"embedding", "hidden"}; }

std::vector<ForeignName> InitConfig::foreign_names() const {
  return foreign({{"file", "path checkpoint"}, {"", "name type method scheme gain std"}});
}
std::vector<std::string> InitConfig::bare_keys() const { return {}; }  // a single word names a scheme elsewhere

std::vector<ForeignName> ModelConfig::foreign_names() const {
  return foreign(
      {{"embedding", "embedding_dim embedding_size embed_dim emb_dim emb_size emb dim_emb word_vec_size num_embed"},
       {"encoder.hidden,decoder.hidden",
        "hidden hidden_size hidden_dim rnn_size rnn_num_hidden dim_rnn units num_units"},
       {"encoder.layers,decoder.layers", "layers num_layers n_layers"},
       {"encoder.layers", "enc_layers encoder_layers enc_depth"},
       {"decoder.layers", "dec_layers decoder_layers dec_depth"},
       {"encoder.hidden", "encoder_hidden encoder_hidden_size"},
       {"decoder.hidden", "decoder_hidden decoder_hidden_size"},
       {"encoder.bidirectional", "bidir brnn"},
       {"attention", "attn attention_type attention_mechanism global_attention rnn_attention_type"},
       {"input_feeding", "input_feed"},
       {"tied_embeddings",
        "tie_embeddings tied_softmax tie_weights weight_tying tie_word_embeddings share_decoder_embeddings "
        "share_decoder_input_output_embed"},
       {"dropout", "drop dropout_p dropout_rate"},
       {"dropout.hidden", "dropout_rnn hidden_dropout"},
       {"dropout.embedding", "emb_dropout embedding_dropout"},
       {"init.file", "pretrained load_model train_from pretrained_model finetune_from_model"},
       {"",
        "heads num_heads n_heads num_attention_heads d_model dim_model d_ff ff_size dim_feedforward feed_forward_size "
        "type name arch rnn rnn_type cell cell_type activation dim max_position_embeddings"}});
}

}  // namespace seqgrad
