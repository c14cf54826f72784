// Core: the last n values, always contiguous in memory and oldest first.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tradewind::indicators {

// Each value is written twice, n apart, so that every window is one span and statistics are recomputed from the window
// itself: an indicator's value depends on the bars in its window and on nothing older, and cannot drift.
class Window {
 public:
  explicit Window(int size) : size_(static_cast<std::size_t>(size)), buffer_(2 * size_) {}

  void push(double value) {
    buffer_[next_] = value;
    buffer_[next_ + size_] = value;
    next_ = next_ + 1 == size_ ? 0 : next_ + 1;
    if (count_ < size_) ++count_;
  }

  [[nodiscard]] bool full() const { return count_ == size_; }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::span<const double> values() const { return {buffer_.data() + (full() ? next_ : 0), count_}; }
  [[nodiscard]] double oldest() const { return values().front(); }
  [[nodiscard]] double newest() const { return values().back(); }

 private:
  std::size_t size_;
  std::vector<double> buffer_;
  std::size_t next_ = 0;
  std::size_t count_ = 0;
};

}  // namespace tradewind::indicators
