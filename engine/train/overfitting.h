// Whether a model has begun to learn its training text by heart.
#pragma once
#include <cstdint>

namespace seqgrad {

// The dev loss's lowest point, and how the validations since then went.
struct Overfitting {
  int64_t step = 0;           // of the lowest dev loss; 0: no validation yet
  double dev = 0, train = 0;  // the losses there
  int64_t rises = 0;          // validations since then with a higher dev loss and a lower training loss

  // Takes in a validation. True at the third one of those, once for each lowest point: one or two tell nothing.
  bool update(int64_t at, double dev_loss, double train_loss);
};

}  // namespace seqgrad
