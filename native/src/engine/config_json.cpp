// Core: the engine's configuration from and to JSON. Unknown and missing keys are refused by name.
#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <set>

#include "tradewind/engine/config.hpp"
#include "tradewind/engine/decimal.hpp"

namespace tradewind {
namespace {

namespace json = boost::json;

enum class LimitKind { kMoney, kRatio, kWhole, kPoints };

struct LimitKey {
  std::string_view name;
  std::int64_t RiskLimits::* member;
  LimitKind kind;
};

constexpr std::array kLimitKeys = {
    LimitKey{"max_order_notional", &RiskLimits::max_order_notional, LimitKind::kMoney},
    LimitKey{"price_collar_pct", &RiskLimits::price_collar, LimitKind::kRatio},
    LimitKey{"max_price_age_ns", &RiskLimits::max_price_age, LimitKind::kWhole},
    LimitKey{"max_orders_per_minute", &RiskLimits::max_orders_per_minute, LimitKind::kWhole},
    LimitKey{"max_trades_per_day", &RiskLimits::max_trades_per_day, LimitKind::kWhole},
    LimitKey{"max_position_pct", &RiskLimits::max_position, LimitKind::kRatio},
    LimitKey{"max_positions", &RiskLimits::max_positions, LimitKind::kWhole},
    LimitKey{"max_gross_exposure_pct", &RiskLimits::max_gross, LimitKind::kRatio},
    LimitKey{"max_net_exposure_pct", &RiskLimits::max_net, LimitKind::kRatio},
    LimitKey{"max_short_share_pct", &RiskLimits::max_short_of_gross, LimitKind::kRatio},
    LimitKey{"max_sector_exposure_pct", &RiskLimits::max_sector, LimitKind::kRatio},
    LimitKey{"daily_loss_pct", &RiskLimits::daily_loss, LimitKind::kRatio},
    LimitKey{"weekly_loss_pct", &RiskLimits::weekly_loss, LimitKind::kRatio},
    LimitKey{"monthly_loss_pct", &RiskLimits::monthly_loss, LimitKind::kRatio},
    LimitKey{"drawdown_reduce_pct", &RiskLimits::drawdown_reduce, LimitKind::kRatio},
    LimitKey{"drawdown_reduce_factor", &RiskLimits::drawdown_reduce_factor, LimitKind::kRatio},
    LimitKey{"drawdown_halve_pct", &RiskLimits::drawdown_halve, LimitKind::kRatio},
    LimitKey{"drawdown_halve_factor", &RiskLimits::drawdown_halve_factor, LimitKind::kRatio},
    LimitKey{"drawdown_stop_pct", &RiskLimits::drawdown_stop, LimitKind::kRatio},
    LimitKey{"max_consecutive_losses", &RiskLimits::max_consecutive_losses, LimitKind::kWhole},
    LimitKey{"volatility_reduce_at", &RiskLimits::volatility_reduce, LimitKind::kPoints},
    LimitKey{"volatility_reduce_factor", &RiskLimits::volatility_factor, LimitKind::kRatio},
    LimitKey{"volatility_halt_at", &RiskLimits::volatility_halt, LimitKind::kPoints},
    LimitKey{"market_order_buffer_pct", &RiskLimits::market_order_buffer, LimitKind::kRatio},
    LimitKey{"max_position_notional", &RiskLimits::max_position_notional, LimitKind::kMoney},
    LimitKey{"max_turnover_pct", &RiskLimits::max_turnover, LimitKind::kRatio},
    LimitKey{"trade_risk_pct", &RiskLimits::trade_risk, LimitKind::kRatio},
    LimitKey{"trade_risk_hard_pct", &RiskLimits::trade_risk_hard, LimitKind::kRatio},
    LimitKey{"adverse_move_sigmas", &RiskLimits::adverse_move, LimitKind::kRatio},
    LimitKey{"assumed_volatility", &RiskLimits::assumed_volatility, LimitKind::kRatio},
    LimitKey{"max_estimate_age_ns", &RiskLimits::max_estimate_age, LimitKind::kWhole},
    LimitKey{"max_group_exposure_pct", &RiskLimits::max_group, LimitKind::kRatio},
    LimitKey{"max_value_at_risk_pct", &RiskLimits::max_value_at_risk, LimitKind::kRatio},
    LimitKey{"max_volatility_pct", &RiskLimits::max_volatility, LimitKind::kRatio},
    LimitKey{"session_skip_first_ns", &RiskLimits::skip_first, LimitKind::kWhole},
    LimitKey{"session_skip_last_ns", &RiskLimits::skip_last, LimitKind::kWhole},
    LimitKey{"reentry_step", &RiskLimits::reentry_step, LimitKind::kRatio},
    LimitKey{"rapid_decline_pct", &RiskLimits::rapid_decline, LimitKind::kRatio},
    LimitKey{"feed_lost_after_ns", &RiskLimits::feed_lost_after, LimitKind::kWhole},
    LimitKey{"broker_lost_after_ns", &RiskLimits::broker_lost_after, LimitKind::kWhole},
    LimitKey{"cut_tolerance_pct", &RiskLimits::cut_tolerance, LimitKind::kRatio},
    LimitKey{"gap_move_sigmas", &RiskLimits::gap_move, LimitKind::kRatio},
    LimitKey{"extended_before_ns", &RiskLimits::extended_before, LimitKind::kWhole},
    LimitKey{"extended_after_ns", &RiskLimits::extended_after, LimitKind::kWhole},
    LimitKey{"breaker_failures", &RiskLimits::breaker_failures, LimitKind::kWhole},
    LimitKey{"breaker_pause_ns", &RiskLimits::breaker_pause, LimitKind::kWhole},
    LimitKey{"feed_silent_after_ns", &RiskLimits::feed_silent_after, LimitKind::kWhole},
};

// One JSON object whose keys must all be asked for.
class Fields {
 public:
  Fields(const json::value& value, std::string where) : where_(std::move(where)) {
    object_ = value.if_object();
    if (object_ == nullptr) throw ConfigError(where_ + ": give an object");
  }

