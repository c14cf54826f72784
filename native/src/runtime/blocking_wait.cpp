// Shell: see blocking_wait.hpp.
#include "tradewind/runtime/blocking_wait.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace tradewind {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t), "the kernel reads a futex as 32 bits");

std::uint32_t BlockingWait::prepare() { return epoch_.load(std::memory_order_seq_cst); }

void BlockingWait::wait(std::uint32_t ticket, std::chrono::nanoseconds at_most) {
  const timespec timeout{at_most.count() / 1'000'000'000, at_most.count() % 1'000'000'000};
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  // The kernel compares again: an epoch that moved since prepare() does not sleep.
  if (epoch_.load(std::memory_order_seq_cst) == ticket) {
    syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&epoch_), FUTEX_WAIT_PRIVATE, ticket, &timeout, nullptr, 0);
  }
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
}

void BlockingWait::notify() {
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) == 0) return;
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&epoch_), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace tradewind
