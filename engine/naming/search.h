// The search behind name_loss: worlds of one row loss each, and stages from the simplest explanation on.
#pragma once
#include <chrono>
#include <list>

#include "engine/naming/bench.h"

namespace seqgrad {

// Reducers that have one row loss (presets differ in kinds of smoothing, and in the scope of class weights), and the
// batches under it.
struct World {
  LossOptions options;
  std::vector<Reducer> reducers;
  std::vector<Bench> benches;  // the most telling first
  const Reducer* meant = nullptr;
  bool is_changed = false;  // the batches have the change already, since it makes them ones of another kind
};

// One explanation that fits every batch.
struct Fit {
  World* world = nullptr;
  Changes changes;
  std::vector<const Reducer*> reducers;  // that agree here; what is meant first, then forms
  double constant = 1, epsilon = 0;
};

bool is_form(const Reducer& r);
bool is_odd(const Reducer& r);  // no loss section says it

// A number that is found needs more batches than one to be believed.
constexpr size_t batches_for_a_number = 3;

// Batches to which a change has been made that other presets stand for then: ids where there were distributions, …
struct ChangedBatches {
  std::vector<LossBatch> batches;
  std::vector<Observed> observed;
  std::vector<World> worlds;
};

class Search {
 public:
  Search(std::span<const Observed> observed, const NamingOptions& options);
  Naming run();

 private:
  bool out_of_time() const;
  // The stages; each returns what fits.
  using Which = bool (*)(const Reducer&);
  std::vector<Fit> plain(Which which);
  std::vector<Fit> constants(bool with_steps);
  std::vector<Fit> epsilons();
  std::vector<Fit> one_step();
  std::vector<Fit> solved(bool with_steps);
  std::vector<Fit> odd_step();
  std::vector<Fit> two_steps();
  std::vector<Nearest> nearest();
  // search_few.cpp: all stages for few answers
  std::vector<Fit> of_few_answers();
  std::vector<Fit> with_step(size_t step, Which which);
  std::vector<World>* changed_worlds(size_t step);
  bool is_usual(const Step& step) const;
  std::vector<size_t> steps_by_simplicity() const;
  bool is_precise() const;
  std::vector<Fit> closest(std::vector<Fit> fits);

  std::vector<World> worlds_of(std::span<const Observed> observed, const LossOptions& options) const;
  std::vector<Fit> by_gradient(std::vector<Fit> fits);
  using MadeOf = std::function<const Made&(Bench&)>;
  std::vector<const Reducer*> fitting(World& world, Which which, const MadeOf& made_of);
  void fit_constant(World& world, const Changes& changes, const MadeOf& made_of, std::vector<Fit>& out);
  void solve_linear(World& world, Changes changes, std::vector<Fit>& out);
  void solve_between(World& world, Changes changes, std::vector<Fit>& out);
  bool effective(World& world, size_t step);

  Made made_for(Bench& bench, const Fit& fit);
  LossHypothesis hypothesis_of(const Fit& fit) const;
  NamedReduction reduction_of(const Fit& fit, const Reducer& reducer);
  void add_reductions(const Fit& fit, LossHypothesis& to);
  std::vector<LossHypothesis> told(std::vector<Fit> fits);
  std::vector<LossHypothesis> told_of_few(std::vector<Fit> fits);
  const Observed* first_of(const Fit& fit) const;

  const NamingOptions& options_;
  std::span<const Observed> observed_;
  std::vector<World> worlds_;
  std::vector<Step> steps_;
  LossOptions base_;  // what is meant, or what is told of the row loss
  size_t batches_ = 0;
  bool few_ = false;  // too few answers for a number, and nothing that is meant
  std::list<ChangedBatches> changed_;
  std::chrono::steady_clock::time_point begin_;
  double begin_worked_ = 0;  // of this thread
  bool stopped_ = false;
};

}  // namespace seqgrad