  [[nodiscard]] const json::value* find(std::string_view key) {
    known_.insert(std::string(key));
    return object_->if_contains(key);
  }
  [[nodiscard]] const json::value& need(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr) throw ConfigError(name(key) + ": missing; give a value (null switches a limit off)");
    return *value;
  }
  [[nodiscard]] std::string name(std::string_view key) const { return where_ + "." + std::string(key); }

  void done() const {
    for (const auto& entry : *object_) {
      const std::string key(entry.key());
      if (!known_.contains(key)) throw ConfigError(where_ + "." + key + ": unknown key; remove it or correct its name");
    }
  }

  void text(std::string_view key, std::string& out) {
    if (const json::value* value = find(key)) {
      if (!value->is_string()) throw ConfigError(name(key) + ": give a string");
      out = std::string(value->get_string());
    }
  }
  template <std::size_t N>
  void text(std::string_view key, FixedString<N>& out) {
    std::string value = out.str();
    text(key, value);
    if (!out.assign(value)) throw ConfigError(name(key) + ": at most " + std::to_string(N) + " bytes fit");
  }
  void flag(std::string_view key, bool& out) {
    if (const json::value* value = find(key)) {
      if (!value->is_bool()) throw ConfigError(name(key) + ": give true or false");
      out = value->get_bool();
    }
  }
  void whole(std::string_view key, std::int64_t& out, std::int64_t least) {
    if (const json::value* value = find(key)) out = whole_of(*value, key, least);
  }
  [[nodiscard]] std::int64_t whole_of(const json::value& value, std::string_view key, std::int64_t least) const {
    if (!value.is_int64() || value.get_int64() < least) {
      throw ConfigError(name(key) + ": give a whole number of at least " + std::to_string(least));
    }
    return value.get_int64();
  }
  [[nodiscard]] std::int64_t decimal_of(const json::value& value, std::string_view key, int digits) const {
    const auto raw = value.is_string()  ? parse_decimal(value.get_string(), digits)
                     : value.is_int64() ? parse_decimal(std::to_string(value.get_int64()), digits)
                                        : std::nullopt;
    if (!raw || *raw < 0) {
      throw ConfigError(name(key) + ": give a decimal of at least 0 as a string, with at most " +
                        std::to_string(digits) + " places");
    }
    return *raw;
  }
  [[nodiscard]] std::int64_t ratio_of(const json::value& value, std::string_view key) const {
    double ratio = -1;
    if (value.is_double()) ratio = value.get_double();
    if (value.is_int64()) ratio = static_cast<double>(value.get_int64());
    if (!(ratio >= 0 && ratio <= 100)) throw ConfigError(name(key) + ": give a fraction, e.g. 0.05 for 5 %");
    return std::llround(ratio * static_cast<double>(kRatioScale));
  }

