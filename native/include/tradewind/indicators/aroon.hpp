// Core: bars since the highest high and the lowest low of the last n + 1 bars (Chande, 1995).
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

class Aroon final : public Indicator {
 public:
  static constexpr std::string_view kName = "aroon";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 25)};
  static constexpr std::array<std::string_view, 3> kOutputs{"up", "down", "oscillator"};

  explicit Aroon(int window) : Indicator(kOutputs.size(), window + 1), highs_(window + 1), lows_(window + 1) {}

  void update(const Bar& bar) override {
    highs_.push(bar.high);
    lows_.push(bar.low);
    if (!highs_.full()) return;
    const auto highs = highs_.values();
    const auto lows = lows_.values();
    std::size_t top = 0;
    std::size_t bottom = 0;
    for (std::size_t i = 1; i < highs.size(); ++i) {  // of equal extremes the newest counts
      if (highs[i] >= highs[top]) top = i;
      if (lows[i] <= lows[bottom]) bottom = i;
    }
    const double scale = 100.0 / static_cast<double>(highs.size() - 1);
    set(0, scale * static_cast<double>(top));
    set(1, scale * static_cast<double>(bottom));
    set(2, scale * (static_cast<double>(top) - static_cast<double>(bottom)));
  }

 private:
  Window highs_, lows_;
};

}  // namespace tradewind::indicators
