// Core: what the runtime needs of a broker, whichever it is.
#pragma once

#include <cstdint>

#include "tradewind/messages.hpp"

namespace tradewind {

struct SendStamps {
  std::int64_t encoded = 0;  // CLOCK_MONOTONIC, ns: the bytes were ready; 0 when the request had to wait
  std::int64_t written = 0;  // the write returned
};

// Takes events from the link's one I/O thread. May wait for room; never loses one.
class BrokerEventSink {
 public:
  virtual ~BrokerEventSink() = default;
  virtual void deliver(const BrokerEvent& event) = 0;
  // A request that send() could not write at once has been written now; its answer has not been delivered yet.
  virtual void written(std::uint64_t request_id, const SendStamps& stamps) = 0;
  // Any thread, just before an order is written: whether this process is the account's one writer.
  [[nodiscard]] virtual bool holds_lease() const { return true; }
};

class BrokerLink {
 public:
  virtual ~BrokerLink() = default;
  // Returns once credentials are accepted and the stream is listening; throws LinkError.
  virtual void start() = 0;
  // For good: nothing may be sent or started afterwards.
  virtual void stop() = 0;
  // One thread only. Each request is answered by exactly one event with its request_id (a snapshot: by kSnapshotEnd or
  // kSnapshotFailed as the last).
  virtual SendStamps send(const BrokerRequest& request) = 0;
};

}  // namespace tradewind
