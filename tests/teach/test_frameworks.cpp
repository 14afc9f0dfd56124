// The printed lines of frameworks say how the row losses are made whenever those are not the batch's own.
#include "engine/loss/presets.h"
#include "engine/teach/frameworks.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

std::string of(const Lines& lines, const std::string& framework) {
  for (const auto& [name, line] : lines)
    if (name == framework) return line;
  return "no such framework";
}

}  // namespace

TEST_CASE("smoothing that a framework has not leaves it without a line of its own") {
  LossOptions fairseq = options_of(preset("fairseq.tokens"));
  fairseq.smoothing = 0.1;
  LossOptions joeynmt = options_of(preset("joeynmt.tokens"));
  joeynmt.smoothing = 0.1;
  for (const LossOptions& o : {fairseq, joeynmt})
    for (const auto& [framework, line] : whole_lines(o, false, false)) CHECK(line.empty());
  LossOptions uniform = fairseq;
  uniform.smoothing_kind = SmoothingKind::uniform;
  CHECK(of(whole_lines(uniform, false, false), "pytorch") ==
        "nll = F.cross_entropy(logits.transpose(1, 2), y, reduction=\"none\", label_smoothing=0.1); "
        "(m * nll).sum() / m.sum().clamp(min=1)");
  CHECK(of(whole_lines(uniform, false, false), "tensorflow").empty());
}

TEST_CASE("a division by nothing is 0 in a line of its own words, and so is its gradient, where the loss says so") {
  const auto line = [](const LossOptions& o, bool weighted) { return of(reduction_lines(o, weighted), "pytorch"); };
  CHECK(line(options_of(preset("token_mean")), false) == "(m * nll).sum() / m.sum().clamp(min=1)");
  CHECK(line(options_of(preset("sentence_mean")), false) ==
        "((m * nll).sum(1) / m.sum(1).clamp(min=1)).sum() / m.sum(1).count_nonzero().clamp(min=1)");
  CHECK(line(options_of(preset("torch.mean")), false) == "(m * nll).sum() / m.sum()");
  LossOptions weighted = options_of(preset("tf1.contrib_sequence_loss"));
  weighted.on_zero = OnZero::zero, weighted.divide_eps = 0;
  CHECK(line(weighted, false) == "(m * nll).sum() / m.sum().clamp(min=1)");
  CHECK(line(weighted, true) == "(w * nll).sum() / w.sum().clamp(min=1e-30)");
}

TEST_CASE("class weights stand in the row loss or in w, as their scope says, and never twice in the divisor") {
  LossOptions o;
  o.divide = {"class_weight", "", "", 0};
  CHECK(of(row_loss_lines(o, true), "pytorch") ==
        "F.cross_entropy(logits.transpose(1, 2), y, reduction=\"none\", weight=c)");
  CHECK(of(row_loss_lines(o, true), "tensorflow") ==
        "tf.gather(c, y) * tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)");
  CHECK(of(reduction_lines(o, false), "pytorch") == "(m * nll).sum() / (m * c[y]).sum().clamp(min=1e-30)");
  CHECK(of(reduction_lines(o, false), "keras") == "ops.divide_no_nan(ops.sum(m * nll), ops.sum(m * ops.take(c, y)))");
  o.class_scope = ClassScope::target;
  CHECK(of(row_loss_lines(o, true), "pytorch") == "F.cross_entropy(logits.transpose(1, 2), y, reduction=\"none\")");
  CHECK(of(reduction_lines(o, true), "pytorch") == "(w * nll).sum() / w.sum().clamp(min=1e-30)");
}
