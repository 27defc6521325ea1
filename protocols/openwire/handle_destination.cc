#include <string>
#include <utility>

#include "core/modified_utf8.h"
#include "protocols/openwire/java_errors.h"
#include "protocols/openwire/openwire_session.h"

// DestinationInfo and RemoveSubscriptionInfo. Source: reference §6.14, §6.16, §6.17.

namespace pabal::openwire {

void OpenWireSession::apply_command(DestinationInfo& info, core::Engine& engine,
                                    core::TimePoint now) {
  if (!info.destination) return reject(info, kInvalidDestination, "no destination");
  const core::Destination destination{
      kind_of(info.destination->type),
      std::string(core::utf8_of(info.destination->physical_name, cache_.text))};
  switch (info.operation_type) {
    case DestinationInfo::kAdd:
      return add_destination(info, destination, engine);
    case DestinationInfo::kRemove:
      return remove_destination(info, destination, engine, now);
    default:
      return reject(info, kJmsException, "an unknown operation on a destination");
  }
}

void OpenWireSession::add_destination(const CommandHead& head, const core::Destination& destination,
                                      core::Engine& engine) {
  if (core::is_temporary(destination.kind)) {
    // Or one client could take the names that another one is going to give.
    const std::string own = std::string(core::utf8_of(connection_id_, cache_.text)) + ':';
    if (!destination.name.starts_with(own)) {
      return reject(head, kInvalidDestination, "a temporary destination is called " + own + "n");
    }
    const auto made = engine.create_temporary(*connection_, destination);
    if (!made) return reject(head, made.error());
    return confirm(head, core::kNoTicket);
  }
  if (destination.kind == core::DestinationKind::queue) {
    const auto made = engine.create_queue(destination.name);
    if (!made && made.error().code != core::Errc::already_exists) {
      return reject(head, made.error(), engine.submitted());
    }
  }
  // A topic comes into being with its first subscriber.
  confirm(head, engine.submitted());
}

void OpenWireSession::remove_destination(const CommandHead& head,
                                         const core::Destination& destination, core::Engine& engine,
                                         core::TimePoint now) {
  if (core::is_temporary(destination.kind)) {
    const auto deleted = engine.delete_temporary(*connection_, destination, now);
    if (!deleted && engine.has_temporary(destination)) return reject(head, deleted.error());
    return confirm(head, engine.submitted());
  }
  const auto answer = [&](const auto& deleted) {
    // Unknown: there is nothing to remove (reference §6.16).
    if (!deleted && deleted.error().code != core::Errc::not_found) {
      return reject(head, kJmsException, deleted.error().text, engine.submitted());
    }
    confirm(head, engine.submitted());
  };
  if (destination.kind == core::DestinationKind::topic) {
    return answer(engine.delete_topic(destination, now));
  }
  answer(engine.delete_queue(destination, core::QueueDeletion::with_messages, now));
}

void OpenWireSession::apply_command(RemoveSubscriptionInfo& info, core::Engine& engine,
                                    core::TimePoint now) {
  const std::string name(core::utf8_of(info.subscription_name.value_or(""), cache_.text));
  // The client id of the info is not to be trusted.
  const auto deleted = engine.delete_durable(client_id_, name, now);
  if (deleted) return confirm(info, engine.submitted());
  const bool unknown = deleted.error().code == core::Errc::not_found;
  reject(info, unknown ? kInvalidDestination : kJmsException, deleted.error().text,
         engine.submitted());
}

}  // namespace pabal::openwire
