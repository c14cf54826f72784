// Core: the engine's state and its transitions, declared in one place; each group is defined in a file of its name.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "tradewind/algorithms/schedule.hpp"
#include "tradewind/engine/book.hpp"
#include "tradewind/engine/breaker.hpp"
#include "tradewind/engine/engine.hpp"
#include "tradewind/engine/flat_index.hpp"
#include "tradewind/engine/lifecycle.hpp"
#include "tradewind/engine/order_terms.hpp"
#include "tradewind/engine/risk_gate.hpp"
#include "tradewind/engine/scenarios.hpp"
#include "tradewind/engine/sha256.hpp"

namespace tradewind {

// A larger target is refused, so that no sum over strategies can overflow: 200 million shares.
inline constexpr std::int64_t kMaxTarget = 200'000'000 * kQuantityScale;

// Where the latest intent of a (strategy, symbol) stands.
enum class SubPhase : std::uint8_t {
  kIdle = 0,  // no wish: the target is the position
  kPending,   // no verdict yet
  kActive,    // accepted; the engine trades towards the target
};

struct Sub {
  Book book;
  Book baseline;  // before the symbol's current order: book = baseline + that order's share, whatever way the news came
  std::int64_t target = 0;
  std::int64_t interim = 0;  // how far towards the target the schedule lets go; the target itself without one
  SubPhase phase = SubPhase::kIdle;
  std::uint32_t intent = kNil;
  Time last_decision = std::numeric_limits<Time>::min();
  std::int64_t trade_start = 0;         // realised when the open trade began
  Money stop_loss, take_profit;         // of the latest accepted intent; 0 = none
  ExitReason exit = ExitReason::kNone;  // the target is zero for this reason, and not by the intent
};

// What each strategy wants to trade of a symbol, signed.
using Wishes = std::array<std::int64_t, kMaxStrategies>;

// How the intent of a (strategy, symbol) is worked: its schedule, and what the next order looks like.
struct Work {
  bool scheduled = false;  // more slices may follow
  ExecutionPlan asked;
  Schedule schedule;
  std::int64_t origin = 0;  // position from which the schedule counts
  std::int64_t sign = 1;    // of the way from there
  OrderType order_type = OrderType::kMarket;
  Money limit_price;
};

struct SymbolState {
  Book book;
  Book baseline;
  Money price;
  Time price_time = 0;
  std::uint32_t working = kNil;     // at most one order that is not terminal
  std::uint32_t book_order = kNil;  // the order that `baseline` is before
  std::uint32_t replaced = kNil;    // the order that `book_order` replaces: between `baseline` and it in the books
  std::size_t sector = 0;
  bool dirty = false;    // to be routed with the next flush or when time passes
  bool reroute = false;  // its order is being cancelled to be netted anew: routed when all such cancels are confirmed
  bool cross_pending = false;  // strategies want opposite amounts: cross at the next open
  Time cross_after = 0;
  std::int64_t departed = 0;           // realised by strategies that are configured no more
  std::int64_t snapshot_position = 0;  // the broker's, in the snapshot that is being taken
  std::int64_t broker_position = 0;    // in the last one that was finished
  bool mismatch = false;
  std::uint32_t rejections = 0;  // transient ones in a row
  Time hold_until = 0;           // no new order before, after such a rejection
  std::uint32_t flatten_tries = 0;
  Time flatten_next = 0;
  std::uint32_t kill_slice = 0;
  // Its part in the account's totals, so that each can be taken out again.
  Int128 value = 0;  // position at the last price, signed
  Int128 gross = 0;  // worst case with what works at the broker
  Int128 net_long = 0, net_short = 0, shorts = 0;
  Int128 pending = 0;                          // value of what works at the broker, positive
  std::int64_t low_cents = 0, high_cents = 0;  // exposure if all that works sells, or buys
  bool held = false;
  bool overflow = false;
};

struct IntentEntry {
  Intent intent;
  std::uint32_t slices = 0;
  std::uint32_t sub = kNil;  // index of (strategy, symbol)
  bool used = false;
  std::uint32_t timeouts = 0;  // of its orders: the next one has twice as long
};

// What an order looks like, but for side and quantity.
struct Placement {
  OrderType type = OrderType::kNone;
  TimeInForce tif = TimeInForce::kNone;
  Money limit_price;  // of types with a limit, else 0
  OrderTerms terms;
  bool operator==(const Placement&) const = default;
};

enum class CancelReason : std::uint8_t { kNone = 0, kReroute, kTimeout, kKill };

struct Order {
  ClientOrderId client_id;
  BrokerOrderId broker_id;
  std::uint32_t symbol = 0;
  Side side = Side::kNone;
  Placement placed;
  std::int64_t quantity = 0;  // positive
  OrderState state = OrderState::kNone;
  Origin origin = Origin::kIntent;
  bool reduce_only = false;
  ExitReason exit = ExitReason::kNone;
  RejectionCategory category = RejectionCategory::kNone;
  std::int64_t filled = 0;
  std::int64_t filled_notional = 0;
  std::array<std::int64_t, kMaxStrategies> shares{};     // signed wish of each strategy; sum = signed quantity
  std::array<std::int64_t, kMaxStrategies> allocated{};  // of `filled`
  std::array<std::int64_t, kMaxStrategies> amounts{};    // of `filled_notional`
  std::array<std::uint32_t, kMaxStrategies> intents{};   // entry of each strategy, kNil = none
  std::array<IntentId, kMaxStrategies> intent_ids{};
  CancelReason cancel = CancelReason::kNone;
  bool cancel_wanted = false;        // as soon as the broker's id is known
  bool resend_wanted = false;        // as soon as the account is reconciled
  bool orphan = false;               // given up, then seen alive at the broker
  bool live = false;                 // the broker works it: it may be replaced
  ClientOrderId replaces;            // the order that it was sent to replace
  std::int64_t replaced_filled = 0;  // of that order when the request left
  bool seen = false;                 // in the current snapshot
  std::uint64_t submit_request = 0, cancel_request = 0, lookup_request = 0;
  std::uint32_t lookup_failures = 0;
  Time lookup_next = 0;          // != 0: look up again at this time
  Time recancel_next = 0;        // ask again for a cancel not before
  std::int64_t ttl = 0;          // cancelled when this old; 0 = never
  std::int64_t accept_fill = 0;  // ppm: enough when its time is up
  Time heard = 0;                // when it was sent or the broker last said anything of it
  bool stuck = false;            // asked because of silence, and no news since
  Time created = 0;
  std::uint64_t number = 0;
  RejectCode code = RejectCode::kOk;
  ShortText text;

