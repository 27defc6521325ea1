#pragma once

#include <chrono>
#include <string>

#include <Poco/JSON/Object.h>

#include "core/destination.h"
#include "core/result.h"
#include "server/api.h"

// What the tables of routes share. Thread: management.

namespace pabal::server {

inline constexpr std::uint64_t kPageDefault = 100;
inline constexpr std::uint64_t kPageMax = 1000;

/// An object whose members keep their order.
Poco::JSON::Object::Ptr json_object();
inline Poco::UInt64 json_number(std::uint64_t value) {
  return value;
}

/// A queue by its name, or any destination as logs ("topic://a") or STOMP ("/topic/a") write it.
core::Destination destination_named(const std::string& name);
/// The same, where something is to come into being or to be sent: what looks like another kind of
/// address is no queue's name there. Errors: bad_destination.
core::Result<core::Destination> one_destination_named(const std::string& name);

/// An operator's selector: as in a SUBSCRIBE of STOMP, a number in it means what a text spells,
/// since whatever STOMP clients send has texts only. Empty stays empty.
std::string operator_selector(const std::string& text);

using ApiClock = std::chrono::steady_clock;
/// Until when to wait for an end: the parameter `wait`, in milliseconds. Errors: invalid_argument.
core::Result<ApiClock::time_point> deadline_of(const ApiRequest& request);

/// Waits until `ended` answers true; false: the deadline came first. It is asked often at first.
template <class Ended>
bool wait_until(ApiClock::time_point deadline, Ended ended);
void pause_between_looks(std::chrono::microseconds& pause);

template <class Ended>
bool wait_until(ApiClock::time_point deadline, Ended ended) {
  for (auto pause = std::chrono::microseconds(200);; pause_between_looks(pause)) {
    if (ended()) return true;
    if (ApiClock::now() >= deadline) return false;
  }
}

}  // namespace pabal::server
