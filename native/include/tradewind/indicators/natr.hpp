// Core: average true range as a percentage of the close (Forman, 2006).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Natr final : public Indicator {
 public:
  static constexpr std::string_view kName = "natr";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Natr(int window) : Indicator(kOutputs.size(), window + 1), range_(window) {}
  void update(const Bar& bar) override { set(0, 100.0 * range_.push(bar) / bar.close); }

 private:
  AverageTrueRange range_;
};

}  // namespace tradewind::indicators
