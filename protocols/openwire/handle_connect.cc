#include <algorithm>
#include <string>
#include <utility>

#include "core/modified_utf8.h"
#include "protocols/openwire/destinations.h"
#include "protocols/openwire/java_errors.h"
#include "protocols/openwire/openwire_session.h"

// ConnectionInfo, SessionInfo, ProducerInfo, and the end of what they began.

namespace pabal::openwire {
namespace {

/// brokerSequenceId counts the deliveries of a connection from here: above what any earlier
/// connection of the client has seen, so that an old number means nothing delivered here.
std::int64_t sequence_base(core::TimePoint now) noexcept {
  constexpr int kDeliveriesBits = 20;
  return core::to_millis(now) << kDeliveriesBits;
}

/// Of a ConnectionId and a client id; every consumer keeps its ConnectionId.
constexpr std::size_t kIdBytesMax = 1024;

}  // namespace

void OpenWireSession::apply_command(ConnectionInfo& info, core::Engine& engine,
                                    core::TimePoint now) {
  if (state_ == State::connected) {
    // Source: reference §6.1: what is there may be added again; but a socket has one connection.
    if (info.connection_id.value == connection_id_) return confirm(info, core::kNoTicket);
    return close_for("a second connection on one socket", engine, now);
  }
  if (connection_) return close_for("the connection of this socket has ended", engine, now);
  if (std::max(info.connection_id.value.size(), info.client_id.value_or("").size()) > kIdBytesMax) {
    reads_connected_ = false;
    parser_.set_frame_bytes_max(options_.unconnected_frame_bytes_max);
    return reject(
        info, kInvalidClientId,
        "an id of a connection or client has at most " + std::to_string(kIdBytesMax) + " bytes");
  }
  core::ConnectOptions options;
  options.home = peer_.home;
  options.client_id = core::utf8_of(info.client_id.value_or(""), cache_.text);
  options.remote = peer_.remote;
  options.protocol = "openwire " + std::to_string(format_.version);
  options.user = core::utf8_of(info.user_name.value_or(""), cache_.text);
  options.instance = info.connection_id.value;
  auto details = engine.connect(options, now);
  if (!details) {
    reads_connected_ = false;
    parser_.set_frame_bytes_max(options_.unconnected_frame_bytes_max);
    const core::Error& error = details.error();
    if (error.code != core::Errc::in_use) return reject(info, error);
    return reject(info, kInvalidClientId, "Broker: " + options_.broker_name + " - " + error.text);
  }
  state_ = State::connected;
  reconnected_ = info.failover_reconnect;
  connection_ = details->id;
  origin_ = details->origin;
  connection_id_ = info.connection_id.value;
  client_id_ = std::move(details->client_id);
  user_ = std::move(options.user);
  sequence_base_ = sequence_base(now);
  confirm(info, core::kNoTicket);
  if (!info.manageable) return;
  ConnectionControl control;
  control.connected_brokers = "";
  control.reconnect_to = "";
  append_frame(bytes(), control, format_);
  end_piece(core::kNoTicket);
}

void OpenWireSession::apply_command(SessionInfo& info, core::Engine& /*engine*/,
                                    core::TimePoint /*now*/) {
  const SessionId& id = info.session_id;
  if (!is_own(id.connection_id)) {
    return reject(info, kIllegalState, "a session of another connection");
  }
  if (!registry_.has_session(id.value) && registry_.sessions() >= options_.sessions_max) {
    return reject(
        info, kResourceAllocation,
        "sessions_max: the connection has " + std::to_string(options_.sessions_max) + " sessions");
  }
  registry_.add_session(id.value);
  confirm(info, core::kNoTicket);
}

void OpenWireSession::apply_command(ProducerInfo& info, core::Engine& engine, core::TimePoint now) {
  const ProducerId& id = info.producer_id;
  if (!is_own(id.connection_id) || !registry_.has_session(id.session_id)) {
    return reject(info, kIllegalState,
                  "Cannot add a producer to a session that had not been "
                  "registered");
  }
  const ObjectKey key{id.session_id, id.value};
  const Producer* known = registry_.find_producer(key);
  if (known == nullptr && registry_.producers() >= options_.producers_max) {
    return reject(info, kResourceAllocation,
                  "producers_max: the connection has " + std::to_string(options_.producers_max) +
                      " producers");
  }
  Producer producer;
  producer.window = info.window_size > 0 ? static_cast<std::uint32_t>(info.window_size) : 0;
  if (known != nullptr) {
    producer.id = known->id;
  } else {
    core::ProducerOptions options;
    options.number = {id.session_id, id.value};
    if (info.destination) {
      const auto name = core::utf8_of(info.destination->physical_name, cache_.text);
      options.destination =
          core::Destination{kind_of(info.destination->type), std::string(without_options(name))};
      // Composites are longer than their parts may be; of what is too long nothing is told.
      if (!core::validate_destination_name(options.destination->name)) options.destination.reset();
    }
    const auto added = engine.add_producer(*connection_, std::move(options), now);
    if (!added) return reject(info, added.error());
    producer.id = *added;
  }
  registry_.add_producer(key, producer);
  confirm(info, core::kNoTicket);
}

void OpenWireSession::remove_producer(const ObjectKey& key, core::Engine& engine,
                                      core::TimePoint now) {
  const Producer* producer = registry_.find_producer(key);
  if (producer == nullptr) return;
  engine.remove_producer(producer->id, now);
  registry_.remove_producer(key);
}

/// Source: reference §6.7, §6.23.
void OpenWireSession::apply_command(RemoveInfo& info, core::Engine& engine, core::TimePoint now) {
  const auto foreign = [&] { reject(info, kIllegalState, "an object of another connection"); };
  if (const auto* consumer = std::get_if<ConsumerId>(&info.object_id)) {
    if (!is_own(consumer->connection_id)) return foreign();
    remove_consumer({consumer->session_id, consumer->value}, info.last_delivered_sequence_id,
                    engine, now);
  } else if (const auto* producer = std::get_if<ProducerId>(&info.object_id)) {
    if (!is_own(producer->connection_id)) return foreign();
    remove_producer({producer->session_id, producer->value}, engine, now);
  } else if (const auto* session = std::get_if<SessionId>(&info.object_id)) {
    if (!is_own(session->connection_id)) return foreign();
    for (const ObjectKey& key : registry_.consumers_of(session->value)) {
      remove_consumer(key, info.last_delivered_sequence_id, engine, now);
    }
    for (const ObjectKey& key : registry_.producers_of(session->value)) {
      remove_producer(key, engine, now);
    }
    registry_.remove_session(session->value);
  } else {
    if (!is_own(std::get<ConnectionId>(info.object_id).value)) return foreign();
    for (const ObjectKey& key : registry_.consumers_of(std::nullopt)) {
      remove_consumer(key, info.last_delivered_sequence_id, engine, now);
    }
    leave(engine, now);
    state_ = State::waiting;
  }
  confirm(info, engine.submitted());
}

}  // namespace pabal::openwire
