// Core: logarithm and power of two from the four basic operations, which IEEE 754 fixes to the last bit.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

// A libm picks its log and exp by the machine's instruction set, and the last bit differs between them; a feature's
// must not.
namespace tradewind::indicators {

inline constexpr double kLn2 = 0.693147180559945309417;

// Natural logarithm of a positive finite number, within 2 units in the last place.
// x = m 2^k with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(s), s = (m - 1) / (m + 1), as its series in s^2 <= 0.0295.
[[nodiscard]] inline double natural_log(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < 0.707106781186547524) {
    mantissa *= 2.0;
    --exponent;
  }
  const double s = (mantissa - 1.0) / (mantissa + 1.0);
  const double square = s * s;
  double series = 0.0;
  for (int term = 23; term >= 3; term -= 2) series = (series + 1.0 / term) * square;
  return 2.0 * s + 2.0 * s * series + exponent * kLn2;
}

// 2^x for x <= 0: the weight of something -x half-lives old. Underflows to 0.
[[nodiscard]] inline double power_of_two(double x) {
  if (x < -1000.0) return 0.0;
  const double whole = std::nearbyint(x);
  const double y = (x - whole) * kLn2;  // |y| <= 0.347: the Taylor series of exp
  double series = 1.0;
  for (int term = 16; term >= 1; --term) series = 1.0 + series * y / term;
  return std::ldexp(series, static_cast<int>(whole));
}

}  // namespace tradewind::indicators
