// Core: the checks that go by the exchange's sessions.
#pragma once

#include "tradewind/engine/risk_gate.hpp"

namespace tradewind::session {

// An order for extended hours where the policy allows none, at whatever time.
Denial extended_hours(const RiskRequest& r, const RiskSnapshot& s);
Denial in_session(const RiskRequest& r, const RiskSnapshot& s);

}  // namespace tradewind::session