  [[nodiscard]] std::int64_t sign() const { return side == Side::kSell ? -1 : 1; }
  [[nodiscard]] std::int64_t remaining() const { return sign() * (quantity > filled ? quantity - filled : 0); }
};

enum class ReconcilePhase : std::uint8_t { kIdle = 0, kSnapshot, kLookups };

struct Reconcile {
  ReconcilePhase phase = ReconcilePhase::kIdle;
  std::uint64_t request = 0;
  Time retry_next = 0;         // != 0: ask again at this time
  std::uint32_t rounds = 0;    // asked since it began
  std::uint32_t failures = 0;  // in a row
  bool background = false;     // trading goes on meanwhile
  bool books_moved = false;
  bool account_seen = false;
  Money cash, equity, buying_power;
};

// An order at the broker that nobody here decided, as it was last named.
struct Foreign {
  BrokerOrderId id;
  std::int64_t filled = 0;
};

struct Kill {
  bool latched = false;
  bool flatten = false;
  bool verifying = false;
  Time verify_next = 0;
  bool look = false;        // a closing order was refused: look what else is at the broker
  Time look_next = 0;       // with the stream down: ask the broker by REST again at this time
  std::uint32_t looks = 0;  // so far
  KillPhase phase = KillPhase::kReleased;
  std::uint32_t number = 0;  // of latches so far
  ShortText reason;
  ShortText issued_by;
};

// The highest equity of the last five minutes, in steps of five seconds.
struct RecentEquity {
  static constexpr Time kStep = 5'000'000'000;
  static constexpr std::int64_t kSteps = 61;
  struct Slot {
    std::int64_t step = -1;
    Money high;
  };
  std::array<Slot, kSteps> slots{};

