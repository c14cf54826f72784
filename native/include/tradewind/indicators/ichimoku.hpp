// Core: Ichimoku's five lines, each as it stands at the newest bar (Hosoda, 1969).
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

// The leading spans are drawn `displacement` bars ahead, so those standing here were computed that long ago. The
// lagging span is the close, compared with the price it is drawn over: `lagging_over`, the close `displacement` bars
// ago.
class Ichimoku final : public Indicator {
 public:
  static constexpr std::string_view kName = "ichimoku";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("conversion", 9), bars("base", 26), bars("leading", 52),
                                          bars("displacement", 26)};
  static constexpr std::array<std::string_view, 6> kOutputs{"conversion", "base",    "leading_a",
                                                            "leading_b",  "lagging", "lagging_over"};

  Ichimoku(int conversion, int base, int leading, int displacement)
      : Indicator(kOutputs.size(), std::max({conversion, base, leading}) + displacement),
        conversion_(conversion),
        base_(base),
        leading_(leading),
        spans_a_(displacement + 1),
        spans_b_(displacement + 1),
        closes_(displacement + 1) {}

  void update(const Bar& bar) override {
    const double conversion = conversion_.push(bar);
    const double base = base_.push(bar);
    set(0, conversion);
    set(1, base);
    spans_a_.push((conversion + base) / 2.0);
    spans_b_.push(leading_.push(bar));
    closes_.push(bar.close);
    set(4, bar.close);
    if (!closes_.full()) return;
    set(2, spans_a_.oldest());
    set(3, spans_b_.oldest());
    set(5, closes_.oldest());
  }

 private:
  class MiddleOfRange {
   public:
    explicit MiddleOfRange(int window) : highs_(window), lows_(window) {}
    double push(const Bar& bar) {
      highs_.push(bar.high);
      lows_.push(bar.low);
      return highs_.full() ? (highest(highs_.values()) + lowest(lows_.values())) / 2.0 : kNaN;
    }

   private:
    Window highs_, lows_;
  };

  MiddleOfRange conversion_, base_, leading_;
  Window spans_a_, spans_b_, closes_;
};

}  // namespace tradewind::indicators
