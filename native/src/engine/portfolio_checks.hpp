// Core: the checks that go by the slow loop's estimates.
#pragma once

#include "tradewind/engine/risk_gate.hpp"

namespace tradewind::portfolio {

Denial estimate_present(const RiskRequest& r, const RiskSnapshot& s);
Denial estimate_fresh(const RiskRequest& r, const RiskSnapshot& s);
Denial trade_risk(const RiskRequest& r, const RiskSnapshot& s);
Denial trade_risk_hard(const RiskRequest& r, const RiskSnapshot& s);
Denial correlated_group(const RiskRequest& r, const RiskSnapshot& s);
Denial portfolio_risk(const RiskRequest& r, const RiskSnapshot& s);

}  // namespace tradewind::portfolio