 private:
  const json::object* object_;
  std::string where_;
  std::set<std::string> known_;
};

const json::array& list_of(Fields& fields, std::string_view key) {
  const json::value& value = fields.need(key);
  if (!value.is_array()) throw ConfigError(fields.name(key) + ": give a list");
  return value.get_array();
}

std::string indexed(std::string name, std::size_t index) {
  return name.append(1, '[').append(std::to_string(index)).append(1, ']');
}

SymbolConfig parse_symbol(const json::value& value, const std::string& where) {
  Fields f(value, where);
  SymbolConfig s;
  (void)f.need("symbol");
  f.text("symbol", s.symbol);
  f.text("sector", s.sector);
  f.flag("tradable", s.tradable);
  f.flag("shortable", s.shortable);
  f.flag("restricted", s.restricted);
  if (const auto* v = f.find("max_sector_exposure_pct"); v != nullptr && !v->is_null())
    s.max_sector = f.ratio_of(*v, "max_sector_exposure_pct");
  if (const auto* v = f.find("price_increment")) s.price_increment.raw = f.decimal_of(*v, "price_increment", 8);
  if (const auto* v = f.find("quantity_increment"))
    s.quantity_increment.raw = f.decimal_of(*v, "quantity_increment", 9);
  f.done();
  return s;
}

constexpr std::array<std::string_view, 4> kLeavingNames = {"", "keep", "cancel", "flatten"};

Leaving parse_leaving(const json::value& value, const std::string& where) {
  for (std::size_t i = 1; i < kLeavingNames.size() && value.is_string(); ++i) {
    if (std::string_view(value.get_string()) == kLeavingNames[i]) return static_cast<Leaving>(i);
  }
  throw ConfigError(where + ".leaving: give keep, cancel or flatten, or null while it stays");
}

StrategyConfig parse_strategy(const json::value& value, const std::string& where) {
  Fields f(value, where);
  StrategyConfig s;
  (void)f.need("uid");
  f.text("uid", s.uid);
  if (const auto* v = f.find("capital_budget"); v != nullptr && !v->is_null()) {
    s.capital_budget.raw = f.decimal_of(*v, "capital_budget", 8);
  }
  if (const auto* v = f.find("capital_share"))
    s.capital_share = v->is_null() ? kNoLimit : f.ratio_of(*v, "capital_share");
  f.whole("order_ttl_ns", s.order_ttl, 0);
  if (const auto* v = f.find("accept_fill")) s.accept_fill = f.ratio_of(*v, "accept_fill");
  f.flag("rests_overnight", s.rests_overnight);
  if (const auto* v = f.find("leaving"); v != nullptr && !v->is_null()) s.leaving = parse_leaving(*v, where);
  f.done();
  return s;
}

std::int64_t parse_limit(const Fields& f, const LimitKey& key, const json::value& v) {
  if (v.is_null()) return kNoLimit;
  if (key.kind == LimitKind::kWhole) return f.whole_of(v, key.name, 0);
  return key.kind == LimitKind::kRatio ? f.ratio_of(v, key.name) : f.decimal_of(v, key.name, 8);
}

json::value limit_json(const LimitKey& key, std::int64_t raw) {
  if (raw == kNoLimit) return nullptr;
  if (key.kind == LimitKind::kWhole) return raw;
  if (key.kind == LimitKind::kRatio) return static_cast<double>(raw) / static_cast<double>(kRatioScale);
  return json::value(format_decimal(raw, 8));
}

const LimitKey* find_limit(std::string_view name) {
  const auto* found = std::find_if(kLimitKeys.begin(), kLimitKeys.end(), [&](const auto& k) { return k.name == name; });
  return found == kLimitKeys.end() ? nullptr : found;
}

LimitOverride parse_override(const json::value& value, const std::string& where) {
  Fields f(value, where);
  LimitOverride o;
  (void)f.need("limit");
  f.text("limit", o.limit);
  const LimitKey* key = find_limit(o.limit.view());
  if (key == nullptr) throw ConfigError(where + ".limit: " + o.limit.str() + " is not a limit");
  o.value = parse_limit(f, *key, f.need("value"));
  o.until = f.whole_of(f.need("until"), "until", 1);
  (void)f.need("by");
  f.text("by", o.issued_by);
  f.text("reason", o.reason);
  f.done();
  return o;
}

RiskLimits parse_limits(const json::value& value) {
  Fields f(value, "limits");
  RiskLimits limits;
  for (const LimitKey& key : kLimitKeys) {
    const json::value& v = f.need(key.name);
    limits.*key.member = parse_limit(f, key, v);
  }
  (void)f.need("allow_short");
  f.flag("allow_short", limits.allow_short);
  f.flag("volatility_required", limits.volatility_required);
  f.flag("kill_on_daily_loss", limits.kill_on_daily_loss);
  f.flag("kill_flattens", limits.kill_flattens);
  f.done();
  return limits;
}

}  // namespace

