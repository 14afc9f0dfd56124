// One call of the loss, of logits, probabilities or hidden states: from live rows to row losses and gradients.
#pragma once
#include <vector>

#include "engine/loss/loss_tasks.h"

namespace seqgrad {

// Where the gradients of a call are, for an upstream of 1.
enum class GradientPlace {
  apart,          // in memory of their own; backward adds them, times its upstream
  in_place,       // over the logits; backward scales them
  in_parameters,  // where those of hidden states, weight and bias belong: one backward, with an upstream of 1
  in_backward     // nowhere: each entry of a vector loss has an upstream, which backward knows
};

struct Gradients {  // absent ones are not formed
  Tensor x, weight, bias;
  bool any() const { return x.defined() || weight.defined() || bias.defined(); }
};

template <class T>
class LinearTile;

// What it points to lives in the current tape until the next reset, so that a copy of it can wait there for backward.
class LossCall {
 public:
  // Throws E01, E03, E17. `place` of a scalar; a vector loss has in_backward.
  LossCall(const Prediction& prediction, const LossTasks& tasks, GradientPlace place);

  std::vector<RowResult> forward() const;  // of the live rows; waits for a GPU
  // The same on a GPU without waiting: results stay there, in the tasks. A row that is refused sets *stop, there, to 1.
  // Scalars only.
  void launch(int32_t* stop) const;
  // The logits or probabilities of live row i, as the row kernel has read them.
  template <class T>
  std::vector<T> row(int64_t i) const;
  // Makes `value` part of the graph.
  void record(Tensor& value) const;

  const Shape& shape() const { return tasks_.shape; }  // of the result
  Device device() const { return prediction_.x.device; }

 private:
  Gradients new_gradients(GradientPlace place) const;
  template <class T>
  void run(const RowTask* tasks, RowResult* results, int32_t* stop, const Gradients& g) const;
  template <class T>
  void run_tiles(kernels::RowLoss<T> k, const Gradients& g) const;
  template <class T>
  void run_chunks(LinearTile<T>& tile, kernels::RowLoss<T> k, void* memory, bool wants_gradient) const;
  template <class T>
  const RowTask* with_upstream(const Tensor& dy) const;
  template <class T>
  void backward(const Tensor& dy) const;
  void clear_dead_rows(const Tensor& gradient) const;

  Prediction prediction_;
  LossTasks tasks_;
  GradientPlace place_;
  bool wanted_;
  int64_t backwards_;  // that the tape had begun before
  Gradients gradients_;
};

}  // namespace seqgrad