  // Notes the equity as of the bars of `time` and returns the highest one of the window, this one included.
  Money high_with(Time time, Money equity);
};

// What market moves have pushed beyond a limit: one bit each, so that each is told once.
enum Breach : std::uint32_t {
  kBreachPosition = 1,
  kBreachGross = 2,
  kBreachNet = 4,
  kBreachValueAtRisk = 8,
  kBreachVolatility = 16,
  kBreachShort = 32,
  kBreachSector = 64,
  kBreachGroup = 128,
};

// How the positions of a strategy that is being deleted are got rid of.
struct Departure {
  RejectCode refused = RejectCode::kOk;
  Time next = 0;  // no further try before
  std::uint32_t tries = 0;
};

struct Totals {
  Int128 value = 0, gross = 0, net_long = 0, net_short = 0, shorts = 0, pending = 0;
  std::int64_t held = 0;
  std::int64_t overflows = 0;
};

struct Calendar {
  bool begun = false;
  std::int64_t day = 0, week = 0, month = 0;
  Money day_start, day_high, week_start, month_start, peak;
  std::int64_t trades_today = 0;
  Int128 turnover = 0;      // filled today, 1e-8
  std::int64_t losses = 0;  // in a row, this session
  bool loss_pause = false;
};

[[nodiscard]] inline bool is_ours(const ClientOrderId& id) { return id.view().starts_with("tw-"); }

struct Engine::State {
  explicit State(EngineConfig c);

  EngineConfig given;         // as configured
  EngineConfig config;        // ... with the overrides in its limits
  Time overrides_change = 0;  // when the next override ends
  bool overrides_told = false;
  std::size_t symbol_count, strategy_count;
  FlatIndex<Symbol> symbol_index;
  FlatIndex<StrategyId> strategy_index;
  std::vector<SymbolState> symbols;
  std::vector<Sub> subs;                              // symbol * strategy_count + strategy
  std::vector<Work> works;                            // beside `subs`
  std::vector<Departure> departures;                  // by strategy
  std::vector<MarketTape> tapes;                      // by symbol
  Time work_next = std::numeric_limits<Time>::max();  // no slice begins before
  std::vector<Int128> sector_gross;
  std::vector<IntentEntry> intents;
  FlatIndex<IntentId> intent_index;
  std::uint32_t intent_hand = 0;
  std::vector<Order> orders;
  FlatIndex<ClientOrderId> order_index;
  std::uint32_t order_hand = 0;
  std::vector<Estimate> estimates, staged;  // by symbol; the next set while it comes in
  Scenarios scenarios;
  std::vector<Int128> group_gross;  // by the group's first symbol
  Time estimate_time = 0;
  SessionUpdate session;
  RecentEquity recent;
  Time feed_seen = 0, link_up_at = 0, link_down_at = 0;
  std::uint32_t breaches = 0;
  bool cut_due = false;              // prices or limits have changed since positions were last held against limits
  std::vector<std::int64_t> kept;    // by symbol: what limits leave of the position
  std::vector<RejectCode> kept_for;  // ... and which of them
  Breaker rest;
  BreakerState feed = BreakerState::kClosed;
  Time feed_trial = 0;  // of the first bar after a silence
  std::int64_t assumed_move;