EngineConfig parse_engine_config(std::string_view text) {
  boost::system::error_code error;
  const json::value root = json::parse(text, error);
  if (error) throw ConfigError("engine configuration: not JSON (" + error.message() + ")");
  Fields f(root, "engine");
  EngineConfig c;
  (void)f.need("account");
  f.text("account", c.account);
  std::string mode = "paper";
  f.text("mode", mode);
  if (mode != "paper" && mode != "live") throw ConfigError("engine.mode: give \"paper\" or \"live\"");
  c.mode = mode == "live" ? Mode::kLive : Mode::kPaper;
  for (const auto& v : list_of(f, "symbols"))
    c.symbols.push_back(parse_symbol(v, indexed("symbols", c.symbols.size())));
  for (const auto& v : list_of(f, "strategies"))
    c.strategies.push_back(parse_strategy(v, indexed("strategies", c.strategies.size())));
  c.limits = parse_limits(f.need("limits"));
  if (f.find("overrides") != nullptr) {
    for (const auto& v : list_of(f, "overrides"))
      c.overrides.push_back(parse_override(v, indexed("overrides", c.overrides.size())));
  }
  f.whole("policy_generation", c.generation, 0);
  f.whole("day_offset_ns", c.day_offset, 0);
  f.whole("order_ttl_ns", c.order_ttl, 0);
  f.whole("stuck_after_ns", c.stuck_after, 0);
  f.whole("retry_after_ns", c.retry_after, 1);
  if (const auto* v = f.find("cash_tolerance")) c.cash_tolerance.raw = f.decimal_of(*v, "cash_tolerance", 8);
  std::int64_t orders = c.max_orders, intents = c.max_intents;
  f.whole("max_orders", orders, 1);
  f.whole("max_intents", intents, 1);
  if (orders > 1'000'000 || intents > 10'000'000)
    throw ConfigError("engine.max_orders, engine.max_intents: at most 1000000 and 10000000");
  c.max_orders = static_cast<std::uint32_t>(orders);
  c.max_intents = static_cast<std::uint32_t>(intents);
  f.whole("reconcile_every_ns", c.reconcile_every, 0);
  f.done();
  validate(c);
  return c;
}

