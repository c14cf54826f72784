// Core: money flow index (Quong & Soudack, 1989); 50 where no money flowed.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Mfi final : public Indicator {
 public:
  static constexpr std::string_view kName = "mfi";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Mfi(int window) : Indicator(kOutputs.size(), window + 1), in_(window), out_(window) {}
  void update(const Bar& bar) override {
    const double price = typical_price(bar);
    const double before = price_.push(price);
    if (std::isnan(before)) return;
    const double money = price * bar.volume;
    // Equal sums of decimal prices may differ in the last bits: that is no move.
    const double move = std::abs(price - before) <= 1e-12 * price ? 0.0 : price - before;
    const double in = in_.push(move > 0.0 ? money : 0.0);
    const double out = out_.push(move < 0.0 ? money : 0.0);
    set(0, 100.0 * ratio(in, in + out, 0.5));
  }

 private:
  Previous price_;
  SimpleMean in_, out_;
};

}  // namespace tradewind::indicators
