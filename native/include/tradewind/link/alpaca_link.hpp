// Shell: the link to Alpaca: REST for requests, trade_updates for what becomes of them. One I/O thread of its own.
#pragma once

#include <memory>

#include "tradewind/link/broker_config.hpp"
#include "tradewind/link/broker_link.hpp"

namespace tradewind {

class AlpacaLink final : public BrokerLink {
 public:
  // Throws LinkError when the configuration cannot be. `sink` must outlive the link.
  AlpacaLink(BrokerConfig config, BrokerEventSink& sink);
  ~AlpacaLink() override;
  AlpacaLink(const AlpacaLink&) = delete;
  AlpacaLink& operator=(const AlpacaLink&) = delete;

  void start() override;
  void stop() override;
  SendStamps send(const BrokerRequest& request) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tradewind
