// Core: volume over its mean of n bars, this one included; 1 where nothing was traded.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

class VolumeRatio final : public Indicator {
 public:
  static constexpr std::string_view kName = "volume_ratio";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit VolumeRatio(int window) : Indicator(kOutputs.size(), window), mean_(window) {}
  void update(const Bar& bar) override { set(0, ratio(bar.volume, mean_.push(bar.volume), 1.0)); }

 private:
  SimpleMean mean_;
};

}  // namespace tradewind::indicators
