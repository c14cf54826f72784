// The last look before an order is written: without the lease it stays here, and everything else goes.
#include <gtest/gtest.h>

#include "link_venue.hpp"
#include "tradewind/link/alpaca_link.hpp"

namespace tradewind::testing {
namespace {

BrokerRequest request(RequestKind kind, std::uint64_t id) {
  BrokerRequest r;
  r.kind = kind;
  r.request_id = id;
  r.client_order_id.assign("tw-1");
  r.broker_order_id.assign("b-1");
  r.symbol.assign("AAPL");
  r.side = Side::kBuy;
  r.order_type = OrderType::kMarket;
  r.time_in_force = TimeInForce::kDay;
  r.quantity.raw = 1'000'000'000;
  return r;
}

TEST(AlpacaLinkLease, AnOrderStaysHereAndACancelGoes) {
  EventLog log;
  log.lease = false;
  Venue venue({}, empty_books([](const VenueRequest& asked) {
                return asked.method == "DELETE" ? VenueReply{204, ""} : VenueReply{200, order_json("tw-1", "new")};
              }));
  AlpacaLink link(venue.config(), log);
  link.start();
  link.send(request(RequestKind::kSubmit, 1));
  EXPECT_EQ(log.wait_for(BrokerEventKind::kSubmitRejected).code, kCodeLeaseLost);
  link.send(request(RequestKind::kCancel, 2));
  EXPECT_EQ(log.wait_for(BrokerEventKind::kCancelAccepted).request_id, 2U);
  log.lease = true;
  link.send(request(RequestKind::kSubmit, 3));
  EXPECT_EQ(log.wait_for(BrokerEventKind::kSubmitAccepted).request_id, 3U);
  std::size_t posts = 0;
  for (const VenueRequest& asked : venue.requests()) posts += asked.method == "POST" ? 1 : 0;
  EXPECT_EQ(posts, 1U);
}

}  // namespace
}  // namespace tradewind::testing
