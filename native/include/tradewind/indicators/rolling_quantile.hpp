// Core: quantile of the close over n bars, interpolated, and the rank of the newest close in them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

// `rank` is the share of closes below the newest plus half of those equal to it, between 0 and 1.
class RollingQuantile final : public Indicator {
 public:
  static constexpr std::string_view kName = "rolling_quantile";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20), real("level", 0.5, 0.0, 1.0)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value", "rank"};

  RollingQuantile(int window, double level)
      : Indicator(kOutputs.size(), window),
        closes_(window),
        scratch_(static_cast<std::size_t>(window)),
        level_(level) {}

  void update(const Bar& bar) override {
    closes_.push(bar.close);
    if (!closes_.full()) return;
    const auto closes = closes_.values();
    std::copy(closes.begin(), closes.end(), scratch_.begin());
    set(0, quantile(scratch_, level_));
    double rank = 0.0;
    for (const double close : closes) rank += close < bar.close ? 1.0 : (close == bar.close ? 0.5 : 0.0);
    set(1, rank / static_cast<double>(closes.size()));
  }

 private:
  Window closes_;
  std::vector<double> scratch_;
  double level_;
};

}  // namespace tradewind::indicators
