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
  return foreign({{"lr", "learning_rate initial_lr base_lr learn_rate step_size"},
                  {"name", "type optimizer optimiser algorithm"},
                  {"beta1,beta2", "betas adam_betas"},
                  {"beta1", "adam_beta1"},
                  {"beta2", "adam_beta2"},
                  {"eps", "epsilon adam_eps adam_epsilon"},
                  {"weight_decay", "decay wd l2"},
                  {"clip_norm",
                   "clip clip_grad grad_clip gradient_clip gradient_clipping clip_gradient clip_grad_norm "
                   "max_grad_norm gradient_clip_val max_norm global_clipnorm grad_norm gradient_clipping_threshold"}});
}

std::vector<ForeignName> ScheduleConfig::foreign_names() const {
  return foreign(
      {{"name", "type scheduling lr_scheduler_type decay_method learning_rate_scheduler"},
       {"warmup", "warmup_steps num_warmup_steps warmup_updates warmup_iters lr_warmup learning_rate_warmup"},
       {"floor", "min_lr_ratio"},
       {"factor", "decrease_factor gamma learning_rate_reduce_factor"},
       {"patience", "learning_rate_reduce_num_not_improved"}});
}

}  // namespace seqgrad
