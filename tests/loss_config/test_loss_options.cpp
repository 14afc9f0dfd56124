// Options that have no meaning: out of range (E11), unknown or contradictory (E14, E15), or not together (E08, E17).
#include "engine/config/yaml.h"
#include "engine/loss_config/config.h"
#include "tests/support/loss_batch.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

// The problem of a `loss` section, its first line.
std::string config_problem(const std::string& yaml) {
  LossConfig config(nullptr, "loss", "the loss");
  const std::string text = message_of([&] { load(config, parse_yaml(yaml, "a.yaml")); });
  return text.substr(0, text.find('\n'));
}

}  // namespace

TEST_CASE("E08, E11, E14, E17: options out of range and without meaning") {
  const auto said = [](const std::function<void(LossOptions&)>& set) {
    return with([&](Batch& b) { set(b.options); });
  };
  CHECK(said([](LossOptions& o) { o.smoothing = 1; }) == "loss: smoothing.epsilon must lie in [0,1), got 1");
  CHECK(said([](LossOptions& o) { o.smoothing = -.1; }) == "loss: smoothing.epsilon must lie in [0,1), got -0.1");
  CHECK(said([](LossOptions& o) { o.softcap = 0; }) == "loss: softcap must be above 0, got 0");
  CHECK(said([](LossOptions& o) { o.softcap = infinity; }) == "loss: softcap must be above 0, got inf");
  CHECK(said([](LossOptions& o) { o.z_loss = -1; }) == "loss: z_loss must be at least 0, got -1");
  CHECK(said([](LossOptions& o) { o.divide_eps = -1; }) == "loss: reduce.divide_eps must be at least 0, got -1");
  CHECK(said([](LossOptions& o) {
          o.input = Input::probs;
          o.probs_eps = -1;
        }) == "loss: probs.eps must lie in [0,0.5), got -1");
  CHECK(said([](LossOptions& o) { o.divide = {"const", "", "", 0}; }) == "loss: divide: {const: k} needs k > 0, got 0");
  CHECK(said([](LossOptions& o) { o.divide.flat = "class_weight"; }) ==
        "loss: divide: class_weight needs class weights");
  CHECK(said([](LossOptions& o) {
          o.divide = {"", "positions", "batch", 0};
        }) == "loss: divide: {time: positions} has no meaning");
  CHECK(said([](LossOptions& o) {
          o.divide = {"", "active", "steps", 0};
        }) == "loss: divide: {batch: steps} has no meaning");
  CHECK(said([](LossOptions& o) {
          o.divide = {"", "active", "batch", 0};
          o.over = Over::time;
        }) == "loss: a nested divisor gives a scalar; it goes with over: all");
  CHECK(said([](LossOptions& o) { o.then = Then::sum; }) ==
        "loss: reduce.then folds a vector loss; over: all gives a scalar already");

  const auto smoothed = [](SmoothingKind kind, int64_t classes, std::vector<int64_t> excluding) {
    Numbers n(1, 1, classes, std::vector<double>(static_cast<size_t>(classes), 0.0), {0});
    n.options.smoothing = 0.1;
    n.options.smoothing_kind = kind;
    n.options.smoothing_excluding = std::move(excluding);
    return message_of([&] { n.run(); });
  };
  CHECK(smoothed(SmoothingKind::others, 1, {}) == "loss: smoothing.kind: others needs at least 2 classes, got V=1");
  CHECK(smoothed(SmoothingKind::others_excluding, 2, {1}) ==
        "loss: smoothing.kind: others_excluding 1 ids needs more than 2 classes, got V=2");
  CHECK(smoothed(SmoothingKind::others_excluding, 4, {1, 9}) == "loss: smoothing.excluding: id 9 is outside [0,4)");
  CHECK(smoothed(SmoothingKind::others_excluding, 4, {1, 1}) == "loss: smoothing.excluding: id 1 is listed twice");
  CHECK(smoothed(SmoothingKind::others_excluding, 4, {0}) ==
        "loss: id 0 is excluded from smoothing but is the live target at (b=0,t=0)");
  CHECK(smoothed(SmoothingKind::prior, 4, {}) == "loss: smoothing.kind: prior needs a prior");

  const auto dense = [](const std::function<void(Numbers&)>& set) {
    Numbers n(1, 1, 2, {0, 0});
    n.in.dense = {1, 0};
    set(n);
    return message_of([&] { n.run(); });
  };
  CHECK(dense([](Numbers& n) { n.options.ignore_index = 0; }) ==
        "loss: ignore_index has no meaning with target: dense; use a mask or lengths");
  CHECK(dense([](Numbers& n) {
          n.options.smoothing = .1;
          n.options.smoothing_kind = SmoothingKind::others;
        }) == "loss: smoothing.kind: others needs target: ids; with target: dense write uniform or prior");
  CHECK(dense([](Numbers& n) { n.options.smoothing_kind = SmoothingKind::others; }) == "no error");  // of no mass
  CHECK(dense([](Numbers& n) {
          n.in.class_weight = {1, 2};
          n.options.class_scope = ClassScope::target;
        }) == "loss: class weights of scope: target need target: ids; with target: dense write scope: class");
  CHECK(dense([](Numbers& n) {
          n.in.class_weight = {1, 2};
          n.options.input = Input::probs;
        }) == "loss: class weights of scope: class have no meaning with input: probs; write scope: target");
  const auto probs = [](const std::function<void(LossOptions&)>& set) {
    Numbers n(1, 1, 2, {.5, .5}, {0});
    n.options.input = Input::probs;
    set(n.options);
    return message_of([&] { n.run(); });
  };
  CHECK(probs([](LossOptions& o) { o.softcap = 1; }) == "loss: softcap has no meaning with input: probs");
  CHECK(probs([](LossOptions& o) { o.z_loss = 1; }) == "loss: z_loss has no meaning with input: probs");

  Numbers none(1, 1, 0, {}, {0});
  CHECK(message_of([&] { none.run(); }) == "loss: the logits have no classes (V=0)");
  Batch b;
  const Tensor h = from_host(std::vector<double>(28 * 3, 0), {4, 7, 3}),
               w = from_host(std::vector<double>(100, 0), {50, 2}),
               fits = from_host(std::vector<double>(150, 0), {50, 3}),
               bias = from_host(std::vector<double>(49, 0), {49});
  CHECK(message_of([&] { linear_sequence_loss(h, w, {}, b.in, b.options); }) ==
        "loss: hidden [4,7,3], weight [50,2] and bias [] do not fit; expected [B,T,D] or [B·T,D], [V,D] and [V]");
  CHECK(message_of([&] { linear_sequence_loss(h, fits, bias, b.in, b.options); }) ==
        "loss: hidden [4,7,3], weight [50,3] and bias [49] do not fit; expected [B,T,D] or [B·T,D], [V,D] and [V]");
  const Tensor deep = from_host(std::vector<double>(28 * 3, 0), {4, 7, 1, 3});
  CHECK(message_of([&] { linear_sequence_loss(deep, fits, {}, b.in, b.options); }) ==
        "loss: hidden [4,7,1,3], weight [50,3] and bias [] do not fit; expected [B,T,D] or [B·T,D], [V,D] and [V]");
  b.options.input = Input::probs;
  CHECK(message_of([&] { linear_sequence_loss(h, fits, {}, b.in, b.options); }) ==
        "loss: hidden states give logits; input: probs needs a softmax after them");
}

