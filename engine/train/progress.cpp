// Formats and prints progress; only a terminal sees control characters.
#include "engine/train/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <vector>

#include "engine/io/files.h"
#include "engine/io/terminal.h"
#include "engine/text/escape.h"
#include "engine/text/utf8.h"

namespace seqgrad {

std::string format_duration(double seconds) {
  const auto s = static_cast<int64_t>(std::lround(std::max(0.0, seconds)));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

static std::string exponent_form(double x) {  // 7.8e-4
  std::string text = fmt::format("{:.1e}", x);
  const size_t e = text.find('e');
  return fmt::format("{}e{}", text.substr(0, e), std::stoi(text.substr(e + 1)));
}

// "" for a number that there is not.
static std::string number(double x, const char* form) {
  return std::isnan(x) ? "" : fmt::format(fmt::runtime(form), x);
}

std::string format(const ProgressLine& p, bool with_bar, int64_t columns) {
  std::string bar;
  if (with_bar && p.steps_in_epoch > 0) {
    constexpr int64_t width = 12;
    const int64_t done = std::min(width, width * p.step / p.steps_in_epoch);
    for (int64_t i = 0; i < width; ++i) bar += i < done ? "━" : "─";
  }
  const double speed = p.tokens_per_second;
  struct Part {
    int needed;  // the least goes first
    std::string text;
  };
  std::vector<Part> parts = {
      {9, p.epochs > 0 ? fmt::format("epoch {}/{}", p.epoch, p.epochs) : fmt::format("epoch {}", p.epoch)},
      {2, bar.empty() ? "" : " " + bar},
      {8, fmt::format("  {}/{}", p.step, p.steps_in_epoch)},
      {10, "  loss " + p.loss},
      {5, number(p.perplexity, p.perplexity < 1e4 ? "  ppl {:.1f}" : "  ppl {:.1e}")},
      {4, "  lr " + exponent_form(p.lr)},
      {3, number(p.grad_norm, "  |g| {:.2f}")},
      {6, speed >= 1000 ? fmt::format("  {:.1f}k tok/s", speed / 1000) : fmt::format("  {:.0f} tok/s", speed)},
      {1, fmt::format(" (pad {:.0f}%)", 100 * p.padding)},
      {7, "  ETA " + format_duration(p.eta_seconds)}};
  const auto by_need = [](const Part& a, const Part& b) { return a.needed < b.needed; };
  for (;;) {
    std::string line;
    for (const Part& part : parts) line += part.text;
    if (utf8_characters(line) <= columns || parts.size() == 1) return line;
    parts.erase(std::min_element(parts.begin(), parts.end(), by_need));
  }
}

static int64_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// The number that a person looks for.
static std::string with_bold_loss(std::string line) {
  const size_t begin = line.find("loss ");
  if (begin == std::string::npos) return line;
  const size_t end = std::min(line.find("  ", begin), line.size());
  return line.replace(begin, end - begin, styled(line.substr(begin, end - begin), Style::bold, STDERR_FILENO));
}

Progress::Progress(bool quiet, const std::string& log)
    : quiet_(quiet), terminal_(is_smart_terminal(STDERR_FILENO)), log_(log) {}

bool Progress::due() const {
  return terminal_ && !quiet_ && std::chrono::steady_clock::now() - updated_ > std::chrono::milliseconds(100);
}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (moving_) std::fputs("\r\033[K", stderr);
  moving_ = false;
}

void Progress::keep(const std::string& text) {
  if (log_.empty()) return;
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  char when[32] = "";
  if (localtime_r(&now, &parts)) std::strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &parts);
  append_line(log_, fmt::format("{}  {}", when, lines_for_terminal(text)));
}

void Progress::update(const ProgressLine& line) {
  if (quiet_ || !terminal_) return;
  // The last column stays free: in it some terminals begin a new line.
  std::fputs(fmt::format("\r{}\033[K", with_bold_loss(format(line, true, terminal_columns() - 1))).c_str(), stderr);
  moving_ = true;
  updated_ = std::chrono::steady_clock::now();
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
  std::fputs((message_for(text, STDERR_FILENO) + "\n").c_str(), stderr);
}

}  // namespace seqgrad
