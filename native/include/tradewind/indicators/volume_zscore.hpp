// Core: z-score of volume over n bars, this one included (population deviation; 0 where constant).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

class VolumeZscore final : public Indicator {
 public:
  static constexpr std::string_view kName = "volume_zscore";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20, 2)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit VolumeZscore(int window) : Indicator(kOutputs.size(), window), volumes_(window) {}
  void update(const Bar& bar) override {
    volumes_.push(bar.volume);
    if (volumes_.full()) set(0, zscore_of_newest(volumes_.values()));
  }

 private:
  Window volumes_;
};

}  // namespace tradewind::indicators
