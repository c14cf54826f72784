// Core: true strength index: twice smoothed momentum over its absolute value (Blau, 1991).
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Tsi final : public Indicator {
 public:
  static constexpr std::string_view kName = "tsi";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("long", 25), bars("short", 13)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  Tsi(int extended, int brief)
      : Indicator(kOutputs.size(), extended + brief),
        change_once_(extended),
        change_twice_(brief),
        size_once_(extended),
        size_twice_(brief) {}

  void update(const Bar& bar) override {
    const double change = bar.close - previous_.push(bar.close);
    const double smooth = change_twice_.push(change_once_.push(change));
    const double size = size_twice_.push(size_once_.push(std::abs(change)));
    set(0, 100.0 * ratio(smooth, size, 0.0));
  }

 private:
  Previous previous_;
  ExponentialMean change_once_, change_twice_, size_once_, size_twice_;
};

}  // namespace tradewind::indicators