  Time now = 0;
  std::uint64_t next_request = 1;
  std::array<std::int64_t, 4> next_offset{};
  std::uint64_t stream_id = 0;
  bool link_up = false, ready = false, paused = false, shutdown = false, fenced = false, account_known = false;
  Money cash;
  std::int64_t leverage = 0;
  Totals totals;
  Calendar calendar;
  Time rate_arrival = 0;
  std::int64_t ladder = kRatioScale;  // size factor of the drawdown ladder
  std::int64_t ladder_cut = 0;        // what the last step down took off
  std::int64_t volatility_index = 0;
  Time bar_time = 0;
  Kill kill;
  Reconcile reconcile;
  Time reconciled_at = 0;
  Time timers_due = 0;                 // no order's timer is due before
  bool rerouting = true;               // some symbol's `reroute` may be set
  std::array<Foreign, 256> foreign{};  // the latest
  std::uint32_t foreign_hand = 0;
  EngineCounts counts;
  std::vector<StrategyRecord> strategy_records;  // by strategy
  Sha256 decisions;
  Outputs* out = nullptr;  // of the step in progress
  RiskRecord last_risk;
  AccountRecord last_account;

  Sub& sub(std::size_t strategy, std::size_t symbol) { return subs[symbol * strategy_count + strategy]; }
  [[nodiscard]] const Sub& sub(std::size_t strategy, std::size_t symbol) const {
    return subs[symbol * strategy_count + strategy];
  }

  // engine.cpp
  void step(const Input& input);
  void on_control(const Control& control);
  void on_time();
  void apply_overrides();
  void run_timers();
  void alert(Severity severity, const Symbol& symbol, std::string_view text);

  // intents.cpp
  void on_intent(const Intent& intent);
  std::uint32_t remember_intent(const Intent& intent);
  [[nodiscard]] RejectCode intent_fault(const Intent& intent) const;
  [[nodiscard]] std::int64_t target_of(const Intent& intent) const;
  void verdict(const Intent& intent, bool accepted, RejectCode code, const ShortText& message,
               const ClientOrderId& order, std::uint32_t slice);
  void reject_sub(Sub& s, RejectCode code, const ShortText& message);
  void accept_sub(Sub& s, const ClientOrderId& order);
  void idle(Sub& s);

  // work.cpp
  [[nodiscard]] Work& work(const Sub& s) { return works[static_cast<std::size_t>(&s - subs.data())]; }
  [[nodiscard]] const Work& work(const Sub& s) const { return works[static_cast<std::size_t>(&s - subs.data())]; }
  void begin_work(Sub& s, std::uint32_t symbol, const Intent& intent, bool running);
  void advance_works();
  void advance_work(std::uint32_t index);
  void reprice(Work& w, std::uint32_t symbol, const Intent& intent) const;
  [[nodiscard]] bool more_to_come(const Sub& s) const;
  void settle(Sub& s);
  void slice_ended(Sub& s);

  // router.cpp
  void flush();
  void route(std::uint32_t symbol);
  void want_reroute(SymbolState& symbol) { symbol.reroute = rerouting = true; }
  void route_when_quiet();
  [[nodiscard]] std::size_t pending_requests() const;
  void check_intents(std::uint32_t symbol);
  [[nodiscard]] std::int64_t wanted(const Sub& s) const;
  [[nodiscard]] Wishes wishes(std::uint32_t symbol) const;
  [[nodiscard]] std::int64_t next_slice(std::uint32_t symbol, std::int64_t need) const;
  void settle_without_order(std::uint32_t symbol, const Wishes& each, std::int64_t need);
  [[nodiscard]] bool keep_working(std::uint32_t symbol, const Wishes& each, std::int64_t need);
  bool send_slice(std::uint32_t symbol, const Wishes& each, std::int64_t slice, std::int64_t need, bool in_place);
  [[nodiscard]] bool still_needed(const Order& order) const;
  [[nodiscard]] std::uint32_t primary_strategy(const Wishes& wishes, std::int64_t need) const;
  void cross(std::uint32_t symbol, Money price);

