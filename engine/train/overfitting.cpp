// A loss that is no number tells nothing.
#include "engine/train/overfitting.h"

#include <cmath>

namespace seqgrad {

bool Overfitting::update(int64_t at, double dev_loss, double train_loss) {
  if (std::isnan(dev_loss) || std::isnan(train_loss)) return false;
  if (step == 0 || dev_loss <= dev) {
    step = at, dev = dev_loss, train = train_loss, rises = 0;
    return false;
  }
  if (train_loss >= train) return false;
  return ++rises == 3;
}

}  // namespace seqgrad