std::vector<std::string> limit_names() {
  std::vector<std::string> names;
  names.reserve(kLimitKeys.size());
  for (const LimitKey& key : kLimitKeys) names.emplace_back(key.name);
  return names;
}

RiskLimits limits_at(const EngineConfig& config, Time now) {
  RiskLimits limits = config.limits;
  for (const LimitOverride& o : config.overrides) {
    const LimitKey* key = find_limit(o.limit.view());
    if (key != nullptr && now < o.until) limits.*key->member = o.value;
  }
  return limits;
}

void validate(EngineConfig& c) {
  if (c.account.empty() || c.account.size() > 63) throw ConfigError("engine.account: give a name of 1 to 63 bytes");
  if (c.symbols.empty()) throw ConfigError("engine.symbols: give at least one symbol");
  if (c.strategies.empty() || c.strategies.size() > kMaxStrategies) {
    throw ConfigError("engine.strategies: give 1 to " + std::to_string(kMaxStrategies) + " strategies");
  }
  std::sort(c.symbols.begin(), c.symbols.end(), [](const auto& a, const auto& b) { return a.symbol < b.symbol; });
  std::sort(c.strategies.begin(), c.strategies.end(), [](const auto& a, const auto& b) { return a.uid < b.uid; });
  for (std::size_t i = 0; i < c.symbols.size(); ++i) {
    const SymbolConfig& s = c.symbols[i];
    if (s.symbol.empty()) throw ConfigError("symbols.symbol: a symbol is empty; give its ticker");
    if (i > 0 && c.symbols[i - 1].symbol == s.symbol)
      throw ConfigError("symbols: " + s.symbol.str() + " is given twice; remove one");
    if (s.price_increment.raw <= 0)
      throw ConfigError("symbols." + s.symbol.str() + ".price_increment: give more than 0");
    if (s.quantity_increment.raw <= 0)
      throw ConfigError("symbols." + s.symbol.str() + ".quantity_increment: give more than 0");
  }
  for (std::size_t i = 0; i < c.strategies.size(); ++i) {
    if (c.strategies[i].uid.empty()) throw ConfigError("strategies.uid: a uid is empty; give one");
    if (i > 0 && c.strategies[i - 1].uid == c.strategies[i].uid) {
      throw ConfigError("strategies: " + c.strategies[i].uid.str() + " is given twice; remove one");
    }
  }
  if (c.overrides.size() > kMaxOverrides)
    throw ConfigError("engine.overrides: at most " + std::to_string(kMaxOverrides) +
                      " fit; remove those that have ended");
  for (const LimitOverride& o : c.overrides) {
    if (o.issued_by.empty()) throw ConfigError("overrides." + o.limit.str() + ".by: name the person who asked");
    // What is derived from it would have to be derived anew with every position.
    if (o.limit.view() == "assumed_volatility")
      throw ConfigError("overrides.assumed_volatility: cannot be overridden; change the policy");
  }
  const bool sized = c.limits.adverse_move != kNoLimit;
  if (!sized && (c.limits.trade_risk != kNoLimit || c.limits.trade_risk_hard != kNoLimit)) {
    throw ConfigError("limits.adverse_move_sigmas: give a number, e.g. 2; the limits of risk per trade need it");
  }
  constexpr std::int64_t day = 86'400LL * 1'000'000'000;
  const bool calendar = c.limits.skip_first != kNoLimit;
  if (calendar != (c.limits.skip_last != kNoLimit) ||
      (calendar && (c.limits.skip_first > day || c.limits.skip_last > day))) {
    throw ConfigError("limits.session_skip_first_ns, session_skip_last_ns: give both, at most a day, or neither");
  }
  constexpr std::int64_t hour = 3600LL * 1'000'000'000;
  const auto& l = c.limits;
  if (l.breaker_failures != kNoLimit && (l.breaker_failures == 0 || l.breaker_pause > hour))
    throw ConfigError("limits.breaker_failures, breaker_pause_ns: give at least 1, and at most an hour");
  if ((l.extended_before == kNoLimit) != (l.extended_after == kNoLimit) ||
      (l.extended_before != kNoLimit && (l.extended_before > day || l.extended_after > day))) {
    throw ConfigError("limits.extended_before_ns, extended_after_ns: give both, at most a day, or neither");
  }
  if (c.max_orders < 2 * c.symbols.size() + 16)
    throw ConfigError("engine.max_orders: give at least twice the number of symbols plus 16");
  if (c.max_intents < 2 * c.symbols.size() * c.strategies.size() + 16) {
    throw ConfigError("engine.max_intents: give at least twice symbols times strategies plus 16");
  }
}