TEST_CASE("E14, E15: the loss section") {
  CHECK(config_problem("preset: token_men").find("a.yaml:1:9: error: loss.preset: expected one of token_mean, sum, ") ==
        0);
  CHECK(config_problem("preset: tokne_mean").find("(did you mean 'token_mean'?)") != std::string::npos);
  CHECK(config_problem("reduce: {divide: tokens}")
            .find("a.yaml:1:18: error: loss.reduce.divide: expected one of one, ") == 0);
  CHECK(config_problem("{preset: sum, reduce: {divide: active}}") ==
        "a.yaml:1:32: error: loss.reduce.divide: contradicts preset 'sum', which has one; leave one of them out");
  CHECK(config_problem("{preset: sum, reduce: {divide: one}}") == "no error");
  CHECK(config_problem("{preset: torch.mean, reduce: {on_zero: zero}}")
            .find("loss.reduce.on_zero: contradicts preset 'torch.mean', which has nan") != std::string::npos);
  CHECK(config_problem("{preset: fairseq.tokens, smoothing: {epsilon: 0.1, kind: uniform}}")
            .find("loss.smoothing.kind: contradicts preset 'fairseq.tokens', which has others") != std::string::npos);
  CHECK(config_problem("{preset: sum, flags: {sum_over_batch: true}}").find("only a tf1 or tfa preset has flags") !=
        std::string::npos);
  CHECK(
      config_problem("{preset: tfa.sequence_loss, flags: {average_across_timesteps: false, sum_over_timesteps: true}}")
          .find("loss: sum_over_timesteps with average_across_batch has no defined order") != std::string::npos);
}
