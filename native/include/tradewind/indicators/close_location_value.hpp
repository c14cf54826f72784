// Core: where the bar closed in its range: -1 at the low, 1 at the high, 0 without range.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class CloseLocationValue final : public Indicator {
 public:
  static constexpr std::string_view kName = "close_location_value";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 1)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit CloseLocationValue(int window) : Indicator(kOutputs.size(), window), mean_(window) {}
  void update(const Bar& bar) override { set(0, mean_.push(close_location(bar))); }

 private:
  SimpleMean mean_;
};

}  // namespace tradewind::indicators
