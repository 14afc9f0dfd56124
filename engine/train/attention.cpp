// Words beside weights, sentence after sentence.
#include "engine/train/attention.h"

#include "engine/html/page.h"
#include "engine/io/output.h"
#include "engine/train/progress.h"

namespace seqgrad {

HeatMap attention_map(const std::vector<std::string>& source, const Hypothesis& hypothesis, const Vocabulary& target) {
  HeatMap map{{}, source, hypothesis.attention};
  for (const int32_t id : hypothesis.ids) map.rows.emplace_back(target.token(id));
  if (map.weights.size() > map.rows.size() * source.size()) map.rows.emplace_back(target.token(eos_id));
  return map;
}

AttentionPage::AttentionPage(std::string path) : path_(std::move(path)) { check_named_output(path_); }

void AttentionPage::add(int64_t line, const std::string& source, const std::string& translation, const HeatMap& map) {
  if (++sentences_ > most) return;
  body_ += heading(2, fmt::format("{}. {}", line, source)) + paragraph(translation) +
           heat_map(map, fmt::format("attention of line {}", line));
}

void AttentionPage::write() const {
  std::string head = heading(1, "Attention") + paragraph(attention_words);
  if (sentences_ > most) head += paragraph(fmt::format("The first {} of {} sentences.", most, with_commas(sentences_)));
  if (sentences_ == 0) head += paragraph("There was nothing to translate.");
  write_output(path_, page("Attention", head + body_));
}

}  // namespace seqgrad
