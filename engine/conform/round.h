// One question to a program under test and its answer, as frames.
#pragma once
#include <optional>
#include <set>

#include "engine/conform/program.h"
#include "engine/naming/batch.h"

namespace seqgrad {

struct Question {
  std::string kind = "value";  // for logs: the property that asks
  bool gradient = false;       // wanted beside the value
  int part = 0, parts = 0;     // of micro-batches, from 1; 0: it is none
};

struct Reply {
  LossAnswer answer;                 // b-major; gradients as far as they were wanted and are given
  std::string refusal;               // why there is no answer, in the program's words
  std::set<std::string> changed;     // inputs that the program has found overwritten
  FloatType dtype = FloatType::f64;  // the narrowest of its tensors, which may be narrower than what it was asked in
};

std::vector<WireTensor> wire_tensors(const Program& program, const LossBatch& batch, FloatType type);
std::string encode_question(const Program& program, const LossBatch& batch, FloatType type, int64_t round,
                            const Question& question);

// Throws InputError for a reply to another round, and for tensors that are missing, or whose shape or dtype is wrong;
// its message says what is wrong with "it", the answer.
Reply decode_reply(const Program& program, const LossBatch& batch, std::string_view frame, int64_t round,
                   const Question& question);

// Of the value, b-major: [], [B], [T] or [B,T].
std::vector<int64_t> value_shape(const Program& program, const LossBatch& batch);

}  // namespace seqgrad
