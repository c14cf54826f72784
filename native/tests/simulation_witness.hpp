// What the engine has been told, kept apart from it, and what must hold of it after every event.
#pragma once

#include <algorithm>
#include <filesystem>
#include <random>

#include "engine_fixture.hpp"
#include "tradewind/engine/lifecycle.hpp"
#include "tradewind/journal/journal.hpp"

namespace tradewind::testing {

// What runs went through, by name. A test that asks for a name fails when nothing reached it.
using Reached = std::map<std::string, std::uint64_t>;

inline constexpr std::array kStormSymbols = {"AAA", "IBM"};
inline constexpr double kStormOrder = 60'000, kStormPosition = 0.08, kStormGross = 0.12;  // its limits

// Each day has some limits that are tight.
inline EngineConfig storm_config(std::mt19937_64& random) {
  EngineConfig c = config_of({"AAA", "IBM"}, {"a", "b", "c"});
  RiskLimits& l = c.limits;
  l.max_order_notional = dollars(kStormOrder).raw;
  l.max_position = static_cast<std::int64_t>(kStormPosition * kRatioScale);
  l.max_gross = static_cast<std::int64_t>(kStormGross * kRatioScale);
  l.price_collar = 50'000;
  l.allow_short = random() % 4 != 0;
  const auto tighten = [&random](std::int64_t& limit, std::int64_t value) {
    if (random() % 5 == 0) limit = value;
  };
  tighten(l.max_price_age, 3 * kSecond);
  tighten(l.max_orders_per_minute, 2);
  tighten(l.max_trades_per_day, 6);
  tighten(l.max_positions, 1);
  tighten(l.max_position_notional, dollars(30'000).raw);
  tighten(l.max_turnover, 60'000);
  tighten(l.max_net, 40'000);
  tighten(l.max_short_of_gross, 250'000);
  tighten(l.daily_loss, 1'000);
  tighten(l.weekly_loss, 1'500);
  tighten(l.monthly_loss, 2'000);
  tighten(l.max_consecutive_losses, 2);
  tighten(l.drawdown_stop, 3'000);
  tighten(l.max_sector, 60'000);
  tighten(l.breaker_failures, 2);
  if (l.breaker_failures != kNoLimit) l.breaker_pause = 2 * kSecond;
  if (random() % 2 == 0) l.cut_tolerance = static_cast<std::int64_t>(random() % 3) * 100'000;
  if (random() % 4 == 0) l.trade_risk = 3'000;
  tighten(l.extended_before, 0);
  if (l.extended_before == 0) l.extended_after = 0;
  l.gap_move = 500'000;
  for (SymbolConfig& s : c.symbols) s.sector = Sector("Tech");
  if (random() % 3 == 0) c.symbols[0].quantity_increment = Quantity{kShare / 2};
  for (StrategyConfig& s : c.strategies) tighten(s.capital_share, 25'000);
  c.order_ttl = 60 * kSecond;
  c.max_orders = 20;  // old orders are forgotten and their slots used again
  c.max_intents = 64;
  return c;
}

class Witness {
 public:
  Witness(const FakeBroker& broker, Reached& reached) : broker_(broker), reached_(reached) {}

  // Nothing of it is accepted from here on.
  void deleted(const StrategyId& strategy) { gone_ = strategy; }
  void asked_snapshot(std::uint64_t request) { snapshot_ = request; }
  void priced(const std::string& symbol, Money price) { prices_[symbol] = price; }

  // What the engine has now been told of each order.
  void told(const Input& input) {
    const auto* event = std::get_if<BrokerEvent>(&input.body);
    if (event == nullptr) return;
    if (event->kind == BrokerEventKind::kSnapshotEnd || event->kind == BrokerEventKind::kSnapshotFailed) {
      if (event->request_id == snapshot_) {
        snapshot_ = 0;
        compared_ = event->kind == BrokerEventKind::kSnapshotEnd;
      }
    }
    if (event->kind == BrokerEventKind::kLinkUp || event->kind == BrokerEventKind::kLinkDown) {
      compared_ = reconciled_ = false;
      doubts_.clear();
    }
    if (event->kind == BrokerEventKind::kLookupFound || event->kind == BrokerEventKind::kLookupMissing)
      doubts_.erase(event->order.client_order_id.str());
    const bool row = event->kind == BrokerEventKind::kSnapshotOrder;
    const bool view = row || event->kind == BrokerEventKind::kSubmitAccepted ||
                      event->kind == BrokerEventKind::kLookupFound || event->kind == BrokerEventKind::kTradeUpdate;
    if (!view || (row && event->request_id != snapshot_)) return;
    const BrokerOrder& order = event->order;
    auto& filled = delivered_[order.client_order_id.str()];
    filled = std::max(filled, order.filled.raw);
  }

  [[nodiscard]] std::int64_t delivered_position(const std::string& symbol) const {
    std::int64_t position = 0;
    for (const auto& [id, filled] : delivered_) {
      const BrokerOrder& order = broker_.orders.at(id).view;
      if (order.symbol.view() == symbol) position += order.side == Side::kSell ? -filled : filled;
    }
    return position;
  }

  [[nodiscard]] std::string check(const Engine& engine, const Outputs& out) {
    std::string fault = engine.check_invariants();
    std::vector<PositionRecord> positions;
    engine.positions(positions);
    std::map<std::string, std::int64_t> account, sum;
    for (const auto& p : positions) (p.strategy.empty() ? account : sum)[p.symbol.str()] += p.quantity.raw;
    for (const char* s : kStormSymbols) {
      if (!fault.empty()) return fault;
      if (account[s] != delivered_position(s)) fault = std::string(s) + ": the books are not what the broker told";
      if (sum[s] != account[s]) fault = std::string(s) + ": the sub-books are not the account's";
    }
    if (fault.empty()) fault = check_requests(engine, out, account);
    if (fault.empty() && engine.ready() && all_delivered()) fault = check_cash(engine);
    for (const Record& r : out.records) {
      if (const auto* order = std::get_if<OrderRecord>(&r)) {
        std::string& state = states_[order->client_order_id.str()];
        ++reached_["state " + state + ">" + std::string(to_string(order->state))];
        if (order->code != RejectCode::kOk) ++reached_["code " + std::string(to_string(order->code))];
        if (order->state == OrderState::kFilled) {
          ++reached_["filled type " + std::to_string(static_cast<int>(order->order_type))];
          ++reached_["filled life " + std::to_string(static_cast<int>(order->time_in_force))];
          if (order->exit != ExitReason::kNone)
            ++reached_["filled exit " + std::to_string(static_cast<int>(order->exit))];
        }
        if (order->exit == ExitReason::kLimitBreach && !order->reduce_only && fault.empty())
          fault = "a cut that does not only reduce";
        state = to_string(order->state);
      }
      const auto* v = std::get_if<IntentVerdict>(&r);
      if (v != nullptr && v->accepted && v->slice == 0 && !gone_.empty() && v->strategy == gone_ && fault.empty())
        fault = "an intent of a deleted strategy was accepted";
    }
    return fault;
  }

  // Each order by what held when it was decided. Of the account: since the stream came up the broker's snapshot has
  // been told to its end, and every order looked up is known. That alone, not what the engine says of itself, makes it
  // reconciled; it ends when the engine asks anew and does not trade meanwhile, which the kill switch may do behind an
  // order of the same step.
  [[nodiscard]] std::string check_requests(const Engine& engine, const Outputs& out,
                                           std::map<std::string, std::int64_t>& account) {
    std::int64_t questions = 0;  // still to come in this step
    for (const BrokerRequest& r : out.requests) {
      if (r.kind == RequestKind::kLookup) doubts_.insert(r.client_order_id.str());
      if (r.kind == RequestKind::kSnapshot) ++questions;
    }
    for (const Record& r : out.records) {
      const auto* order = std::get_if<OrderRecord>(&r);
      if (order != nullptr && is_terminal(order->state)) doubts_.erase(order->client_order_id.str());
    }
    reconciled_ = reconciled_ || (compared_ && doubts_.empty());
    for (const BrokerRequest& r : out.requests) {
      if (r.kind == RequestKind::kSnapshot) {
        --questions;
        if (!engine.ready()) compared_ = reconciled_ = false;
      }
      if (r.kind != RequestKind::kSubmit && r.kind != RequestKind::kReplace) continue;
      const bool ready = engine.ready() || questions > 0;
      if (!engine.link_up() || !reconciled_ || !ready) return "an order while the account is not reconciled";
      if (std::string fault = check_order(engine, r, account); !fault.empty()) return fault;
    }
    return "";
  }

  // The limits again, by plain arithmetic on what the engine says of itself.
  std::string check_order(const Engine& engine, const BrokerRequest& r,
                          std::map<std::string, std::int64_t>& account) const {
    const std::string symbol = r.symbol.str();
    const std::int64_t held = account[symbol];
    const std::int64_t then = held + (r.side == Side::kSell ? -r.quantity.raw : r.quantity.raw);
    const auto value = [&](std::int64_t quantity, const std::string& of) {
      return static_cast<double>(std::abs(quantity)) / 1e9 * static_cast<double>(prices_.at(of).raw) / 1e8;
    };
    const bool opens = std::abs(then) > std::abs(held);
    if (opens && engine.kill_switch()) return "an opening order under the kill switch";
    if (!opens) return "";
    const double equity = static_cast<double>(engine.account().equity.raw) / 1e8;
    const double order_value = value(r.quantity.raw, symbol);
    if (order_value > kStormOrder + 0.01) return "an order over max_order_notional";
    if (value(then, symbol) > equity * kStormPosition + 0.01) return "an order over max_position";
    double gross = value(then, symbol);
    for (const char* s : kStormSymbols) {
      if (s != symbol && account[s] != 0) gross += value(account[s], s);
    }
    return gross > equity * kStormGross + 0.01 ? "an order over max_gross" : "";
  }

  // Whether the engine knows all that this order has filled.
  [[nodiscard]] bool told_all(const std::string& id) const {
    const auto found = delivered_.find(id);
    return broker_.orders.at(id).view.filled.raw == (found == delivered_.end() ? 0 : found->second);
  }
  [[nodiscard]] bool all_delivered() const {
    return std::ranges::all_of(broker_.orders, [this](const auto& entry) { return told_all(entry.first); });
  }

  [[nodiscard]] std::string check_cash(const Engine& engine) {
    ++reached_["cash compared"];
    const std::int64_t difference = engine.account().cash.raw - broker_.cash.raw;
    return std::abs(difference) > dollars(0.01).raw ? "cash is not the broker's" : "";
  }

  // What is published leaves from the journal: exactly one verdict for each intent that was fed.
  [[nodiscard]] static std::string check_journal(const std::filesystem::path& path, const std::set<std::string>& fed) {
    std::map<std::string, int> verdicts;
    JournalReader reader(path);
    JournalEntry entry;
    while (reader.next(entry)) {
      for (const Record& r : entry.outputs.records) {
        if (const auto* v = std::get_if<IntentVerdict>(&r); v != nullptr && v->slice == 0) ++verdicts[v->intent.str()];
      }
    }
    for (const auto& [id, count] : verdicts) {
      if (count != 1) return "intent " + id + " has " + std::to_string(count) + " verdicts";
    }
    for (const auto& id : fed) {
      if (!verdicts.contains(id)) return "intent " + id + " is lost";
    }
    return "";
  }

 private:
  const FakeBroker& broker_;
  Reached& reached_;
  StrategyId gone_;                                // deleted
  std::uint64_t snapshot_ = 0;                     // the one that is being read
  bool compared_ = false;                          // the broker's snapshot has been told to its end
  bool reconciled_ = false;                        // ... and no order was in doubt
  std::set<std::string> doubts_;                   // looked up, and not known yet; by client order id
  std::map<std::string, std::int64_t> delivered_;  // by client order id: the highest cumulative fill told
  std::map<std::string, Money> prices_;            // as the engine has them
  std::map<std::string, std::string> states_;      // by client order id: the last one said
};

}  // namespace tradewind::testing
