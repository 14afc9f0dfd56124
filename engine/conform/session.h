// A conversation with a program under test: hello, rounds, goodbye.
#pragma once
#include <array>
#include <functional>
#include <set>

#include "engine/conform/connection.h"
#include "engine/conform/round.h"

namespace seqgrad {

// Whatever answers like a program under test: one behind a pipe, or one that plays its part.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual const Program& program() const = 0;
  virtual FloatType dtype() const = 0;      // that it is asked in
  virtual void ask_in(FloatType type) = 0;  // from now on
  // Throws ProgramFault where there is no answer that can be read.
  virtual Reply ask(const LossBatch& batch, const Question& question) = 0;
};

// What a conversation tells whoever looks on: `asks` before each question, "round 12: padding"; `answered` a line after
// it.
struct Onlooker {
  std::function<void(const std::string&)> asks, answered;
};

// Seconds in which the program answered. The first question of each kind of shape stands apart: functions are compiled
// for it.
struct AnswerSeconds {
  double first = 0, others = 0;
  int64_t shapes = 0;  // that were first
};

class Session : public Subject {
 public:
  // Says hello. Throws ProgramFault and, for a hello that cannot be understood, InputError.
  Session(Connection& connection, double seconds, Onlooker onlooker = {});

  const Program& program() const override { return program_; }
  FloatType dtype() const override { return type_; }
  void ask_in(FloatType type) override { type_ = type; }
  Reply ask(const LossBatch& batch, const Question& question) override;

  int64_t rounds() const { return rounds_; }
  const AnswerSeconds& answer_seconds() const { return answer_seconds_; }
  const LossBatch* last_batch() const { return rounds_ > 0 ? &last_ : nullptr; }  // that it was asked about
  void say_goodbye(const Metadata& metadata, const std::vector<WireTensor>& tensors);

 private:
  void write_log(const LossBatch& batch, const Question& question, const Reply& reply) const;
  void add_seconds(const LossBatch& batch, const Question& question, double seconds);

  Connection& connection_;
  double seconds_;
  Onlooker onlooker_;
  AnswerSeconds answer_seconds_;
  std::set<std::array<int64_t, 6>> shapes_;  // that were asked
  Program program_;
  FloatType type_ = FloatType::f64;
  int64_t rounds_ = 0;
  LossBatch last_;
};

}  // namespace seqgrad
