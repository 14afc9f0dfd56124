// Pairs of keys of `data` and `loss`.
#include "engine/train/loss_sources.h"

#include "engine/train/step.h"

namespace seqgrad {

void check_loss_sources(const Config& c, Problems& problems) {
  const DataConfig& d = c.data;
  const LossConfig& l = c.loss;
  // A source that the loss leaves aside would be loaded, checked and forgotten.
  const auto used = [&](bool given, const FieldBase& source, bool on, const FieldBase& key) {
    if (given && !on) problems.add(source, fmt::format("has no effect without {}: true", key.path()));
  };
  const bool example = !d.weights.example().value.empty(), token = !d.weights.token().value.empty(),
             mask = !d.mask().value.empty(), prompt = !d.loss_from().empty(), corrupt = d.corrupt.share() > 0;
  used(example, d.weights.example, l.weights.example(), l.weights.example);
  used(corrupt && d.corrupt.weight() != 1, d.corrupt.weight, l.weights.example(), l.weights.example);
  used(token, d.weights.token, l.weights.token(), l.weights.token);
  used(mask, d.mask, l.mask.file(), l.mask.file);
  used(prompt, d.loss_from, l.mask.file(), l.mask.file);
  if (l.weights.token() && !token) problems.add(l.weights.token, "needs data.weights.token");
  if (l.mask.file() && !mask && !prompt) problems.add(l.mask.file, "needs data.mask or data.loss_from");
  if (l.weights.example() && !example && !corrupt && d.train.tsv().value.empty())
    problems.add(l.weights.example, "needs data.weights.example, a third column of data.train.tsv, or data.corrupt");
}

void check_loss_sources(const Config& c, const Data& data) {
  Problems problems;
  if (c.loss.weights.example() && data.train.example_weight.empty())
    problems.add(
        c.loss.weights.example,
        "needs data.weights.example, a third column of data.train.tsv, or data.corrupt; the file has two columns");
  if (data.train.weight_column && !c.loss.weights.example())
    problems.add(c.data.train.tsv,
                 "its third column weighs the pairs, which has no effect without loss.weights.example: true");
  problems.throw_if_any();
}

static void note_ignored(const Config& c, const Data& data, std::vector<std::string>& notes) {
  if (!c.loss.mask.ignore_index()) return;
  const int64_t id = *c.loss.mask.ignore_index(), size = data.target->size();
  const auto add = [&](const std::string& what) {
    notes.push_back(fmt::format("loss.mask.ignore_index: {} {}", id, what));
  };
  if (id < 0 || id >= size)
    add(fmt::format("is no id of the target vocabulary (0 to {}): it does nothing", size - 1));
  else if (id == eos_id)
    add("is </s>, the end of a sentence: the model never learns to stop");
  else if (id == bos_id)
    add("is <s>, which no target has: it does nothing");
  else if (id == pad_id && c.loss.mask.lengths())
    add("is <pad>, which does not count anyway (loss.mask.lengths): it does nothing");
  else if (id == unk_id && data.train.target.unknown() == 0)
    add("is <unk>, and all training targets are known: it does nothing");
  else if (id >= special_ids)
    add(fmt::format("is '{}', which is never learned",
                    shown(data.target->vocabulary().token(static_cast<int32_t>(id)))));
}

// Whether the last number of every row, that of the end of the sentence, is 0.
template <class T>
static bool ends_in_zeros(const Ragged<T>& rows) {
  for (int64_t i = 0; i < rows.size(); ++i)
    if (rows[i].back() != 0) return false;
  return !rows.empty();
}

std::vector<std::string> loss_notes(const Config& c, const Data& data) {
  std::vector<std::string> notes;
  note_ignored(c, data, notes);
  for (const auto& [corpus, tsv] : {std::pair{&data.dev, &c.data.dev.tsv}, {&data.test, &c.data.test.tsv}})
    if (corpus->weight_column)
      notes.push_back(fmt::format(
          "{}: its third column is left out: weights count in training, and not in what is measured", tsv->path()));
  const std::string never = " 0 for every end of a sentence: the model never learns to stop";
  if (c.loss.mask.file() && ends_in_zeros(data.train.mask)) notes.push_back("loss.mask.file: the mask has" + never);
  const LossSetup setup = make_loss_setup(c.loss, data.target->size());
  const auto all_zero = [](const std::vector<double>& weights) {
    return std::all_of(weights.begin(), weights.end(), [](double w) { return w == 0; });
  };
  const std::string nothing = ": every weight is 0: nothing is learned";
  if (setup.token_weight && all_zero(data.train.token_weight.values()))
    notes.push_back("loss.weights.token" + nothing);
  else if (c.loss.weights.token() && ends_in_zeros(data.train.token_weight))
    notes.push_back("loss.weights.token: the weights are" + never);
  if (setup.example_weight && all_zero(data.train.example_weight)) notes.push_back("loss.weights.example" + nothing);
  if (setup.class_weight && all_zero(*setup.class_weight))
    notes.push_back("loss.weights.class.file" + nothing);
  else if (setup.class_weight && (*setup.class_weight)[eos_id] == 0)
    notes.push_back("loss.weights.class.file: the weight of </s> (line 3) is 0: the model never learns to stop");
  return notes;
}

}  // namespace seqgrad
