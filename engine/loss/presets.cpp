// The table of presets. Its expected values on the fixture stand in tests/loss/test_loss_presets.cpp, one line a row.
#include "engine/loss/presets.h"

#include <algorithm>
#include <tuple>

#include "engine/config/field.h"
#include "engine/loss/errors.h"

namespace seqgrad {
namespace {

constexpr int T = average_across_timesteps, B = average_across_batch, ST = sum_over_timesteps, SB = sum_over_batch;
constexpr Over all = Over::all, time = Over::time, batch = Over::batch, none = Over::none;
constexpr OnZero zero = OnZero::zero, nan = OnZero::nan;
constexpr Scope global = Scope::global, micro = Scope::micro;

const RowLossOf plain = {}, torch = {.class_scope = ClassScope::per_class},
                fairseq = {.smoothing_kind = SmoothingKind::others},
                joeynmt = {.smoothing_kind = SmoothingKind::others_excluding, .kl = true},
                probabilities = {.target = Target::dense, .input = Input::probs, .probs_mode = ProbsMode::renorm_clip};

Divide by(const char* flat) { return {flat, "", "", 0}; }
Divide nested(const char* time, const char* batch) { return {"", time, batch, 0}; }
// k is a default: the caller may write another one.
Divide times(const char* batch, double k) { return {"", "const", batch, k}; }

// clang-format off
const Preset table[] = {
    // name, over, divide, divide_eps, on_zero, scope, flags (-1: has none), flags known, flags by default, who, formula (ω: weights; m: 1 for an
    // active row, else 0), and where they are not as usual: row loss, report, given
    {"token_mean",    all, by("active"), 0, zero, global, -1, 0, 0, "seqgrad's default", "Σ ωℓ / Σ m"},
    {"sum",           all, by("one"),    0, zero, global, -1, 0, 0, "everybody's sum",   "Σ ωℓ"},
    {"batch_mean",    all, by("batch"),  0, zero, global, -1, 0, 0, "d2l, fairseq sentence_avg", "Σ ωℓ / B"},
    {"sentence_mean", all, nested("active", "active_batch"), 0, zero, global, -1, 0, 0, "mean of sentence means", "mean_b(Σ_t ωℓ / Σ_t m)"},
    {"tf1.sequence_loss_by_example", time, by("weight"), 1e-12, zero, global, T, T, T, "TensorFlow 1 legacy_seq2seq", "[B]: Σ_t wℓ / (Σ_t w + 1e-12)"},
    {"tf1.sequence_loss_by_example", time, by("one"),    0,     zero, global, 0, T, T, "TensorFlow 1 legacy_seq2seq", "[B]: Σ_t wℓ"},
    {"tf1.legacy_sequence_loss", all, nested("weight", "batch"), 1e-12, zero, global, T | B, T | B, T | B, "TensorFlow 1 legacy_seq2seq.sequence_loss", "Σ_b(Σ_t wℓ / (Σ_t w + 1e-12)) / B"},
    {"tf1.legacy_sequence_loss", all, nested("weight", "one"),   1e-12, zero, global, T,     T | B, T | B, "TensorFlow 1 legacy_seq2seq.sequence_loss", "Σ_b(Σ_t wℓ / (Σ_t w + 1e-12))"},
    {"tf1.legacy_sequence_loss", all, by("batch"),               0,     zero, global, B,     T | B, T | B, "TensorFlow 1 legacy_seq2seq.sequence_loss", "Σ wℓ / B"},
    {"tf1.legacy_sequence_loss", all, by("one"),                 0,     zero, global, 0,     T | B, T | B, "TensorFlow 1 legacy_seq2seq.sequence_loss", "Σ wℓ"},
    {"tf1.contrib_sequence_loss", all,   by("weight"), 0, zero, global, T | B, T | B, T | B, "TensorFlow 1 contrib.seq2seq", "Σ wℓ / Σ w"},
    {"tf1.contrib_sequence_loss", time,  by("weight"), 0, zero, global, T,     T | B, T | B, "TensorFlow 1 contrib.seq2seq", "[B]: Σ_t wℓ / Σ_t w"},
    {"tf1.contrib_sequence_loss", batch, by("weight"), 0, zero, global, B,     T | B, T | B, "TensorFlow 1 contrib.seq2seq", "[T]: Σ_b wℓ / Σ_b w"},
    {"tf1.contrib_sequence_loss", none,  by("one"),    0, zero, global, 0,     T | B, T | B, "TensorFlow 1 contrib.seq2seq", "[B,T]: wℓ"},
    {"tfa.sequence_loss", all,   by("weight"),  0, zero, global, T | B,   T | B | ST | SB, T | B, "TensorFlow Addons", "Σ wℓ / Σ w"},
    {"tfa.sequence_loss", time,  by("weight"),  0, zero, global, T,       T | B | ST | SB, T | B, "TensorFlow Addons", "[B]: Σ_t wℓ / Σ_t w"},
    {"tfa.sequence_loss", batch, by("weight"),  0, zero, global, B,       T | B | ST | SB, T | B, "TensorFlow Addons", "[T]: Σ_b wℓ / Σ_b w"},
    {"tfa.sequence_loss", time,  by("nonzero"), 0, zero, global, ST,      T | B | ST | SB, T | B, "TensorFlow Addons", "[B]: Σ_t wℓ / #{w ≠ 0}"},
    {"tfa.sequence_loss", batch, by("nonzero"), 0, zero, global, SB,      T | B | ST | SB, T | B, "TensorFlow Addons", "[T]: Σ_b wℓ / #{w ≠ 0}"},
    {"tfa.sequence_loss", all,   by("nonzero"), 0, zero, global, ST | SB, T | B | ST | SB, T | B, "TensorFlow Addons", "Σ wℓ / #{w ≠ 0}"},
    {"tfa.sequence_loss", none,  by("one"),     0, zero, global, 0,       T | B | ST | SB, T | B, "TensorFlow Addons", "[B,T]: wℓ"},
    {"tf1.losses.sum_by_nonzero_weights", all, by("nonzero"),   0, zero, global, -1, 0, 0, "tf.losses, its default", "Σ wℓ / #{w ≠ 0}"},
    {"tf1.losses.mean",                   all, by("weight"),    0, zero, global, -1, 0, 0, "tf.losses", "Σ wℓ / Σ w"},
    {"tf1.losses.sum_over_batch_size",    all, by("positions"), 0, zero, global, -1, 0, 0, "tf.losses", "Σ wℓ / (B·T)"},
    {"tf1.losses.sum",                    all, by("one"),       0, zero, global, -1, 0, 0, "tf.losses", "Σ wℓ"},
    {"tf2.boolean_mask_mean",             all, by("active"),    0, nan,  global, -1, 0, 0, "TensorFlow 2: sparse CE, boolean_mask, reduce_mean", "Σ ℓ / Σ m"},
    {"tf2.categorical_probs_mask",        all, by("active"),    0, nan,  global, -1, 0, 0, "TensorFlow 2: categorical CE on probabilities, masked mean", "Σ ℓ / Σ m", probabilities},
    {"tf2.sequence_mask_by_length",       all, by("active"),    0, nan,  global, -1, 0, 0, "TensorFlow 2: sparse CE · sequence_mask, sum / Σ lengths", "Σ ℓ / Σ lengths"},
    {"tf_tutorial.mask_then_reduce_mean", all, by("positions"), 0, zero, global, -1, 0, 0, "TensorFlow's NMT tutorial", "mean over all cells of m·ℓ"},
    {"keras.sum_over_batch_size",         all, by("active"),    0, zero, global, -1, 0, 0, "Keras 3 with a mask", "Σ wℓ / Σ m"},
    {"keras.sum_over_batch_size@3.12",    all, by("active"), 1e-7, zero, global, -1, 0, 0, "Keras up to 3.12 with a mask (losses/loss.py, apply_mask)", "Σ wℓ / (Σ m + 1e-7)"},
    {"keras.mean_with_sample_weight",     all, by("weight"),    0, zero, global, -1, 0, 0, "Keras 3", "Σ wℓ / Σ w"},
    {"torch.mean",                        all, by("active"),    0, nan,  global, -1, 0, 0, "PyTorch cross_entropy(ignore_index)", "Σ ℓ / Σ m", torch},
    {"torch.mean",                        all, by("class_weight"), 0, nan, global, -1, 0, 0, "PyTorch cross_entropy(weight)", "Σ c_y·ℓ / Σ c_y", torch, {}, Given::class_weight},
    {"torch.mean",                        all, by("positions"), 0, nan,  global, -1, 0, 0, "PyTorch cross_entropy of probabilities", "Σ ℓ / (B·T)", torch, {}, Given::dense},
    {"hf.causal_lm",                      all, by("active"),    0, nan,  global, -1, 0, 0, "Hugging Face Transformers", "Σ ℓ / Σ m"},
    {"fairseq.tokens",                    all, by("active"),    0, zero, global, -1, 0, 0, "fairseq", "Σ ℓ / Σ m", fairseq},
    {"fairseq.sentence_avg",              all, by("batch"),     0, zero, global, -1, 0, 0, "fairseq --sentence-avg", "Σ ℓ / B", fairseq},
    {"marian.ce-sum",                     all, by("one"),       0, zero, global, -1, 0, 0, "Marian", "Σ ωℓ"},
    {"marian.ce-mean",                    all, by("one"),       0, zero, global, -1, 0, 0, "Marian", "Σ ωℓ; prints Σ ωℓ / B", plain, {"batch"}},
    {"marian.ce-mean-words",              all, by("one"),       0, zero, global, -1, 0, 0, "Marian", "Σ ωℓ; prints Σ ωℓ / Σ m", plain, {"active"}},
    {"marian.perplexity",                 all, by("one"),       0, zero, global, -1, 0, 0, "Marian", "Σ ωℓ; prints exp(Σ ωℓ / Σ m)", plain, {"active", true}},
    {"opennmt.sents",                     all, by("batch"),     0, zero, global, -1, 0, 0, "OpenNMT-py", "Σ ℓ / B"},
    {"opennmt.tokens",                    all, by("active_minus_batch"), 0, zero, global, -1, 0, 0, "OpenNMT-py", "Σ ℓ / (Σ m − B)"},
    {"joeynmt.batch",                     all, by("batch"),     0, zero, micro,  -1, 0, 0, "JoeyNMT", "Σ ℓ / B per micro-batch", joeynmt},
    {"joeynmt.tokens",                    all, by("active"),    0, zero, micro,  -1, 0, 0, "JoeyNMT", "Σ ℓ / Σ m per micro-batch", joeynmt},
    {"joeynmt.none",                      all, by("one"),       0, zero, micro,  -1, 0, 0, "JoeyNMT", "Σ ℓ", joeynmt},
    {"sockeye",                           all, by("active"),    0, zero, micro,  -1, 0, 0, "Sockeye", "Σ ℓ / Σ m per micro-batch"},
    {"cce.mean",                          all, by("active"),    0, nan,  global, -1, 0, 0, "Cut Cross-Entropy", "Σ ℓ / Σ m"},
    {"liger.mean",                        all, by("active"),    0, zero, global, -1, 0, 0, "Liger Kernel", "Σ ℓ / Σ m"},
    {"verl.token-mean",                   all, by("active"),    0, nan,  global, -1, 0, 0, "verl 0.7 to 0.9 (trainer/ppo/core_algos.py, agg_loss)", "Σ mℓ / Σ m"},
    {"verl.token-sum",                    all, by("one"),       0, zero, global, -1, 0, 0, "verl 0.9", "Σ mℓ"},
    {"verl.seq-mean-token-sum",           all, by("active_batch"), 0, nan, global, -1, 0, 0, "verl 0.6 to 0.9", "Σ mℓ / #{b: Σ_t m > 0}"},
    {"verl.seq-mean-token-sum@0.5",       all, by("batch"),     0, zero, global, -1, 0, 0, "verl up to 0.5", "Σ mℓ / B"},
    {"verl.seq-mean-token-mean",          all, nested("active", "active_batch"), 1e-8, nan, global, -1, 0, 0, "verl 0.6 to 0.9", "Σ_b(Σ_t mℓ / (Σ_t m + 1e-8)) / #{b: Σ_t m > 0}"},
    {"verl.seq-mean-token-sum-norm",      all, nested("steps", "active_batch"), 0, nan, global, -1, 0, 0, "verl 0.7 to 0.9, without loss_scale_factor", "Σ mℓ / (T·#{b: Σ_t m > 0})"},
    {"verl.seq-mean-token-sum-norm@0.6",  all, by("steps"),     0, zero, global, -1, 0, 0, "verl up to 0.6", "Σ mℓ / T"},
    {"trl.grpo",                          all, nested("active", "batch"), 0, zero, micro, -1, 0, 0, "TRL 1.16 loss_type (trainer/grpo_trainer.py)", "Σ_b(Σ_t mℓ / max(Σ_t m, 1)) / B"},
    {"trl.bnpo",                          all, by("active"),    0, zero, micro,  -1, 0, 0, "TRL 1.16 loss_type", "Σ mℓ / max(Σ m, 1)"},
    {"trl.dr_grpo",                       all, times("batch", 512), 0, zero, micro, -1, 0, 0, "TRL 1.16 loss_type; 512: its default max_completion_length", "Σ mℓ / (B·512)"},
    {"trl.dapo",                          all, by("active"),    0, zero, global, -1, 0, 0, "TRL 1.16 loss_type, its default", "Σ mℓ / max(Σ m, 1)"},
    {"trl.luspo",                         all, by("batch"),     0, zero, micro,  -1, 0, 0, "TRL 1.16 loss_type", "Σ mℓ / B"},
    {"dpo.sequence_log_prob",             time, by("one"),      0, zero, global, -1, 0, 0, "DPO's own code (eric-mitchell/direct-preference-optimization f8b8c0f, trainers.py)", "[B]: Σ_t mℓ; ℓ is −log p, so minus their number"},
    {"simpo.sequence_mean",               time, by("active"),   0, nan,  global, -1, 0, 0, "SimPO's own code (princeton-nlp/SimPO 1b3e8f3, scripts/simpo_trainer.py)", "[B]: Σ_t mℓ / Σ_t m; ℓ is −log p, so minus their number"},
    {"mlx.mean",                          all, by("positions"), 0, zero, global, -1, 0, 0, "MLX", "mean over all cells of m·ℓ"},
};
// clang-format on

}  // namespace

std::span<const Preset> presets() { return table; }

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& p : table)
    if (std::find(names.begin(), names.end(), p.name) == names.end()) names.emplace_back(p.name);
  return names;
}

