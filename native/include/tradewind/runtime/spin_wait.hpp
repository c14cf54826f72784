// Core: waiting by looking again at once. Lowest latency; takes a whole CPU.
#pragma once

#include "tradewind/runtime/wait_strategy.hpp"

namespace tradewind {

class SpinWait final : public WaitStrategy {
 public:
  [[nodiscard]] std::uint32_t prepare() override { return 0; }
  void wait(std::uint32_t /*ticket*/, std::chrono::nanoseconds /*at_most*/) override {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  void notify() override {}
};

}  // namespace tradewind
