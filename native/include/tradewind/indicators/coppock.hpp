// Core: Coppock curve: weighted mean of the sum of two rates of change (Coppock, 1962).
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/roc.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

class Coppock final : public Indicator {
 public:
  static constexpr std::string_view kName = "coppock";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("smooth", 10), bars("long", 14), bars("short", 11)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  Coppock(int smooth, int extended, int brief)
      : Indicator(kOutputs.size(), std::max(extended, brief) + smooth), mean_(smooth), long_(extended), short_(brief) {}
  void update(const Bar& bar) override {
    long_.update(bar);
    short_.update(bar);
    set(0, mean_.push(long_.value() + short_.value()));
  }

 private:
  WeightedMean mean_;
  Roc long_, short_;
};

}  // namespace tradewind::indicators
