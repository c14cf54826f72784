// Core: Hull moving average, WMA(2 WMA(n/2) - WMA(n), sqrt n) (Hull, 2005).
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

class Hma final : public Indicator {
 public:
  static constexpr std::string_view kName = "hma";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 16, 4)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Hma(int window)
      : Indicator(kOutputs.size(), window + root(window) - 1),
        half_(window / 2),
        whole_(window),
        final_(root(window)) {}
  void update(const Bar& bar) override {
    const double half = half_.push(bar.close);
    set(0, final_.push(2.0 * half - whole_.push(bar.close)));
  }

 private:
  static int root(int window) { return static_cast<int>(std::sqrt(window)); }
  WeightedMean half_, whole_, final_;
};

}  // namespace tradewind::indicators
