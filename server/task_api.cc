#include "server/task_api.h"

#include <charconv>
#include <utility>

#include "server/utf8.h"

namespace pabal::server {
namespace {

using Poco::JSON::Object;

Object::Ptr task_json(const core::QueueTaskView& view) {
  auto json = json_object();
  json->set("task", json_number(core::raw(view.id)));
  json->set("command", std::string(core::to_string(view.command)));
  if (view.subscription.empty()) {
    json->set("queue", to_utf8(view.queue.to_text()));
  } else {
    json->set("topic", to_utf8(view.queue.to_text()));
    json->set("clientId", to_utf8(view.client_id));
    json->set("subscription", to_utf8(view.subscription));
  }
  json->set("state", std::string(core::to_string(view.state)));
  if (!view.text.empty()) json->set("text", to_utf8(view.text));
  json->set("lookedAt", json_number(view.looked_at));
  json->set("affected", json_number(view.affected));
  json->set("skippedInFlight", json_number(view.skipped_out));
  json->set("skippedOther", json_number(view.skipped_other));
  if (!view.skipped_why.empty()) json->set("skippedWhy", to_utf8(view.skipped_why));
  json->set("damaged", json_number(view.damaged));
  if (!view.damage.empty()) json->set("damage", to_utf8(view.damage));
  return json;
}

ApiAnswer answer_progress(EngineGate& gate, core::TaskId id, const ApiRequest& request) {
  const auto deadline = deadline_of(request);
  if (!deadline) return ApiAnswer::failure(deadline.error());
  const auto progress = wait_for_task(gate, id, *deadline);
  if (!progress) return ApiAnswer::failure(404, "not_found", "no such command, or forgotten");
  auto json = task_json(progress->view);
  json->set("ended", progress->ended);
  return ApiAnswer::ok(*json, progress->ended ? 200 : 202);
}

ApiAnswer get_task(EngineGate& gate, const ApiRequest& request) {
  const auto id = task_id(request.arguments[0]);
  if (!id) return ApiAnswer::failure(id.error());
  return answer_progress(gate, *id, request);
}

ApiAnswer delete_task(EngineGate& gate, const ApiRequest& request) {
  const auto id = task_id(request.arguments[0]);
  if (!id) return ApiAnswer::failure(id.error());
  const auto taken = take_task(gate, *id);
  if (!taken) return ApiAnswer::failure(404, "not_found", "no such command, or forgotten");
  return ApiAnswer::ok(*task_json(*taken));
}

constexpr ApiRoute kRoutes[] = {
    {"GET", "/api/tasks/{}", "wait", get_task},
    {"DELETE", "/api/tasks/{}", "", delete_task},
};

}  // namespace

const std::span<const ApiRoute> kTaskRoutes{kRoutes};

core::Result<core::TaskId> start_task(EngineGate& gate, core::QueueTaskOptions options) {
  std::optional<core::Result<core::TaskId>> started;
  gate.visit([&](core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role) {
    started = engine.start_task(std::move(options), now);
  });
  return *started;
}

std::optional<core::QueueTaskView> take_task(EngineGate& gate, core::TaskId id) {
  std::optional<core::QueueTaskView> taken;
  gate.visit([&](core::Engine& engine, core::TimePoint)
                 PABAL_REQUIRES(core::engine_role) { taken = engine.take_task(id); });
  return taken;
}

std::optional<TaskProgress> wait_for_task(EngineGate& gate, core::TaskId id,
                                          ApiClock::time_point deadline) {
  std::optional<core::Ticket> ticket;
  TaskProgress progress;
  bool there = true;
  progress.ended = wait_until(deadline, [&] {
    there = gate.inspect([&](const core::Engine& engine) {
      const auto* view = engine.task(id);
      if (view == nullptr) return false;
      progress.view = *view;
      progress.view.messages.clear();
      if (view->ended() && !ticket) ticket = engine.submitted();
      return true;
    });
    return !there || (ticket && gate.durable() >= *ticket);
  });
  if (!there) return std::nullopt;
  return progress;
}

ApiAnswer carry_out(EngineGate& gate, const ApiRequest& request, core::QueueTaskOptions options) {
  const auto id = start_task(gate, std::move(options));
  if (!id) return ApiAnswer::failure(id.error());
  return answer_progress(gate, *id, request);
}

core::Result<core::TaskId> task_id(const std::string& text) {
  std::uint64_t id = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || stop != end) {
    return core::Error{core::Errc::invalid_argument, "'" + text + "' is no number of a command"};
  }
  return core::TaskId{id};
}

}  // namespace pabal::server
