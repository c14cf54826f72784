// Shell: waiting asleep in the kernel (a futex). Costs a wake-up, leaves the CPU to others.
#pragma once

#include <atomic>

#include "tradewind/runtime/spsc_ring.hpp"
#include "tradewind/runtime/wait_strategy.hpp"

namespace tradewind {

class BlockingWait final : public WaitStrategy {
 public:
  [[nodiscard]] std::uint32_t prepare() override;
  void wait(std::uint32_t ticket, std::chrono::nanoseconds at_most) override;
  void notify() override;

 private:
  alignas(kCacheLine) std::atomic<std::uint32_t> epoch_{0};
  std::atomic<std::uint32_t> sleepers_{0};  // none: notify() needs no system call
};

}  // namespace tradewind
