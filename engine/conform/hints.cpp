// What a person may have forgotten to say, told by what the answers would be then.
#include <algorithm>

#include "engine/conform/cells.h"
#include "engine/conform/conform.h"

namespace seqgrad {
namespace {

struct Built {
  const char *finding, *key, *what;
};
constexpr Built built_in[] = {
    {"smoothing:added", "smoothing", "label smoothing"},
    {"logits:softcap_added", "softcap", "a soft cap"},
    {"logits:z_loss_added", "z_loss", "a z-loss"},
};

}  // namespace

bool would_fit_shifted(const Trial& t) {
  if (t.found && t.found->ids.empty() && t.meant) return false;
  LossMeaning meaning = t.meant ? *t.meant : meaning_of("token_mean");
  meaning.fixed = t.fixed();
  size_t fits = 0;
  for (size_t i = 0; i < t.replies.size(); ++i) {
    LossBatch b = t.batches[i];
    b.shifts = !b.shifts;
    if (t.program.takes_input("num_items")) b.num_items = t.items_of(t.batches[i]);  // as the program was told it
    if (!t.replies[i].refusal.empty() || b.inputs.steps < 2 || live_count(b) == 0) continue;
    try {
      const MeantAnswer want = answer_of(meaning, b);
      const double limit = tolerances_of(want, b, t.unit()).value;
      if (worst_of(t.replies[i].answer.value, want.value, limit).differs()) return false;
      ++fits;
    } catch (const InputError&) {
      return false;
    }
  }
  constexpr size_t telling = 3;
  return fits >= telling;
}

std::vector<std::string> hints_of(const ConformReport& r) {
  std::vector<std::string> out;
  const std::string meant = r.meant.empty() ? "a mean over tokens" : r.meant;
  if (r.would_fit_shifted && !r.program.shifts)
    out.push_back(
        fmt::format("it is {} of logits[:, :-1] beside targets[:, 1:]: a function that is to shift by itself "
                    "says so, shifts=1 (in a hello: shifts: \"1\")",
                    meant));
  if (r.would_fit_shifted && r.program.shifts)
    out.push_back(fmt::format("it is {} without a shift: leave out shifts=1, or shift in the function", meant));
  const std::vector<std::string> ids = r.finding_ids();
  for (const Built& b : built_in)
    if (std::find(ids.begin(), ids.end(), b.finding) != ids.end())
      out.push_back(fmt::format(
          "a function that is to have {0} says so with its number: {1}=… (in a hello: {1}: \"…\")", b.what, b.key));
  return out;
}

}  // namespace seqgrad
