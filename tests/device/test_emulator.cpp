// The emulator of the GPU: what it must refuse, and that kernels do not lean on the order in which it runs threads.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "engine/core/random.h"
#include "engine/ops/gru.h"
#include "engine/ops/reduce.h"
#include "engine/optim/optimizer.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step.h"
#include "tests/emulate/gpu_emulator.h"
#include "tests/support/catch.h"
#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

void half_waits() {
  if (threadIdx.x < 32) __syncthreads();
}
void lanes_missing() {
  if (threadIdx.x % 32 < 7) (void)__shfl_xor_sync(0xFFFFFFFF, 1, 1);
}
void no_barrier(int* out) {  // reads what its neighbour may not have written yet
  int* memory = gpu::shared_memory<int>();
  memory[threadIdx.x] = static_cast<int>(threadIdx.x);
  out[threadIdx.x] = memory[(threadIdx.x + 1) % blockDim.x];
}
void with_barrier(int* out) {
  int* memory = gpu::shared_memory<int>();
  memory[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  out[threadIdx.x] = memory[(threadIdx.x + 1) % blockDim.x];
}
void butterfly(int* out) {
  int x = static_cast<int>(threadIdx.x);
  for (int lane = 16; lane > 0; lane /= 2) x += __shfl_xor_sync(0xFFFFFFFF, x, lane);
  out[blockIdx.x * blockDim.x + threadIdx.x] = x;
}

std::vector<int> ran(void (*kernel)(int*), int64_t grid, int block) {
  Tape::current().reset();
  const Tensor out = empty({grid * block}, DType::i32, Device::cuda);
  gpu::launch_now(kernel, grid, block, static_cast<size_t>(block) * sizeof(int), nullptr,
                  static_cast<int*>(out.as<int32_t>()));
  const auto values = to_host<int32_t>(out);
  return {values.begin(), values.end()};
}

std::vector<std::vector<double>> gradients(const OpSample& sample) {
  Tape::current().reset();
  Random random(31, 2);
  std::vector<Tensor> in;
  for (const SampleInput& input : sample.inputs) {
    const auto n = static_cast<size_t>(input.shape.numel());
    if (input.kind == SampleInput::Kind::ids) {
      std::vector<int32_t> ids(n);
      for (auto& id : ids) id = static_cast<int32_t>(random.below(static_cast<uint64_t>(input.count)));
      in.push_back(from_host(ids, input.shape, Device::cuda));
    } else {
      std::vector<double> x(n);
      for (double& v : x) v = input.low + (input.high - input.low) * random.uniform();
      in.push_back(variable(from_host(x, input.shape, Device::cuda)));
    }
  }
  const Tensor y = sample.call(in);
  std::vector<std::vector<double>> out{to_host<double>(y)};
  if (!sample.differentiable) return out;
  Tape::current().backward(sum(y));
  for (const Tensor& x : in)
    if (x.requires_grad()) out.push_back(to_host<double>(grad(x)));
  return out;
}

}  // namespace

TEST_CASE("a barrier or shuffle that some threads do not reach is a fault, and the next kernel runs") {
  CHECK_THROWS_WITH(gpu::launch_now(half_waits, 1, 64, 0, nullptr),
                    "kernel: 32 of 64 threads of a block wait at a barrier or shuffle that the others do not reach");
  CHECK_THROWS_WITH(gpu::launch_now(lanes_missing, 1, 32, 0, nullptr),
                    "kernel: 7 of 32 threads of a block wait at a barrier or shuffle that the others do not reach");
  CHECK_THROWS_AS(gpu::launch_now(half_waits, 1, 48, 0, nullptr), std::logic_error);
  CHECK_THROWS_AS(gpu::launch_now(half_waits, 1, 2048, 0, nullptr), std::logic_error);
  CHECK(ran(butterfly, 3, 64) == [] {
    std::vector<int> want;
    for (int i = 0; i < 3 * 64; ++i) want.push_back(i % 64 < 32 ? 31 * 16 : 31 * 16 + 32 * 32);
    return want;
  }());
}

TEST_CASE("a missing barrier shows in the order of threads") {
  const auto forwards = ran(with_barrier, 1, 64), racing = ran(no_barrier, 1, 64);
  emulate::set_reverse_order(true);
  const auto backwards = ran(with_barrier, 1, 64), racing_back = ran(no_barrier, 1, 64);
  emulate::set_reverse_order(false);
  CHECK(forwards == backwards);
  CHECK(racing != racing_back);
}

