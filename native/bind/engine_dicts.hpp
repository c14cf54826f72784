// Shell: messages to and from Python dictionaries, by the field list that the journal uses, too.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <type_traits>
#include <vector>

#include "tradewind/journal/fields.hpp"

namespace tradewind::binding {

namespace py = pybind11;

// Enumerations are integers (numbers of tradewind.v1 where it has them), codes are names, money and quantities raw
// integers.
class ToDict {
 public:
  explicit ToDict(py::dict out) : out_(std::move(out)) {}

  template <class T>
  void operator()(const char* name, const T& value) {
    if constexpr (std::is_same_v<T, RejectCode>) {
      out_[name] = py::str(std::string(to_string(value)));
    } else if constexpr (std::is_enum_v<T>) {
      out_[name] = py::int_(static_cast<int>(value));
    } else if constexpr (std::is_same_v<T, bool>) {
      out_[name] = py::bool_(value);
    } else if constexpr (std::is_integral_v<T>) {
      out_[name] = py::int_(value);
    } else if constexpr (requires { value.raw; }) {
      out_[name] = py::int_(value.raw);
    } else if constexpr (requires { value.view(); }) {
      const auto text = value.view();
      out_[name] = py::reinterpret_steal<py::object>(
          PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
    } else {
      py::dict inner;
      ToDict visit(inner);
      fields(visit, value);
      out_[name] = inner;
    }
  }
  template <class List>
  void list(const char* name, const List& values, std::uint8_t count) {
    py::list items;
    for (std::size_t i = 0; i < count; ++i) items.append(values[i].str());
    out_[name] = items;
  }
  template <class List>
  void numbers(const char* name, const List& values, std::uint8_t count) {
    py::list items;
    for (std::size_t i = 0; i < count; ++i) items.append(values[i]);
    out_[name] = items;
  }

 private:
  py::dict out_;
};

template <class T>
py::dict dict_of(const T& value, const char* kind) {
  py::dict out;
  if (kind != nullptr) out["kind"] = kind;
  ToDict visit(out);
  fields(visit, value);
  return out;
}

// Takes what the dictionary gives, leaves the rest at its default, and refuses a key that no field has.
class FromDict {
 public:
  FromDict(const py::dict& in, std::string where) : in_(in), where_(std::move(where)) {}

  template <class T>
  void operator()(const char* name, T& value) {
    if (!in_.contains(name)) return;
    ++taken_;
    const py::object given = in_[name];
    try {
      if constexpr (std::is_enum_v<T>) {
        value = static_cast<T>(given.cast<std::uint8_t>());
      } else if constexpr (std::is_same_v<T, bool> || std::is_integral_v<T>) {
        value = given.cast<T>();
      } else if constexpr (requires { value.raw; }) {
        value.raw = given.cast<std::int64_t>();
      } else if constexpr (requires { value.view(); }) {
        if (!value.assign(given.cast<std::string>()))
          throw py::value_error(where_ + "." + name + ": the text is too long");
      } else {
        FromDict visit(given.cast<py::dict>(), where_ + "." + name);
        fields(visit, value);
        visit.done();
      }
    } catch (const py::cast_error&) {
      throw py::value_error(where_ + "." + name + ": the value has the wrong type or does not fit");
    }
  }
  template <class List>
  void numbers(const char* name, List& values, std::uint8_t& count) {
    if (!in_.contains(name)) return;
    ++taken_;
    const auto given = in_[name].template cast<std::vector<std::int64_t>>();
    if (given.size() > values.size())
      throw py::value_error(where_ + "." + name + ": at most " + std::to_string(values.size()) + " fit");
    count = static_cast<std::uint8_t>(given.size());
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<std::int32_t>(given[i]);
  }
  void also(const char* name) { taken_ += in_.contains(name) ? 1 : 0; }
  void done() const {
    if (taken_ != in_.size())
      throw py::value_error(where_ + ": unknown key among " + py::str(in_.attr("keys")()).cast<std::string>());
  }

 private:
  py::dict in_;
  std::string where_;
  std::size_t taken_ = 0;
};

}  // namespace tradewind::binding
