// Core: Chaikin money flow: volume weighed by where the bar closed, over volume; 0 without volume.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class ChaikinMoneyFlow final : public Indicator {
 public:
  static constexpr std::string_view kName = "chaikin_money_flow";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit ChaikinMoneyFlow(int window) : Indicator(kOutputs.size(), window), flow_(window), volume_(window) {}
  void update(const Bar& bar) override {
    const double flow = flow_.push(close_location(bar) * bar.volume);
    set(0, ratio(flow, volume_.push(bar.volume), 0.0));
  }

 private:
  SimpleMean flow_, volume_;
};

}  // namespace tradewind::indicators
