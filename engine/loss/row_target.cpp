// Smoothing kinds differ in u only.
#include "engine/loss/row_target.h"

#include <cmath>

namespace seqgrad {

RowTarget row_target(const LossInputs& in, const LossOptions& o) {
  RowTarget t;
  const auto v = static_cast<double>(in.classes);
  const double e = o.smoothing;
  if (e > 0) {
    switch (o.smoothing_kind) {
      case SmoothingKind::uniform:
        t.off = e / v;
        t.on = 1 - e;
        break;
      case SmoothingKind::others:
        t.off = e / (v - 1);
        t.on = 1 - e - t.off;
        break;
      case SmoothingKind::others_excluding: {
        const double share = e / (v - 1 - static_cast<double>(o.smoothing_excluding.size()));
        t.off_row.assign(static_cast<size_t>(in.classes), share);
        for (const int64_t id : o.smoothing_excluding) t.off_row[static_cast<size_t>(id)] = 0;
        t.on = 1 - e - share;
        break;
      }
      case SmoothingKind::prior:
        for (const double u : *in.prior) t.off_row.push_back(e * u);
        t.on = 1 - e;
        break;
    }
  }
  if (in.class_weight && o.class_scope == ClassScope::per_class) t.class_weight = *in.class_weight;
  return t;
}

double entropy_of(const RowTarget& t, int64_t id, int64_t classes) {
  double h = 0;
  const auto add = [&](double q, double times) {
    if (q > 0) h -= times * q * std::log(q);
  };
  if (t.off_row.empty()) {
    add(t.off, static_cast<double>(classes - 1));
    add(t.off + t.on, 1);
  } else {
    for (int64_t v = 0; v < classes; ++v) add(t.off_row[static_cast<size_t>(v)] + (v == id ? t.on : 0), 1);
  }
  return h;
}

}  // namespace seqgrad
