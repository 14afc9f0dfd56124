// What a loss asks of each row of a batch, made and uploaded before there is a prediction.
#pragma once
#include "engine/core/step_inputs.h"
#include "engine/loss/loss_tile.h"
#include "engine/loss/prediction.h"
#include "engine/loss/row_target.h"

namespace seqgrad {

// How many rows the fused loss computes on a device. On a GPU the number of live ones is rounded up to one of eight
// between a power of two and the next, with rows that count nothing, so that many steps do the same. It is a function
// of that number alone: cuBLAS may sum in another order for another height, and padding is to change no bit.
int64_t computed_rows(const LiveRows& rows, Device device);

// Its arrays live in the current tape until the next reset.
struct LossTasks {
  // What is known of the prediction.
  struct Of {
    DType dtype;
    bool is_hidden, wants_gradient;
    Layout layout = Layout::batch;
  };
  // Throws as coefficients() does. The device has its arrays when in.upload() has run; on a CPU they are read in place,
  // and the dense distributions where `rows` has them, unless backward of a vector loss will read them again.
  LossTasks(StepInputs& in, const Of& of, const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
            double divisor);

  Device device;
  int64_t batch, steps;
  Shape shape;          // of the loss
  int64_t live, count;  // tasks; the live ones come first
  LossTile tile;
  RowRule rule;  // its tables on the device
  // On the host, of each task: the entry of a vector loss, and its row of the prediction; -1: of none.
  RowTask* tasks;
  int64_t *groups, *rows;
  const RowTask* device_tasks;  // the same on the device
  const int64_t* device_rows;   // null where the row kernel alone is run, which does not read it
  RowResult* device_results;    // where row kernels of a GPU leave them; null on a CPU
};

}  // namespace seqgrad
