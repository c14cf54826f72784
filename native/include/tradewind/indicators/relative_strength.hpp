// Core: return over n bars against the market's: their difference, and their ratio less 1.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

// A bar without the market's close is passed over.
class RelativeStrength final : public Indicator {
 public:
  static constexpr std::string_view kName = "relative_strength";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 2> kOutputs{"excess", "ratio"};

  explicit RelativeStrength(int window)
      : Indicator(kOutputs.size(), window + 1), own_(window + 1), market_(window + 1) {}
  void update(const Bar& bar) override {
    if (std::isnan(bar.market)) return;
    own_.push(bar.close);
    market_.push(bar.market);
    if (!own_.full()) return;
    const double own = bar.close / own_.oldest();
    const double market = bar.market / market_.oldest();
    set(0, own - market);
    set(1, own / market - 1.0);
  }

 private:
  Window own_, market_;
};

}  // namespace tradewind::indicators
