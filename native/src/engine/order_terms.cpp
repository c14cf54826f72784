// Core: see order_terms.hpp.
#include "tradewind/engine/order_terms.hpp"

namespace tradewind {

bool is_crypto(const Symbol& symbol) { return symbol.view().find('/') != std::string_view::npos; }

namespace {

bool life_allowed(bool crypto, OrderType type, TimeInForce tif) {
  using T = TimeInForce;
  if (crypto) {
    const bool known = type == OrderType::kMarket || has_limit(type);
    return known && (tif == T::kGtc || tif == T::kIoc);
  }
  if (type == OrderType::kTrailingStop) return tif == T::kDay || tif == T::kGtc;
  if (has_stop(type)) return tif != T::kOpg && tif != T::kCls;
  return true;
}

bool trail_sound(OrderType type, const OrderTerms& terms) {
  const bool price = terms.trail_price.raw > 0, ratio = terms.trail_ratio > 0 && terms.trail_ratio < kRatioScale;
  if (type != OrderType::kTrailingStop) return terms.trail_price.raw == 0 && terms.trail_ratio == 0;
  return (price && terms.trail_ratio == 0) || (ratio && terms.trail_price.raw == 0);
}

}  // namespace

RejectCode terms_fault(const SymbolConfig& symbol, OrderType type, TimeInForce tif, const OrderTerms& terms) {
  const bool crypto = is_crypto(symbol.symbol);
  const bool extended_fits =
      !crypto && type == OrderType::kLimit && (tif == TimeInForce::kDay || tif == TimeInForce::kGtc);
  if (!life_allowed(crypto, type, tif) || (terms.extended_hours && !extended_fits)) return RejectCode::kOrderTerms;
  if (has_stop(type) ? terms.stop_price.raw <= 0 : terms.stop_price.raw != 0) return RejectCode::kStopPrice;
  if (terms.stop_price.raw % symbol.price_increment.raw != 0) return RejectCode::kStopPrice;
  if (!trail_sound(type, terms)) return RejectCode::kTrail;
  return RejectCode::kOk;
}

}  // namespace tradewind
