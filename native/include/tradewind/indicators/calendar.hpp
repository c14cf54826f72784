// Core: where in the week, month and year the bar closed, by its UTC date.
#pragma once

#include <array>
#include <chrono>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

// day_of_week: 0 = Monday. days_to_month_end counts calendar days, 0 on the last.
class Calendar final : public Indicator {
 public:
  static constexpr std::string_view kName = "calendar";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array<Parameter, 0> kParameters{};
  static constexpr std::array<std::string_view, 4> kOutputs{"day_of_week", "day_of_month", "month",
                                                            "days_to_month_end"};

  Calendar() : Indicator(kOutputs.size(), 1) {}
  void update(const Bar& bar) override {
    using std::chrono::nanoseconds, std::chrono::sys_days, std::chrono::sys_time;
    const auto date = std::chrono::floor<std::chrono::days>(sys_time<nanoseconds>(nanoseconds(bar.time)));
    const std::chrono::year_month_day day(date);
    const sys_days last(day.year() / day.month() / std::chrono::last);
    set(0, static_cast<double>(std::chrono::weekday(date).iso_encoding() - 1));
    set(1, static_cast<double>(static_cast<unsigned>(day.day())));
    set(2, static_cast<double>(static_cast<unsigned>(day.month())));
    set(3, static_cast<double>((last - date).count()));
  }
};

}  // namespace tradewind::indicators
