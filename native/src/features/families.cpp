// Core: the table of feature families and the default feature set. A new feature is a line here.
#include <array>

#include "tradewind/features/family.hpp"

namespace tradewind::features {
namespace {

using enum Form;

std::vector<Family> trend_families() {
  return {
      {"tech_sma", "sma", "20", {"window"}, {{"ratio", "value", kRelative}}},
      {"tech_ema", "ema", "20", {"window"}, {{"ratio", "value", kRelative}}},
      {"tech_wma", "wma", "20", {"window"}, {{"ratio", "value", kRelative}}},
      {"tech_dema", "dema", "20", {"window"}, {{"ratio", "value", kRelative}}},
      {"tech_tema", "tema", "20", {"window"}, {{"ratio", "value", kRelative}}},
      {"tech_kama",
       "kama",
       "10",
       {"window", "fast", "slow"},
       {{"ratio", "value", kRelative}, {"efficiency", "efficiency", kRaw}}},
      {"tech_hma", "hma", "16", {"window"}, {{"ratio", "value", kRelative}}},
      {"tech_vwma", "vwma", "20", {"window"}, {{"ratio", "value", kRelative}}},
      {"tech_adx",
       "adx",
       "14",
       {"window"},
       {{"raw", "adx", kRaw}, {"plus", "plus_di", kRaw}, {"minus", "minus_di", kRaw}}},
      {"tech_aroon",
       "aroon",
       "25",
       {"window"},
       {{"oscillator", "oscillator", kRaw}, {"up", "up", kRaw}, {"down", "down", kRaw}}},
      {"tech_vortex", "vortex", "14", {"window"}, {{"plus", "plus", kRaw}, {"minus", "minus", kRaw}}},
      {"tech_sar",
       "parabolic_sar",
       "1",
       {},
       {{"ratio", "value", kRelative}, {"direction", "direction", kRaw}, {"flip", "flip", kRaw}}},
      {"tech_ichimoku",
       "ichimoku",
       "9x26x52x26",
       {"conversion", "base", "leading", "displacement"},
       {{"conversion", "conversion", kRelative},
        {"base", "base", kRelative},
        {"leadinga", "leading_a", kRelative},
        {"leadingb", "leading_b", kRelative},
        {"lagging", "lagging_over", kRelative}}},
      {"tech_supertrend",
       "supertrend",
       "10",
       {"window"},
       {{"ratio", "value", kRelative}, {"direction", "direction", kRaw}}},
      {"tech_chandelier",
       "chandelier_exit",
       "22",
       {"window"},
       {{"long", "long", kRelative}, {"short", "short", kRelative}}},
      {"tech_pivot",
       "pivot_points",
       "1",
       {},
       {{"ratio", "pivot", kRelative},
        {"resistance1", "resistance_1", kRelative},
        {"support1", "support_1", kRelative},
        {"resistance2", "resistance_2", kRelative},
        {"support2", "support_2", kRelative}}},
  };
}

std::vector<Family> momentum_families() {
  return {
      {"tech_rsi", "rsi", "14", {"window"}, {{"raw", "value", kRaw}}},
      {"tech_stochastic",
       "stochastic",
       "14x3x3",
       {"window", "smooth_k", "smooth_d"},
       {{"k", "k", kRaw}, {"d", "d", kRaw}}},
      {"tech_stochastic_rsi",
       "stochastic_rsi",
       "14x14x3",
       {"window", "range", "smooth_d"},
       {{"k", "k", kRaw}, {"d", "d", kRaw}}},
      {"tech_williams_r", "williams_r", "14", {"window"}, {{"raw", "value", kRaw}}},
      {"tech_cci", "cci", "20", {"window"}, {{"raw", "value", kRaw}}},
      {"tech_ultimate", "ultimate_oscillator", "7x14x28", {"short", "middle", "long"}, {{"raw", "value", kRaw}}},
      {"tech_tsi", "tsi", "25x13", {"long", "short"}, {{"raw", "value", kRaw}}},
      {"tech_roc", "roc", "10", {"window"}, {{"raw", "value", kRaw}}},
      {"tech_momentum", "momentum", "10", {"window"}, {{"ratio", "value", kOverClose}}},
      {"tech_coppock", "coppock", "10x14x11", {"smooth", "long", "short"}, {{"raw", "value", kRaw}}},
      {"tech_kst",
       "kst",
       "10x15x20x30",
       {"roc_1", "roc_2", "roc_3", "roc_4"},
       {{"raw", "value", kRaw}, {"signal", "signal", kRaw}}},
      {"tech_macd",
       "macd",
       "12x26x9",
       {"fast", "slow", "signal"},
       {{"line", "line", kOverClose}, {"signal", "signal", kOverClose}, {"histogram", "histogram", kOverClose}}},
      {"tech_ppo",
       "ppo",
       "12x26x9",
       {"fast", "slow", "signal"},
       {{"line", "line", kRaw}, {"signal", "signal", kRaw}, {"histogram", "histogram", kRaw}}},
      {"tech_trix", "trix", "15", {"window"}, {{"raw", "value", kRaw}}},
  };
}

std::vector<Family> volatility_families() {
  const std::vector<Aggregation> deviation{{"annual", "annual", kRaw}, {"bar", "bar", kRaw}};
  return {
      {"vol_bollinger",
       "bollinger",
       "20",
       {"window"},
       {{"percentb", "percent_b", kRaw},
        {"bandwidth", "bandwidth", kRaw},
        {"upper", "upper", kRelative},
        {"lower", "lower", kRelative}}},
      {"vol_keltner",
       "keltner",
       "20x10",
       {"window", "range"},
       {{"position", "position", kRaw}, {"upper", "upper", kRelative}, {"lower", "lower", kRelative}}},
      {"vol_donchian",
       "donchian",
       "20",
       {"window"},
       {{"position", "position", kRaw}, {"upper", "upper", kRelative}, {"lower", "lower", kRelative}}},
      {"vol_atr_bands", "atr_bands", "14", {"window"}, {{"upper", "upper", kRelative}, {"lower", "lower", kRelative}}},
      {"vol_true_range", "true_range", "1", {}, {{"ratio", "value", kOverClose}}},
      {"vol_atr", "atr", "14", {"window"}, {{"ratio", "value", kOverClose}}},
      {"vol_natr", "natr", "14", {"window"}, {{"raw", "value", kRaw}}},
      {"vol_chaikin", "chaikin_volatility", "10x10", {"window", "change"}, {{"raw", "value", kRaw}}},
      {"vol_historical", "historical_volatility", "21", {"window"}, deviation},
      {"vol_garman_klass", "garman_klass", "21", {"window"}, deviation},
      {"vol_parkinson", "parkinson", "21", {"window"}, deviation},
      {"vol_rogers_satchell", "rogers_satchell", "21", {"window"}, deviation},
      {"vol_yang_zhang", "yang_zhang", "21", {"window"}, deviation},
      {"vol_tail",
       "tail_risk",
       "60",
       {"window"},
       {{"var", "value_at_risk", kRaw}, {"shortfall", "expected_shortfall", kRaw}}},
  };
}

std::vector<Family> volume_families() {
  return {
      {"flow_obv", "obv", "20", {"window"}, {{"zscore", "zscore", kRaw}}},
      {"flow_accumulation_distribution", "accumulation_distribution", "20", {"window"}, {{"zscore", "zscore", kRaw}}},
      {"flow_price_volume_trend", "price_volume_trend", "20", {"window"}, {{"zscore", "zscore", kRaw}}},
      {"flow_volume_index",
       "volume_index",
       "50",
       {"window"},
       {{"positive", "positive_signal", kRaw}, {"negative", "negative_signal", kRaw}}},
      {"flow_chaikin_money_flow", "chaikin_money_flow", "20", {"window"}, {{"raw", "value", kRaw}}},
      {"flow_mfi", "mfi", "14", {"window"}, {{"raw", "value", kRaw}}},
      {"flow_force_index", "force_index", "13", {"window"}, {{"normalised", "normalised", kRaw}}},
      {"flow_ease_of_movement", "ease_of_movement", "14", {"window"}, {{"normalised", "normalised", kRaw}}},
      {"flow_vwap", "rolling_vwap", "20", {"window"}, {{"ratio", "value", kRelative}}},
      {"flow_volume", "volume_ratio", "20", {"window"}, {{"ratio", "value", kRaw}}},
      {"flow_volume_zscore", "volume_zscore", "20", {"window"}, {{"raw", "value", kRaw}}},
  };
}

std::vector<Family> statistical_families() {
  return {
      {"stat_return", "simple_return", "5", {"window"}, {{"raw", "value", kRaw}}},
      {"stat_log_return", "log_return", "1", {"window"}, {{"raw", "value", kRaw}}},
      {"stat_returns",
       "return_moments",
       "20",
       {"window"},
       {{"mean", "mean", kRaw}, {"std", "std", kRaw}, {"skew", "skew", kRaw}, {"kurtosis", "kurtosis", kRaw}}},
      {"stat_zscore", "price_moments", "20", {"window"}, {{"close", "zscore", kRaw}}},
      {"stat_std", "price_moments", "20", {"window"}, {{"close", "std", kOverClose}}},
      {"stat_quantile", "rolling_quantile", "60", {"window"}, {{"rank", "rank", kRaw}, {"median", "value", kRelative}}},
      {"stat_drawdown", "drawdown", "60", {"window"}, {{"raw", "value", kRaw}}},
      {"stat_autocorrelation", "autocorrelation", "60x1", {"window", "lag"}, {{"raw", "value", kRaw}}},
      {"stat_regression",
       "regression",
       "20",
       {"window"},
       {{"slope", "slope", kOverClose},
        {"r2", "r2", kRaw},
        {"residual", "residual", kOverClose},
        {"error", "standard_error", kOverClose}}},
      {"micro_amihud", "amihud", "20", {"window"}, {{"relative", "relative", kRaw}}},
      {"micro_roll_spread", "roll_spread", "20", {"window"}, {{"ratio", "value", kOverClose}}},
      {"micro_close_location", "close_location_value", "1", {"window"}, {{"raw", "value", kRaw}}},
      {"micro_gap", "gap", "1", {}, {{"raw", "value", kRaw}}},
      {"cal_date",
       "calendar",
       "1",
       {},
       {{"dayofweek", "day_of_week", kRaw},
        {"dayofmonth", "day_of_month", kRaw},
        {"month", "month", kRaw},
        {"monthend", "days_to_month_end", kRaw}}},
  };
}

std::vector<Family> market_families() {
  constexpr Scope kMarket = Scope::kContext;
  return {
      {"cross_beta", "beta", "60", {"window"}, {{"market", "beta", kRaw}}},
      {"cross_alpha", "beta", "60", {"window"}, {{"market", "alpha", kRaw}}},
      {"cross_correlation", "beta", "60", {"window"}, {{"market", "correlation", kRaw}}},
      {"cross_excess", "relative_strength", "20", {"window"}, {{"market", "excess", kRaw}}},
      {"cross_relative_strength", "relative_strength", "60", {"window"}, {{"market", "ratio", kRaw}}},
      {"ctx_return", "simple_return", "5", {"window"}, {{"raw", "value", kRaw}}, kMarket},
      {"ctx_log_return", "log_return", "1", {"window"}, {{"raw", "value", kRaw}}, kMarket},
      {"ctx_realvol",
       "historical_volatility",
       "21",
       {"window"},
       {{"annual", "annual", kRaw}, {"bar", "bar", kRaw}},
       kMarket},
      {"ctx_sma", "sma", "50", {"window"}, {{"ratio", "value", kRelative}}, kMarket},
      {"ctx_rsi", "rsi", "14", {"window"}, {{"raw", "value", kRaw}}, kMarket},
      {"ctx_zscore", "price_moments", "20", {"window"}, {{"close", "zscore", kRaw}}, kMarket},
      {"ctx_drawdown", "drawdown", "60", {"window"}, {{"raw", "value", kRaw}}, kMarket},
      {"ctx_returns",
       "return_moments",
       "60",
       {"window"},
       {{"mean", "mean", kRaw}, {"std", "std", kRaw}, {"skew", "skew", kRaw}, {"kurtosis", "kurtosis", kRaw}},
       kMarket},
  };
}

std::vector<Family> all_families() {
  std::vector<Family> all;
  for (const auto& group : {trend_families(), momentum_families(), volatility_families(), volume_families(),
                            statistical_families(), market_families()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

constexpr std::array<std::string_view, 56> kDefaultFeatures{"stat_log_return_1_raw",
                                                            "stat_log_return_5_raw",
                                                            "stat_log_return_21_raw",
                                                            "stat_log_return_63_raw",
                                                            "tech_sma_10_ratio",
                                                            "tech_sma_50_ratio",
                                                            "tech_sma_200_ratio",
                                                            "tech_ema_20_ratio",
                                                            "tech_kama_10_efficiency",
                                                            "tech_adx_14_raw",
                                                            "tech_adx_14_plus",
                                                            "tech_adx_14_minus",
                                                            "tech_aroon_25_oscillator",
                                                            "tech_sar_1_ratio",
                                                            "tech_supertrend_10_direction",
                                                            "tech_rsi_7_raw",
                                                            "tech_rsi_14_raw",
                                                            "tech_stochastic_14x3x3_k",
                                                            "tech_williams_r_14_raw",
                                                            "tech_cci_20_raw",
                                                            "tech_ultimate_7x14x28_raw",
                                                            "tech_tsi_25x13_raw",
                                                            "tech_ppo_12x26x9_line",
                                                            "tech_ppo_12x26x9_histogram",
                                                            "vol_bollinger_20_percentb",
                                                            "vol_bollinger_20_bandwidth",
                                                            "vol_keltner_20x10_position",
                                                            "vol_donchian_20_position",
                                                            "vol_natr_14_raw",
                                                            "vol_historical_21_annual",
                                                            "vol_garman_klass_21_annual",
                                                            "vol_yang_zhang_21_annual",
                                                            "flow_obv_20_zscore",
                                                            "flow_chaikin_money_flow_20_raw",
                                                            "flow_mfi_14_raw",
                                                            "flow_force_index_13_normalised",
                                                            "flow_volume_20_ratio",
                                                            "flow_volume_zscore_20_raw",
                                                            "stat_returns_20_skew",
                                                            "stat_returns_60_kurtosis",
                                                            "stat_zscore_20_close",
                                                            "stat_quantile_60_rank",
                                                            "stat_drawdown_120_raw",
                                                            "stat_autocorrelation_60x1_raw",
                                                            "stat_regression_20_slope",
                                                            "stat_regression_20_r2",
                                                            "micro_amihud_20_relative",
                                                            "micro_close_location_1_raw",
                                                            "micro_gap_1_raw",
                                                            "cross_beta_60_market",
                                                            "cross_correlation_60_market",
                                                            "cross_excess_20_market",
                                                            "ctx_return_5_raw",
                                                            "ctx_realvol_21_annual",
                                                            "event_rate_decision_decay_5",
                                                            "event_rate_decision_since_60"};

}  // namespace

std::span<const Family> families() {
  static const std::vector<Family> kFamilies = all_families();
  return kFamilies;
}

std::span<const std::string_view> default_features() { return kDefaultFeatures; }

}  // namespace tradewind::features
