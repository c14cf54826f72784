// Core: know sure thing: four smoothed rates of change, weighed 1 to 4, and its signal (Pring, 1992).
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/roc.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

class Kst final : public Indicator {
 public:
  static constexpr std::string_view kName = "kst";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("roc_1", 10),    bars("roc_2", 15),    bars("roc_3", 20),
                                          bars("roc_4", 30),    bars("smooth_1", 10), bars("smooth_2", 10),
                                          bars("smooth_3", 10), bars("smooth_4", 15), bars("signal", 9)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value", "signal"};

  Kst(int roc_1, int roc_2, int roc_3, int roc_4, int smooth_1, int smooth_2, int smooth_3, int smooth_4, int signal)
      : Indicator(kOutputs.size(),
                  std::max({roc_1 + smooth_1, roc_2 + smooth_2, roc_3 + smooth_3, roc_4 + smooth_4}) + signal - 1),
        terms_{Term{Roc(roc_1), SimpleMean(smooth_1)}, Term{Roc(roc_2), SimpleMean(smooth_2)},
               Term{Roc(roc_3), SimpleMean(smooth_3)}, Term{Roc(roc_4), SimpleMean(smooth_4)}},
        signal_(signal) {}

  void update(const Bar& bar) override {
    double sum = 0.0;
    double weight = 0.0;
    for (Term& term : terms_) {
      term.roc.update(bar);
      weight += 1.0;
      sum += weight * term.mean.push(term.roc.value());
    }
    set(0, sum);
    set(1, signal_.push(sum));
  }

 private:
  struct Term {
    Roc roc;
    SimpleMean mean;
  };
  std::array<Term, 4> terms_;
  SimpleMean signal_;
};

}  // namespace tradewind::indicators
