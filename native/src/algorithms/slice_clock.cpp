// Core: see slice_clock.hpp.
#include "tradewind/algorithms/slice_clock.hpp"

#include <algorithm>

#include "tradewind/algorithms/plan.hpp"

namespace tradewind {
namespace {

// splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

}  // namespace

Time SliceClock::begin(std::int64_t slice) const {
  const Time even = start + slice * interval;
  if (slice <= 0 || slice >= count() || jitter <= 0) return even;
  const auto width = static_cast<std::uint64_t>(static_cast<Int128>(interval) * jitter / kPpm) + 1;
  const auto late = static_cast<std::int64_t>(mixed(seed ^ mixed(static_cast<std::uint64_t>(slice))) % width);
  return std::min(even + late, end() - 1);
}

std::int64_t SliceClock::index_at(Time now) const {
  if (now < start) return -1;
  const std::int64_t slice = (now - start) / interval;
  return now < begin(slice) ? slice - 1 : slice;
}

std::uint64_t seed_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace tradewind
