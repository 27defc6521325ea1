#include "tests/support/mqtt_broker.h"

#include "core/check.h"
#include "protocols/mqtt/packet_encoder.h"
#include "tests/support/mqtt_text.h"

namespace pabal::tests {
namespace {
const mqtt::ParserOptions kAnything;

store::MemoryStoreOptions by_hand() {
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  return options;
}
}  // namespace

MqttBroker::MqttBroker(core::EngineLimits limits, mqtt::SessionOptions options)
    : store_(std::make_unique<store::MemoryStore>(by_hand())),
      limits_(limits),
      options_(options),
      cache_(clock) {
  now_ = core::from_millis(1'700'000'000'000);
  engine_ = std::make_unique<core::Engine>(*store_, limits_, 1);
  engine_->configure({}, now_);
  store_->set_listener(this);
}

MqttBroker::~MqttBroker() {
  store_->set_listener(nullptr);
}

std::size_t MqttBroker::accept(mqtt::Level level) {
  Peer peer;
  const std::size_t number = peers_.size();
  peer.session = mqtt::make_session(
      options_, {core::HomeId(0), "tcp://127.0.0.1:" + std::to_string(50'000 + number)}, cache_);
  peer.wire = std::make_unique<Wire>(*store_);
  peer.parser = std::make_unique<mqtt::PacketParser>(kAnything, mqtt::Sender::server);
  peer.parser->set_level(level);
  peer.level = level;
  peers_.push_back(std::move(peer));
  return number;
}

std::size_t MqttBroker::dial(const mqtt::BridgeOptions& options, mqtt::BridgeStatus& status,
                             mqtt::BridgeCourse& course) {
  Peer peer;
  const std::size_t number = peers_.size();
  peer.session =
      mqtt::make_bridge_session(options, status, course, {core::HomeId(0), options.remote}, clock);
  peer.wire = std::make_unique<Wire>(*store_);
  peer.parser = std::make_unique<mqtt::PacketParser>(kAnything, mqtt::Sender::client);
  peer.parser->set_level(options.level);
  peer.level = options.level;
  peers_.push_back(std::move(peer));
  wait(number, {}, {});
  return number;
}

std::optional<core::milliseconds> MqttBroker::wait(std::size_t number, core::milliseconds idle_in,
                                                   core::milliseconds idle_out) {
  Peer& peer = peers_[number];
  const auto next = peer.session->on_timer(idle_in, idle_out, *peer.wire);
  settle();
  return next;
}

void MqttBroker::receive(std::size_t number, std::string_view bytes) {
  Peer& peer = peers_[number];
  if (peer.gone || peer.wire->closed()) return;
  peer.session->decode({bytes.data(), bytes.size()}, now_);
  settle();
}

void MqttBroker::send(std::size_t number, const mqtt::Packet& packet) {
  std::string bytes;
  const bool encoded = mqtt::append_packet(bytes, packet, peers_[number].level);
  PABAL_CHECK(encoded, "a packet of that level");
  receive(number, bytes);
}

void MqttBroker::settle() {
  core::engine_role.assert_held();
  bool more = true;
  while (more) {
    more = enter();
    if (encode()) more = true;
    store_->deliver();
    if (!pages_.empty() || space_changed_) more = true;
    for (Peer& peer : peers_) peer.wire->release();
  }
}

bool MqttBroker::enter() {
  core::engine_role.assert_held();
  for (Peer& peer : peers_) {
    if (!peer.gone && peer.session->has_commands()) peer.session->apply(*engine_, now_);
  }
  engine_->durable_advanced(now_);
  if (std::exchange(space_changed_, false)) engine_->space_changed(now_);
  for (core::Page& page : std::exchange(pages_, {})) engine_->page_loaded(std::move(page), now_);
  return engine_->run(now_);
}

MqttBroker::Peer* MqttBroker::find(core::ConnectionId id) {
  for (Peer& peer : peers_) {
    if (!peer.gone && peer.session->connection() == id) return &peer;
  }
  return nullptr;
}

/// True: the engine has to hear of something.
bool MqttBroker::encode() {
  for (Peer& peer : peers_) {
    if (!peer.gone) peer.session->encode_outcomes(*peer.wire);
  }
  core::Outbox outbox;
  std::swap(outbox, engine_->outbox(core::HomeId(0)));
  for (const core::Delivery& delivery : outbox.deliveries) {
    Peer* peer = find(delivery.connection);
    if (peer == nullptr) continue;
    peer->session->encode_delivery(delivery, *peer->wire);
    engine_->written(delivery.connection, delivery.number, now_);
  }
  for (const core::Reply& reply : outbox.replies) {
    if (Peer* peer = find(reply.connection)) peer->session->encode_reply(reply, *peer->wire);
  }
  for (const core::ConnectionEffect& effect : outbox.effects) obey(effect);
  bool more = !outbox.empty();
  for (Peer& peer : peers_) more = more || (!peer.gone && peer.session->has_commands());
  return more;
}

void MqttBroker::obey(const core::ConnectionEffect& effect) {
  core::engine_role.assert_held();
  Peer* peer = find(effect.connection);
  if (peer == nullptr || effect.order != core::ConnectionOrder::close) return;
  peer->session->encode_farewell(effect.cause == core::CloseCause::taken_over
                                     ? protocols::Farewell::taken_over
                                     : protocols::Farewell::ordered,
                                 effect.reason, *peer->wire);
  peer->wire->close_after_flush();
  peer->gone = true;
  peer->session->disconnect(*engine_, now_);
}

void MqttBroker::drop(std::size_t number) {
  core::engine_role.assert_held();
  Peer& peer = peers_[number];
  if (peer.gone) return;
  peer.gone = true;
  peer.session->disconnect(*engine_, now_);
  settle();
}

void MqttBroker::sync() {
  for (int i = 0; i < 4; ++i) {
    store_->make_durable(store_->submitted());
    settle();
  }
}

void MqttBroker::restart(core::Ticket survives) {
  for (Peer& peer : peers_) peer.gone = true;
  pages_.clear();
  engine_.reset();
  store_->restart(survives);
  engine_ = std::make_unique<core::Engine>(*store_, limits_, 1);
  engine_->configure({}, now_);
  settle();
}

void MqttBroker::advance(core::milliseconds time) {
  now_ += time;
  engine_->tick(now_);
  settle();
}

std::vector<std::string> MqttBroker::take(std::size_t number) {
  Peer& peer = peers_[number];
  const std::string bytes = peer.wire->take();
  std::vector<std::string> packets;
  peer.parser->feed(bytes);
  mqtt::Packet packet;
  while (true) {
    const auto status = peer.parser->next(packet);
    if (status == mqtt::ParseStatus::failed)
      packets.push_back("not MQTT: " + peer.parser->error().text);
    if (status != mqtt::ParseStatus::packet) return packets;
    packets.push_back(describe(packet));
  }
}

}  // namespace pabal::tests
