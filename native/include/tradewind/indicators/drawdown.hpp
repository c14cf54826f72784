// Core: fall of the close from its highest of n bars, as a fraction from -1 to 0.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

class Drawdown final : public Indicator {
 public:
  static constexpr std::string_view kName = "drawdown";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 60)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Drawdown(int window) : Indicator(kOutputs.size(), window), closes_(window) {}
  void update(const Bar& bar) override {
    closes_.push(bar.close);
    if (closes_.full()) set(0, bar.close / highest(closes_.values()) - 1.0);
  }

 private:
  Window closes_;
};

}  // namespace tradewind::indicators