const Preset& preset(const std::string& name, int flags, Given given) {
  const Preset *named = nullptr, *found = nullptr;
  for (const Preset& p : table) {
    if (name != p.name) continue;
    named = &p;
    if (p.flags == -1 && flags > 0) refuse(LossCode::flags, "loss: preset '{}' has no flags", name);
    const bool fits = p.flags == -1 || p.flags == (flags == -1 ? p.default_flags : flags);
    if (fits && (p.given == given || (p.given == Given::anything && !found))) found = &p;
  }
  if (found) return *found;
  if (!named)
    refuse(LossCode::unknown_option, "loss: unknown preset '{}'; {}; `seqgrad info --presets` lists all", shown(name),
           not_among(preset_names(), name));
  // TensorFlow Addons refuses both pairs, as it would have to guess what comes first.
  if ((flags & ST) && (flags & B))
    refuse(LossCode::flags,
           "loss: sum_over_timesteps with average_across_batch has no defined order: sums, then their mean over the "
           "batch, are preset: batch_mean; means over the batch, then their sum, flags: {{average_across_timesteps: "
           "false}} with reduce: {{then: sum}}");
  if ((flags & T) && (flags & SB))
    refuse(LossCode::flags,
           "loss: average_across_timesteps with sum_over_batch has no defined order: means over time, then their sum, "
           "are flags: {{average_across_batch: false}} with reduce: {{then: sum}}; sums over the batch, then their "
           "mean over time, reduce: {{over: batch, divide: one, then: mean}} without a preset");
  for (const auto& [mean, sum, axis] : {std::tuple{T, ST, "timesteps"}, std::tuple{B, SB, "batch"}})
    if ((flags & mean) && (flags & sum))
      refuse(LossCode::flags, "loss: average_across_{} and sum_over_{} contradict each other; write {}: false", axis,
             axis, std::string("average_across_") + axis);
  refuse(LossCode::flags, "loss: {} does not define this set of flags", name);
}

