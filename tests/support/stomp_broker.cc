#include "tests/support/stomp_broker.h"

#include <utility>

namespace pabal::tests {
namespace {

/// The sessions', and one for what a test connects itself.
constexpr std::size_t kHomes = 2;

}  // namespace

StompBroker::StompBroker(store::MemoryStoreOptions store, core::EngineLimits limits,
                         stomp::SessionOptions options)
    : store_(std::make_unique<store::MemoryStore>(store)), limits_(limits), options_(options) {
  engine_ = std::make_unique<core::Engine>(*store_, limits_, kHomes);
  store_->set_listener(this);
}

StompBroker::~StompBroker() {
  store_->set_listener(nullptr);
}

std::size_t StompBroker::accept() {
  Peer peer;
  const std::size_t number = peers_.size();
  peer.session = stomp::make_session(
      options_, {core::HomeId(0), "tcp://127.0.0.1:" + std::to_string(50'000 + number)}, cache_);
  peer.wire = std::make_unique<Wire>(*store_);
  peers_.push_back(std::move(peer));
  return number;
}

void StompBroker::decode(std::size_t number, std::string_view bytes) {
  Peer& peer = peers_[number];
  if (peer.gone || peer.wire->closed()) return;
  peer.session->decode({bytes.data(), bytes.size()}, now_);
}

void StompBroker::receive(std::size_t number, std::string_view bytes) {
  decode(number, bytes);
  settle();
}

void StompBroker::settle() {
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

bool StompBroker::enter() {
  core::engine_role.assert_held();
  for (Peer& peer : peers_) {
    if (!peer.gone && peer.session->has_commands()) peer.session->apply(*engine_, now_);
  }
  engine_->durable_advanced(now_);
  if (std::exchange(space_changed_, false)) engine_->space_changed(now_);
  for (core::Page& page : std::exchange(pages_, {})) engine_->page_loaded(std::move(page), now_);
  return engine_->run(now_);
}

/// True: the engine has to hear of something.
bool StompBroker::encode() {
  for (Peer& peer : peers_) {
    if (!peer.gone) peer.session->encode_outcomes(*peer.wire);
  }
  core::Outbox outbox;
  std::swap(outbox, engine_->outbox(core::HomeId(0)));
  const auto find = [&](core::ConnectionId id) -> Peer* {
    for (Peer& peer : peers_) {
      if (!peer.gone && peer.session->connection() == id) return &peer;
    }
    return nullptr;
  };
  for (const core::Delivery& delivery : outbox.deliveries) {
    Peer* peer = find(delivery.connection);
    if (peer == nullptr) continue;
    peer->session->encode_delivery(delivery, *peer->wire);
    if (!socket_blocked) engine_->written(delivery.connection, delivery.number, now_);
  }
  for (const core::Reply& reply : outbox.replies) {
    if (Peer* peer = find(reply.connection)) peer->session->encode_reply(reply, *peer->wire);
  }
  return !outbox.empty();
}

void StompBroker::drop(std::size_t number) {
  Peer& peer = peers_[number];
  if (peer.gone) return;
  peer.gone = true;
  if (const auto id = peer.session->connection()) engine_->disconnect(*id, now_);
  settle();
}

void StompBroker::sync() {
  store_->make_durable(store_->submitted());
  settle();
}

void StompBroker::restart() {
  for (Peer& peer : peers_) peer.gone = true;
  pages_.clear();
  engine_.reset();
  store_->restart();
  engine_ = std::make_unique<core::Engine>(*store_, limits_, kHomes);
}

void StompBroker::tick() {
  engine_->tick(now_);
  settle();
}

}  // namespace pabal::tests
