// What each process tells the others: the code of what a loss refused, or 0; then its words, or the results of rows. An
// error of a loss keeps its kind, by which the step tells what was wrong; any other one is an agreed one.
#include "engine/train/step_by_processes.h"

#include "engine/comm/together.h"
#include "engine/loss/errors.h"

namespace seqgrad {
namespace {

[[noreturn]] void throw_again(LossCode code, const std::string& words) {
  if (code == LossCode::nonfinite) throw NonfiniteLoss(words);
  throw LossError(code, words);
}

}  // namespace

std::vector<RowResult> run_by_processes(ParameterStore& store, ProcessSum& processes, int64_t shards,
                                        const RunShards& run) {
  Processes& all = processes.processes();
  const auto mine = [&] {
    ByteWriter out;
    try {
      const std::vector<RowResult> results = run(shards_of_process(shards, all.rank(), all.count()));
      out.add(LossCode{});
      out.add_all(results);
    } catch (const LossError& e) {
      out.add(e.loss_code);
      out.add_all(std::string_view(e.what()));
    }
    return out.take();
  };
  std::vector<RowResult> results;
  for (const Bytes& of_process : gather_together(all, mine)) {
    ByteReader in(of_process);
    if (const auto code = in.next<LossCode>(); code != LossCode{}) throw_again(code, in.next_text());
    const auto rows = in.next_all<RowResult>();
    results.insert(results.end(), rows.begin(), rows.end());
  }
  processes(store, shards);
  return results;
}

}  // namespace seqgrad
