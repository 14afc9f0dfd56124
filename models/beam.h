// The search of one sentence, without the model: which hypotheses live, which are done, which is best.
// Each step ranks the continuations of all live hypotheses. Of the first `beam`, those that end the sentence are done;
// the best `beam` that do not go on. The search ends with `beam` done, or when no live one can still be among the best
// that are wanted. With a beam of 1 this is greedy search. A hypothesis as long as it may be can only end.
// Score: log p / ((5 + n) / 6)^α, n the target tokens, eos included (Wu et al. 2016, "Google's Neural Machine
// Translation System", equation 14 without coverage; JoeyNMT's alpha is the same).
// Ties go to the hypothesis that ranked higher before, then to the word with the smaller id, then to what was done
// first.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/train/model.h"

namespace seqgrad {

double length_penalty(int64_t tokens, double alpha);  // ((5 + tokens) / 6)^alpha

// A word that could follow a live hypothesis.
struct Extension {
  int32_t parent = 0;  // position in Beam::live()
  int32_t word = 0;
  double log_p = 0;  // of the word
};

class Beam {
 public:
  struct Live {
    int32_t node;    // its last word in the tree
    int32_t parent;  // its position among the live ones of the step before
    int32_t word;
    double log_p;
  };

  Beam(const DecodeOptions& options, int64_t source_length);

  const std::vector<Live>& live() const { return live_; }  // best first; in the beginning one, of which bos is the word
  bool done() const { return live_.empty(); }
  bool must_end() const { return steps_ == limit_; }

  // One step. `extensions` come in the order of parents, those of one parent best first. Row i of `attention`, if
  // given, holds the weights of live hypothesis i over the source.
  void advance(const std::vector<Extension>& extensions, const float* attention = nullptr, int64_t stride = 0);

  std::vector<Hypothesis> best() const;  // once done

 private:
  struct Node {
    int32_t parent, word;  // parent -1: the beginning
    int64_t attention;     // where its weights begin
  };
  struct Done {
    int32_t node;
    double log_p, score;
  };
  double score(double log_p, int64_t words) const { return log_p / length_penalty(words, options_.length_penalty); }

  DecodeOptions options_;
  int64_t source_length_, limit_, steps_ = 0;
  std::vector<Node> nodes_;
  std::vector<float> attention_;
  std::vector<Live> live_;
  std::vector<Done> done_;  // best first
};

}  // namespace seqgrad