std::string canonical_json(const EngineConfig& c) {
  const auto money = [](std::int64_t raw, int digits) {
    return raw == kNoLimit ? json::value(nullptr) : json::value(format_decimal(raw, digits));
  };
  const auto ratio = [](std::int64_t raw) {
    return raw == kNoLimit ? json::value(nullptr)
                           : json::value(static_cast<double>(raw) / static_cast<double>(kRatioScale));
  };
  json::object root;
  root["account"] = c.account;
  root["mode"] = c.mode == Mode::kLive ? "live" : "paper";
  json::array symbols, strategies;
  for (const SymbolConfig& s : c.symbols) {
    symbols.push_back(json::object{{"symbol", s.symbol.view()},
                                   {"sector", s.sector.view()},
                                   {"tradable", s.tradable},
                                   {"shortable", s.shortable},
                                   {"restricted", s.restricted},
                                   {"max_sector_exposure_pct", ratio(s.max_sector)},
                                   {"price_increment", money(s.price_increment.raw, 8)},
                                   {"quantity_increment", money(s.quantity_increment.raw, 9)}});
  }
  for (const StrategyConfig& s : c.strategies) {
    json::object strategy{{"uid", s.uid.view()},
                          {"capital_budget", money(s.capital_budget.raw, 8)},
                          {"capital_share", ratio(s.capital_share)},
                          {"rests_overnight", s.rests_overnight},
                          {"accept_fill", ratio(s.accept_fill)}};
    if (s.order_ttl != kAbsent) strategy["order_ttl_ns"] = s.order_ttl;
    if (s.leaving != Leaving::kNo) strategy["leaving"] = kLeavingNames[static_cast<std::size_t>(s.leaving)];
    strategies.push_back(std::move(strategy));
  }
  json::object limits;
  for (const LimitKey& key : kLimitKeys) {
    const std::int64_t raw = c.limits.*key.member;
    if (raw < 0) throw ConfigError("limits." + std::string(key.name) + ": absent; give a value");
    limits[key.name] = limit_json(key, raw);
  }
  limits["allow_short"] = c.limits.allow_short;
  limits["volatility_required"] = c.limits.volatility_required;
  limits["kill_on_daily_loss"] = c.limits.kill_on_daily_loss;
  root["symbols"] = std::move(symbols);
  root["strategies"] = std::move(strategies);
  limits["kill_flattens"] = c.limits.kill_flattens;
  root["limits"] = std::move(limits);
  json::array overrides;
  for (const LimitOverride& o : c.overrides) {
    overrides.push_back(json::object{{"limit", o.limit.view()},
                                     {"value", limit_json(*find_limit(o.limit.view()), o.value)},
                                     {"until", o.until},
                                     {"by", o.issued_by.view()},
                                     {"reason", o.reason.view()}});
  }
  root["overrides"] = std::move(overrides);
  root["policy_generation"] = c.generation;
  root["day_offset_ns"] = c.day_offset;
  root["order_ttl_ns"] = c.order_ttl;
  root["stuck_after_ns"] = c.stuck_after;
  root["retry_after_ns"] = c.retry_after;
  root["cash_tolerance"] = money(c.cash_tolerance.raw, 8);
  root["max_orders"] = c.max_orders;
  root["max_intents"] = c.max_intents;
  root["reconcile_every_ns"] = c.reconcile_every;
  return json::serialize(root);
}

}  // namespace tradewind
