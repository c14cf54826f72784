// Core: change of the close over n bars, in price.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

class Momentum final : public Indicator {
 public:
  static constexpr std::string_view kName = "momentum";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 10)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Momentum(int window) : Indicator(kOutputs.size(), window + 1), closes_(window + 1) {}
  void update(const Bar& bar) override {
    closes_.push(bar.close);
    if (closes_.full()) set(0, bar.close - closes_.oldest());
  }

 private:
  Window closes_;
};

}  // namespace tradewind::indicators
