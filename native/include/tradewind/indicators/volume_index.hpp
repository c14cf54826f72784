// Core: positive and negative volume indices: returns of bars with more, and with less, volume (Fosback, 1976).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

// Both start at 1000; `positive_signal` and `negative_signal` are each index over its own mean of n bars, less 1.
class VolumeIndex final : public Indicator {
 public:
  static constexpr std::string_view kName = "volume_index";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 50)};
  static constexpr std::array<std::string_view, 4> kOutputs{"positive", "negative", "positive_signal",
                                                            "negative_signal"};

  explicit VolumeIndex(int window)
      : Indicator(kOutputs.size(), window), positive_mean_(window), negative_mean_(window) {}
  void update(const Bar& bar) override {
    const double change = return_.push(bar.close);
    const double before = volume_.push(bar.volume);
    if (bar.volume > before) positive_ *= 1.0 + change;
    if (bar.volume < before) negative_ *= 1.0 + change;
    set(0, positive_);
    set(1, negative_);
    set(2, positive_ / positive_mean_.push(positive_) - 1.0);
    set(3, negative_ / negative_mean_.push(negative_) - 1.0);
  }

 private:
  SimpleReturn1 return_;
  Previous volume_;
  double positive_ = 1000.0, negative_ = 1000.0;
  SimpleMean positive_mean_, negative_mean_;
};

}  // namespace tradewind::indicators
