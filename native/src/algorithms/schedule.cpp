// Core: see schedule.hpp.
#include "tradewind/algorithms/schedule.hpp"

#include <algorithm>

#include "tradewind/algorithms/adaptive.hpp"
#include "tradewind/algorithms/almgren_chriss.hpp"
#include "tradewind/algorithms/participation.hpp"
#include "tradewind/algorithms/twap.hpp"
#include "tradewind/algorithms/vwap.hpp"

namespace tradewind {

Schedule::Schedule(const ExecutionPlan& plan, std::int64_t total, std::int64_t increment, Time start,
                   std::uint64_t seed, const MarketTape& tape)
    : plan_(plan),
      clock_{start, plan.duration, plan.interval, plan.jitter, seed},
      total_(total),
      increment_(increment),
      volume_start_(tape.total_volume()) {}

void Schedule::resize(std::int64_t total) {
  total_ = total;
  released_ = std::min(released_, total);
}

bool Schedule::advance(Time now, std::int64_t executed, const MarketTape& tape) {
  const std::int64_t latest = clock_.index_at(now);
  if (latest <= slice_) return false;
  std::int64_t wanted = std::min(planned(latest, executed, tape), total_);
  if (plan_.participation > 0) {
    wanted = std::min(wanted, participation_cap(tape.total_volume() - volume_start_, plan_.participation, increment_));
  }
  released_ = std::max(released_, wanted);
  slice_ = latest;
  return true;
}

std::int64_t Schedule::planned(std::int64_t slice, std::int64_t executed, const MarketTape& tape) const {
  if (plan_.algorithm == Algorithm::kParticipation || slice >= clock_.count() - 1) return total_;
  if (plan_.algorithm == Algorithm::kVwap) {
    const std::int64_t target = by_volume(slice, tape);
    if (target >= 0) return target;
  }
  // Slices that went by without being looked at were never given out, so they count as due, not as unfilled.
  std::int64_t due = released_;
  for (std::int64_t skipped = slice_ + 1; skipped < slice; ++skipped) {
    due += part_of(total_ - due, share(skipped, tape), increment_);
  }
  const std::int64_t unfilled = std::clamp<std::int64_t>(released_ - executed, 0, released_);
  const std::int64_t made_up = (due - released_) + part_of(unfilled, {plan_.urgency, kPpm}, increment_);
  const std::int64_t rest = std::max<std::int64_t>(total_ - executed - made_up, 0);
  return executed + made_up + part_of(rest, share(slice, tape), increment_);
}

std::int64_t Schedule::by_volume(std::int64_t slice, const MarketTape& tape) const {
  const Time begin = clock_.begin(slice), next = clock_.begin(slice + 1);
  const VolumeCurve& curve = tape.curve();
  const Share target = vwap_target({tape.total_volume() - volume_start_, curve.expected(clock_.start, begin),
                                    curve.expected(begin, next), curve.expected(next, clock_.end())});
  return target.denominator == 0 ? -1 : part_of(total_, target, increment_);
}

Share Schedule::share(std::int64_t slice, const MarketTape& tape) const {
  const std::int64_t left = clock_.count() - slice;
  if (plan_.algorithm == Algorithm::kImplementationShortfall) {
    return shortfall_share(scaled_risk(plan_.risk_rate, plan_.interval), left);
  }
  if (plan_.algorithm == Algorithm::kAdaptive) {
    return shortfall_share(
        adaptive_risk(scaled_risk(plan_.risk_rate, plan_.interval), tape.variance_ratio(), tape.volume_ratio()), left);
  }
  return twap_share(left);
}

}  // namespace tradewind
