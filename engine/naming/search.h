// The search behind name_loss: worlds of one row loss each, and stages from the simplest explanation on.
#pragma once
#include <chrono>

#include "engine/naming/bench.h"

namespace seqgrad {

// Reducers that have one row loss (presets differ in kinds of smoothing, and in the scope of class weights), and the
// batches under it.
struct World {
  LossOptions options;
  std::vector<Reducer> reducers;
  std::vector<Bench> benches;  // the most telling first
  const Reducer* meant = nullptr;
};

// One explanation that fits every batch.
struct Fit {
  const World* world = nullptr;
  Changes changes;
  std::vector<const Reducer*> reducers;  // that agree here; what is meant first, then forms
  double constant = 1, epsilon = 0;
};

// A number that is found needs more batches than one to be believed.
constexpr size_t batches_for_a_number = 3;

class Search {
 public:
  Search(std::span<const Observed> observed, const NamingOptions& options);
  Naming run();

 private:
  bool out_of_time() const;
  // The stages; each returns what fits.
  std::vector<Fit> plain(bool forms);
  std::vector<Fit> constants(bool with_steps);
  std::vector<Fit> epsilons();
  std::vector<Fit> one_step();
  std::vector<Fit> solved(bool with_steps);
  std::vector<Fit> odd_step();
  std::vector<Fit> two_steps();
  std::vector<Nearest> nearest();

  template <class MadeOf>
  std::vector<const Reducer*> fitting(World& world, bool forms, const MadeOf& made_of);
  template <class MadeOf>
  void fit_constant(World& world, const Changes& changes, const MadeOf& made_of, std::vector<Fit>& out);
  void solve_linear(World& world, Changes changes, std::vector<Fit>& out);
  void solve_between(World& world, Changes changes, std::vector<Fit>& out);
  bool effective(World& world, size_t step);

  LossHypothesis hypothesis_of(const Fit& fit) const;
  std::vector<LossHypothesis> told(std::vector<Fit> fits) const;

  const NamingOptions& options_;
  std::vector<World> worlds_;
  std::vector<Step> steps_;
  LossOptions base_;  // what is meant, or what is told of the row loss
  size_t batches_ = 0;
  std::chrono::steady_clock::time_point begin_;
  bool stopped_ = false;
};

}  // namespace seqgrad
