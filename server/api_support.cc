#include "server/api_support.h"

#include <algorithm>
#include <string_view>
#include <thread>
#include <utility>

#include "core/selector.h"

namespace pabal::server {
namespace {

constexpr std::uint64_t kWaitMillisDefault = 2000;
constexpr std::uint64_t kWaitMillisMax = 5000;

}  // namespace

Poco::JSON::Object::Ptr json_object() {
  return new Poco::JSON::Object(Poco::JSON_PRESERVE_KEY_ORDER);
}

core::Destination destination_named(const std::string& name) {
  using enum core::DestinationKind;
  constexpr std::pair<std::string_view, core::DestinationKind> kPrefixes[] = {
      {"queue://", queue},
      {"/queue/", queue},
      {"topic://", topic},
      {"/topic/", topic},
      {"temp-queue://", temporary_queue},
  };
  for (const auto& [prefix, kind] : kPrefixes) {
    if (name.starts_with(prefix)) return {kind, name.substr(prefix.size())};
  }
  return {queue, name};
}

core::Result<core::Destination> one_destination_named(const std::string& name) {
  core::Destination destination = destination_named(name);
  std::string why;
  if (name.find(',') != std::string::npos) {
    why = "it has a comma, which separates destinations; name one";
  } else if (destination.name.starts_with('/') ||
             destination.name.find("://") != std::string::npos) {
    why = "write a queue as NAME or /queue/NAME, a topic as /topic/NAME";
  } else if (destination.name.empty()) {
    why = "the name is empty";
  } else {
    return destination;
  }
  return core::Error{core::Errc::bad_destination, "'" + name + "' is no destination: " + why};
}

std::string operator_selector(const std::string& text) {
  return text.empty() ? text : std::string(core::Selector::kConvertTexts) + text;
}

core::Result<ApiClock::time_point> deadline_of(const ApiRequest& request) {
  const auto wait = request.number("wait", kWaitMillisDefault, kWaitMillisMax);
  if (!wait) return wait.error();
  return ApiClock::now() + std::chrono::milliseconds(*wait);
}

void pause_between_looks(std::chrono::microseconds& pause) {
  constexpr std::chrono::microseconds kLongest{20'000};
  std::this_thread::sleep_for(pause);
  pause = std::min(pause * 2, kLongest);
}

}  // namespace pabal::server
