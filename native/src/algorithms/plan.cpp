// Core: whether a plan makes sense.
#include "tradewind/algorithms/plan.hpp"

namespace tradewind {

std::string_view plan_fault(const ExecutionPlan& plan) {
  if (plan.algorithm > Algorithm::kSmart) return "algorithm: none of the known ones";
  if (plan.algorithm == Algorithm::kNone) return {};
  if (plan.duration < 1 || plan.duration > kDayNs) return "duration: give more than 0 and at most a day";
  if (plan.interval < 1 || plan.interval > plan.duration) return "interval: give more than 0 and at most the duration";
  if ((plan.duration - 1) / plan.interval >= kMaxSlices) return "interval: at most 1000 slices fit in the duration";
  if (plan.urgency < 0 || plan.urgency > kPpm) return "urgency: give 0 to 1";
  if (plan.participation < 0 || plan.participation > kPpm) return "participation: give 0 to 1";
  if (plan.algorithm == Algorithm::kParticipation && plan.participation == 0) return "participation: give more than 0";
  if (plan.jitter < 0 || plan.jitter > kMaxJitter) return "jitter: give 0 to 0.5 of the interval";
  if (plan.risk_rate < 0 || plan.risk_rate > kMaxRiskRate) return "risk_rate: give 0 to 1e12";
  return {};
}

}  // namespace tradewind
