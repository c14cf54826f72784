// Core: how much of an order may be out by now. One per intent that is worked in slices; plain values, no allocation.
#pragma once

#include <cstdint>

#include "tradewind/algorithms/market_tape.hpp"
#include "tradewind/algorithms/plan.hpp"
#include "tradewind/algorithms/share.hpp"
#include "tradewind/algorithms/slice_clock.hpp"

namespace tradewind {

// Quantities are raw and positive. At the beginning of each slice the rest is planned anew from what has been executed:
// the slice takes its algorithm's share of the rest, plus what earlier slices were given and did not fill, times the
// urgency (VWAP follows the market's volume, so it makes up for all of it). The last slice of the window takes what is
// left. What is released never falls, never exceeds the total and never exceeds the participation limit, which holds
// after the window, too.
class Schedule {
 public:
  Schedule() = default;
  // `plan` has no fault and a definite algorithm, neither kNone nor kSmart.
  Schedule(const ExecutionPlan& plan, std::int64_t total, std::int64_t increment, Time start, std::uint64_t seed,
           const MarketTape& tape);

  // Plans the slices that have begun by `now`; true when there were any. `executed`: done so far.
  bool advance(Time now, std::int64_t executed, const MarketTape& tape);
  // Another total for the same window: what is released stays, up to the new total.
  void resize(std::int64_t total);

  [[nodiscard]] std::int64_t total() const { return total_; }
  [[nodiscard]] std::int64_t released() const { return released_; }
  [[nodiscard]] std::int64_t slice() const { return slice_; }  // the latest that was planned; -1 before the first
  [[nodiscard]] bool ended(Time now) const { return now >= clock_.end(); }
  [[nodiscard]] const SliceClock& clock() const { return clock_; }
  [[nodiscard]] const ExecutionPlan& plan() const { return plan_; }

 private:
  // How far everything is to be released once slice `slice` has begun, without the participation limit.
  [[nodiscard]] std::int64_t planned(std::int64_t slice, std::int64_t executed, const MarketTape& tape) const;
  [[nodiscard]] std::int64_t by_volume(std::int64_t slice, const MarketTape& tape) const;  // -1: no curve
  [[nodiscard]] Share share(std::int64_t slice, const MarketTape& tape) const;

  ExecutionPlan plan_;
  SliceClock clock_;
  std::int64_t total_ = 0;
  std::int64_t increment_ = 1;
  std::int64_t released_ = 0;
  std::int64_t slice_ = -1;
  std::int64_t volume_start_ = 0;
};

}  // namespace tradewind
