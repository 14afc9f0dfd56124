// From the `data` section to corpora and vocabularies.
#include "engine/data/config.h"

#include "engine/data/data_notes.h"
#include "engine/data/long_lines.h"
#include "engine/data/surface.h"

namespace seqgrad {

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const auto& [name, task] : tasks()) names.push_back(name);
  return names;
}

std::vector<std::string> tokenizer_names() {
  std::vector<std::string> names;
  for (const auto& [name, kind] : tokenizer_kinds()) names.push_back(name);
  return names;
}

void FilesConfig::check(Problems& problems) const {
  if (!tsv().value.empty() && (!src().value.empty() || !trg().value.empty()))
    problems.add(tsv, "contradicts src and trg; give two files or one TSV");
  if (src().value.empty() != trg().value.empty())
    problems.add(src().value.empty() ? trg : src, "src and trg go together");
}

void VocabularyConfig::check(Problems& problems) const {
  if (size() > 0 && size() <= special_ids)
    problems.add(size, fmt::format("expected 0 or at least {}, got {} (the first {} ids are special)", special_ids + 1,
                                   size(), +special_ids));
  if (kind() && tokenizer_kind(*kind()).learns_pieces && !min_frequency.is_default())
    problems.add(min_frequency, fmt::format("has no meaning with kind {}: rare words are written in pieces", *kind()));
}

void CorruptConfig::check(Problems& problems) const {
  if (!weight.is_default() && share() == 0) problems.add(weight, "has no effect while data.corrupt.share is 0");
}

DataConfig::DataConfig() = default;
DataConfig::DataConfig(Section* parent, const char* name, const char* doc) : Section(parent, name, doc) {}
DataConfig::~DataConfig() = default;

void DataConfig::check(Problems& problems) const {
  const bool files = train.given() || dev.given() || test.given();
  if (task() && files) problems.add(task, "contradicts the files of data.train, dev or test; give a task or files");
  if (!task() && !files)
    problems.add(task, fmt::format("is needed, or files under data.train (tasks: {})", fmt::join(task_names(), ", ")));
  if (!task() && files && !train.given()) problems.add(train.src, "training text is needed: src and trg, or tsv");
  if (!task() && files && !dev.given()) problems.add(dev.src, "text for validation is needed: src and trg, or tsv");
  if (task() && (!weights.example().value.empty() || !weights.token().value.empty() || !mask().value.empty()))
    problems.add(weights.example, "weight and mask files go with text files, not with a built-in task");
  if (!task() && !direction().empty()) problems.add(direction, "has a meaning only for a built-in task");
  if (!task() && !lexicon().value.empty()) problems.add(lexicon, "has a meaning only for a built-in task");
  for (const Field<int64_t>* size : {&sizes.train, &sizes.dev, &sizes.test})
    if (!task() && (*size)() != 0) problems.add(*size, "has a meaning only for a built-in task");
}

const Task* task_of(const DataConfig& c) { return c.task() ? &tasks().at(*c.task()) : nullptr; }

std::string vocabulary_kind(const DataConfig& c) {
  const Task* task = task_of(c);
  return c.vocabulary.kind().value_or(task ? task->vocabulary : "word");
}

TaskOptions task_options(const DataConfig& c, uint64_t seed) {
  return {seed, c.sizes.train(), c.sizes.dev(), c.sizes.test(), c.direction(), c.lexicon().value};
}

TextForm text_form(const DataConfig& c) {
  const std::string& name = c.normalize();
  return {name == "none" ? std::nullopt : std::optional(name == "nfkc" ? Form::nfkc : Form::nfc), c.lowercase()};
}

using Texts = std::map<std::string, ParallelText>;

static Texts texts_of_task(const Task& task, const DataConfig& c, uint64_t seed) {
  Texts texts;
  const auto add = [&](const std::string& name, const std::vector<Pair>& pairs) {
    texts[name] = text_of_task(name, pairs, text_form(c));
  };
  Splits splits = task.make(task_options(c, seed));
  add("train", splits.train);
  add("dev", splits.dev);
  add("test", splits.test);
  for (const auto& [name, pairs] : splits.reported) add(name, pairs);
  return texts;
}

