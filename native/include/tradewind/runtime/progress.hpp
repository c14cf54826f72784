// Shell: lets other threads wait until the engine thread has come to a certain point. Costs that thread one atomic
// addition per round, and a lock only while somebody waits.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace tradewind {

class Progress {
 public:
  // Engine thread: something that a waiter may look at has changed.
  void advanced() {
    rounds_.fetch_add(1, std::memory_order_seq_cst);
    if (waiters_.load(std::memory_order_seq_cst) == 0) return;
    const std::scoped_lock lock(mutex_);
    changed_.notify_all();
  }

  // True once `reached()` holds; false after `timeout`. Either advanced() sees the waiter, or the waiter sees its
  // round.
  template <typename Reached>
  [[nodiscard]] bool wait(std::chrono::nanoseconds timeout, Reached reached) {
    const auto until = std::chrono::steady_clock::now() + timeout;
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    std::unique_lock lock(mutex_);
    const bool good = changed_.wait_until(lock, until, [&] {
      (void)rounds_.load(std::memory_order_seq_cst);
      return reached();
    });
    waiters_.fetch_sub(1, std::memory_order_seq_cst);
    return good;
  }

 private:
  std::atomic<std::uint64_t> rounds_{0};
  std::atomic<int> waiters_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace tradewind
