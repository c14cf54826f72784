// Core: population deviation of the close over n bars, and the z-score of the newest (0 where constant).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

class PriceMoments final : public Indicator {
 public:
  static constexpr std::string_view kName = "price_moments";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20, 2)};
  static constexpr std::array<std::string_view, 2> kOutputs{"std", "zscore"};

  explicit PriceMoments(int window) : Indicator(kOutputs.size(), window), closes_(window) {}
  void update(const Bar& bar) override {
    closes_.push(bar.close);
    if (!closes_.full()) return;
    set(0, population_std(closes_.values()));
    set(1, zscore_of_newest(closes_.values()));
  }

 private:
  Window closes_;
};

}  // namespace tradewind::indicators
