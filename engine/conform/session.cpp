#include "engine/conform/session.h"

#include <cmath>

#include "engine/core/error.h"

namespace seqgrad {

constexpr double hello_rounds = 6;  // times the time of a round: it imports its framework

Session::Session(Connection& connection, double seconds, std::function<void(const std::string&)> log)
    : connection_(connection), seconds_(seconds), log_(std::move(log)) {
  const std::string hello =
      connection_.exchange(encode_frame({{"protocol", "1"}, {"seqgrad", SEQGRAD_VERSION}}, {}), hello_rounds * seconds);
  program_ = read_hello(decode_frame(hello).metadata);
  type_ = program_.dtypes.front();
}

Reply Session::ask(const LossBatch& batch, const Question& question) {
  ++rounds_;
  last_ = batch;
  const std::string frame = connection_.exchange(encode_question(program_, batch, type_, rounds_, question), seconds_);
  Reply reply;
  try {
    reply = decode_reply(program_, batch, frame, rounds_, question);
  } catch (const InputError& e) {
    throw ProgramFault(Fault::garbage, fmt::format("the program sent {}", e.what()));
  }
  if (log_) write_log(batch, question, reply);
  return reply;
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
  log_(line);
}

void Session::say_goodbye(const Metadata& metadata, const std::vector<WireTensor>& tensors) {
  connection_.say_goodbye(encode_frame(metadata, tensors));
}

}  // namespace seqgrad
