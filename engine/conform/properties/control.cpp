// The suite itself: our own answers with a fault each. A property that does not see its fault would pass anything.
#include <algorithm>
#include <cmath>
#include <functional>

#include "engine/conform/cells.h"
#include "engine/conform/properties/properties.h"

namespace seqgrad {
namespace {

struct Planted {
  const char* words;
  PropertyResult (*property)(Trial&);
  std::function<void(LossBatch& batch, int64_t call)> before;
  std::function<void(const LossBatch& batch, int64_t call, LossAnswer& answer)> after;
};

void times(LossAnswer& a, double value, double gradient) {
  for (double& x : a.value) x *= value;
  for (auto* g : {&a.d_x, &a.d_weight, &a.d_bias})
    for (double& x : *g) x *= gradient;
}

const Planted planted[] = {
    {"another divisor", check_value, {}, [](const LossBatch&, int64_t, LossAnswer& a) { times(a, 0.5, 0.5); }},
    {"half the gradient", check_derivative, {}, [](const LossBatch&, int64_t, LossAnswer& a) { times(a, 1, 0.5); }},
    {"a multiplied mask",
     check_poison,
     {},
     [](const LossBatch& b, int64_t, LossAnswer& a) {
       if (std::any_of(b.x.begin(), b.x.end(), [](double x) { return std::isnan(x); })) times(a, std::nan(""), 1);
     }},
    {"an upstream that nobody reads", check_upstream, [](LossBatch& b, int64_t) { b.upstream.clear(); }, {}},
    {"a first example that counts more",
     check_order,
     {},
     [](const LossBatch& b, int64_t, LossAnswer& a) { times(a, 1.5 + std::tanh(b.x.empty() ? 0 : b.x[0]), 1); }},
    {"a state",
     check_pure,
     {},
     [](const LossBatch&, int64_t call, LossAnswer& a) { times(a, 1 + 1e-9 * static_cast<double>(call), 1); }},
};

// Plays the part of a program that computes what is meant, with a fault or none.
class Actor : public Subject {
 public:
  Actor(Program program, LossMeaning meaning, const Planted* fault)
      : program_(std::move(program)), meaning_(std::move(meaning)), fault_(fault) {}
  const Program& program() const override { return program_; }
  FloatType dtype() const override { return FloatType::f64; }
  void ask_in(FloatType) override {}
  Reply ask(const LossBatch& batch, const Question& question) override {
    ++calls_;
    LossBatch b = batch;
    if (fault_ && fault_->before) fault_->before(b, calls_);
    Reply out;
    try {
      static_cast<LossAnswer&>(out.answer) = answer_of(meaning_, b);
    } catch (const InputError& e) {
      out.refusal = e.what();
      return out;
    }
    if (fault_ && fault_->after) fault_->after(batch, calls_, out.answer);
    if (!question.gradient) out.answer.d_x.clear(), out.answer.d_weight.clear(), out.answer.d_bias.clear();
    return out;
  }

 private:
  Program program_;
  LossMeaning meaning_;
  const Planted* fault_;
  int64_t calls_ = 0;
};

// Its own batches, of what the program takes.
PropertyResult play(const Trial& like, const LossMeaning& meaning, const Planted& fault, bool with_fault) {
  constexpr size_t few = 2;
  Program p = like.program;
  p.dtypes = {FloatType::f64};
  p.gradients = {std::string("d_") + p.prediction()};
  p.axis = meaning.config->options(p.takes_input("class_weight")).over;
  Actor actor(p, meaning, with_fault ? &fault : nullptr);
  std::vector<LossBatch> batches;
  for (const size_t i : like.telling)
    if (batches.size() < few && like.batches[i].inputs.batch > 1) batches.push_back(like.batches[i]);
  Trial trial(actor, batches, meaning, like.seed);
  for (size_t i = 0; i < trial.batches.size(); ++i) {
    trial.replies.push_back(trial.ask(trial.batches[i], "control", true));
    trial.telling.push_back(i);
  }
  return fault.property(trial);
}

}  // namespace

PropertyResult check_control(Trial& t) {
  const LossMeaning meaning = t.meant ? *t.meant : meaning_of("token_mean");
  for (const Planted& fault : planted) {
    const auto check = [&](bool with_fault) {
      const Verdict v = play(t, meaning, fault, with_fault).verdict;
      if (v == Verdict::not_tried) return;
      if (with_fault != (v == Verdict::broken))
        system_failure("conform: internal error: {} {} (seed {})", fault.words,
                       with_fault ? "was planted and not found" : "was found where it was not planted", t.seed);
    };
    check(false);
    check(true);
  }
  return {"control", Verdict::holds, "", {}};
}

}  // namespace seqgrad
