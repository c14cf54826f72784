// Core: the life of an order as one table: state and event give the next state. docs/order-lifecycle.md is made from
// it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "tradewind/messages.hpp"

namespace tradewind {

enum class OrderEvent : std::uint8_t {
  kSend = 0,    // the request leaves
  kAnswerLost,  // time-out, 5xx, disconnect, or this process died before the answer
  kResend,      // the broker never got it: sent again under the same client order id
  kWorking,     // the broker has it: new, accepted, held, pending anything
  kPartialFill,
  kFill,
  kCancelSent,
  kCanceled,
  kExpired,
  kReplaceSent,
  kReplaced,
  kRejected,
  kNeverArrived,    // the broker never got it and it must not be sent any more
  kReplaceRefused,  // the order that was to take its place is refused, or never arrived
};

inline constexpr std::size_t kOrderStateCount = 13;
inline constexpr std::size_t kOrderEventCount = 14;

inline constexpr std::array<std::string_view, kOrderStateCount> kOrderStateNames = {
    "NONE",           "CREATED",  "SUBMITTED",       "UNKNOWN",  "ACCEPTED", "PARTIALLY_FILLED", "FILLED",
    "PENDING_CANCEL", "CANCELED", "PENDING_REPLACE", "REPLACED", "EXPIRED",  "REJECTED"};

inline constexpr std::array<std::string_view, kOrderEventCount> kOrderEventNames = {
    "send",     "answer lost", "resend",       "working",  "partial fill", "fill",          "cancel sent",
    "canceled", "expired",     "replace sent", "replaced", "rejected",     "never arrived", "replace refused"};

[[nodiscard]] constexpr std::string_view to_string(OrderState state) {
  return kOrderStateNames[static_cast<std::size_t>(state)];
}

[[nodiscard]] constexpr bool is_terminal(OrderState state) {
  return state == OrderState::kFilled || state == OrderState::kCanceled || state == OrderState::kReplaced ||
         state == OrderState::kExpired || state == OrderState::kRejected;
}

// It rests at the broker, and may be silent for as long as it likes.
[[nodiscard]] constexpr bool is_resting(OrderState state) {
  return state == OrderState::kAccepted || state == OrderState::kPartiallyFilled;
}

namespace lifecycle_detail {

using Row = std::array<OrderState, kOrderEventCount>;

consteval std::array<Row, kOrderStateCount> make_table() {
  using S = OrderState;
  constexpr S no = S::kNone;  // cannot happen here: the state stays and an alert says so
  std::array<Row, kOrderStateCount> t{};
  const auto row = [&t](S state, Row next) { t[static_cast<std::size_t>(state)] = next; };
  constexpr S su = S::kSubmitted, un = S::kUnknown, ac = S::kAccepted, pf = S::kPartiallyFilled, fi = S::kFilled;
  constexpr S pc = S::kPendingCancel, ca = S::kCanceled, pr = S::kPendingReplace, rp = S::kReplaced, ex = S::kExpired;
  constexpr S re = S::kRejected;
  // clang-format off
  //                        send lost rsnd work part fill csnt canc expd rsnt repl rejd nevr refd
  row(S::kCreated,         {su,  no,  no,  no,  no,  no,  no,  no,  no,  no,  no,  no,  no,  no});
  row(S::kSubmitted,       {no,  un,  no,  ac,  pf,  fi,  no,  ca,  ex,  no,  rp,  re,  no,  no});
  row(S::kUnknown,         {no,  un,  su,  ac,  pf,  fi,  no,  ca,  ex,  no,  rp,  re,  re,  no});
  row(S::kAccepted,        {no,  ac,  no,  ac,  pf,  fi,  pc,  ca,  ex,  pr,  rp,  re,  no,  no});
  row(S::kPartiallyFilled, {no,  pf,  no,  pf,  pf,  fi,  pc,  ca,  ex,  pr,  rp,  re,  no,  no});
  row(S::kPendingCancel,   {no,  pc,  no,  pc,  pc,  fi,  no,  ca,  ex,  no,  rp,  re,  no,  pc});
  row(S::kPendingReplace,  {no,  pr,  no,  pr,  pr,  fi,  pc,  ca,  ex,  no,  rp,  re,  no,  ac});
  // clang-format on
  // A finished order stays what it is: messages come late, twice and in any order.
  for (const S done : {fi, ca, rp, ex, re}) {
    row(done, {no, no, no, done, done, done, no, done, done, no, done, done, no, no});
  }
  return t;
}

inline constexpr auto kTable = make_table();

}  // namespace lifecycle_detail

// kNone: the event cannot happen in this state.
[[nodiscard]] constexpr OrderState transition(OrderState state, OrderEvent event) {
  return lifecycle_detail::kTable[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

// The table as Markdown, one row per state.
[[nodiscard]] std::string lifecycle_markdown();

}  // namespace tradewind
