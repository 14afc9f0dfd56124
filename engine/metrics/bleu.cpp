// N-gram matches of each sentence, summed over the corpus before anything is divided.
#include "engine/metrics/bleu.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/core/error.h"
#include "engine/data/lowercase.h"
#include "engine/metrics/sacrebleu.h"
#include "engine/metrics/whitespace.h"

namespace seqgrad {

static void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t i = 0; (i = text.find(from, i)) != text.npos; i += to.size()) text.replace(i, from.size(), to);
}

static bool digit(char c) { return '0' <= c && c <= '9'; }
static bool point(char c) { return c == '.' || c == ','; }
static bool symbol(char c) {  // ASCII punctuation but ' , - .
  return ('{' <= c && c <= '~') || ('[' <= c && c <= '`') || ('!' <= c && c <= '&') || ('(' <= c && c <= '+') ||
         (':' <= c && c <= '@') || c == '/';
}

// One left-to-right pass over adjacent characters: where match(a, b), both are consumed and `form` writes them.
template <class Match, class Form>
static std::string substitute(const std::string& text, const Match& match, const Form& form) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && match(text[i], text[i + 1])) {
      form(out, text[i], text[i + 1]);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string tokenize_13a(std::string_view line) {
  std::string text(line);
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  std::string spaced = " ";
  for (const char c : text) symbol(c) ? spaced.append({' ', c, ' '}) : spaced.append(1, c);
  spaced += ' ';
  const auto before_space = [](std::string& out, char a, char b) { out.append({a, ' ', b, ' '}); };
  const auto after_space = [](std::string& out, char a, char b) { out.append({' ', a, ' ', b}); };
  spaced = substitute(
      spaced, [](char a, char b) { return !digit(a) && point(b); }, before_space);
  spaced = substitute(
      spaced, [](char a, char b) { return point(a) && !digit(b); }, after_space);
  spaced = substitute(
      spaced, [](char a, char b) { return digit(a) && b == '-'; }, before_space);
  std::string out;
  for (const std::string_view word : split_whitespace(spaced)) (out.empty() ? out : out += ' ') += word;
  return out;
}

static std::string prepared(std::string_view line, const BleuOptions& options) {
  const std::string text = options.lowercase ? lowercase(line) : std::string(line);
  return options.tokens == BleuOptions::Tokens::none ? text : tokenize_13a(strip_right(text));
}

using Ngrams = std::map<std::vector<std::string_view>, int64_t>;

static Ngrams ngrams(const std::vector<std::string_view>& words, size_t n) {
  Ngrams counts;
  for (size_t i = 0; i + n <= words.size(); ++i) ++counts[{words.begin() + i, words.begin() + i + n}];
  return counts;
}

Bleu corpus_bleu(std::span<const std::string> hypotheses, std::span<const std::string> references,
                 const BleuOptions& options) {
  check_corpus("BLEU", hypotheses, references);
  Bleu bleu;
  std::array<int64_t, 4> correct{}, total{};
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const std::string hypothesis = prepared(hypotheses[i], options), reference = prepared(references[i], options);
    const auto words = split_whitespace(hypothesis), wanted = split_whitespace(reference);
    bleu.hypothesis_tokens += static_cast<int64_t>(words.size());
    bleu.reference_tokens += static_cast<int64_t>(wanted.size());
    for (size_t n = 1; n <= 4; ++n) {
      const Ngrams ours = ngrams(words, n), theirs = ngrams(wanted, n);
      for (const auto& entry : ours) {
        total[n - 1] += entry.second;
        const auto match = theirs.find(entry.first);
        if (match != theirs.end()) correct[n - 1] += std::min(entry.second, match->second);
      }
    }
  }
  const auto hypothesis_tokens = static_cast<double>(bleu.hypothesis_tokens);
  const auto reference_tokens = static_cast<double>(bleu.reference_tokens);
  if (bleu.hypothesis_tokens < bleu.reference_tokens)
    bleu.brevity_penalty = bleu.hypothesis_tokens > 0 ? std::exp(1 - reference_tokens / hypothesis_tokens) : 0;
  if (correct[0] == 0) return bleu;  // no match of one token, so none of more
  double log_sum = 0, smooth = 1;
  for (size_t n = 0; n < 4; ++n) {
    if (total[n] == 0) return bleu;  // no sentence is long enough: a precision of 0
    if (correct[n] == 0) smooth *= 2;
    bleu.precisions[n] = correct[n] > 0 ? 100.0 * static_cast<double>(correct[n]) / static_cast<double>(total[n])
                                        : 100.0 / (smooth * static_cast<double>(total[n]));
    log_sum += std::log(bleu.precisions[n]);
  }
  bleu.score = bleu.brevity_penalty * std::exp(log_sum / 4);
  return bleu;
}

std::string bleu_signature(const BleuOptions& options) {
  return fmt::format("nrefs:1|case:{}|eff:no|tok:{}|smooth:exp|version:{}", options.lowercase ? "lc" : "mixed",
                     options.tokens == BleuOptions::Tokens::none ? "none" : "13a", sacrebleu_version);
}

}  // namespace seqgrad
