// oneDNN's own GRU layer (lbr_gru, PyTorch's variant) over a full rectangle of T steps, forward and backward: the peer
// of `seqgrad bench gru --preset ref8k`. Only the two primitives are timed, weights already in the layouts that they
// choose.
//   g++ -O2 -fopenmp onednn_gru.cpp -ldnnl && ./a.out --threads 2 [--repeats N]      prints one JSON object
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

using namespace dnnl;
using Dims = memory::dims;
using Tag = memory::format_tag;

static double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

int main(int argc, char** argv) {
  if (argc == 2 && !std::strcmp(argv[1], "--version")) {
    const dnnl_version_t* v = dnnl_version();
    return std::printf("%d.%d.%d\n", v->major, v->minor, v->patch) < 0;
  }
  int threads = 2, repeats = 15;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--threads")) threads = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--repeats")) repeats = std::atoi(argv[i + 1]);
  }
  omp_set_num_threads(threads);
  const int64_t T = 30, B = 64, E = 256, H = 512, G = 3;
  const engine cpu(engine::kind::cpu, 0);
  stream s(cpu);
  const auto md = [](const Dims& dims, Tag tag) { return memory::desc(dims, memory::data_type::f32, tag); };
  const auto src = md({T, B, E}, Tag::tnc), state = md({1, 1, B, H}, Tag::ldnc), dst = md({T, B, H}, Tag::tnc),
             bias = md({1, 1, G + 1, H}, Tag::ldgo), any_layer = md({1, 1, E, G, H}, Tag::any),
             any_iter = md({1, 1, H, G, H}, Tag::any), plain_layer = md({1, 1, E, G, H}, Tag::ldigo),
             plain_iter = md({1, 1, H, G, H}, Tag::ldigo);
  const auto direction = rnn_direction::unidirectional_left2right;
#if DNNL_VERSION_MAJOR >= 3
  const lbr_gru_forward::primitive_desc forward(cpu, prop_kind::forward_training, direction, src, state, any_layer,
                                                any_iter, bias, dst, state);
  const lbr_gru_backward::primitive_desc backward(cpu, prop_kind::backward, direction, src, state, any_layer, any_iter,
                                                  bias, dst, state, src, state, any_layer, any_iter, bias, dst, state,
                                                  forward);
#else
  const lbr_gru_forward::primitive_desc forward(
      {prop_kind::forward_training, direction, src, state, any_layer, any_iter, bias, dst, state}, cpu);
  const lbr_gru_backward::primitive_desc backward({prop_kind::backward, direction, src, state, any_layer, any_iter,
                                                   bias, dst, state, src, state, any_layer, any_iter, bias, dst, state},
                                                  cpu, forward);
#endif
  const auto filled = [&](const memory::desc& d, float scale) {
    memory m(d, cpu);
    float* x = static_cast<float*>(m.get_data_handle());
    for (size_t i = 0; i < d.get_size() / sizeof(float); ++i)
      x[i] = scale * (static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX) - 0.5f);
    return m;
  };
  memory w_layer = filled(plain_layer, 0.1f), w_iter = filled(plain_iter, 0.1f);
  const auto laid_out = [&](memory& from, const memory::desc& as) {
    memory to(as, cpu);
    reorder(from, to).execute(s, from, to);
    return to;
  };
  std::unordered_map<int, memory> args = {{DNNL_ARG_SRC_LAYER, filled(src, 1)},
                                          {DNNL_ARG_SRC_ITER, filled(state, 0)},
                                          {DNNL_ARG_BIAS, filled(bias, 0.1f)},
                                          {DNNL_ARG_DST_LAYER, memory(dst, cpu)},
                                          {DNNL_ARG_DST_ITER, memory(state, cpu)},
                                          {DNNL_ARG_WORKSPACE, memory(forward.workspace_desc(), cpu)},
                                          {DNNL_ARG_WEIGHTS_LAYER, laid_out(w_layer, forward.weights_layer_desc())},
                                          {DNNL_ARG_WEIGHTS_ITER, laid_out(w_iter, forward.weights_iter_desc())}};
  auto back = args;
  back[DNNL_ARG_WEIGHTS_LAYER] = laid_out(w_layer, backward.weights_layer_desc());
  back[DNNL_ARG_WEIGHTS_ITER] = laid_out(w_iter, backward.weights_iter_desc());
  back.insert({{DNNL_ARG_DIFF_DST_LAYER, filled(dst, 1)},
               {DNNL_ARG_DIFF_DST_ITER, filled(state, 0)},
               {DNNL_ARG_DIFF_SRC_LAYER, memory(src, cpu)},
               {DNNL_ARG_DIFF_SRC_ITER, memory(state, cpu)},
               {DNNL_ARG_DIFF_BIAS, filled(bias, 0)},
               {DNNL_ARG_DIFF_WEIGHTS_LAYER, filled(backward.diff_weights_layer_desc(), 0)},
               {DNNL_ARG_DIFF_WEIGHTS_ITER, filled(backward.diff_weights_iter_desc(), 0)}});
  s.wait();
  const lbr_gru_forward run_forward(forward);
  const lbr_gru_backward run_backward(backward);
  std::vector<double> ahead, behind, total;
  for (int i = -3; i < repeats; ++i) {
    const double start = now_ms();
    run_forward.execute(s, args);
    s.wait();
    const double middle = now_ms();
    run_backward.execute(s, back);
    s.wait();
    const double end = now_ms();
    if (i < 0) continue;
    ahead.push_back(middle - start);
    behind.push_back(end - middle);
    total.push_back(end - start);
  }
  std::printf(
      "{\"what\":\"onednn_lbr_gru\",\"threads\":%d,\"total_ms\":{\"median\":%g,\"n\":%d},\"forward_ms\":%g,"
      "\"backward_ms\":%g}\n",
      threads, median(total), repeats, median(ahead), median(behind));
}
