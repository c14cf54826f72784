// Core: what every indicator is: an object fed one bar at a time that holds its newest outputs.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string_view>

#include "tradewind/indicators/bar.hpp"

namespace tradewind::indicators {

// A parameter or an indicator's name that cannot be used. The message is one line that names it.
class IndicatorError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

struct Parameter {
  std::string_view name;
  double preset;
  double minimum;
  double maximum;
  bool whole;  // counts of bars are whole numbers, multipliers and levels are not
};

// Windows end at 100,000 bars: a year of minutes, and a bound on what one name in a document can make us allocate.
[[nodiscard]] constexpr Parameter bars(std::string_view name, double preset, double minimum = 1) {
  return {name, preset, minimum, 100'000, true};
}
[[nodiscard]] constexpr Parameter real(std::string_view name, double preset, double minimum, double maximum) {
  return {name, preset, minimum, maximum, false};
}

class Indicator {
 public:
  static constexpr std::size_t kMaxOutputs = 6;

  virtual ~Indicator() = default;

  // Takes the next bar, in order of time. Never allocates. Afterwards values() belongs to that bar.
  virtual void update(const Bar& bar) = 0;

  // Outputs in the order of the class's kOutputs; NaN until warm.
  [[nodiscard]] std::span<const double> values() const { return {values_.data(), count_}; }
  [[nodiscard]] double value(std::size_t output = 0) const { return values_[output]; }

  // Bars after which every output is a number.
  [[nodiscard]] int warm_up() const { return warm_up_; }

 protected:
  Indicator(std::size_t outputs, int warm_up) : count_(outputs), warm_up_(warm_up) { values_.fill(kNaN); }
  Indicator(const Indicator&) = default;
  Indicator& operator=(const Indicator&) = default;

  void set(std::size_t output, double value) { values_[output] = value; }

 private:
  std::array<double, kMaxOutputs> values_{};
  std::size_t count_;
  int warm_up_;
};

// 0 / 0 has a neutral answer in most indicators (a market that did not move); each names its own.
[[nodiscard]] constexpr double ratio(double numerator, double denominator, double when_zero) {
  return denominator == 0.0 ? when_zero : numerator / denominator;
}

}  // namespace tradewind::indicators
