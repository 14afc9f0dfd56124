// Optimiser steps one after the other. On a GPU the host runs ahead of the device and asks for results only when they
// are wanted: losses, norms and what stops a run stay in its memory until then.
#pragma once
#include <span>
#include <vector>

#include "engine/optim/config.h"
#include "engine/train/step.h"

namespace seqgrad {

class StepQueue {
 public:
  // `log_bytes`: of the blocks that its log on a GPU is made of. A GPU's steps run ahead of the host where no other
  // process computes part of them.
  StepQueue(SequenceModel& model, const LossSetup& loss, const OptimConfig& optim, const Sharing& sharing = {},
            const GraphOptions& graphs = {}, size_t log_bytes = size_t{4} << 20);
  ~StepQueue();
  StepQueue(const StepQueue&) = delete;
  StepQueue& operator=(const StepQueue&) = delete;

  // Makes step context.step: gradients, clipping, and the update, which is number `update`. False: nothing counted and
  // no update was made. Throws as accumulate_gradients and diverged do, for this step or an earlier one.
  bool run(std::vector<Batch> micro_batches, const ForwardContext& context, double lr, int64_t update);

  // The results of all steps since the last call, in order. Throws like run(): on a GPU no step after one that is not
  // finite has moved any parameter, so that one is made again to see what was wrong.
  std::vector<StepResult> collect();

  int64_t graph_nodes() const { return graphs_.nodes(); }

 private:
  struct Step {
    std::vector<Batch> batches;
    ForwardContext context;
    StepPlan plan;
    size_t block, at;  // in the log: the norm, then the results of live rows
  };
  bool run_now(std::span<const Batch> batches, const ForwardContext& context, double lr, int64_t number);
  void launch(const Step& step, double lr, int64_t number);
  void make_room(size_t bytes);
  void collect_all();
  StepResult collect_one(Step& step, const char* log);

  SequenceModel& model_;
  const LossSetup& loss_;
  const OptimConfig& optim_;
  const Sharing sharing_;
  const bool runs_ahead_;  // on a GPU
  const size_t log_bytes_;
  StepGraphs graphs_;
  GradientState* state_ = nullptr;  // in memory of the GPU, like the log
  struct Block {
    char* memory;
    size_t size, used;
  };
  std::vector<Block> log_;        // the last one is being filled
  std::vector<Step> steps_;       // that nobody has looked at
  std::vector<StepResult> done_;  // finished, and not yet handed out
};

}  // namespace seqgrad
