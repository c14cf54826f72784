// Core: what the account depends on outside, each behind a circuit breaker: the broker's REST answers, its stream, the
// data feed, the slow loop's estimates. While one is not closed the gate refuses new risk; exits and cancels pass.
#include "state.hpp"

namespace tradewind {

// Refusals are answers: the broker works. A look-up that succeeds says nothing of it: it follows each order whose
// answer was lost. What was held back for want of the lease was never asked.
void Engine::State::hear_answer(const BrokerEvent& event) {
  bool failed = false;
  switch (event.kind) {
    case BrokerEventKind::kSubmitUnknown:
    case BrokerEventKind::kCancelUnknown:
    case BrokerEventKind::kLookupFailed:
    case BrokerEventKind::kSnapshotFailed:
      failed = true;
      break;
    case BrokerEventKind::kSubmitRejected:
      if (event.code == kCodeLeaseLost) return;
      failed = event.http_status == 429 || event.http_status >= 500;
      break;
    case BrokerEventKind::kSubmitAccepted:
    case BrokerEventKind::kDuplicate:
    case BrokerEventKind::kCancelAccepted:
    case BrokerEventKind::kCancelRejected:
    case BrokerEventKind::kSnapshotEnd:
      break;
    default:
      return;
  }
  const RiskLimits& l = config.limits;
  if (!failed) {
    if (rest.succeeded()) alert(Severity::kInfo, Symbol{}, "the broker answers again; new risk may be taken");
    return;
  }
  if (l.breaker_failures < 0 || l.breaker_failures == kNoLimit || l.breaker_pause < 0) return;
  const bool known = rest.trips > 0;
  if (rest.failed(now, l.breaker_failures, l.breaker_pause) && !known)
    alert(Severity::kCritical, Symbol{}, "requests to the broker fail one after the other; new risk is refused");
}

// The trial is a question, not an order: account, positions and orders are compared, which is due anyway.
void Engine::State::try_broker() {
  if (rest.due(now)) reconcile_soon();
}

void Engine::State::feed_silent() {
  if (feed == BreakerState::kOpen) return;
  feed = BreakerState::kOpen;
  alert(Severity::kCritical, Symbol{}, "the data feed is silent; new risk is refused");
}

// The first bar after a silence may be one that hung on the way: the next time's bar closes the breaker.
void Engine::State::hear_bar(const BarUpdate& bar) {
  if (feed == BreakerState::kClosed) return;
  if (feed == BreakerState::kOpen) {
    feed = BreakerState::kHalfOpen;
    feed_trial = bar.event_time;
  } else if (bar.event_time > feed_trial) {
    feed = BreakerState::kClosed;
    alert(Severity::kInfo, Symbol{}, "the data feed is back; new risk may be taken");
  }
}

// Refused by LINK_DOWN, and as long as its trial, the comparison with the broker, runs by NOT_RECONCILED.
BreakerState Engine::State::stream_state() const {
  if (!link_up) return BreakerState::kOpen;
  return ready ? BreakerState::kClosed : BreakerState::kHalfOpen;
}

// Refused by ESTIMATE_STALE, symbol by symbol: a set of new ones is its own trial.
BreakerState Engine::State::estimates_state() const {
  const std::int64_t limit = config.limits.max_estimate_age;
  const bool stale = estimate_time != 0 && limit >= 0 && limit != kNoLimit && now - estimate_time > limit;
  return stale ? BreakerState::kOpen : BreakerState::kClosed;
}

}  // namespace tradewind
