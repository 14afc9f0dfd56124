// The words of other programs for optimisers and schedules.
#include "engine/optim/config.h"

namespace seqgrad {

Choice optimizer_choice() {
  return choice(optimizer_names, {{"adamw_torch", "adamw"},
                                  {"adamw_torch_fused", "adamw"},
                                  {"adamw_hf", "adamw"},
                                  {"torch.optim.Adam", "adam"},
                                  {"torch.optim.AdamW", "adamw"},
                                  {"torch.optim.SGD", "sgd"},
                                  {"momentum", "sgd"},
                                  {"gradient_descent", "sgd"},
                                  {"fusedadam", "adam"}});
}

Choice schedule_choice() {
  return choice(schedule_names, {{"none", "constant"},
                                 {"fixed", "constant"},
                                 {"constant_with_warmup", "constant"},
                                 {"noam", "inverse_sqrt"},
                                 {"rsqrt", "inverse_sqrt"},
                                 {"inverse_square_root", "inverse_sqrt"},
                                 {"warmup_inverse_square_root", "inverse_sqrt"},
                                 {"reduce_lr_on_plateau", "plateau"},
                                 {"plateau_reduce", "plateau"},
                                 {"cosine_annealing", "cosine"},
                                 {"CosineAnnealingLR", "cosine"},
                                 {"cosine_with_warmup", "cosine"},
                                 {"polynomial_decay", "linear"},
                                 {"linear_with_warmup", "linear"},
                                 {"linear_decay", "linear"}});
}

std::vector<ForeignName> OptimConfig::foreign_names() const {
  return {{"learning_rate", "lr"},
          {"initial_lr", "lr"},
          {"base_lr", "lr"},
          {"learn_rate", "lr"},
          {"step_size", "lr"},
          {"type", "name"},
          {"optimizer", "name"},
          {"optimiser", "name"},
          {"algorithm", "name"},
          {"betas", "beta1,beta2"},
          {"adam_betas", "beta1,beta2"},
          {"adam_beta1", "beta1"},
          {"adam_beta2", "beta2"},
          {"epsilon", "eps"},
          {"adam_eps", "eps"},
          {"adam_epsilon", "eps"},
          {"decay", "weight_decay"},
          {"wd", "weight_decay"},
          {"l2", "weight_decay"},
          {"clip", "clip_norm"},
          {"clip_grad", "clip_norm"},
          {"grad_clip", "clip_norm"},
          {"gradient_clip", "clip_norm"},
          {"gradient_clipping", "clip_norm"},
          {"clip_gradient", "clip_norm"},
          {"clip_grad_norm", "clip_norm"},
          {"max_grad_norm", "clip_norm"},
          {"gradient_clip_val", "clip_norm"},
          {"max_norm", "clip_norm"},
          {"global_clipnorm", "clip_norm"},
          {"grad_norm", "clip_norm"},
          {"gradient_clipping_threshold", "clip_norm"}};
}

std::vector<ForeignName> ScheduleConfig::foreign_names() const {
  return {{"type", "name"},
          {"scheduling", "name"},
          {"lr_scheduler_type", "name"},
          {"decay_method", "name"},
          {"learning_rate_scheduler", "name"},
          {"warmup_steps", "warmup"},
          {"num_warmup_steps", "warmup"},
          {"warmup_updates", "warmup"},
          {"warmup_iters", "warmup"},
          {"lr_warmup", "warmup"},
          {"learning_rate_warmup", "warmup"},
          {"min_lr_ratio", "floor"},
          {"decrease_factor", "factor"},
          {"gamma", "factor"},
          {"learning_rate_reduce_factor", "factor"},
          {"learning_rate_reduce_num_not_improved", "patience"}};
}

}  // namespace seqgrad
