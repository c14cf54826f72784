// Core: volume-weighted moving average of the close; the plain mean where nothing was traded.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

class Vwma final : public Indicator {
 public:
  static constexpr std::string_view kName = "vwma";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Vwma(int window) : Indicator(kOutputs.size(), window), closes_(window), volumes_(window) {}
  void update(const Bar& bar) override {
    closes_.push(bar.close);
    volumes_.push(bar.volume);
    if (!closes_.full()) return;
    const auto closes = closes_.values();
    const auto volumes = volumes_.values();
    double traded = 0.0;
    double money = 0.0;
    for (std::size_t i = 0; i < closes.size(); ++i) {
      traded += volumes[i];
      money += volumes[i] * closes[i];
    }
    set(0, traded == 0.0 ? mean(closes) : money / traded);
  }

 private:
  Window closes_, volumes_;
};

}  // namespace tradewind::indicators
