// Core: see volume_curve.hpp.
#include "tradewind/algorithms/volume_curve.hpp"

#include <algorithm>

#include "tradewind/algorithms/plan.hpp"

namespace tradewind {
namespace {

constexpr std::int64_t kBucket = kDayNs / VolumeCurve::kBuckets;
constexpr std::int64_t kLargest = 1'000'000'000'000'000;  // so that no sum over a day overflows

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

void VolumeCurve::add(Time time, std::int64_t volume) {
  const Time last = time - 1;  // a bar that ends at midnight is of the day before
  const std::int64_t day = floor_div(last, kDayNs);
  if (!begun_) day_ = day;
  begun_ = true;
  if (day > day_) {
    ++days_;
    const std::int64_t weight = std::min(days_, kDaysRemembered);
    for (std::size_t b = 0; b < mean_.size(); ++b) mean_[b] += (today_[b] - mean_[b]) / weight;
    today_.fill(0);
    day_ = day;
  }
  auto& bucket = today_[static_cast<std::size_t>((last - day_ * kDayNs) / kBucket)];
  bucket = std::min(bucket + std::min(volume, kLargest), kLargest);
}

std::int64_t VolumeCurve::expected(Time from, Time to) const {
  Int128 sum = 0;
  for (Time at = from; at < to;) {
    const std::int64_t bucket = floor_div(at, kBucket);
    const Time next = std::min(to, (bucket + 1) * kBucket);
    const std::int64_t of_day = bucket - floor_div(bucket, kBuckets) * kBuckets;
    sum += static_cast<Int128>(mean_[static_cast<std::size_t>(of_day)]) * (next - at);
    at = next;
  }
  return static_cast<std::int64_t>(sum / kBucket);
}

}  // namespace tradewind
