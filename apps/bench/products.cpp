// `seqgrad bench products`: the products of a recurrence at the shapes that a model has, as they are made, and by
// weights that were laid out in panels once, beside the best product of this machine: what panels could gain there.
#include "apps/bench/bench.h"
#include "apps/bench/measure.h"
#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/device/cpu_gemm.h"
#include "engine/device/f32_kernels.h"
#include "engine/device/panel_gemm.h"
#include "engine/ops/sentence_blocks.h"

namespace seqgrad {
namespace {

using Json = nlohmann::ordered_json;

struct ProductShape {
  const char* of;
  int64_t rows, k, n;
};

// Of one step of one block of sentences: states by W [H,3H], and gradients of gates by Wᵀ; and of a decoder that has
// one sentence, or a beam of 5.
std::vector<ProductShape> shapes_of(const ReferenceModel& m) {
  std::vector<ProductShape> out;
  for (const auto& [forward, backward, h] : {std::tuple{"encoder", "encoder backward", m.encoder_hidden},
                                             {"decoder", "decoder backward", m.decoder_hidden}}) {
    out.push_back({forward, sentence_block_height(h), h, 3 * h});
    out.push_back({backward, sentence_block_height(h), 3 * h, h});
  }
  for (const int64_t rows : {1, 5}) {
    out.push_back({"decoder, few rows", rows, m.decoder_hidden, 3 * m.decoder_hidden});
    out.push_back({"words, few rows", rows, m.embedding, m.vocabulary});
  }
  return out;
}

// The products per second of one thread, by each of the two ways, in turn.
Json time_shape(const ProductShape& s, int repetitions) {
  Random random(1, 0);
  const auto noise = [&](int64_t n) {
    std::vector<float> v(static_cast<size_t>(n));
    for (float& x : v) x = static_cast<float>(random.normal());
    return v;
  };
  const std::vector<float> a = noise(s.rows * s.k), b = noise(s.k * s.n);
  std::vector<float> c(static_cast<size_t>(s.rows * s.n)), panels;
  const double gflop = 2e-9 * static_cast<double>(s.rows) * static_cast<double>(s.k) * static_cast<double>(s.n);
  const int calls = 1 + static_cast<int>(0.02 / gflop);  // so many that the clock is fine enough
  PackedMatrix<float> plain = Matrix{b.data(), s.k, s.n}, laid_out = plain;
  if (f32_kernels()) {
    panels.resize(static_cast<size_t>(panel_size(s.k, s.n)));
    lay_out_panels(plain.matrix, panels.data());
    laid_out.panels = panels.data();
  }
  const auto rate_of = [&](const PackedMatrix<float>& right) {
    const double start = now_ms();
    for (int i = 0; i < calls; ++i)
      cpu_gemm(Matrix{a.data(), s.rows, s.k}, right, Matrix{c.data(), s.rows, s.n}, false);
    return gflop * calls / (now_ms() - start) * 1e3;
  };
  std::vector<double> as_made, by_panels;
  for (int i = 0; i < repetitions; ++i) {
    as_made.push_back(rate_of(plain));
    if (laid_out.panels) by_panels.push_back(rate_of(laid_out));
  }
  Json out = {{"of", s.of}, {"rows", s.rows}, {"k", s.k}, {"n", s.n}, {"gflops", quartiles(as_made)["median"]}};
  if (!by_panels.empty()) out["panels_gflops"] = quartiles(by_panels)["median"];
  return out;
}

Json bench_products(const BenchOptions& o) {
  set_threads(1);
  Json rows = Json::array();
  for (const ProductShape& s : shapes_of(sized_model(o))) rows.push_back(time_shape(s, o.steps));
  return {{"what", "seqgrad_products"},        {"preset", o.preset},
          {"sizes", sizes_of(sized_model(o))}, {"threads", 1},
          {"gemm_gflops", gemm_rate().gflops}, {"products", rows}};
}

const bool products_registered = register_benchmark({"products", bench_products});

}  // namespace
}  // namespace seqgrad
