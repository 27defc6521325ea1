#pragma once

#include <optional>

#include "core/engine.h"
#include "server/api.h"
#include "server/api_support.h"

// An operator's command as the engine carries it out: a task, asked for by its number. Shared by
// the tables of routes that begin some. Thread: management.

namespace pabal::server {

/// The largest `limit` of a command.
inline constexpr std::uint64_t kTaskLimitMax = ~std::uint64_t{0} >> 1;

/// Errors: as Engine::start_task.
core::Result<core::TaskId> start_task(EngineGate& gate, core::QueueTaskOptions options);
/// Its result, and it is forgotten; nullopt: there is none.
std::optional<core::QueueTaskView> take_task(EngineGate& gate, core::TaskId id);

struct TaskProgress {
  core::QueueTaskView view;  ///< without its messages
  bool ended = false;        ///< and on disk: nobody is told before that
};
/// How far a command is, waiting for its end until `deadline`; nullopt: there is none.
std::optional<TaskProgress> wait_for_task(EngineGate& gate, core::TaskId id,
                                          ApiClock::time_point deadline);

/// Begins a command, and answers when it has ended or the request's `wait` has passed.
ApiAnswer carry_out(EngineGate& gate, const ApiRequest& request, core::QueueTaskOptions options);

/// Of a path. Errors: invalid_argument (not digits and nothing else).
core::Result<core::TaskId> task_id(const std::string& text);

}  // namespace pabal::server
