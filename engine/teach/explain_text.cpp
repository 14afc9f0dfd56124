// An explanation for a terminal.
#include <cmath>

#include "engine/html/page.h"
#include "engine/teach/course.h"
#include "engine/text/escape.h"
#include "engine/text/numbers.h"

namespace seqgrad {
namespace {

// Five significant digits; whole numbers without a point.
std::string shown_number(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  if (x == std::floor(x) && std::abs(x) < 1e7) return fmt::format("{:.0f}", x);
  if (std::abs(x) >= 1e-3 && std::abs(x) < 1e5) return fmt::format("{:.5g}", x);
  return fmt::format("{:.2e}", x);
}

std::string fixed(double x, int digits) {
  return std::isfinite(x) && std::abs(x) < 1e6 ? fmt::format("{:.{}f}", x, digits) : shown_number(x);
}

std::string joined(const std::vector<double>& x) {
  std::string out;
  for (size_t i = 0; i < x.size() && i < 6; ++i) out += (i ? ", " : "") + fixed(x[i], 4);
  if (x.size() > 6) out += fmt::format(", … {} more", x.size() - 6);
  return x.size() == 1 ? out : "[" + out + "]";
}

// Rows of text under a header; a column is as wide as its widest cell, in characters.
std::string columns(const std::vector<std::string>& header, std::vector<std::vector<std::string>> rows,
                    const std::vector<bool>& right) {
  for (auto& row : rows)
    for (std::string& cell : row) cell = for_terminal(cell);
  std::vector<int64_t> width;
  for (const std::string& h : header) width.push_back(text_columns(h));
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size() && i < width.size(); ++i) width[i] = std::max(width[i], text_columns(row[i]));
  std::string out;
  const auto line = [&](const std::vector<std::string>& row) {
    std::string text;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string gap(static_cast<size_t>(width[i] - text_columns(row[i])), ' ');
      text += (i ? "  " : "  ") + (right[i] ? gap + row[i] : row[i] + gap);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  line(header);
  for (const auto& row : rows) line(row);
  return out;
}

// `given`: only what stands in the file and in the predictions, nothing that a reduction decides.
std::string tokens(const Explanation& e, bool given = false) {
  std::vector<std::vector<std::string>> rows;
  for (const TokenView& t : e.tokens) {
    std::vector<std::string> row = {std::to_string(t.b), std::to_string(t.t), t.text};
    const bool known = (given ? t.mask : t.live) && t.alone;
    row.push_back(known && !e.batch.row_loss ? fixed(std::exp(-t.alone->nll), 4) : "");
    row.push_back(known ? fixed(t.alone->nll, 4) : "");
    row.push_back(t.mask ? "1" : "0");
    row.push_back(t.mask ? shown_number(t.token_weight * t.example_weight * t.class_weight) : "");
    if (given) {
      row.push_back(t.why);
      rows.push_back(std::move(row));
      continue;
    }
    row.push_back(t.live ? fixed(t.weight * t.loss, 4) : "");
    row.push_back(t.live ? fixed(100 * t.share, 1) + " %" : "");
    row.push_back(fixed(t.gradient_norm, 5));
    row.push_back(t.why);
    rows.push_back(std::move(row));
  }
  const std::string loss = e.batch.row_loss ? "loss" : "nll";
  if (given)
    return columns({"sent", "step", "token", "p(target)", loss, "mask", "weight", ""}, rows,
                   {true, true, false, true, true, true, true, false});
  return columns(
      {"sent", "step", "token", "p(target)", loss, "mask", "weight", "weight x loss", "share", "|gradient|", ""}, rows,
      {true, true, false, true, true, true, true, true, true, true, false});
}

// Modes that are one number by one divisor stand together, under all their names.
std::string modes(const Explanation& e) {
  struct Group {
    const Mode* first;
    std::vector<std::string> names;
  };
  std::vector<Group> groups;
  for (const Mode& m : e.modes) {
    Group* same = nullptr;
    for (Group& g : groups)
      if (g.first->values == m.values && g.first->divisors == m.divisors && g.first->divisor_words == m.divisor_words &&
          g.first->options.over == m.options.over && g.first->refused == m.refused && g.first->lines == m.lines)
        same = &g;
    if (same)
      same->names.push_back(m.name);
    else
      groups.push_back({&m, {m.name}});
  }
  std::string out;
  for (const Group& g : groups) {
    const Mode& m = *g.first;
    out += "\n  ";
    for (size_t i = 0; i < g.names.size(); ++i) out += (i ? " = " : "") + g.names[i];
    out += "\n";
    if (!m.refused.empty()) {
      out += fmt::format("    refused: {}\n", m.refused);
      continue;
    }
    const bool scalar = m.options.over == Over::all;
    out +=
        fmt::format("    {} = {} / {} ({})   |gradient| {}{}\n", joined(m.values), joined(m.numerators),
                    scalar && !m.divisors.empty() ? shown_number(m.divisors[0]) : joined(m.divisors), m.divisor_words,
                    shown_number(m.gradient_norm), m.own_row_loss ? "   (its row losses are its own)" : "");
    if (scalar && m.printed != m.values[0] && !std::isnan(m.printed))
      out += fmt::format("    and prints {}\n", shown_number(m.printed));
    for (const auto& [framework, line] : m.lines)
      if (!line.empty()) out += fmt::format("    {:<10} {}\n", framework, line);
  }
  return out;
}

}  // namespace

std::string wrapped(const std::string& text, size_t width, const std::string& indent) {
  std::string out = indent, word;
  size_t at = 0;
  const auto flush = [&] {
    if (word.empty()) return;
    const auto n = static_cast<size_t>(text_columns(word));
    if (at > 0 && at + 1 + n > width) out += "\n" + indent, at = 0;
    out += (at ? " " : "") + word;
    at += (at ? 1 : 0) + n;
    word.clear();
  };
  for (const char c : text) c == ' ' || c == '\n' ? flush() : word.push_back(c);
  flush();
  return out + "\n";
}

std::string to_text(const DataTable& table) {
  std::vector<std::vector<std::string>> rows;
  std::vector<bool> right(table.columns.size(), true);
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool number = std::holds_alternative<double>(row[i]);
      cells.push_back(number ? shown_number(std::get<double>(row[i])) : std::get<std::string>(row[i]));
      if (!number) right[i] = false;
    }
    rows.push_back(std::move(cells));
  }
  return "  " + table.title + "\n" + columns(table.columns, rows, right);
}

