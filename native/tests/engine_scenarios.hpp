// Steps and configuration changes that the tests of the risk gate are put together from.
#pragma once

#include <functional>

#include "engine_fixture.hpp"

namespace tradewind::testing {

using Script = std::function<void(Desk&)>;
using Change = std::function<void(EngineConfig&)>;

inline void nothing(EngineConfig&) {}
inline Change limit(std::int64_t RiskLimits::* member, std::int64_t value) {
  return [=](EngineConfig& c) { c.limits.*member = value; };
}

inline void hold(Desk& d, const std::string& name, std::int64_t count, double price) {
  d.want("a", name, count);
  d.flush();
  d.now += kSecond;
  d.bar(name, price);
}

inline void context(Desk& d, std::int64_t points) {
  BarUpdate b = Desk::bar_of("SPX", d.now, 1, 1);
  b.context = true;
  b.volatility_index = points * kMoneyScale;
  d.feed(b);
}

}  // namespace tradewind::testing
