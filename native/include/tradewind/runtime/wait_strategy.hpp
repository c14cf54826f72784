// Core: how the engine thread waits for work, as an interface; spin_wait.hpp and blocking_wait.hpp are the two ways.
#pragma once

#include <chrono>
#include <cstdint>

namespace tradewind {

// Consumer: ticket = prepare(); look for work; only if there is none, wait(ticket). Producer: publish work, then
// notify(). Work published after prepare() ends the wait, so none is slept through.
class WaitStrategy {
 public:
  virtual ~WaitStrategy() = default;
  [[nodiscard]] virtual std::uint32_t prepare() = 0;
  virtual void wait(std::uint32_t ticket, std::chrono::nanoseconds at_most) = 0;
  virtual void notify() = 0;
};

}  // namespace tradewind
