// Core: range volatility with overnight gaps (Yang & Zhang, 2000), per bar and annualised.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/rogers_satchell.hpp"

namespace tradewind::indicators {

// var(overnight) + k var(open to close) + (1 - k) Rogers-Satchell, k = 0.34 / (1.34 + (n + 1) / (n - 1)).
class YangZhang final : public Indicator {
 public:
  static constexpr std::string_view kName = "yang_zhang";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 21, 2), real("bars_per_year", 252, 1, 1e7)};
  static constexpr std::array<std::string_view, 2> kOutputs{"bar", "annual"};

  YangZhang(int window, double bars_per_year)
      : Indicator(kOutputs.size(), window + 1),
        overnight_(window),
        session_(window),
        drift_free_(window),
        weight_(0.34 / (1.34 + (window + 1.0) / (window - 1.0))),
        year_(std::sqrt(bars_per_year)) {}

  void update(const Bar& bar) override {
    const double before = close_.push(bar.close);
    if (std::isnan(before)) return;
    overnight_.push(natural_log(bar.open / before));
    session_.push(natural_log(bar.close / bar.open));
    drift_free_.push(RogersSatchell::of_bar(bar));
    if (!overnight_.full()) return;
    const double variance = sample_variance(overnight_.values()) + weight_ * sample_variance(session_.values()) +
                            (1.0 - weight_) * mean(drift_free_.values());
    const double deviation = std::sqrt(variance);
    set(0, deviation);
    set(1, deviation * year_);
  }

 private:
  Previous close_;
  Window overnight_, session_, drift_free_;
  double weight_, year_;
};

}  // namespace tradewind::indicators
