#include "engine/conform/session.h"

#include <chrono>
#include <cmath>

#include "engine/core/error.h"

namespace seqgrad {

static Metadata metadata_of_hello(const std::string& frame) {
  try {
    return decode_frame(frame).metadata;
  } catch (const InputError& e) {
    refuse("conform: the program's hello cannot be read: {}", e.what());
  }
}

constexpr double hello_rounds = 6;  // times the time of a round: it imports its framework

Session::Session(Connection& connection, double seconds, Onlooker onlooker)
    : connection_(connection), seconds_(seconds), onlooker_(std::move(onlooker)) {
  if (onlooker_.asks) onlooker_.asks("the program's hello");
  const std::string hello =
      connection_.exchange(encode_frame({{"protocol", "1"}, {"seqgrad", SEQGRAD_VERSION}}, {}), hello_rounds * seconds);
  program_ = read_hello(metadata_of_hello(hello));
  type_ = program_.dtypes.front();
}

Reply Session::ask(const LossBatch& batch, const Question& question) {
  using Clock = std::chrono::steady_clock;
  ++rounds_;
  last_ = batch;
  if (onlooker_.asks) onlooker_.asks(fmt::format("round {}: {}", rounds_, question.kind));
  const std::string asked = encode_question(program_, batch, type_, rounds_, question);
  const auto begin = Clock::now();
  const std::string frame = connection_.exchange(asked, seconds_);
  add_seconds(batch, question, std::chrono::duration<double>(Clock::now() - begin).count());
  Reply reply;
  try {
    reply = decode_reply(program_, batch, frame, rounds_, question);
  } catch (const InputError& e) {
    throw ProgramFault(Fault::garbage,
                       fmt::format("the program's answer to round {} cannot be read: {}", rounds_, e.what()));
  }
  if (onlooker_.answered) write_log(batch, question, reply);
  return reply;
}

void Session::add_seconds(const LossBatch& batch, const Question& question, double seconds) {
  const LossInputs& in = batch.inputs;
  const bool is_first = shapes_
                            .insert({in.batch, in.steps, in.classes, question.gradient, !batch.upstream.empty(),
                                     static_cast<int64_t>(type_)})
                            .second;
  (is_first ? answer_seconds_.first : answer_seconds_.others) += seconds;
  answer_seconds_.shapes += is_first;
}

void Session::write_log(const LossBatch& batch, const Question& question, const Reply& reply) const {
  const LossInputs& in = batch.inputs;
  std::string line = fmt::format("round {} {} [B={},T={},V={}] {}: ", rounds_, question.kind, in.batch, in.steps,
                                 in.classes, batch.reason);
  if (!reply.refusal.empty())
    line += "refused: " + shown(reply.refusal);
  else if (reply.answer.value.size() == 1)
    line += std::isnan(reply.answer.value[0]) ? "NaN" : fmt::format("{:.9g}", reply.answer.value[0]);
  else
    line += fmt::format("{} values", reply.answer.value.size());
  onlooker_.answered(line);
}

void Session::say_goodbye(const Metadata& metadata, const std::vector<WireTensor>& tensors) {
  connection_.say_goodbye(encode_frame(metadata, tensors));
}

}  // namespace seqgrad
