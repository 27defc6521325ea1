#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include <Poco/JSON/Array.h>

#include "server/api.h"
#include "server/api_support.h"
#include "server/task_api.h"
#include "server/utf8.h"

// What is scheduled, over HTTP: listed by pages, and cancelled.

namespace pabal::server {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

/// "s-BEGIN-LEVEL-SEQUENCE" among what is stored, "m-TIME-0-SEQUENCE" among what is not.
std::string place_text(const core::SchedulePlace& place) {
  return std::string(place.in_memory ? "m-" : "s-") + std::to_string(core::to_millis(place.time)) +
         "-" + std::to_string(place.level) + "-" + std::to_string(place.sequence);
}

std::optional<core::SchedulePlace> read_place(std::string_view text) {
  core::SchedulePlace place;
  place.in_memory = text.starts_with("m-");
  if (!place.in_memory && !text.starts_with("s-")) return std::nullopt;
  std::int64_t time = 0;
  const char* at = text.data() + 2;
  const char* const end = text.data() + text.size();
  const auto read = [&](auto& value, bool last) {
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc() || (last ? stop != end : stop == end || *stop != '-')) return false;
    at = last ? stop : stop + 1;
    return true;
  };
  if (!read(time, false) || !read(place.level, false) || !read(place.sequence, true)) {
    return std::nullopt;
  }
  place.time = core::from_millis(time);
  return place;
}

Object::Ptr job_json(const core::ListedJob& job) {
  std::string targets;
  for (const auto& target : job.targets) {
    targets += (targets.empty() ? "" : ",") + target.to_text();
  }
  auto json = json_object();
  json->set("id", to_utf8(job.id));
  json->set("destination", to_utf8(targets));
  json->set("due", Poco::Int64{core::to_millis(job.at)});
  json->set("sent", Poco::Int64{job.timestamp});
  json->set("periodMillis", Poco::Int64{job.period.count()});
  json->set("repeat", Poco::Int64{job.repeat});
  json->set("cron", to_utf8(job.cron));
  json->set("cronDelayMillis", Poco::Int64{job.delay.count()});
  json->set("persistent", job.persistent);
  json->set("bytes", json_number(job.bytes));
  return json;
}

/// What is asked for; errors: bad_destination, invalid_argument.
core::Result<core::ScheduleTaskOptions> choice_of(const ApiRequest& request) {
  core::ScheduleTaskOptions options;
  options.job_id = request.text("id");
  if (const std::string name = request.text("destination"); !name.empty()) {
    options.destination = destination_named(name);
    if (options.destination.name.empty()) {
      return core::Error{core::Errc::bad_destination, "'" + name + "' names no destination"};
    }
  }
  return options;
}

core::Result<core::TaskId> start(EngineGate& gate, core::ScheduleTaskOptions options) {
  std::optional<core::Result<core::TaskId>> started;
  gate.visit([&](core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role) {
    started = engine.start_schedule_task(std::move(options), now);
  });
  return *started;
}

std::optional<core::ScheduleTaskView> take(EngineGate& gate, core::TaskId id) {
  std::optional<core::ScheduleTaskView> taken;
  gate.visit([&](core::Engine& engine, core::TimePoint)
                 PABAL_REQUIRES(core::engine_role) { taken = engine.take_schedule_task(id); });
  return taken;
}

/// Waits for the end of a command, on disk; false: the deadline came first, or there is none.
bool wait_for_end(EngineGate& gate, core::TaskId id, ApiClock::time_point deadline) {
  std::optional<core::Ticket> ticket;
  bool there = true;
  const bool ended = wait_until(deadline, [&] {
    gate.inspect([&](const core::Engine& engine) {
      const auto* view = engine.schedule_task(id);
      there = view != nullptr;
      if (there && view->ended && !ticket) ticket = engine.submitted();
    });
    return !there || (ticket && gate.durable() >= *ticket);
  });
  return there && ended;
}

