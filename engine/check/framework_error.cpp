// Bounds to first order in u, row by row in float64.
#include "engine/check/framework_error.h"

#include <algorithm>
#include <cmath>

#include "engine/loss/row_target.h"

namespace seqgrad {
namespace {

constexpr Arithmetic known[] = {{"f64", 0x1p-53, 0x1p-53, 0x1p-1022, 4},
                                {"f32", 0x1p-24, 0x1p-24, 0x1p-126, 8},
                                {"bf16", 0x1p-8, 0x1p-24, 0x1p-126, 8},
                                {"f16", 0x1p-11, 0x1p-24, 0x1p-24, 8}};

// Errors of n roundings of random sign add up to at most this many times √n of one, but for odds of 1 in 400 a number
// (Higham and Mary 2019, theorem 2.4, with λ = 3).
constexpr double lambda = 3;
constexpr double few = 4;  // roundings of one elementary step: a difference, exp or log to two units, a product
constexpr double largest_exponent = 50;

// Where a row holds NaN or is infinite there is nothing to be near to.
double finite(double x) { return std::isfinite(x) ? x : 0; }

bool smooths(const RowRule& rule) { return rule.off != 0 || rule.off_row; }

double growth(size_t n) { return lambda * std::sqrt(static_cast<double>(n)); }

}  // namespace

const Arithmetic& arithmetic_of(const std::string& limit_class) {
  for (const Arithmetic& a : known)
    if (limit_class == a.name) return a;
  return known[0];
}

FrameworkError::FrameworkError(const LossCase& c, const CaseRun& run, const Arithmetic& arithmetic)
    : case_(c), run_(run), k_(arithmetic), arrays_(arrays_of(c, run.inputs)) {
  rule_ = row_rule(run.inputs.loss, run.inputs.options);
  tasks_ = row_tasks(rule_, run.rows, run.rows.dense.view());
  for (size_t i = 0; i < run.rows.rows.size(); ++i) {
    Logits z = logits(i);
    rows_.push_back(measure(i, z));
  }
}

double FrameworkError::of_sum(size_t count) const { return few * k_.u + k_.sum_u * growth(count); }

size_t FrameworkError::place_of_row(size_t i, size_t width) const {
  const int64_t n = run_.rows.rows[i].row, b = n / run_.rows.steps, t = n % run_.rows.steps;
  return static_cast<size_t>(case_.layout == Layout::batch ? n : t * run_.rows.batch + b) * width;
}

double FrameworkError::mass(size_t i) const {
  double sum = 0;
  for (int64_t v = 0; v < rule_.classes; ++v) sum += rule_.r(tasks_[i], v);
  return sum;
}

FrameworkError::Logits FrameworkError::logits(size_t i) const {
  const auto v = static_cast<size_t>(rule_.classes), d = static_cast<size_t>(run_.inputs.width);
  Logits out;
  out.slack.assign(v, 0.0);
  if (run_.inputs.hidden) {
    const double* h = arrays_.x.data() + place_of_row(i, d);
    for (size_t j = 0; j < v; ++j) {
      double z = arrays_.bias.empty() ? 0 : arrays_.bias[j], sum = std::abs(z);
      for (size_t k = 0; k < d; ++k) {
        z += h[k] * arrays_.weight[j * d + k];
        sum += std::abs(h[k] * arrays_.weight[j * d + k]);
      }
      out.a.push_back(z);
      out.slack[j] = k_.u * std::abs(z) + k_.sum_u * growth(d + 1) * sum;
    }
  } else {
    const double* z = arrays_.x.data() + place_of_row(i, v);
    out.a.assign(z, z + v);
  }
  if (rule_.softcap == 0) return out;
  for (size_t j = 0; j < v; ++j) {
    const double th = std::tanh(out.a[j] / rule_.softcap);
    out.slope.push_back(1 - th * th);
    out.a[j] = rule_.softcap * th;
    out.slack[j] += few * k_.u * std::abs(out.a[j]);
  }
  return out;
}

FrameworkError::Row FrameworkError::measure(size_t i, Logits& z) const {
  Row row;
  const auto v = static_cast<size_t>(rule_.classes);
  const double loss = std::isfinite(run_.loss.row_loss[i]) ? std::abs(run_.loss.row_loss[i]) : 0;
  if (rule_.input == Input::probs) {  // a sum, a quotient, a logarithm of a number near 1 or small
    row.loss = 2 * few * k_.u * (mass(i) + loss) + k_.sum_u * growth(v) * mass(i);
    return row;
  }
  row.top = *std::max_element(z.a.begin(), z.a.end());
  double sum = 0;
  for (const double a : z.a) z.p.push_back(std::exp(a - row.top)), sum += z.p.back();
  row.log_sum = std::log(sum);
  row.lambda = row.top + row.log_sum;
  double spread = 0, lost = 0, slack = 0, mass = 0, shares = 0, off = 0;
  for (size_t j = 0; j < v; ++j) {
    double& p = z.p[j];
    p /= sum;
    if (p > 0) spread += p * (row.top - z.a[j]), slack += p * z.slack[j];
    if (p < k_.sum_u) lost += p;
    const double r = rule_.r(tasks_[i], static_cast<int64_t>(j));
    if (r == 0) continue;
    mass += r;
    shares += r * std::abs(z.a[j]);
    off += r * z.slack[j];
  }
  row.lambda_error = 2 * k_.u * (std::abs(row.top) + row.log_sum + spread + few) + k_.sum_u * growth(v) + lost + slack;
  const bool one = !tasks_[i].q && !smooths(rule_);
  const double terms = shares + mass * std::abs(row.lambda);
  row.loss = mass * row.lambda_error + 2 * k_.u * (terms + loss) + off;
  if (!one) row.loss += k_.sum_u * growth(v) * terms;
  if (run_.inputs.options.report_kl) row.loss += few * k_.u * (mass + std::log(static_cast<double>(v)));
  row.loss = finite(row.loss);
  const double zeta = rule_.z_loss;
  row.z = finite(2 * zeta * std::abs(row.lambda) * row.lambda_error + few * k_.u * zeta * row.lambda * row.lambda);
  return row;
}

void FrameworkError::row_gradient(size_t i, std::vector<double>& error, std::vector<double>& size) const {
  Logits z = logits(i);
  const Row row = measure(i, z);
  const double c = run_.pull[i], zeta = 2 * rule_.z_loss, pull = mass(i) + zeta * std::abs(row.lambda);
  const auto v = static_cast<size_t>(rule_.classes);
  const bool shared = !tasks_[i].q && smooths(rule_);
  const double sum_of_shares = shared ? k_.sum_u * static_cast<double>(v) / k_.lanes * mass(i) : 0;
  error.assign(v, 0.0);
  size.assign(v, 0.0);
  for (size_t j = 0; j < v; ++j) {
    const double p = z.p[j], r = rule_.r(tasks_[i], static_cast<int64_t>(j));
    double exponent = row.lambda_error + z.slack[j] + few * k_.u;
    if (p > 0) exponent += 2 * k_.u * (std::abs(z.a[j]) + std::abs(row.top) + row.log_sum);
    const double moved =
        p * (pull * std::expm1(std::min(exponent, largest_exponent)) + zeta * row.lambda_error + sum_of_shares);
    const double slope = z.slope.empty() ? 1 : z.slope[j];
    size[j] = c * (pull * p + r);
    // The way back through a cap: 1 − t² of a rounded t, and products with it, κ and 1/κ.
    const double cap = z.slope.empty() ? 0 : (few * slope + 2 * (1 - slope)) * k_.u * size[j];
    error[j] = finite(c * moved * slope + few * k_.u * size[j] + cap + k_.smallest * (1 + c));
  }
}

void FrameworkError::add_probs(size_t i, const Values& want, std::vector<double>& out) const {
  const auto v = static_cast<size_t>(rule_.classes);
  const size_t at = place_of_row(i, v);
  const Values& own = run_.of(want.name);
  double largest = run_.pull[i];
  for (size_t j = 0; j < v; ++j)
    if (std::isfinite(own.numbers[at + j])) largest = std::max(largest, std::abs(own.numbers[at + j]));
  const double error = (2 * few * k_.u + k_.sum_u * growth(v)) * largest + k_.smallest;
  for (size_t j = 0; j < v; ++j) out[at + j] = error;
}

void FrameworkError::add_product(size_t i, const Values& want, std::vector<double>& out) const {
  std::vector<double> error, size;
  row_gradient(i, error, size);
  const auto d = static_cast<size_t>(run_.inputs.width), v = static_cast<size_t>(rule_.classes);
  const bool down = want.name == "d_hidden";
  const double lost = of_sum(down ? v : rows_.size());
  const double* h = arrays_.x.data() + place_of_row(i, d);
  const size_t at = place_of_row(i, d);
  for (size_t j = 0; j < v; ++j) {
    const double e = error[j] + lost * size[j];
    if (want.name == "d_bias") {
      out[j] += e;
      continue;
    }
    for (size_t k = 0; k < d; ++k)
      down ? out[at + k] += e * std::abs(arrays_.weight[j * d + k]) : out[j * d + k] += e * std::abs(h[k]);
  }
}

std::vector<double> FrameworkError::gradient(const Values& want) const {
  std::vector<double> out(want.numbers.size(), 0.0);
  const Values* own = run_.find(want.name);
  if (!own || own->shape != want.shape) return out;  // refused by its shape
  std::vector<double> error, size;
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (run_.inputs.hidden) {
      add_product(i, want, out);
    } else if (rule_.input == Input::probs) {
      add_probs(i, want, out);
    } else {
      row_gradient(i, error, size);
      std::copy(error.begin(), error.end(), out.begin() + static_cast<std::ptrdiff_t>(place_of_row(i, error.size())));
    }
  }
  return out;
}

}  // namespace seqgrad
