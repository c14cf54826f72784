// Core: a hash index of fixed capacity: key -> number. Open addressing with backward-shift deletion; never allocates
// after construction and is never iterated, so no decision depends on its order.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tradewind {

// FNV-1a, 64 bits.
[[nodiscard]] constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t seed = 0xcbf29ce484222325ULL) {
  for (const char c : text) {
    seed ^= static_cast<std::uint8_t>(c);
    seed *= 0x100000001b3ULL;
  }
  return seed;
}

inline constexpr std::uint32_t kNil = 0xffffffff;

template <class Key>
class FlatIndex {
 public:
  explicit FlatIndex(std::size_t capacity) : slots_(std::bit_ceil(capacity * 2 + 2)), mask_(slots_.size() - 1) {}

  [[nodiscard]] std::uint32_t find(const Key& key) const {
    for (std::size_t i = home(key);; i = (i + 1) & mask_) {
      if (slots_[i].value == kNil || slots_[i].key == key) return slots_[i].value;
    }
  }

  // The caller keeps at most `capacity` keys, each once.
  void insert(const Key& key, std::uint32_t value) {
    std::size_t i = home(key);
    while (slots_[i].value != kNil) i = (i + 1) & mask_;
    slots_[i] = {key, value};
  }

  void erase(const Key& key) {
    std::size_t hole = home(key);
    while (slots_[hole].value != kNil && !(slots_[hole].key == key)) hole = (hole + 1) & mask_;
    if (slots_[hole].value == kNil) return;
    for (std::size_t i = (hole + 1) & mask_; slots_[i].value != kNil; i = (i + 1) & mask_) {
      // A key may move into the hole when its home is not between the hole and where it is now.
      if (((i - home(slots_[i].key)) & mask_) >= ((i - hole) & mask_)) {
        slots_[hole] = slots_[i];
        hole = i;
      }
    }
    slots_[hole].value = kNil;
  }

 private:
  struct Slot {
    Key key;
    std::uint32_t value = kNil;
  };
  [[nodiscard]] std::size_t home(const Key& key) const { return static_cast<std::size_t>(fnv1a(key.view())) & mask_; }

  std::vector<Slot> slots_;
  std::size_t mask_;
};

}  // namespace tradewind
