// The `data` section of a config, and what it loads.
#pragma once
#include <map>
#include <memory>

#include "engine/config/section.h"
#include "engine/data/corpus.h"

namespace seqgrad {

std::vector<std::string> task_names();
std::vector<std::string> tokenizer_names();
Choice vocabulary_choice();

// One split: two files, or one TSV with source, target and, where it counts in training, an example weight.
struct FilesConfig : Section {
  using Section::Section;
  Field<Path> src{this, "src", Path{}, "source sentences, one a line"};
  Field<Path> trg{this, "trg", Path{}, "their translations, line by line"};
  Field<Path> tsv{
      this, "tsv", Path{},
      "or one file: source, tab, target, and in training text, if it likes, tab and the weight of the pair"};
  bool given() const { return !src().value.empty() || !trg().value.empty() || !tsv().value.empty(); }
  void check(Problems& problems) const override;
  std::vector<ForeignName> foreign_names() const override;
  std::vector<std::string> bare_keys() const override;
};

struct VocabularyConfig : Section {
  using Section::Section;
  Field<std::optional<std::string>> kind{this, "kind", std::nullopt, vocabulary_choice(),
                                         "what a token is; null: the task's own, else word"};
  Field<int64_t> size{this, "size", 0, at_least(0),
                      "largest number of ids, the 4 special ones included; 0: no limit (bpe: 8000)"};
  Field<int64_t> min_frequency{this, "min_frequency", 1, at_least(1), "rarer tokens are unknown words (not for bpe)"};
  Field<bool> share{this, "share", false, "one vocabulary for both sides, built from both"};
  void check(Problems& problems) const override;
  std::vector<ForeignName> foreign_names() const override;
  std::vector<std::string> bare_keys() const override;
};

struct DataWeightsConfig : Section {
  using Section::Section;
  Field<Path> example{this, "example", Path{}, "training: one weight a pair, a line each"};
  Field<Path> token{this, "token", Path{}, "training: one weight a target token and one for the end of the sentence"};
  std::vector<ForeignName> foreign_names() const override;
};

struct CorruptConfig : Section {
  using Section::Section;
  Field<double> share{this, "share", 0.0, between(0, 1), "share of training pairs that get another pair's target"};
  Field<double> weight{this, "weight", 1.0, at_least(0), "multiplies their example weight"};
  void check(Problems& problems) const override;
};

struct SizesConfig : Section {
  using Section::Section;
  Field<int64_t> train{this, "train", 0, between(0, 1e6), "pairs; 0: the task's own number"};
  Field<int64_t> dev{this, "dev", 0, between(0, 1e6), "pairs; 0: the task's own number"};
  Field<int64_t> test{this, "test", 0, between(0, 1e6), "pairs; 0: the task's own number"};
  std::vector<ForeignName> foreign_names() const override;
};

struct DataConfig : Section {
  DataConfig();
  DataConfig(Section* parent, const char* name, const char* doc);
  ~DataConfig() override;
  Field<std::optional<std::string>> task{this, "task", std::nullopt, choice(task_names),
                                         "a built-in task, instead of files"};
  Field<std::string> direction{this, "direction", "", "for tasks that go both ways: de-en or en-de"};
  Field<Path> lexicon{this, "lexicon", Path{}, "for tasks that read a word table"};
  SizesConfig sizes{this, "sizes", "how many pairs a built-in task makes"};
  FilesConfig train{this, "train", "training text"};
  FilesConfig dev{this, "dev", "text for validation"};
  FilesConfig test{this, "test", "text for the final test"};
  VocabularyConfig vocabulary{this, "vocabulary", "built from the training text, for each side"};
  Field<int64_t> max_length{this, "max_length", 100, at_least(1), "longer training pairs are skipped and counted"};
  Field<std::string> normalize{
      this, "normalize", "nfc", choice({"nfc", "nfkc", "none"}),
      "Unicode form of all text: nfc makes one character of letter and accent; nfkc also makes "
      "plain ones of no-break spaces, ligatures and full-width letters; none: as it stands"};
  Field<bool> lowercase{this, "lowercase", false, "lower-case both sides, references too"};
  DataWeightsConfig weights{this, "weights", "weights of the training text, for loss.weights"};
  Field<Path> mask{this, "mask", Path{},
                   "training: 0 or 1 a target token and one for the end of the sentence, for loss.mask.file"};
  CorruptConfig corrupt{this, "corrupt", "noise in the training targets"};
  Field<std::string> loss_from{this, "loss_from", "", "only what follows this target token counts; for loss.mask.file"};
  void check(Problems& problems) const override;
  std::vector<ForeignName> foreign_names() const override;
};

const Task* task_of(const DataConfig& config);          // null for files
std::string vocabulary_kind(const DataConfig& config);  // as written, else the task's own, else word
TaskOptions task_options(const DataConfig& config, uint64_t seed);

// What a line of text goes through before training, validation, evaluation and translation see it.
TextForm text_form(const DataConfig& config);

struct Data {
  Corpus train, dev, test;
  std::map<std::string, Corpus> reported;  // further test sets
  std::shared_ptr<const Tokenizer> source, target;
  std::vector<std::string> notes;  // what its owner should know of it, a sentence each
};

// Reads or makes all splits; `seed` decides what a task draws and which targets are corrupted. With tokenisers given
// (of a run), text is encoded with them; else they are built from the training text. A split without any known word on
// a side is refused.
Data load_data(const DataConfig& config, uint64_t seed, std::shared_ptr<const Tokenizer> source = nullptr,
               std::shared_ptr<const Tokenizer> target = nullptr);

// Writes into the config what it left to the task or to the rule, as `data`, loaded by it, has it: the sizes of a
// task's splits, the kind of vocabulary. Loading it again gives the same data.
void write_out(DataConfig& config, const Data& data);

}  // namespace seqgrad