ApiAnswer get_schedule(EngineGate& gate, const ApiRequest& request) {
  auto options = choice_of(request);
  if (!options) return ApiAnswer::failure(options.error());
  const auto limit = request.number("limit", kPageDefault, core::kListedJobsMax);
  if (!limit) return ApiAnswer::failure(limit.error());
  options->limit = *limit;
  if (const std::string from = request.text("after"); !from.empty()) {
    const auto place = read_place(from);
    if (!place) return ApiAnswer::failure(400, "invalid_argument", "after is a `next` as given");
    options->from = *place;
  }
  const auto deadline = deadline_of(request);
  if (!deadline) return ApiAnswer::failure(deadline.error());
  const auto id = start(gate, *std::move(options));
  if (!id) return ApiAnswer::failure(id.error());
  const bool ended = wait_for_end(gate, *id, *deadline);
  const auto view = take(gate, *id);
  if (!view) {
    return ApiAnswer::failure(
        {core::Errc::quota_exceeded, "forgotten: too many commands at a time"});
  }
  Object json(Poco::JSON_PRESERVE_KEY_ORDER);
  json.set("lookedAt", json_number(view->looked_at));
  // Cut short by the deadline it goes on where it was; nothing is found twice.
  if (view->more || !ended) json.set("next", place_text(view->next));
  if (!view->damage.empty()) json.set("damage", to_utf8(view->damage));
  Array::Ptr jobs = new Array;
  for (const auto& each : view->jobs) jobs->add(job_json(each));
  json.set("scheduled", jobs);
  return ApiAnswer::ok(json);
}

ApiAnswer answer_cancel(EngineGate& gate, const ApiRequest& request, core::TaskId id) {
  const auto deadline = deadline_of(request);
  if (!deadline) return ApiAnswer::failure(deadline.error());
  const bool ended = wait_for_end(gate, id, *deadline);
  std::optional<core::ScheduleTaskView> view;
  if (ended) {
    view = take(gate, id);
  } else {
    gate.inspect([&](const core::Engine& engine) {
      if (const auto* known = engine.schedule_task(id)) view = *known;
    });
  }
  if (!view) return ApiAnswer::failure(404, "not_found", "no such command, or forgotten");
  auto json = json_object();
  json->set("task", json_number(core::raw(id)));
  json->set("lookedAt", json_number(view->looked_at));
  json->set("cancelled", json_number(view->affected));
  if (!view->damage.empty()) json->set("damage", to_utf8(view->damage));
  json->set("ended", ended);
  return ApiAnswer::ok(*json, ended ? 200 : 202);
}

ApiAnswer post_cancel(EngineGate& gate, const ApiRequest& request) {
  auto options = choice_of(request);
  if (!options) return ApiAnswer::failure(options.error());
  options->cancel = true;
  const auto limit = request.number("limit", 0, ~std::uint64_t{0} >> 1);
  if (!limit) return ApiAnswer::failure(limit.error());
  options->limit = *limit;
  // A script whose variable was empty does not mean all.
  const bool chosen = !options->job_id.empty() || !options->destination.name.empty();
  if (chosen == request.flag("all")) {
    return ApiAnswer::failure(400, "invalid_argument",
                              "'id', 'destination' or both say which, or \"all\": true");
  }
  const auto id = start(gate, *std::move(options));
  if (!id) return ApiAnswer::failure(id.error());
  return answer_cancel(gate, request, *id);
}

ApiAnswer get_task(EngineGate& gate, const ApiRequest& request) {
  const auto id = task_id(request.arguments[0]);
  if (!id) return ApiAnswer::failure(id.error());
  return answer_cancel(gate, request, *id);
}

constexpr ApiRoute kRoutes[] = {
    {"GET", "/api/schedule", "id destination after limit wait", get_schedule},
    {"POST", "/api/schedule/cancel", "id destination all limit wait", post_cancel},
    {"GET", "/api/schedule/tasks/{}", "wait", get_task},
};

}  // namespace

const std::span<const ApiRoute> kScheduleRoutes{kRoutes};

}  // namespace pabal::server
