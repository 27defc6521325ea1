#include <chrono>
#include <optional>

#include <Poco/JSON/Array.h>

#include "server/api.h"
#include "server/api_support.h"
#include "server/utf8.h"

// XA branches over HTTP: which are in doubt, and an operator's word instead of the transaction
// manager's.

namespace pabal::server {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

Object::Ptr branch_json(const core::BranchSnapshot& view) {
  const auto age = std::chrono::system_clock::now() - view.since;
  auto json = json_object();
  json->set("xid", view.xid.to_text());
  json->set("state", std::string(core::to_string(view.state)));
  json->set("since", Poco::Int64{core::to_millis(view.since)});
  json->set("ageSeconds",
            Poco::Int64{std::chrono::duration_cast<std::chrono::seconds>(age).count()});
  json->set("clientId", to_utf8(view.client_id));
  json->set("remote", to_utf8(view.remote));
  json->set("sends", Poco::UInt64{view.sends});
  json->set("acknowledgements", Poco::UInt64{view.acknowledgements});
  json->set("bytes", Poco::UInt64{view.bytes});
  return json;
}

ApiAnswer get_branches(EngineGate& gate, const ApiRequest& request) {
  const auto limit = request.number("limit", kPageDefault, kPageMax);
  if (!limit) return ApiAnswer::failure(limit.error());
  std::optional<core::Xid> after;
  if (const std::string text = request.text("after"); !text.empty()) {
    auto parsed = core::Xid::parse(text);
    if (!parsed) return ApiAnswer::failure(parsed.error());
    after = std::move(*parsed);
  }
  const bool active = request.flag("active");
  const auto views = gate.inspect([&](const core::Engine& engine) {
    return engine.branches(after ? &*after : nullptr, *limit, !active);
  });
  Array::Ptr branches = new Array;
  for (const auto& view : views) branches->add(branch_json(view));
  auto json = json_object();
  json->set("branches", branches);
  if (!views.empty() && views.size() == *limit) json->set("next", views.back().xid.to_text());
  return ApiAnswer::ok(*json);
}

/// Carries `change` out; answers when it is on disk, or says that it goes on (202).
template <class Change>
ApiAnswer finish(EngineGate& gate, const ApiRequest& request, Change change) {
  // Also as STOMP writes it.
  std::string_view text = request.arguments[0];
  if (text.starts_with("xid:")) text.remove_prefix(4);
  const auto xid = core::Xid::parse(text);
  if (!xid) return ApiAnswer::failure(xid.error());
  const auto deadline = deadline_of(request);
  if (!deadline) return ApiAnswer::failure(deadline.error());
  core::Outcome outcome;
  gate.visit([&](core::Engine& engine, core::TimePoint now)
                 PABAL_REQUIRES(core::engine_role) { outcome = change(engine, *xid, now); });
  if (outcome.disposition == core::Disposition::failed) return ApiAnswer::failure(*outcome.error);
  core::BranchState state = core::BranchState::committing;
  const bool done = wait_until(*deadline, [&] {
    if (outcome.disposition == core::Disposition::done) return gate.durable() >= outcome.after;
    // A commit that reads its messages back first.
    const auto views = gate.inspect(
        [&](const core::Engine& engine) { return engine.branches(nullptr, SIZE_MAX, true); });
    for (const auto& view : views) {
      if (view.xid == *xid) state = view.state;
    }
    return state != core::BranchState::committing;
  });
  if (done && state == core::BranchState::prepared) {
    return ApiAnswer::failure(
        {core::Errc::store_full, "it could not be committed and stays prepared; ask again"});
  }
  auto json = json_object();
  json->set("xid", xid->to_text());
  json->set("ended", done);
  return ApiAnswer::ok(*json, done ? 200 : 202);
}

ApiAnswer post_commit(EngineGate& gate, const ApiRequest& request) {
  return finish(gate, request, [](core::Engine& engine, const core::Xid& xid, core::TimePoint now) {
    return engine.xa_complete_by_hand(xid, true, now);
  });
}
ApiAnswer post_rollback(EngineGate& gate, const ApiRequest& request) {
  return finish(gate, request, [](core::Engine& engine, const core::Xid& xid, core::TimePoint now) {
    return engine.xa_complete_by_hand(xid, false, now);
  });
}
ApiAnswer post_forget(EngineGate& gate, const ApiRequest& request) {
  return finish(gate, request, [](core::Engine& engine, const core::Xid& xid, core::TimePoint now) {
    return engine.xa_forget(xid, now);
  });
}

constexpr ApiRoute kRoutes[] = {
    {"GET", "/api/xa", "after limit active", get_branches},
    {"POST", "/api/xa/{}/commit", "wait", post_commit},
    {"POST", "/api/xa/{}/rollback", "wait", post_rollback},
    {"POST", "/api/xa/{}/forget", "wait", post_forget},
};

}  // namespace

const std::span<const ApiRoute> kXaRoutes{kRoutes};

}  // namespace pabal::server
