// The words of other programs for what the sections of training have.
#include "engine/train/config.h"

namespace seqgrad {

Choice metric_choice() {
  return choice({"loss", "sequence_accuracy", "bleu"}, {{"eval_loss", "loss"},
                                                        {"valid_loss", "loss"},
                                                        {"validation_loss", "loss"},
                                                        {"val_loss", "loss"},
                                                        {"dev_loss", "loss"},
                                                        {"ppl", "loss"},
                                                        {"perplexity", "loss"},
                                                        {"cross_entropy", "loss"},
                                                        {"ce", "loss"},
                                                        {"accuracy", "sequence_accuracy"},
                                                        {"acc", "sequence_accuracy"},
                                                        {"exact", "sequence_accuracy"},
                                                        {"exact_match", "sequence_accuracy"},
                                                        {"em", "sequence_accuracy"},
                                                        {"sacrebleu", "bleu"},
                                                        {"eval_bleu", "bleu"},
                                                        {"bleu4", "bleu"}});
}

Choice device_choice() {
  std::vector<std::string> names(std::begin(device_names), std::end(device_names));
  names.emplace_back("auto");
  return choice(
      names,
      {{"gpu", "cuda"}, {"cuda:0", "cuda"}, {"gpu:0", "cuda"}, {"0", "cuda"}, {"nvidia", "cuda"}, {"host", "cpu"}});
}

Choice precision_choice() {
  return choice(
      {"fp64", "fp32", "tf32", "bf16"},
      {{"float64", "fp64"}, {"double", "fp64"},       {"64", "fp64"},       {"f64", "fp64"},        {"float32", "fp32"},
       {"float", "fp32"},   {"single", "fp32"},       {"full", "fp32"},     {"32", "fp32"},         {"32-true", "fp32"},
       {"f32", "fp32"},     {"no", "fp32"},           {"bfloat16", "bf16"}, {"bf16-mixed", "bf16"}, {"mixed", "bf16"},
       {"16", "bf16"},      {"16-mixed", "bf16"},     {"half", "bf16"},     {"float16", "bf16"},    {"fp16", "bf16"},
       {"f16", "bf16"},     {"tensorfloat32", "tf32"}});
}

std::vector<ForeignName> BatchConfig::foreign_names() const {
  return foreign({{"by", "type batch_type unit"},
                  {"size", "batch_size"},
                  {"by=tokens,size", "max_tokens tokens"},
                  {"by=sentences,size", "max_sentences sentences"},
                  {"bucket", "bucket_size bucket_width pad_to_multiple_of required_batch_size_multiple"}});
}
std::vector<std::string> BatchConfig::bare_keys() const { return {"size"}; }

std::vector<ForeignName> TrainConfig::foreign_names() const {
  return foreign(
      {{"epochs", "max_epochs max_epoch num_epochs n_epochs nb_epoch num_train_epochs max_num_epochs after_epochs"},
       {"steps",
        "max_steps num_steps n_steps train_steps total_steps num_train_steps num_training_steps max_update max_updates "
        "updates iterations num_iterations max_iters after_batches"},
       {"batch.size", "batch_size bs minibatch mini_batch_size per_device_train_batch_size train_batch_size"},
       {"batch.by=sentences,batch.size", "max_sentences"},
       {"batch.by=tokens,batch.size", "max_tokens mini_batch_words"},
       {"batch.by", "batch_type"},
       {"batch.bucket", "bucketing"},
       {"accumulation",
        "gradient_accumulation_steps gradient_accumulation grad_accumulation grad_accum accumulation_steps "
        "accumulate_grad_batches accum_count batch_multiplier update_freq optimizer_delay update_interval"},
       {"teacher_forcing", "teacher_forcing_ratio"},
       {"log_every",
        "logging_freq logging_steps log_every_n_steps log_interval log_steps report_every print_every disp_freq"},
       {"validate_every",
        "validation_freq valid_freq valid_steps validation_steps eval_steps eval_every eval_interval "
        "val_check_interval validate_interval_updates checkpoint_interval"},
       {"", "num_workers n_workers workers dataloader_num_workers shuffle"},
       {"early_stopping.patience", "patience early_stop early_stopping_patience max_num_checkpoint_not_improved"}});
}

std::vector<ForeignName> CheckpointConfig::foreign_names() const {
  return foreign(
      {{"every",
        "checkpoint_every save_every save_steps save_freq save_interval save_interval_updates save_checkpoint_steps"},
       {"keep_last", "save_total_limit keep_checkpoint keep_last_ckpts keep_last_epochs keep_last_params"},
       {"keep_best", "keep_best_ckpts save_top_k keep_best_checkpoints"},
       {"metric",
        "monitor eval_metric early_stopping_metric metric_for_best_model best_checkpoint_metric valid_metrics "
        "optimized_metric"},
       {"", "path dir directory folder save_dir output_dir"}});
}

std::vector<ForeignName> ReportConfig::foreign_names() const {
  return foreign({{"samples", "num_samples n_samples examples"}});
}

std::vector<ForeignName> Config::foreign_names() const {
  return foreign({{"train", "training trainer training_args"},
                  {"optim", "optimizer optimiser optimization"},
                  {"loss", "criterion objective loss_fn loss_function cost_type"},
                  {"schedule", "scheduler lr_scheduler lr_schedule learning_rate_schedule learning_rate_scheduling"},
                  {"data", "dataset datasets corpus"},
                  {"checkpoint", "checkpoints checkpointing"},
                  {"report", "logging"},
                  {"name", "experiment run_name experiment_name"},
                  {"", "num_workers n_workers workers"},
                  {"seed", "random_seed manual_seed rng_seed random_state"},
                  {"device=cuda", "use_cuda cuda gpu gpus use_gpu"},
                  {"device=cpu", "no_cuda use_cpu"},
                  {"device", "accelerator"},
                  {"precision", "dtype mixed_precision"},
                  {"precision=bf16", "fp16 bf16 half amp use_amp"},
                  {"precision=tf32", "tf32"},
                  {"threads", "num_threads n_threads cpu_threads"},
                  {"decode", "testing decoding inference generation search beam_search"},
                  {"model", "network architecture"},
                  {"model.decoder", "decoder"},
                  {"model.encoder", "encoder"}});
}

std::vector<ForeignName> DecodeConfig::foreign_names() const {
  return foreign({{"beam", "beam_size beam_width beams num_beams"},
                  {"length_penalty", "alpha beam_alpha lenpen len_penalty length_penalty_alpha"},
                  {"max_ratio", "max_len_a max_length_factor"},
                  {"max_extra", "max_len_b max_length max_output_length max_new_tokens max_len"},
                  {"", "temperature top_k top_p do_sample repetition_penalty no_repeat_ngram_size"}});
}

std::vector<std::string> DecodeConfig::bare_keys() const { return {"beam"}; }

}  // namespace seqgrad
