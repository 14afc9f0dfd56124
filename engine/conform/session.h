// A conversation with a program under test: hello, rounds, goodbye.
#pragma once
#include <functional>

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

class Session : public Subject {
 public:
  // Says hello. Throws ProgramFault and, for a hello that cannot be understood, InputError. `log` gets a line a round.
  Session(Connection& connection, double seconds, std::function<void(const std::string&)> log = {});

  const Program& program() const override { return program_; }
  FloatType dtype() const override { return type_; }
  void ask_in(FloatType type) override { type_ = type; }
  Reply ask(const LossBatch& batch, const Question& question) override;

  int64_t rounds() const { return rounds_; }
  const LossBatch* last_batch() const { return rounds_ > 0 ? &last_ : nullptr; }  // that it was asked about
  void say_goodbye(const Metadata& metadata, const std::vector<WireTensor>& tensors);

 private:
  void write_log(const LossBatch& batch, const Question& question, const Reply& reply) const;

  Connection& connection_;
  double seconds_;
  std::function<void(const std::string&)> log_;
  Program program_;
  FloatType type_ = FloatType::f64;
  int64_t rounds_ = 0;
  LossBatch last_;
};

}  // namespace seqgrad