std::string to_text(const Experiment& e) {
  std::string out = fmt::format("Experiment {}: {} ({})\n", e.number, e.title, e.id) + wrapped(e.question, 100, "  ");
  for (const DataTable& t : e.tables) out += "\n" + to_text(t);
  return out + "\n" + wrapped(e.answer, 100, "  ");
}

std::string lesson_text(const Explanation& e, bool answer) {
  const Subject& s = e.subject;
  std::string out =
      for_terminal(s.title) + ": " + for_terminal(s.about) + "\n\n" + wrapped(s.question, 100, "  ") + "\n";
  if (!answer) {
    out += tokens(e, true);
    for (const std::string& w : e.warnings)
      if (w.starts_with("the file as it stands")) out += "warning: " + w + "\n";
    return out + "\nPredict: " + wrapped(s.predict, 91, "         ").substr(9);
  }
  out += "Answer\n" + wrapped(s.answer, 100, "  ") + "\nRepair\n";
  for (size_t at = 0; at < s.repair.size();) {
    const size_t end = std::min(s.repair.find('\n', at), s.repair.size());
    out += "  " + s.repair.substr(at, end - at) + "\n";
    at = end + 1;
  }
  out += "\nThe file as it stands\n" + tokens(e) + "\n" + (e.error.empty() ? e.sum : "no loss: " + e.error) + "\n";
  for (const std::string& w : e.warnings) out += "warning: " + w + "\n";
  for (const Experiment& x : e.experiments) out += "\n" + to_text(x);
  return out;
}

std::string to_text(const Explanation& e) {
  const LossInputs& in = e.batch.inputs;
  std::string out =
      for_terminal(e.subject.title) + (e.subject.about.empty() ? "" : ": " + for_terminal(e.subject.about)) + "\n";
  for (size_t i = 0; i < e.subject.sources.size(); ++i)
    out += fmt::format("  source {}: {}\n", i, for_terminal(e.subject.sources[i]));
  out += fmt::format("{}, {}, {}\n\n", counted(in.batch, "sentence"), counted(in.steps, "step"),
                     e.batch.row_loss ? "losses of positions" : counted(in.classes, "class", "classes"));
  out += tokens(e) + "\n";
  out += e.error.empty() ? e.sum + "\n" : fmt::format("no loss: {}\n", e.error);
  for (const std::string& w : e.warnings) out += "warning: " + w + "\n";
  if (!e.all_divisors.empty()) {
    out += "\nWhat the sum may be divided by\n";
    std::vector<std::vector<std::string>> rows;
    for (const DivisorView& d : e.all_divisors)
      rows.push_back({d.name, d.value ? shown_number(*d.value) : "", d.words});
    out += columns({"divisor", "here", "counts"}, rows, {false, true, false});
  }
  out += "\nModes: the same batch under other names. ℓ is ";
  for (const auto& [framework, line] : e.rows)
    if (framework == "pytorch") out += line.empty() ? "the row loss, nll in these lines." : line;
  out += "\nm is the mask, w the mask times the weights; where nothing is weighted, w is m.\n";
  return out + modes(e);
}

}  // namespace seqgrad
