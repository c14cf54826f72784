// Core: prices, equity, exposures, the calendar of limits and the drawdown ladder.
#include <algorithm>

#include "state.hpp"

namespace tradewind {
namespace {

constexpr std::int64_t kDay = 86'400LL * 1'000'000'000;

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Months since 1970 of a day since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days).
std::int64_t month_of(std::int64_t day) {
  const std::int64_t shifted = day + 719'468;
  const std::int64_t era = floor_div(shifted, 146'097);
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t march_month = (5 * day_of_year + 2) / 153;
  return (year_of_era + era * 400) * 12 + march_month + 2;
}

Int128 magnitude(Int128 value) { return value < 0 ? -value : value; }

std::int64_t fit(Int128 value) {
  constexpr Int128 top = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::clamp<Int128>(value, -top, top));
}

}  // namespace

void Engine::State::on_bar(const BarUpdate& bar) {
  feed_seen = now;
  hear_bar(bar);
  if (bar.event_time > bar_time) {
    evaluate();  // the bars of one time are taken together: half of them are no picture of the account
    bar_time = bar.event_time;
  }
  if (bar.context) {
    if (bar.volatility_index > 0) volatility_index = bar.volatility_index;
    cut_due = true;
    return;
  }
  const std::uint32_t index = symbol_index.find(bar.symbol);
  if (index == kNil) return;
  SymbolState& state = symbols[index];
  const bool sound =
      bar.low.raw > 0 && bar.low <= bar.open && bar.low <= bar.close && bar.open <= bar.high && bar.close <= bar.high;
  if (!sound) return alert(Severity::kWarning, bar.symbol, "a bar whose prices contradict each other was ignored");
  if (bar.event_time <= state.price_time) return;
  state.price_time = bar.event_time;
  state.price = bar.close;
  cut_due = true;
  tapes[index].add(bar.event_time, bar.close, bar.volume);
  if (state.cross_pending && bar.event_time > state.cross_after) cross(index, bar.open);
  refresh(index);
  check_brackets(index, bar);
}

// An older session than the known one, or one that contradicts itself, is not taken.
void Engine::State::on_session(const SessionUpdate& update) {
  const bool sound = update.open > 0 && update.open < update.close && update.close <= update.next_open;
  if (!sound) return alert(Severity::kWarning, Symbol{}, "a session whose times contradict each other was ignored");
  if (update.open >= session.open) session = update;
}

// Known to be between two sessions.
bool Engine::State::market_closed() const { return now >= session.close && now < session.next_open; }

// Takes the symbol's part out of the totals and puts its new one in: O(1), whatever the number of symbols.
void Engine::State::refresh(std::uint32_t symbol) {
  SymbolState& s = symbols[symbol];
  carry_exposure(symbol, -1);
  totals.value -= s.value;
  totals.gross -= s.gross;
  totals.net_long -= s.net_long;
  totals.net_short -= s.net_short;
  totals.shorts -= s.shorts;
  totals.pending -= s.pending;
  totals.held -= s.held ? 1 : 0;
  totals.overflows -= s.overflow ? 1 : 0;
  sector_gross[s.sector] -= s.gross;

  const std::int64_t position = s.book.position;
  std::int64_t pending = s.working == kNil ? 0 : orders[s.working].remaining();
  if (replacing(s)) {  // one of the two will work: the larger counts
    const std::int64_t old = orders[s.replaced].remaining();
    if (magnitude(old) > magnitude(pending)) pending = old;
  }
  const std::int64_t highest = position + std::max<std::int64_t>(pending, 0);
  const std::int64_t lowest = position + std::min<std::int64_t>(pending, 0);
  const Money price = s.price.raw > 0 ? s.price : Money{s.book.average_price()};
  const auto value = notional(price, Quantity{position});
  const auto high = notional(price, Quantity{highest});
  const auto low = notional(price, Quantity{lowest});
  s.overflow = !value || !high || !low;
  const Int128 high_value = high ? high->raw : 0;
  const Int128 low_value = low ? low->raw : 0;
  s.value = value ? value->raw : 0;
  s.gross = std::max(magnitude(high_value), magnitude(low_value));
  s.net_long = high_value;
  s.net_short = low_value;
  s.shorts = std::max<Int128>(-low_value, 0);
  s.low_cents = low ? low->raw / kCent : 0;
  s.high_cents = high ? high->raw / kCent : 0;
  s.pending = pending == 0 ? 0 : magnitude((pending > 0 ? high_value : low_value) - s.value);
  s.held = highest != 0 || lowest != 0;

  totals.value += s.value;
  totals.gross += s.gross;
  totals.net_long += s.net_long;
  totals.net_short += s.net_short;
  totals.shorts += s.shorts;
  totals.pending += s.pending;
  totals.held += s.held ? 1 : 0;
  totals.overflows += s.overflow ? 1 : 0;
  sector_gross[s.sector] += s.gross;
  carry_exposure(symbol, +1);
}

Money Engine::State::equity() const { return Money{fit(static_cast<Int128>(cash.raw) + totals.value)}; }

std::int64_t Engine::State::drawdown_ratio() const {
  const Money now_worth = equity();
  if (calendar.peak.raw <= 0 || now_worth >= calendar.peak) return 0;
  return fit((static_cast<Int128>(calendar.peak.raw) - now_worth.raw) * kRatioScale / calendar.peak.raw);
}

std::int64_t Engine::State::volatility_factor() const {
  const RiskLimits& l = config.limits;
  return volatility_index > 0 && volatility_index >= l.volatility_reduce && l.volatility_factor >= 0 &&
                 l.volatility_factor < kRatioScale
             ? l.volatility_factor
             : kRatioScale;
}

