// Core: volume-weighted average of the typical price over n bars; its plain mean without volume.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class RollingVwap final : public Indicator {
 public:
  static constexpr std::string_view kName = "rolling_vwap";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit RollingVwap(int window)
      : Indicator(kOutputs.size(), window), money_(window), volume_(window), price_(window) {}
  void update(const Bar& bar) override {
    const double price = typical_price(bar);
    const double money = money_.push(price * bar.volume);
    const double volume = volume_.push(bar.volume);
    set(0, ratio(money, volume, price_.push(price)));
  }

 private:
  SimpleMean money_, volume_, price_;
};

}  // namespace tradewind::indicators
