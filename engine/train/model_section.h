// The `model` section of a config: how a kind of model is declared, made and estimated. A kind registers its section
// from its own file, as a task does, and nothing else names it.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "engine/config/section.h"
#include "engine/data/tokenizer.h"
#include "engine/train/model.h"

namespace seqgrad {

struct ModelSizes {
  int64_t source_words = 0, target_words = 0;  // of the vocabularies
};

// How many numbers the forward pass of a batch [B,S] to [B,T] keeps at the least, beside the model and its logits.
using BatchNumbers = std::function<double(int64_t batch, int64_t source_steps, int64_t target_steps)>;

class ModelSection : public Section {
 public:
  using Section::Section;
  virtual std::unique_ptr<SequenceModel> make(ModelSizes sizes, DType dtype, Device device, uint64_t seed) const = 0;

  // Puts the weights of the file that the section names, if it does, in the place of random ones, and says so in words;
  // "" without a file. The vocabularies (null: not compared) are those that the model is made for.
  virtual std::string init_weights(SequenceModel& model, const Tokenizer* source = nullptr,
                                   const Tokenizer* target = nullptr) const = 0;
  virtual const FieldBase* first_weights() const = 0;  // the key that names such a file; null where it names none

  virtual bool has_attention() const = 0;  // which decode can give

  // For estimates before anything is allocated.
  virtual double parameter_count(ModelSizes sizes) const = 0;  // at the least
  virtual BatchNumbers batch_numbers() const = 0;
  virtual int64_t step_products() const = 0;  // multiplications of one target word of one sentence
};

using MakeModelSection = std::unique_ptr<ModelSection> (*)(Section* parent);
bool register_model(const char* name, MakeModelSection make);

// A new section of the kind that this program has; a program with several needs a key of the config that chooses one.
std::unique_ptr<ModelSection> model_section(Section* parent);

}  // namespace seqgrad