TEST_CASE("no kernel of an op depends on the order of threads or blocks") {
  for (const auto& [name, samples] : op_samples())
    for (const OpSample& sample : samples) {
      CAPTURE(name, sample.label);
      const auto forwards = gradients(sample);
      emulate::set_reverse_order(true);
      const auto backwards = gradients(sample);
      emulate::set_reverse_order(false);
      CHECK(forwards == backwards);
    }
}

TEST_CASE("two directions of a GRU do not race for the gradient of an input that they share") {
  const auto gradient = [](bool reverse) {
    emulate::set_reverse_order(reverse);
    Tape::current().reset();
    Random random(8, 1);
    const auto draw = [&](Shape s) {
      std::vector<float> x(static_cast<size_t>(s.numel()));
      for (float& v : x) v = static_cast<float>(random.normal());
      return variable(from_host(x, s, Device::cuda));
    };
    const Tensor gx = draw({4, 3, 30}), w = draw({10, 30}), b = draw({30}), other = draw({10, 30}),
                 lengths = from_host(std::vector<int32_t>{3, 3, 3, 3}, {4}, Device::cuda);
    const Tensor y = sum(bidirectional_gru({gx, w, b, {}}, {gx, other, b, {}}, lengths));
    for (int i = 0; i < 2; ++i) Tape::current().backward(y);  // at the middle step three numbers meet, or more
    emulate::set_reverse_order(false);
    return to_host<float>(grad(gx));
  };
  CHECK(gradient(false) == gradient(true));
}

TEST_CASE("the host cannot read device memory outside of copies") {
  Tape::current().reset();
  const Tensor x = from_host(std::vector<float>{1, 2, 3}, {3}, Device::cuda);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  CHECK(write(ends[1], x.data, 4) == -1);
  CHECK(errno == EFAULT);
  close(ends[0]);
  close(ends[1]);
  CHECK(to_host<float>(x) == std::vector<float>{1, 2, 3});
}

TEST_CASE("a training step waits for the GPU twice: for the rows of its loss and for the norm of its gradients") {
  Config config;
  load(config, "",
       {"data.task=copy", "model.embedding=5", "model.encoder.hidden=4", "model.decoder.hidden=8",
        "model.attention=general"});
  const auto model = make_model(config, {17, 17}, Device::cuda);
  LossSetup loss;
  loss.classes = 17;
  Batch batch;  // of more rows than a tile of the loss
  batch.batch = 100, batch.source_steps = 3, batch.target_steps = 5;
  batch.source.assign(300, 5), batch.target_in.assign(500, 6), batch.target_out.assign(500, 7);
  batch.source_lengths.assign(100, 3), batch.target_lengths.assign(100, 5), batch.lines.assign(100, 1);
  int64_t waited = 0, asked = 0;
  for (int step = 1; step <= 4; ++step) {
    if (step == 3) waited = emulate::synchronisations(), asked = Tape::current().system_allocations();
    accumulate_gradients(*model, loss, {&batch, 1}, {true, 1, static_cast<uint64_t>(step), 0});
    scale_grads(model->store(), 1 / std::max(1.0, grad_norm(model->store())));
    optimizers().at("adam")(model->store(), {}, step);
  }
  CHECK(emulate::synchronisations() - waited == 2 * 2);
  CHECK(Tape::current().system_allocations() == asked);
}

TEST_CASE("the emulated cuBLAS is column-major") {
  Random random(5, 0);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      constexpr int m = 3, n = 4, k = 5, lda = 6, ldb = 7, ldc = 8;
      std::vector<double> a(lda * 6), b(ldb * 6), c(ldc * n), want;
      for (auto* v : {&a, &b, &c})
        for (double& x : *v) x = random.uniform();
      want = c;
      for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j)
          for (int p = 0; p < k; ++p)
            want[static_cast<size_t>(j * ldc + i)] += a[static_cast<size_t>(ta ? i * lda + p : p * lda + i)] *
                                                      b[static_cast<size_t>(tb ? p * ldb + j : j * ldb + p)];
      const double one = 1;
      cublasDgemm(nullptr, ta ? CUBLAS_OP_T : CUBLAS_OP_N, tb ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k, &one, a.data(), lda,
                  b.data(), ldb, &one, c.data(), ldc);
      for (size_t i = 0; i < c.size(); ++i) CHECK(std::abs(c[i] - want[i]) < 1e-14);
    }
}
