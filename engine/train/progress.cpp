// Formats and prints progress; only a terminal sees control characters.
#include "engine/train/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "engine/io/atomic_write.h"

namespace seqgrad {

std::string format_duration(double seconds) {
  const auto s = static_cast<int64_t>(std::lround(std::max(0.0, seconds)));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string with_commas(int64_t count) {
  std::string text = std::to_string(count);
  for (auto i = static_cast<int64_t>(text.size()) - 3; i > 0; i -= 3) text.insert(static_cast<size_t>(i), ",");
  return text;
}

static std::string exponent_form(double x) {  // 7.8e-4
  std::string text = fmt::format("{:.1e}", x);
  const size_t e = text.find('e');
  return fmt::format("{}e{}", text.substr(0, e), std::stoi(text.substr(e + 1)));
}

std::string format(const ProgressLine& p, bool bar) {
  std::string out = fmt::format("epoch {}", p.epoch);
  if (p.epochs > 0) out += fmt::format("/{}", p.epochs);
  if (bar && p.steps_in_epoch > 0) {
    constexpr int64_t width = 12;
    const int64_t done = std::min(width, width * p.step / p.steps_in_epoch);
    out += " ";
    for (int64_t i = 0; i < width; ++i) out += i < done ? "━" : "─";
  }
  out += fmt::format("  {}/{}  loss {:.3f}{}", p.step, p.steps_in_epoch, p.loss, p.unit);
  out += p.perplexity < 1e4 ? fmt::format("  ppl {:.1f}", p.perplexity) : fmt::format("  ppl {:.1e}", p.perplexity);
  out += fmt::format("  lr {}  |g| {:.2f}  ", exponent_form(p.lr), p.grad_norm);
  out += p.tokens_per_second >= 1000 ? fmt::format("{:.1f}k", p.tokens_per_second / 1000)
                                     : fmt::format("{:.0f}", p.tokens_per_second);
  return out + fmt::format(" tok/s (pad {:.0f}%)  ETA {}", 100 * p.padding, format_duration(p.eta_seconds));
}

Progress::Progress(bool quiet, const std::string& log)
    : quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0), log_(log) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (moving_) std::fputs("\r\033[K", stderr);
  moving_ = false;
}

void Progress::keep(const std::string& text) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  char when[32] = "";
  if (localtime_r(&now, &parts)) std::strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &parts);
  append_line(log_, fmt::format("{}  {}", when, text));
}

void Progress::update(const ProgressLine& line) {
  if (quiet_ || !terminal_) return;
  std::fputs(fmt::format("\r{}\033[K", format(line, true)).c_str(), stderr);
  moving_ = true;
}

void Progress::log(const ProgressLine& line) {
  keep(format(line, false));
  if (quiet_) return;
  if (terminal_)
    update(line);
  else
    std::fputs((format(line, false) + "\n").c_str(), stderr);
}

void Progress::say(const std::string& text) {
  keep(text);
  if (quiet_) return;
  clear();
  std::fputs((text + "\n").c_str(), stderr);
}

}  // namespace seqgrad
