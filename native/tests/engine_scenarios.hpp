// Steps and configuration changes that the tests of the risk gate are put together from.
#pragma once

#include <cmath>
#include <functional>

#include "engine_fixture.hpp"
#include "tradewind/engine/scenarios.hpp"

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

inline RiskEstimate row_of(const std::string& symbol, Time time, const std::vector<double>& returns) {
  RiskEstimate row;
  row.symbol = Symbol(symbol);
  row.time = time;
  row.count = static_cast<std::uint8_t>(returns.size());
  for (std::size_t t = 0; t < returns.size(); ++t)
    row.returns[t] = static_cast<std::int32_t>(std::lround(returns[t] * (1 << kReturnBits)));
  return row;
}

using Rows = std::vector<std::pair<std::string, std::vector<double>>>;

// A whole set; `group`: the group that all of them are in.
inline void estimates(Desk& d, const Rows& rows, const std::string& group = "") {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RiskEstimate row = row_of(rows[i].first, d.now, rows[i].second);
    row.group = Symbol(group);
    row.first = i == 0;
    row.last = i + 1 == rows.size();
    d.feed(row);
  }
}

inline void context(Desk& d, std::int64_t points) {
  BarUpdate b = Desk::bar_of("SPX", d.now, 1, 1);
  b.context = true;
  b.volatility_index = points * kMoneyScale;
  d.feed(b);
}

}  // namespace tradewind::testing
