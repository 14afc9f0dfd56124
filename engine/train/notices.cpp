// Each notice is silent where there is nothing to say.
#include "engine/train/notices.h"

#include <fmt/ranges.h>

#include <map>

#include "engine/text/numbers.h"

namespace seqgrad {
namespace {

constexpr int64_t few = 100;  // steps in which hardly any model learns anything

std::string few_steps(const Config& config, const Data& data, int64_t total) {
  const TrainConfig& t = config.train;
  if (t.steps() || total >= few) return "";  // who asks for so many steps knows how many they are
  return fmt::format(
      "{} in all for {}: a model hardly learns in so few; more train.epochs or a smaller "
      "train.batch.size (now {} {}) makes them more",
      counted(total, "step"), counted(data.train.size(), "pair"), t.batch.size(), t.batch.by());
}

std::string long_warmup(const Config& config, int64_t total) {
  const int64_t warmup = config.schedule.warmup();
  if (warmup <= total) return "";
  return fmt::format(
      "schedule.warmup is {}, and the run has {}: the rate rises to {:.2g} at its end and never reaches "
      "optim.lr, {:.2g}",
      counted(warmup, "step"), counted(total, "step"),
      config.optim.lr() * static_cast<double>(total) / static_cast<double>(warmup), config.optim.lr());
}

// Who wrote this for an ablation knows it; who forgot the epsilon trains without smoothing.
std::string no_smoothing(const Config& config) {
  const SmoothingConfig& s = config.loss.smoothing;
  if (config.loss.options().smoothing > 0) return "";
  std::vector<std::string> given;
  for (const FieldBase* f : {static_cast<const FieldBase*>(&s.kind), static_cast<const FieldBase*>(&s.report),
                             static_cast<const FieldBase*>(&s.prior), static_cast<const FieldBase*>(&s.excluding)})
    if (!f->is_default()) given.push_back(f->path());
  if (given.empty()) return "";
  return fmt::format("{} {} no effect while {} is 0: nothing is smoothed", fmt::join(given, ", "),
                     given.size() == 1 ? "has" : "have", s.epsilon.path());
}

std::string no_floor(const Config& config) {
  const ScheduleConfig& s = config.schedule;
  return s.floor.is_default() || s.name() != "constant"
             ? ""
             : fmt::format("{} has no effect while {} is constant: the rate does not fall", s.floor.path(),
                           s.name.path());
}

// Where most dev pairs are training pairs, what the dev split tells is what was learnt by heart.
std::string dev_is_train(const Data& data) {
  std::map<std::pair<std::string, std::string>, bool> dev;
  for (const Pair& p : data.dev.pairs) dev[{p.source, p.target}] = false;
  for (const Pair& p : data.train.pairs)
    if (const auto found = dev.find({p.source, p.target}); found != dev.end()) found->second = true;
  int64_t known = 0;
  for (const Pair& p : data.dev.pairs) known += dev[{p.source, p.target}];
  if (2 * known <= data.dev.size() || data.dev.size() == 0) return "";
  const std::string which = known == data.dev.size() ? "the dev pairs are training pairs"
                                                     : fmt::format("{} of {} dev pairs are training pairs",
                                                                   with_commas(known), with_commas(data.dev.size()));
  return which + ": figures on dev tell what was learnt by heart, not what the model makes of new text";
}

}  // namespace

std::vector<std::string> notices(const Config& config, const Data& data, int64_t total_steps) {
  std::vector<std::string> out;
  for (const std::string& text : {few_steps(config, data, total_steps), long_warmup(config, total_steps),
                                  no_smoothing(config), no_floor(config), dev_is_train(data)})
    if (!text.empty()) out.push_back(text);
  return out;
}

}  // namespace seqgrad
