// Our own loss as a program under test: what it is asked and what it answers goes through frames, only the pipe is left
// out.
#pragma once
#include <functional>

#include "engine/conform/round.h"
#include "engine/conform/session.h"
#include "engine/loss/sequence_loss.h"

// As the program sees a question: LossInputs and arrays from tensors by name.
class OwnLoss : public seqgrad::Subject {
 public:
  OwnLoss(seqgrad::Program program, seqgrad::LossOptions options)
      : program_(std::move(program)), options_(std::move(options)), type_(program_.dtypes.front()) {
    options_.nonfinite = seqgrad::Nonfinite::propagate;
  }

  // What an answer is changed to on its way, for programs that are wrong.
  std::function<void(const seqgrad::LossBatch& batch, seqgrad::LossAnswer& answer)> fault;

  // Dtypes that answers are sent in, where they are narrower than what is asked.
  seqgrad::FloatType value_in = seqgrad::FloatType::f64, gradients_in = seqgrad::FloatType::f64;

  const seqgrad::Program& program() const override { return program_; }
  seqgrad::FloatType dtype() const override { return type_; }
  void ask_in(seqgrad::FloatType type) override { type_ = type; }
  int64_t rounds() const { return rounds_; }

  seqgrad::Reply ask(const seqgrad::LossBatch& batch, const seqgrad::Question& question) override {
    ++rounds_;
    const std::string asked = seqgrad::encode_question(program_, batch, type_, rounds_, question);
    const seqgrad::SafetensorsFile file = seqgrad::decode_frame(std::string_view(asked).substr(seqgrad::frame_prefix));
    std::string answered;
    try {
      answered = answer(file);
    } catch (const seqgrad::LossError& e) {
      answered = seqgrad::encode_frame({{"round", std::to_string(rounds_)}, {"error", e.what()}}, {});
    }
    seqgrad::Reply reply = seqgrad::decode_reply(
        program_, batch, std::string_view(answered).substr(seqgrad::frame_prefix), rounds_, question);
    if (fault && reply.refusal.empty()) fault(batch, reply.answer);
    return reply;
  }

 private:
  std::string answer(const seqgrad::SafetensorsFile& file) const;

  seqgrad::Program program_;
  seqgrad::LossOptions options_;
  seqgrad::FloatType type_;
  int64_t rounds_ = 0;
};
