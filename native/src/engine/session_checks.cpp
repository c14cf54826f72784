// Core: see session_checks.hpp. docs/risk.md says in words when orders may be sent.
#include "session_checks.hpp"

#include <algorithm>

namespace tradewind::session {
namespace {

constexpr Denial kPass{};

// Before the next open or after the close, as far as the policy lets orders for extended hours go.
bool in_extended_hours(const RiskSnapshot& s) {
  const SessionUpdate& day = s.session;
  if (s.limits->extended_before == kNoLimit) return s.now >= day.close;
  return (s.now >= day.close && s.now < day.close + s.limits->extended_after) ||
         s.now >= std::max(day.close, day.next_open - s.limits->extended_before);
}

}  // namespace

Denial extended_hours(const RiskRequest& r, const RiskSnapshot& s) {
  const bool allowed = s.limits->extended_before != 0 || s.limits->extended_after != 0;
  return allowed || !r.terms.extended_hours ? kPass : Denial{RejectCode::kExtendedHours, Unit::kNone, 0, 0, 0};
}

// After the close only what may wait for the next open, or trades in extended hours; before the first and after the
// last minutes nothing.
Denial in_session(const RiskRequest& r, const RiskSnapshot& s) {
  if (s.limits->skip_first == kNoLimit) return kPass;
  const SessionUpdate& day = s.session;
  if (s.now < day.open || s.now >= day.next_open)
    return {RejectCode::kSessionUnknown, Unit::kTime, s.now, day.next_open, day.next_open};
  const Time begins = day.open + s.limits->skip_first, ends = day.close - s.limits->skip_last;
  if ((s.now >= begins && s.now < ends) || (r.rests_overnight && s.now >= day.close)) return kPass;
  if (r.terms.extended_hours && in_extended_hours(s)) return kPass;
  const bool early = s.now < begins;
  const Time next = r.rests_overnight ? day.close : day.next_open + s.limits->skip_first;
  return {RejectCode::kOutOfSession, Unit::kTime, s.now, early ? begins : ends, early && begins < ends ? begins : next};
}

}  // namespace tradewind::session
