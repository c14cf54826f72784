// Core: a bounded queue for one producer thread and one consumer thread. Each side keeps a copy of the other's index
// and reads the shared one only when that copy says full or empty (after M. Thompson's Disruptor and E. Rigtorp's
// SPSCQueue).
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace tradewind {

inline constexpr std::size_t kCacheLine = 64;

template <typename T>
class SpscRing {
 public:
  // `capacity` must be a power of two: positions are masked, never divided.
  explicit SpscRing(std::size_t capacity) : mask_(capacity - 1), slots_(capacity) {
    if (!std::has_single_bit(capacity)) throw std::invalid_argument("SpscRing: the capacity must be a power of two");
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  // Producer. False when full.
  [[nodiscard]] bool try_push(const T& value) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ == slots_.size()) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ == slots_.size()) return false;
    }
    slots_[tail & mask_] = value;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Consumer. The oldest element in place, or null; it stays until pop().
  [[nodiscard]] const T* front() {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return nullptr;
    }
    return &slots_[head & mask_];
  }
  void pop() { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  // Any thread; exact only when nobody pushes or pops.
  [[nodiscard]] bool empty() const {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
  }

 private:
  const std::size_t mask_;
  std::vector<T> slots_;
  alignas(kCacheLine) std::atomic<std::size_t> head_{0};  // written by the consumer
  std::size_t tail_seen_ = 0;
  alignas(kCacheLine) std::atomic<std::size_t> tail_{0};  // written by the producer
  std::size_t head_seen_ = 0;
};

}  // namespace tradewind
