// What a program under test sends: a hello, or an answer to a fixed question, without the length in front.
#include "engine/conform/round.h"
#include "tests/fuzz/targets.h"

using namespace seqgrad;

namespace {

LossBatch batch_of(const Program& p) {
  LossBatch b;
  b.kind = p.kind;
  b.inputs.batch = 2, b.inputs.steps = 3, b.inputs.classes = p.kind == PredictionKind::row_loss ? 1 : 4;
  b.inputs.targets.assign(6, 0);
  b.inputs.mask.emplace(6, uint8_t{1});
  if (p.kind == PredictionKind::hidden) b.weight.assign(8, 0.5);
  b.x.assign(static_cast<size_t>(6 * b.width()), 0.5);
  if (p.takes_input("bias")) b.bias.assign(4, 0.0);
  b.shifts = p.shifts;
  return b;
}

void answer(const Program& p, std::string_view input) {
  const LossBatch batch = batch_of(p);
  const Reply r = decode_reply(p, batch, input, 1, {"value", true, 0, 0});
  if (!r.refusal.empty()) return;
  size_t entries = 1;
  for (const int64_t d : value_shape(p, batch)) entries *= static_cast<size_t>(d);
  require(r.answer.value.size() == entries, "a value has the shape of its axis");
  require(p.gradients.empty() || r.answer.d_x.size() == batch.x.size(), "a gradient has the shape of its input");
}

}  // namespace

void fuzz_answers(std::string_view input) {
  static const Program plain =
      read_hello({{"protocol", "1"}, {"takes", "logits targets mask"}, {"gradients", "d_logits"}});
  static const Program other = read_hello({{"protocol", "1"},
                                           {"takes", "row_loss lengths"},
                                           {"axis", "none"},
                                           {"layout", "time"},
                                           {"gradients", "d_row_loss"}});
  for (const Program* p : {&plain, &other}) try {
      answer(*p, input);
    } catch (const InputError& e) {
      check_message(e.what());
    }
  try {
    const Program p = read_hello(decode_frame(input).metadata);
    require(!p.dtypes.empty() && p.takes_input(p.prediction()), "a hello that is taken is whole");
    if (!p.steps && !p.classes) wire_tensors(p, batch_of(p), p.dtypes[0]);
    answer(p, input);
  } catch (const InputError& e) {
    check_message(e.what());
  }
  if (input.size() >= frame_prefix) try {
      require(frame_length(input) <= most_frame_bytes, "no frame is longer than is read");
    } catch (const InputError& e) {
      check_message(e.what());
    }
}