  // gate.cpp
  [[nodiscard]] RiskSnapshot snapshot(std::uint32_t symbol) const;
  [[nodiscard]] Denial gate(std::uint32_t symbol, RiskRequest request) const;
  [[nodiscard]] Denial gate_without_working(std::uint32_t symbol, const RiskRequest& request);
  [[nodiscard]] bool reduces(std::uint32_t symbol, std::int64_t quantity) const;
  void note_stops(std::uint32_t symbol, RiskRequest& request) const;
  [[nodiscard]] bool rests_overnight(std::uint32_t symbol) const;

  // brackets.cpp
  [[nodiscard]] bool bracket_sound(const Intent& intent) const;
  void check_brackets(std::uint32_t symbol, const BarUpdate& bar);
  void leave(Sub& s, std::uint32_t symbol, ExitReason reason);
  [[nodiscard]] Placement placement(const Sub& s) const;

  // replace.cpp
  [[nodiscard]] bool replacing(const SymbolState& symbol) const;
  template <class Visit>
  void each_open(const SymbolState& symbol, Visit visit);
  template <class Visit>
  void each_open(const SymbolState& symbol, Visit visit) const;
  [[nodiscard]] bool may_replace(std::uint32_t symbol, const Wishes& each, std::int64_t need) const;
  std::uint32_t new_replacement(std::uint32_t symbol, const ClientOrderId& id);
  void replace(Order& old, Order& next);
  void replaced_ended(Order& old);
  void replacement_ended(Order& next);

  // orders.cpp
  [[nodiscard]] std::uint32_t claim_slot(std::uint32_t symbol, const ClientOrderId& id);
  std::uint32_t new_order(std::uint32_t symbol, const ClientOrderId& id);
  void submit(Order& order);
  void resend(Order& order);
  [[nodiscard]] bool tries_again(const Order& order, const Sub& s) const;
  void reject(Order& order, const BrokerEvent& event);
  [[nodiscard]] Time timer_of(const Order& order) const;
  void set_timer(const Order& order);
  void check_age(Order& order);
  void check_silence(Order& order);
  void request_cancel(Order& order, CancelReason reason);
  void cancel_one(Order& order, CancelReason reason);
  void lookup(Order& order);
  void advance(Order& order, OrderEvent event);
  void finished(Order& order);
  void give_up(Order& order, RejectCode code, const ShortText& text);
  void record(const Order& order);
  [[nodiscard]] OrderRecord order_record(const Order& order) const;
  Order* find_order(const BrokerEvent& event);
  void on_broker(const BrokerEvent& event);
  void on_answer(Order& order, const BrokerEvent& event);
  void apply_view(Order& order, const BrokerEvent& event);
  [[nodiscard]] std::uint64_t push_request(RequestKind kind, const Order* order);

  // strategy_records.cpp
  void count_verdict(const Intent& intent, bool accepted, RejectCode code, std::uint32_t slice);
  void count_refused(const Order& order);

  // fills.cpp
  void book_fill(Order& order, std::int64_t filled, Money average, const BrokerEvent& event);
  bool rebook(std::uint32_t symbol);
  bool fold_replaced(std::uint32_t symbol);
  bool book_late(const Order& order, std::span<const std::int64_t> parts, std::span<const std::int64_t> amounts);
  void record_fills(const Order& order, std::span<const std::int64_t> parts, Money price, const BrokerEvent& event);
  void emit_fill(const FillRecord& proto, std::size_t strategy, std::int64_t signed_quantity, bool internal);
  void record_positions(std::uint32_t symbol);
  void settle_trades(std::uint32_t symbol);
  void set_baseline(std::uint32_t symbol);

