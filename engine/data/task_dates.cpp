// Task `dates`: a day from 1900 to 2099 in one of eight layouts, no text of which fits another, to ISO 8601.
#include <fmt/format.h>

#include <chrono>

#include "engine/data/split.h"

namespace seqgrad {

namespace {

struct Date {
  int year, month, day, weekday;  // weekday from 0, Sunday
};

const char* const months[] = {"January", "February", "March",     "April",   "May",      "June",
                              "July",    "August",   "September", "October", "November", "December"};
const char* const weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

std::string month(const Date& d) { return months[d.month - 1]; }
std::string weekday(const Date& d) { return weekdays[d.weekday]; }
std::string capitals(std::string text) {
  for (char& c : text)
    if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
  return text;
}
const char* ordinal(int n) {
  if (n / 10 == 1) return "th";
  return n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
}

std::string (*const layouts[])(const Date&) = {
    [](const Date& d) { return fmt::format("{}/{:02}/{:02}", d.year, d.month, d.day); },
    [](const Date& d) { return fmt::format("{}.{}.{}", d.day, d.month, d.year); },
    [](const Date& d) { return fmt::format("{} {} {}", d.day, month(d), d.year); },
    [](const Date& d) { return fmt::format("{} {}, {}", month(d), d.day, d.year); },
    [](const Date& d) {
      return fmt::format("{} {} {} {}", weekday(d).substr(0, 3), d.day, month(d).substr(0, 3), d.year);
    },
    [](const Date& d) { return fmt::format("{:02}-{}-{}", d.day, capitals(month(d).substr(0, 3)), d.year); },
    [](const Date& d) { return fmt::format("the {}{} of {} {}", d.day, ordinal(d.day), month(d), d.year); },
    [](const Date& d) { return fmt::format("{}, {} {}, {}", weekday(d), month(d), d.day, d.year); },
};

Pair draw_date(Random& random) {
  using namespace std::chrono;
  constexpr sys_days first = year{1900} / January / 1, end = year{2100} / January / 1;
  const sys_days at = first + days{random.below((end - first).count())};
  const year_month_day ymd{at};
  const Date date{static_cast<int>(ymd.year()), static_cast<int>(static_cast<unsigned>(ymd.month())),
                  static_cast<int>(static_cast<unsigned>(ymd.day())),
                  static_cast<int>(std::chrono::weekday{at}.c_encoding())};
  return {layouts[random.below(std::size(layouts))](date),
          fmt::format("{}-{:02}-{:02}", date.year, date.month, date.day),
          {}};
}

Splits make_dates(const TaskOptions& options) {
  return draw_splits({"dates", 20'000, 1'000, 2'000, draw_date}, options);
}

const bool registered =
    register_task({"dates", "days from 1900 to 2099 in eight layouts, to YYYY-MM-DD", "char", make_dates});

}  // namespace
}  // namespace seqgrad
