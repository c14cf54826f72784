// Core: the events known of a symbol or of the market, and what they add up to at a bar.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tradewind/features/definition.hpp"
#include "tradewind/fixed.hpp"

namespace tradewind::features {

inline constexpr std::string_view kWholeMarket = "*";

struct Event {
  std::string symbol;  // "*" for the whole market
  std::string type;
  Time available_time = 0;  // when it could be known; a bar that closed before does not see it
  double impact = 0.0;      // signed
};

// Events are kept by time, so a sum does not depend on the order in which they arrived.
class EventHistory {
 public:
  void add(const Event& event);

  // At a bar of `symbol` that closed at `now`: its own events and the market's.
  [[nodiscard]] double value(const EventFeature& feature, std::string_view symbol, Time now) const;

 private:
  struct Known {
    Time time;
    double impact;
    auto operator<=>(const Known&) const = default;
  };
  using ByType = std::map<std::string, std::vector<Known>, std::less<>>;

  [[nodiscard]] const std::vector<Known>* find(std::string_view symbol, std::string_view type) const;

  std::map<std::string, ByType, std::less<>> by_symbol_;
};

}  // namespace tradewind::features
