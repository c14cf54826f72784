// Core: the open over the close before, less 1.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Gap final : public Indicator {
 public:
  static constexpr std::string_view kName = "gap";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array<Parameter, 0> kParameters{};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  Gap() : Indicator(kOutputs.size(), 2) {}
  void update(const Bar& bar) override { set(0, bar.open / close_.push(bar.close) - 1.0); }

 private:
  Previous close_;
};

}  // namespace tradewind::indicators
