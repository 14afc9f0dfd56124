// Hypotheses share their beginnings: they are nodes of a tree, read from the leaf when the search is over.
#include "models/beam.h"

#include <algorithm>
#include <cmath>

#include "engine/data/vocabulary.h"

namespace seqgrad {

double length_penalty(int64_t tokens, double alpha) {
  return alpha == 0 ? 1 : std::pow((5 + static_cast<double>(tokens)) / 6, alpha);
}

Beam::Beam(const DecodeOptions& options, int64_t source_length)
    : options_(options),
      source_length_(source_length),
      limit_(static_cast<int64_t>(std::ceil(options.max_ratio * static_cast<double>(source_length))) +
             options.max_extra),
      live_{{-1, 0, bos_id, 0}} {}

void Beam::advance(const std::vector<Extension>& extensions, const float* attention, int64_t stride) {
  struct Candidate {
    Extension extension;
    double log_p;
  };
  std::vector<Candidate> ranked;
  for (const Extension& e : extensions) {
    const double log_p = live_[static_cast<size_t>(e.parent)].log_p + e.log_p;
    ranked.push_back({e, std::isnan(log_p) ? -HUGE_VAL : log_p});
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const Candidate& a, const Candidate& b) { return a.log_p > b.log_p; });
  const auto weights_begin = static_cast<int64_t>(attention_.size());
  if (attention)
    for (size_t i = 0; i < live_.size(); ++i) {
      const float* row = attention + static_cast<int64_t>(i) * stride;
      attention_.insert(attention_.end(), row, row + source_length_);
    }
  ++steps_;
  const auto beam = static_cast<size_t>(options_.beam);
  std::vector<Live> next;
  for (size_t i = 0; i < ranked.size() && (i < beam || next.size() < beam); ++i) {
    const auto& [e, log_p] = ranked[i];
    if (e.word == eos_id ? i >= beam : next.size() == beam) continue;
    const auto node = static_cast<int32_t>(nodes_.size());
    nodes_.push_back({live_[static_cast<size_t>(e.parent)].node, e.word, weights_begin + e.parent * source_length_});
    if (e.word == eos_id)
      done_.push_back({node, log_p, score(log_p, steps_)});
    else
      next.push_back({node, e.parent, e.word, log_p});
  }
  live_ = std::move(next);
  std::stable_sort(done_.begin(), done_.end(), [](const Done& a, const Done& b) { return a.score > b.score; });
  const auto wanted = static_cast<size_t>(options_.nbest);
  // log p only falls and the penalty only grows with length, so this is more than a live one can reach.
  const bool beaten =
      done_.size() >= wanted && !live_.empty() && done_[wanted - 1].score >= score(live_[0].log_p, limit_ + 1);
  if (done_.size() >= beam || beaten) live_.clear();
}

std::vector<Hypothesis> Beam::best() const {
  std::vector<Hypothesis> out;
  for (const Done& d : done_) {
    if (out.size() == static_cast<size_t>(options_.nbest)) break;
    Hypothesis& h = out.emplace_back();
    h.log_p = d.log_p, h.score = d.score;
    std::vector<int32_t> path;
    for (int32_t at = d.node; at >= 0; at = nodes_[static_cast<size_t>(at)].parent) path.push_back(at);
    std::reverse(path.begin(), path.end());
    for (const int32_t at : path) {
      const Node& node = nodes_[static_cast<size_t>(at)];
      if (node.word != eos_id) h.ids.push_back(node.word);
      if (attention_.empty()) continue;
      const auto begin = attention_.begin() + node.attention;
      h.attention.insert(h.attention.end(), begin, begin + source_length_);
    }
  }
  return out;
}

}  // namespace seqgrad
