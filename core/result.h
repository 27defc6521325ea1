#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/check.h"

namespace pabal::core {

/// Every way in which core or a store can refuse or fail. Closed: detail goes into the text.
enum class Errc : std::uint8_t {
  bad_destination,   ///< not a name, or not one for this operation
  invalid_argument,  ///< a field out of its range
  not_found,         ///< no such subscription, delivery, transaction
  already_exists,    ///< the name is taken
  in_use,            ///< the thing is busy: an active durable subscriber, a client id
  bad_state,         ///< not now: for example nothing to commit
  not_authorized,    ///< known, but may not
  not_supported,     ///< understood, but this broker does not do it (yet)
  quota_exceeded,    ///< a named limit was reached; the text names it
  store_full,        ///< no disk space for sends; acknowledgements still work
  store_io,          ///< the store failed or found damage
};

std::string_view to_string(Errc code) noexcept;

struct Error {
  Errc code{};
  std::string text;  ///< for people: names the thing and the reason; no trailing full stop
};

/// A value or an error; spelled like std::expected<T, E>, to become an alias under C++23. `E` is
/// Error for core and stores; what answers to somebody else (a wire, a shell) may bring its own.
template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  T& value() {
    PABAL_CHECK(has_value(), "value() of an error");
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    PABAL_CHECK(has_value(), "value() of an error");
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const E& error() const {
    PABAL_CHECK(!has_value(), "error() of a value");
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;
  Result(E error) : error_(std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] const E& error() const {
    PABAL_CHECK(error_.has_value(), "error() of a value");
    return *error_;
  }

 private:
  std::optional<E> error_;
};

}  // namespace pabal::core