static Texts texts_of_files(const DataConfig& c, const TokenizerKind& kind) {
  Texts texts;
  const auto units = [&](std::string_view line) { return kind.length(line); };
  const auto read = [&](const char* name, const FilesConfig& f, const WeightFiles& w) {
    if (f.given())
      texts[name] = read_parallel_text(name, {f.src().value, f.trg().value, f.tsv().value}, w, units, text_form(c));
  };
  read("train", c.train, {c.weights.example().value, c.weights.token().value, c.mask().value});
  read("dev", c.dev, {});
  read("test", c.test, {});
  return texts;
}

static void build_vocabularies(const ParallelText& train, const DataConfig& c, const TokenizerKind& kind, Data& out) {
  const WordLines &source = *train.pairs.source(), &target = *train.pairs.target();
  const auto build = [&](std::initializer_list<const WordLines*> sides) {
    std::vector<CountedText> texts;
    for (const WordLines* lines : sides)
      for (const CountedText& text : lines->counted()) texts.push_back(text);
    return kind.train(texts, {kind.name, c.vocabulary.size(), c.vocabulary.min_frequency(), c.lowercase()});
  };
  if (!out.source && !out.target && c.vocabulary.share()) out.source = out.target = build({&source, &target});
  if (!out.source) out.source = build({&source});
  if (!out.target) out.target = build({&target});
}

Data load_data(const DataConfig& c, uint64_t seed, std::shared_ptr<const Tokenizer> source,
               std::shared_ptr<const Tokenizer> target) {
  const Task* task = task_of(c);
  const TokenizerKind& kind = tokenizer_kind(vocabulary_kind(c));
  Texts texts = task ? texts_of_task(*task, c, seed) : texts_of_files(c, kind);
  for (auto& [name, text] : texts)
    name == "train" ? drop_unusable(text, c.max_length(), kind.length, kind.length) : require_words(text);
  ParallelText& train = texts.at("train");
  Data out;
  if (!task) out.notes = notes_on(texts, std::string_view(kind.name) == "char");
  out.source = std::move(source);
  out.target = std::move(target);
  build_vocabularies(train, c, kind, out);
  // What is scored is read as the sentences that people will type.
  const Surface surface(c, *out.source);
  for (auto& [name, text] : texts)
    if (name != "train") text.pairs.change_sources([&](std::string_view typed) { return surface.read(typed); });
  if (c.corrupt.share() > 0) corrupt_targets(train, c.corrupt.share(), c.corrupt.weight(), seed);
  const std::string loss_from = text_form(c)(c.loss_from());
  for (auto& [name, text] : texts) {
    const bool is_train = name == "train";
    // A prompt is left out of training alone: whatever is scored counts as a whole.
    Corpus corpus = is_train ? encode(std::move(text), *out.source, *out.target, c.max_length(), loss_from)
                             : encode(std::move(text), *out.source, *out.target);
    Corpus& place = is_train ? out.train : name == "dev" ? out.dev : name == "test" ? out.test : out.reported[name];
    place = std::move(corpus);
  }
  for (const Corpus* corpus : {&out.dev, &out.test})
    for (std::string& note : notes_on_references(c, *corpus)) out.notes.push_back(std::move(note));
  check_unknown(c, out);
  check_long_lines(c, out);
  return out;
}

void write_out(DataConfig& c, const Data& data) {
  c.vocabulary.kind.set(vocabulary_kind(c));
  if (!task_of(c)) return;
  c.sizes.train.set(data.train.size() + data.train.skipped.total());
  c.sizes.dev.set(data.dev.size() + data.dev.skipped.total());
  c.sizes.test.set(data.test.size() + data.test.skipped.total());
}

}  // namespace seqgrad
