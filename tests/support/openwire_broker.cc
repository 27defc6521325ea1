#include "tests/support/openwire_broker.h"

#include <utility>

namespace pabal::tests {
namespace {

store::MemoryStoreOptions by_hand() {
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  return options;
}

}  // namespace

OpenWireBroker::OpenWireBroker(core::EngineLimits limits, openwire::SessionOptions options)
    : store_(std::make_unique<store::MemoryStore>(by_hand())),
      limits_(limits),
      options_(std::move(options)),
      cache_(clock) {
  now_ = core::from_millis(1'700'000'000'000);
  engine_ = std::make_unique<core::Engine>(*store_, limits_, 1);
  engine_->configure({}, now_);
  store_->set_listener(this);
}

OpenWireBroker::~OpenWireBroker() {
  store_->set_listener(nullptr);
}

std::size_t OpenWireBroker::accept() {
  Peer peer;
  const std::size_t number = peers_.size();
  peer.session = openwire::make_session(
      options_, {core::HomeId(0), "tcp://127.0.0.1:" + std::to_string(50'000 + number)}, cache_);
  peer.wire = std::make_unique<Wire>(*store_);
  peers_.push_back(std::move(peer));
  return number;
}

void OpenWireBroker::decode(std::size_t number, std::string_view bytes) {
  Peer& peer = peers_[number];
  if (peer.gone || peer.wire->closed()) return;
  peer.session->decode({bytes.data(), bytes.size()}, now_);
}

void OpenWireBroker::wait(std::size_t number, core::milliseconds idle_in,
                          core::milliseconds idle_out) {
  Peer& peer = peers_[number];
  if (!peer.gone) (void)peer.session->on_timer(idle_in, idle_out, *peer.wire);
}

void OpenWireBroker::settle() {
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

bool OpenWireBroker::enter() {
  core::engine_role.assert_held();
  for (Peer& peer : peers_) {
    if (!peer.gone && peer.session->has_commands()) peer.session->apply(*engine_, now_);
  }
  engine_->durable_advanced(now_);
  if (std::exchange(space_changed_, false)) engine_->space_changed(now_);
  for (core::Page& page : std::exchange(pages_, {})) engine_->page_loaded(std::move(page), now_);
  return engine_->run(now_);
}

OpenWireBroker::Peer* OpenWireBroker::find(core::ConnectionId id) {
  for (Peer& peer : peers_) {
    if (!peer.gone && peer.session->connection() == id) return &peer;
  }
  return nullptr;
}

/// True: the engine has to hear of something.
bool OpenWireBroker::encode() {
  core::engine_role.assert_held();
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
  for (Peer& peer : peers_) {
    if (peer.gone) continue;
    if (peer.wire->closed()) {
      peer.gone = true;
      peer.session->disconnect(*engine_, now_);
      more = true;
    } else {
      (void)peer.session->take_timer_change();
      more = more || peer.session->has_commands();
    }
  }
  return more;
}

void OpenWireBroker::obey(const core::ConnectionEffect& effect) {
  Peer* peer = find(effect.connection);
  if (peer == nullptr || effect.order != core::ConnectionOrder::close) return;
  peer->session->encode_farewell(effect.cause == core::CloseCause::taken_over
                                     ? protocols::Farewell::taken_over
                                     : protocols::Farewell::ordered,
                                 effect.reason, *peer->wire);
  peer->wire->close_after_flush();
}

void OpenWireBroker::dismiss(std::size_t number) {
  core::engine_role.assert_held();
  Peer& peer = peers_[number];
  if (peer.gone) return;
  peer.session->encode_farewell(protocols::Farewell::stopping, "the broker is stopping",
                                *peer.wire);
  peer.wire->close_after_flush();
  peer.gone = true;
  peer.session->disconnect(*engine_, now_);
}

void OpenWireBroker::drop(std::size_t number) {
  core::engine_role.assert_held();
  Peer& peer = peers_[number];
  if (peer.gone) return;
  peer.gone = true;
  peer.session->disconnect(*engine_, now_);
}

void OpenWireBroker::sync() {
  for (int i = 0; i < 4; ++i) {
    store_->make_durable(store_->submitted());
    settle();
  }
}

void OpenWireBroker::restart() {
  for (Peer& peer : peers_) peer.gone = true;
  pages_.clear();
  engine_.reset();
  store_->restart();
  engine_ = std::make_unique<core::Engine>(*store_, limits_, 1);
  engine_->configure({}, now_);
}

void OpenWireBroker::advance(core::milliseconds time) {
  now_ += time;
  engine_->tick(now_);
}

}  // namespace pabal::tests