// Days begin at midnight UTC plus the configured offset; weeks on Monday (day 4 of 1970 was one).
void Engine::State::roll_calendar() {
  const std::int64_t day = floor_div(now - config.day_offset, kDay);
  if (calendar.begun && day == calendar.day) return;
  if (calendar.begun) climb_ladder();
  const std::int64_t week = floor_div(day + 3, 7);
  const std::int64_t month = month_of(day);
  const Money worth = account_known ? equity() : Money{};
  calendar.day_start = calendar.day_high = worth;
  if (!calendar.begun || week != calendar.week) calendar.week_start = worth;
  if (!calendar.begun || month != calendar.month) calendar.month_start = worth;
  calendar.begun = true;
  calendar.day = day;
  calendar.week = week;
  calendar.month = month;
  calendar.trades_today = 0;
  calendar.turnover = 0;
  calendar.losses = 0;
  calendar.loss_pause = false;
}

// Back in by a part of the cut after each profitable day, as far as the drawdown allows.
void Engine::State::climb_ladder() {
  const RiskLimits& l = config.limits;
  if (!account_known || ladder >= kRatioScale || equity() <= calendar.day_start) return;
  const std::int64_t drawdown = drawdown_ratio();
  const std::int64_t top = drawdown >= l.drawdown_halve    ? l.drawdown_halve_factor
                           : drawdown >= l.drawdown_reduce ? l.drawdown_reduce_factor
                                                           : kRatioScale;
  const std::int64_t back = l.reentry_step == kNoLimit ? ladder_cut : ladder_cut * l.reentry_step / kRatioScale;
  ladder = std::max(ladder, std::min(top, ladder + back));
}

// The limits that look at equity. Asked before each batch of orders, after the bars of a time, and when time passes.
void Engine::State::evaluate() {
  if (!account_known || !config.limits.complete()) return;
  const RiskLimits& l = config.limits;
  const Money worth = equity();
  calendar.day_high = std::max(calendar.day_high, worth);
  calendar.peak = std::max(calendar.peak, worth);
  const std::int64_t drawdown = drawdown_ratio();
  const std::int64_t step = drawdown >= l.drawdown_halve    ? l.drawdown_halve_factor
                            : drawdown >= l.drawdown_reduce ? l.drawdown_reduce_factor
                                                            : kRatioScale;
  if (step < ladder) {
    ladder = step;
    ladder_cut = kRatioScale - step;
  }
  const Money recent_high = recent.high_with(bar_time, worth);
  recheck();
  if (kill.latched) return;
  if (l.rapid_decline != kNoLimit && recent_high.raw > 0 &&
      (static_cast<Int128>(recent_high.raw) - worth.raw) * kRatioScale >=
          static_cast<Int128>(l.rapid_decline) * recent_high.raw) {
    return trip("equity fell too fast within five minutes", "engine", true);
  }
  if (drawdown >= l.drawdown_stop) return trip("drawdown limit reached", "engine", true);
  const Int128 lost = static_cast<Int128>(calendar.day_high.raw) - worth.raw;
  if (l.kill_on_daily_loss && l.daily_loss != kNoLimit && calendar.day_high.raw > 0 &&
      lost * kRatioScale >= static_cast<Int128>(l.daily_loss) * calendar.day_high.raw) {
    trip("daily loss limit reached", "engine", true);
  }
}

AccountRecord Engine::State::account_record() const {
  const Int128 power = static_cast<Int128>(equity().raw) * leverage / kRatioScale - totals.gross;
  return {cash, account_known ? equity() : Money{}, Money{fit(std::max<Int128>(power, 0))}, now};
}

RiskRecord Engine::State::risk_record() const {
  RiskRecord r;
  r.kill_switch = kill.latched;
  r.paused = paused;
  r.ready = ready && link_up;
  r.kill_reason = kill.reason;
  r.equity = account_known ? equity() : Money{};
  r.day_high_equity = calendar.day_high;
  r.peak_equity = calendar.peak;
  r.gross_exposure = Money{fit(totals.gross)};
  r.net_exposure = Money{fit(totals.value)};
  r.drawdown = drawdown_ratio();
  r.size_factor = ladder * volatility_factor() / kRatioScale;
  r.trades_today = calendar.trades_today;
  r.consecutive_losses = calendar.losses;
  r.time = now;
  r.broker_rest = rest.state;
  r.broker_stream = stream_state();
  r.market_data = feed;
  r.estimates = estimates_state();
  return r;
}

// Cash is news by itself; of the rest what a person would want to be told. Marks move with every bar and are asked for.
void Engine::State::publish_risk() {
  const RiskRecord risk = risk_record();
  const RiskRecord& last = last_risk;
  const bool changed = risk.kill_switch != last.kill_switch || risk.paused != last.paused || risk.ready != last.ready ||
                       risk.size_factor != last.size_factor || risk.trades_today != last.trades_today ||
                       risk.consecutive_losses != last.consecutive_losses || risk.broker_rest != last.broker_rest ||
                       risk.broker_stream != last.broker_stream || risk.market_data != last.market_data ||
                       risk.estimates != last.estimates;
  if (changed) {
    last_risk = risk;
    RiskRecord told = risk;
    measure(told);
    out->records.emplace_back(told);
  }
  if (cash != last_account.cash) {
    last_account = account_record();
    out->records.emplace_back(last_account);
  }
}

}  // namespace tradewind
