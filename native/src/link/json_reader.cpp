// Core: see json_reader.hpp.
#include "tradewind/link/json_reader.hpp"

namespace tradewind {

void JsonReader::skip_space() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
    ++at_;
  }
}

char JsonReader::peek() {
  skip_space();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonReader::at_end() {
  skip_space();
  return at_ == text_.size();
}

bool JsonReader::enter(char open) {
  if (failed_ || peek() != open || depth_ + 1 >= kMaxDepth) return fail();
  ++at_;
  ++depth_;
  first_ |= 1U << depth_;
  return true;
}

bool JsonReader::next(char close) {
  if (failed_ || depth_ == 0) return fail();
  const std::uint32_t bit = 1U << depth_;
  const char c = peek();
  if (c == close) {
    ++at_;
    first_ &= ~bit;
    --depth_;
    return false;
  }
  if ((first_ & bit) != 0) {
    first_ &= ~bit;
    return c != '\0' || fail();
  }
  if (c != ',') return fail();
  ++at_;
  return true;
}

bool JsonReader::next_member(std::string_view& key) {
  if (!next('}')) return false;
  if (!read_string(key) || peek() != ':') return fail();
  ++at_;
  return true;
}

bool JsonReader::next_element() { return next(']'); }

bool JsonReader::read_string(std::string_view& raw) {
  if (peek() != '"') return fail();
  const std::size_t begin = ++at_;
  for (; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (c == '"') {
      raw = text_.substr(begin, at_ - begin);
      ++at_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return fail();
    if (c == '\\') ++at_;  // the escaped character is checked when it is decoded
  }
  return fail();
}

bool JsonReader::read_word(JsonScalar& scalar) {
  const std::size_t begin = at_;
  const auto is_word = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' ||
           c == '.';
  };
  while (at_ < text_.size() && is_word(text_[at_])) ++at_;
  scalar.raw = text_.substr(begin, at_ - begin);
  if (scalar.raw == "null") {
    scalar.kind = JsonScalar::Kind::kNull;
  } else if (scalar.raw == "true" || scalar.raw == "false") {
    scalar.kind = JsonScalar::Kind::kBool;
  } else if (!scalar.raw.empty() && (scalar.raw[0] == '-' || (scalar.raw[0] >= '0' && scalar.raw[0] <= '9'))) {
    scalar.kind = JsonScalar::Kind::kNumber;
  } else {
    return fail();
  }
  return true;
}

bool JsonReader::read_scalar(JsonScalar& scalar) {
  if (failed_) return false;
  switch (peek()) {
    case '"':
      scalar.kind = JsonScalar::Kind::kString;
      return read_string(scalar.raw);
    case '{':
    case '[':
      scalar = {JsonScalar::Kind::kComposite, {}};
      return skip_value();
    default:
      return read_word(scalar);
  }
}

bool JsonReader::skip_value() {
  if (failed_) return false;
  JsonScalar ignored;
  const char open = peek();
  if (open != '{' && open != '[') return read_scalar(ignored);
  if (open == '{') {
    if (!enter_object()) return false;
    std::string_view key;
    while (next_member(key)) {
      if (!skip_value()) return false;  // recursion ends at kMaxDepth
    }
  } else {
    if (!enter_array()) return false;
    while (next_element()) {
      if (!skip_value()) return false;
    }
  }
  return ok();
}

namespace {

[[nodiscard]] std::optional<std::uint32_t> hex4(std::string_view text, std::size_t at) {
  if (text.size() < at + 4) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const char c = text[i];
    std::uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint32_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<std::uint32_t>(c - 'A' + 10);
    } else {
      return std::nullopt;
    }
    value = value * 16 + digit;
  }
  return value;
}

std::size_t encode_utf8(std::uint32_t code, char* out) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  if (code < 0x80) {
    out[0] = byte(code);
    return 1;
  }
  if (code < 0x800) {
    out[0] = byte(0xC0 | (code >> 6));
    out[1] = byte(0x80 | (code & 0x3F));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = byte(0xE0 | (code >> 12));
    out[1] = byte(0x80 | ((code >> 6) & 0x3F));
    out[2] = byte(0x80 | (code & 0x3F));
    return 3;
  }
  out[0] = byte(0xF0 | (code >> 18));
  out[1] = byte(0x80 | ((code >> 12) & 0x3F));
  out[2] = byte(0x80 | ((code >> 6) & 0x3F));
  out[3] = byte(0x80 | (code & 0x3F));
  return 4;
}

// The character after a backslash at raw[at - 1]; moves `at` past the escape.
[[nodiscard]] std::optional<std::uint32_t> decode_escape(std::string_view raw, std::size_t& at) {
  static constexpr std::string_view kFrom = "\"\\/bfnrt";
  static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  if (at >= raw.size()) return std::nullopt;
  if (const std::size_t simple = kFrom.find(raw[at]); simple != std::string_view::npos) {
    ++at;
    return static_cast<std::uint32_t>(kTo[simple]);
  }
  if (raw[at] != 'u') return std::nullopt;
  const auto high = hex4(raw, at + 1);
  if (!high) return std::nullopt;
  at += 5;
  if (*high < 0xD800 || *high > 0xDFFF) return high;
  // A surrogate pair; half of one stands for no character.
  if (*high > 0xDBFF || raw.substr(at, 2) != "\\u") return std::nullopt;
  const auto low = hex4(raw, at + 2);
  if (!low || *low < 0xDC00 || *low > 0xDFFF) return std::nullopt;
  at += 6;
  return 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00);
}

}  // namespace

std::optional<std::size_t> json_unescape(std::string_view raw, char* out, std::size_t capacity, std::size_t* written) {
  std::size_t length = 0;
  std::size_t used = 0;
  bool room = true;
  const auto emit = [&](const char* bytes, std::size_t count) {
    length += count;
    room = room && used + count <= capacity;
    if (!room) return;
    for (std::size_t i = 0; i < count; ++i) out[used++] = bytes[i];
  };
  for (std::size_t at = 0; at < raw.size();) {
    if (raw[at] != '\\') {
      // A whole UTF-8 sequence at a time, so that a cut never splits a character.
      std::size_t end = at + 1;
      while (end < raw.size() && (static_cast<unsigned char>(raw[end]) & 0xC0) == 0x80) ++end;
      emit(raw.data() + at, end - at);
      at = end;
      continue;
    }
    const auto code = decode_escape(raw, ++at);
    if (!code) return std::nullopt;
    char bytes[4] = {};
    emit(bytes, encode_utf8(*code, bytes));
  }
  *written = used;
  return length;
}

}  // namespace tradewind
