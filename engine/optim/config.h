// The `optim` and `schedule` sections of a config.
#pragma once
#include "engine/config/section.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"

namespace seqgrad {

Choice optimizer_choice();
Choice schedule_choice();

struct OptimConfig : Section {
  using Section::Section;
  Field<std::string> name{this, "name", "adam", optimizer_choice(), "the update rule"};
  Field<double> lr{this, "lr", 1e-3, above(0), "learning rate, before the schedule's factor"};
  Field<double> beta1{this, "beta1", 0.9, from_below(0, 1), "decay of the first moment (adam, adamw)"};
  Field<double> beta2{this, "beta2", 0.999, from_below(0, 1), "decay of the second moment (adam, adamw)"};
  Field<double> eps{this, "eps", 1e-8, above(0), "added to the root of the second moment (adam, adamw)"};
  Field<double> weight_decay{this, "weight_decay", 0.0, at_least(0), "pull towards zero"};
  Field<double> momentum{this, "momentum", 0.0, from_below(0, 1), "share of the last update kept (sgd)"};
  Field<std::optional<double>> clip_norm{
      this, "clip_norm", 1.0, above(0),
      "largest norm of the gradient, after the loss is normalised; null: no clipping"};

  std::vector<ForeignName> foreign_names() const override;
  OptimOptions options() const { return {lr, beta1, beta2, eps, weight_decay, momentum}; }
  void check(Problems& problems) const override {
    if (momentum() != 0 && name() != "sgd") problems.add(momentum, "has a meaning only with optim.name: sgd");
    for (const Field<double>* f : {&beta1, &beta2, &eps})
      if (!f->is_default() && name() == "sgd") problems.add(*f, "has no meaning with optim.name: sgd");
  }
};

struct ScheduleConfig : Section {
  using Section::Section;
  Field<std::string> name{this, "name", "constant", schedule_choice(), "how the rate changes after warm-up"};
  Field<int64_t> warmup{this, "warmup", 0, at_least(0), "steps in which the rate rises in a line from 0"};
  Field<double> floor{this, "floor", 0.0, between(0, 1),
                      "smallest factor on optim.lr; linear and cosine would reach it one step after the last, so that "
                      "the last one still "
                      "learns with floor: 0"};
  Field<double> factor{this, "factor", 0.5, inside(0, 1), "what the rate is multiplied by (plateau)"};
  Field<int64_t> patience{this, "patience", 3, at_least(0),
                          "validations without a better checkpoint.metric before one more lowers the rate (plateau)"};

  std::vector<ForeignName> foreign_names() const override;
  void check(Problems& problems) const override {
    if (name() == "plateau") return;
    if (!factor.is_default()) problems.add(factor, "has a meaning only with schedule.name: plateau");
    if (!patience.is_default()) problems.add(patience, "has a meaning only with schedule.name: plateau");
  }
};

}  // namespace seqgrad
