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
  return choice(
      {"cpu", "cuda", "auto"},
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
  return {{"type", "by"},
          {"batch_type", "by"},
          {"unit", "by"},
          {"batch_size", "size"},
          {"max_tokens", "by=tokens,size"},
          {"tokens", "by=tokens,size"},
          {"max_sentences", "by=sentences,size"},
          {"sentences", "by=sentences,size"},
          {"bucket_size", "bucket"},
          {"bucket_width", "bucket"},
          {"pad_to_multiple_of", "bucket"},
          {"required_batch_size_multiple", "bucket"}};
}
std::vector<std::string> BatchConfig::bare_keys() const { return {"size"}; }

std::vector<ForeignName> TrainConfig::foreign_names() const {
  return {{"max_epochs", "epochs"},
          {"max_epoch", "epochs"},
          {"num_epochs", "epochs"},
          {"n_epochs", "epochs"},
          {"nb_epoch", "epochs"},
          {"num_train_epochs", "epochs"},
          {"max_num_epochs", "epochs"},
          {"after_epochs", "epochs"},
          {"max_steps", "steps"},
          {"num_steps", "steps"},
          {"n_steps", "steps"},
          {"train_steps", "steps"},
          {"total_steps", "steps"},
          {"num_train_steps", "steps"},
          {"num_training_steps", "steps"},
          {"max_update", "steps"},
          {"max_updates", "steps"},
          {"updates", "steps"},
          {"iterations", "steps"},
          {"num_iterations", "steps"},
          {"max_iters", "steps"},
          {"after_batches", "steps"},
          {"batch_size", "batch.size"},
          {"bs", "batch.size"},
          {"minibatch", "batch.size"},
          {"mini_batch_size", "batch.size"},
          {"per_device_train_batch_size", "batch.size"},
          {"train_batch_size", "batch.size"},
          {"max_sentences", "batch.by=sentences,batch.size"},
          {"max_tokens", "batch.by=tokens,batch.size"},
          {"mini_batch_words", "batch.by=tokens,batch.size"},
          {"batch_type", "batch.by"},
          {"bucketing", "batch.bucket"},
          {"gradient_accumulation_steps", "accumulation"},
          {"gradient_accumulation", "accumulation"},
          {"grad_accumulation", "accumulation"},
          {"grad_accum", "accumulation"},
          {"accumulation_steps", "accumulation"},
          {"accumulate_grad_batches", "accumulation"},
          {"accum_count", "accumulation"},
          {"batch_multiplier", "accumulation"},
          {"update_freq", "accumulation"},
          {"optimizer_delay", "accumulation"},
          {"update_interval", "accumulation"},
          {"teacher_forcing_ratio", "teacher_forcing"},
          {"logging_freq", "log_every"},
          {"logging_steps", "log_every"},
          {"log_every_n_steps", "log_every"},
          {"log_interval", "log_every"},
          {"log_steps", "log_every"},
          {"report_every", "log_every"},
          {"print_every", "log_every"},
          {"disp_freq", "log_every"},
          {"validation_freq", "validate_every"},
          {"valid_freq", "validate_every"},
          {"valid_steps", "validate_every"},
          {"validation_steps", "validate_every"},
          {"eval_steps", "validate_every"},
          {"eval_every", "validate_every"},
          {"eval_interval", "validate_every"},
          {"val_check_interval", "validate_every"},
          {"validate_interval_updates", "validate_every"},
          {"checkpoint_interval", "validate_every"},
          {"patience", "early_stopping.patience"},
          {"early_stop", "early_stopping.patience"},
          {"early_stopping_patience", "early_stopping.patience"},
          {"max_num_checkpoint_not_improved", "early_stopping.patience"}};
}

std::vector<ForeignName> CheckpointConfig::foreign_names() const {
  return {{"save_every", "every"},
          {"save_steps", "every"},
          {"save_freq", "every"},
          {"save_interval", "every"},
          {"save_interval_updates", "every"},
          {"save_checkpoint_steps", "every"},
          {"save_total_limit", "keep_last"},
          {"keep_checkpoint", "keep_last"},
          {"keep_last_ckpts", "keep_last"},
          {"keep_last_epochs", "keep_last"},
          {"keep_last_params", "keep_last"},
          {"keep_best_ckpts", "keep_best"},
          {"save_top_k", "keep_best"},
          {"keep_best_checkpoints", "keep_best"},
          {"monitor", "metric"},
          {"eval_metric", "metric"},
          {"early_stopping_metric", "metric"},
          {"metric_for_best_model", "metric"},
          {"best_checkpoint_metric", "metric"},
          {"valid_metrics", "metric"},
          {"optimized_metric", "metric"}};
}

std::vector<ForeignName> ReportConfig::foreign_names() const {
  return {{"num_samples", "samples"}, {"n_samples", "samples"}, {"examples", "samples"}};
}

std::vector<ForeignName> RunConfig::foreign_names() const {
  return {{"training", "train"},
          {"trainer", "train"},
          {"training_args", "train"},
          {"optimizer", "optim"},
          {"optimiser", "optim"},
          {"optimization", "optim"},
          {"criterion", "loss"},
          {"objective", "loss"},
          {"loss_fn", "loss"},
          {"loss_function", "loss"},
          {"cost_type", "loss"},
          {"scheduler", "schedule"},
          {"lr_scheduler", "schedule"},
          {"lr_schedule", "schedule"},
          {"learning_rate_schedule", "schedule"},
          {"learning_rate_scheduling", "schedule"},
          {"dataset", "data"},
          {"datasets", "data"},
          {"corpus", "data"},
          {"checkpoints", "checkpoint"},
          {"checkpointing", "checkpoint"},
          {"logging", "report"},
          {"experiment", "name"},
          {"run_name", "name"},
          {"experiment_name", "name"},
          {"random_seed", "seed"},
          {"manual_seed", "seed"},
          {"rng_seed", "seed"},
          {"random_state", "seed"},
          {"use_cuda", "device=cuda"},
          {"cuda", "device=cuda"},
          {"gpu", "device=cuda"},
          {"gpus", "device=cuda"},
          {"use_gpu", "device=cuda"},
          {"no_cuda", "device=cpu"},
          {"use_cpu", "device=cpu"},
          {"accelerator", "device"},
          {"dtype", "precision"},
          {"fp16", "precision=bf16"},
          {"bf16", "precision=bf16"},
          {"half", "precision=bf16"},
          {"amp", "precision=bf16"},
          {"use_amp", "precision=bf16"},
          {"tf32", "precision=tf32"},
          {"mixed_precision", "precision"},
          {"num_threads", "threads"},
          {"n_threads", "threads"},
          {"cpu_threads", "threads"}};
}

}  // namespace seqgrad