  // market.cpp
  void on_bar(const BarUpdate& bar);
  void on_session(const SessionUpdate& update);
  [[nodiscard]] bool market_closed() const;
  void refresh(std::uint32_t symbol);
  void roll_calendar();
  void evaluate();
  void watch_feed_and_link();
  void recheck();
  void climb_ladder();
  [[nodiscard]] Money equity() const;
  [[nodiscard]] std::int64_t drawdown_ratio() const;
  [[nodiscard]] std::int64_t volatility_factor() const;
  [[nodiscard]] RiskRecord risk_record() const;
  [[nodiscard]] AccountRecord account_record() const;
  void publish_risk();

  // breakers.cpp
  void hear_answer(const BrokerEvent& event);
  void hear_bar(const BarUpdate& bar);
  void feed_silent();
  void try_broker();
  [[nodiscard]] BreakerState stream_state() const;
  [[nodiscard]] BreakerState estimates_state() const;

  // limit_cuts.cpp
  void cut_positions();
  [[nodiscard]] std::int64_t remaining(const Sub& s) const;
  [[nodiscard]] bool still_cuts(const Sub& s) const;
  [[nodiscard]] Int128 kept_value(std::uint32_t symbol) const;
  template <class In>
  void shrink(RejectCode code, Int128 limit, Int128 value, In in);
  template <class In>
  void shrink_to(RejectCode code, Int128 limit, In in);
  void shrink_by_symbol();
  void shrink_by_estimates();
  void cut(std::uint32_t symbol, std::int64_t held);

  // leaving.cpp
  void leave_strategies();
  void try_exit(std::size_t strategy, std::uint32_t symbol);
  void exit_failed(const Sub& s, RejectCode code);
  void hold_exits(std::size_t strategy, std::uint32_t symbol, RejectCode code);

  // portfolio.cpp
  void on_estimate(const RiskEstimate& estimate);
  void carry_exposure(std::uint32_t symbol, int sign);
  [[nodiscard]] Money open_loss(std::uint32_t symbol) const;
  void measure(RiskRecord& record) const;

  // reconcile.cpp
  void on_link_up();
  void on_link_down();
  void on_lease(bool held);
  void ask_snapshot();
  void push_foreign_cancel(const BrokerOrder& order);
  void reconcile_soon();
  void on_foreign(const BrokerEvent& event);
  void on_snapshot_order(const BrokerEvent& event);
  void on_snapshot_end();
  [[nodiscard]] bool of_snapshot(const BrokerEvent& event) const;
  void finish_reconcile();
  [[nodiscard]] std::uint32_t held_symbol(const Symbol& name) const;
  [[nodiscard]] bool positions_agree() const;
  void judge_positions();
  void adopt_account();

  // kill_switch.cpp
  void trip(std::string_view reason, std::string_view issued_by, bool flatten);
  void release(const Control& control);
  void advance_kill();
  bool flatten_symbol(std::uint32_t symbol);
  void look_by_rest();
  void set_kill_phase(KillPhase phase);
  void verified();

  // digest.cpp
  [[nodiscard]] static ClientOrderId client_order_id(const Sha256& hash);  // "tw-" and 128 bits
  [[nodiscard]] static ExecutionId execution_id(const Sha256& hash);
  void hash_verdict(const Intent& intent, bool accepted, RejectCode code);
  void hash_submit(const Order& order);
  void hash_replace(const Order& order);

  // reconfigure.cpp
  void carry_over(const State& old);
  void carry_estimates(const State& old, std::span<const std::uint32_t> symbol_of);
};

// The orders of a symbol that have not ended: the one that is being replaced, then the working one.
template <class Visit>
void Engine::State::each_open(const SymbolState& symbol, Visit visit) {
  const std::uint32_t old = replacing(symbol) ? symbol.replaced : kNil;
  const std::uint32_t working = symbol.working;
  if (old != kNil) visit(orders[old]);
  if (working != kNil) visit(orders[working]);
}

template <class Visit>
void Engine::State::each_open(const SymbolState& symbol, Visit visit) const {
  if (replacing(symbol)) visit(orders[symbol.replaced]);
  if (symbol.working != kNil) visit(orders[symbol.working]);
}

}  // namespace tradewind