LossOptions options_of(const Preset& p) {
  LossOptions o;
  o.over = p.over;
  o.divide = p.divide;
  o.divide_eps = p.divide_eps;
  o.on_zero = p.on_zero;
  o.scope = p.scope;
  o.report = p.report;
  o.smoothing_kind = p.row.smoothing_kind.value_or(o.smoothing_kind);
  o.report_kl = p.row.kl;
  o.class_scope = p.row.class_scope.value_or(o.class_scope);
  o.target = p.row.target.value_or(o.target);
  o.input = p.row.input.value_or(o.input);
  o.probs_mode = p.row.probs_mode.value_or(o.probs_mode);
  return o;
}

std::string own_row_loss(const Preset& p, const LossOptions& o, bool class_weights) {
  const auto other = [](const auto& mine, const auto& theirs) { return mine && *mine != theirs; };
  if (other(p.row.input, o.input) || (o.input == Input::probs && other(p.row.probs_mode, o.probs_mode)))
    return "input: probs";
  if (o.smoothing > 0 && other(p.row.smoothing_kind, o.smoothing_kind)) return "its own smoothing.kind";
  if (o.smoothing > 0 && p.row.kl && !o.report_kl) return "smoothing.report: kl";
  if (class_weights && other(p.row.class_scope, o.class_scope)) return "its own weights.class.scope";
  return "";
}

}  // namespace seqgrad
