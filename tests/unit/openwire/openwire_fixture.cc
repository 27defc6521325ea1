#include "tests/unit/openwire/openwire_fixture.h"

#include "protocols/openwire/wire.h"

namespace pabal::openwire {

std::size_t OpenWireFixture::accept() {
  if (peers_.empty()) {
    now_ = core::from_millis(1'700'000'000'000);
    peers_.reserve(256);  // messages of the tests point to their peer's id
  }
  Peer peer;
  const std::size_t number = peers_.size();
  peer.session = make_session(
      options_, {core::HomeId(0), "tcp://127.0.0.1:" + std::to_string(50'000 + number)}, cache_);
  peer.wire = std::make_unique<tests::Wire>(*store_);
  peers_.push_back(std::move(peer));
  return number;
}

std::size_t OpenWireFixture::greet() {
  const std::size_t number = accept();
  WireFormatOffer offer;
  offer.version = 12;
  std::string greeting;
  append_offer(greeting, offer);
  receive(number, greeting);
  return number;
}

std::size_t OpenWireFixture::connect_failover(const std::string& connection_id, bool again) {
  ConnectionInfo info;
  info.fault_tolerant = true;
  info.failover_reconnect = again;
  return connect(connection_id, "", info);
}

std::size_t OpenWireFixture::connect(const std::string& connection_id, const std::string& client_id,
                                     ConnectionInfo info) {
  const std::size_t number = greet();
  peers_[number].connection_id = connection_id;
  info.connection_id.value = peers_[number].connection_id;
  const std::string id = client_id.empty() ? connection_id + "-client" : client_id;
  info.client_id = id;
  EXPECT_EQ(answer_to(number, send(number, info)), "ok");
  SessionInfo session;
  session.session_id = {peers_[number].connection_id, 1};
  send(number, session, false);
  return number;
}

void OpenWireFixture::receive(std::size_t number, std::string_view bytes) {
  Peer& peer = peers_[number];
  if (peer.gone || peer.wire->closed()) return;
  // A heap block of its own, so that a sanitizer sees a view that outlives it.
  const std::vector<char> block(bytes.begin(), bytes.end());
  peer.session->decode({block.data(), block.size()}, now_);
  settle();
}

void OpenWireFixture::settle() {
  core::engine_role.assert_held();
  for (bool more = true; more;) {
    for (Peer& peer : peers_) {
      if (!peer.gone && peer.session->has_commands()) peer.session->apply(*engine_, now_);
    }
    engine_->durable_advanced(now_);
    if (std::exchange(space_changed_, false)) engine_->space_changed(now_);
    for (core::Page& page : std::exchange(pages_, {})) engine_->page_loaded(std::move(page), now_);
    more = engine_->run(now_);
    for (Peer& peer : peers_) {
      if (peer.gone) continue;
      peer.session->encode_outcomes(*peer.wire);
      more = more || peer.session->has_commands();
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
      engine_->written(delivery.connection, delivery.number, now_);
    }
    for (const core::Reply& reply : outbox.replies) {
      if (Peer* peer = find(reply.connection)) peer->session->encode_reply(reply, *peer->wire);
    }
    more = more || !outbox.empty();
    store_->deliver();
    more = more || !pages_.empty() || space_changed_;
    for (Peer& peer : peers_) peer.wire->release();
  }
}

void OpenWireFixture::advance(core::milliseconds time) {
  now_ += time;
  for (Peer& peer : peers_) {
    if (!peer.gone) (void)peer.session->on_timer(time, time, *peer.wire);
  }
  engine_->tick(now_);
  settle();
}

void OpenWireFixture::drop(std::size_t number) {
  core::engine_role.assert_held();
  Peer& peer = peers_[number];
  peer.gone = true;
  peer.session->disconnect(*engine_, now_);
  settle();
}

void OpenWireFixture::restart() {
  for (Peer& peer : peers_) peer.gone = true;
  pages_.clear();
  engine_.reset();
  store_->restart();
  engine_ = std::make_unique<core::Engine>(*store_, limits_, 1);
  settle();
}

std::vector<Received> OpenWireFixture::take(std::size_t number) {
  const std::string bytes = peers_[number].wire->take();
  FrameParser parser(1 << 20);
  parser.feed(bytes);
  std::vector<Received> all;
  std::string_view frame;
  while (parser.next(frame) == ParseStatus::frame) {
    Received& received = all.emplace_back();
    received.frame = std::make_unique<std::string>(frame);
    std::string error;
    EXPECT_TRUE(read_command(*received.frame, WireFormat{}, received.command, error)) << error;
  }
  return all;
}

std::string OpenWireFixture::answer_to(std::size_t number, std::int32_t command_id) {
  std::string answer;
  for (const Received& received : take(number)) {
    if (const auto* response = std::get_if<Response>(&received.command)) {
      if (response->correlation_id == command_id) answer += "ok";
    } else if (const auto* failed = std::get_if<ExceptionResponse>(&received.command)) {
      if (failed->correlation_id == command_id) answer += *failed->exception->class_name;
    } else if (const auto* number_read = std::get_if<IntegerResponse>(&received.command)) {
      if (number_read->correlation_id == command_id) answer += std::to_string(number_read->result);
    } else if (const auto* array = std::get_if<DataArrayResponse>(&received.command)) {
      if (array->correlation_id == command_id) {
        answer += '[' + std::to_string(array->data->size()) + ']';
      }
    }
  }
  return answer;
}

ConsumerInfo OpenWireFixture::consumer(std::size_t peer, std::int64_t value, std::string_view name,
                                       DestinationType type, std::int32_t prefetch) const {
  ConsumerInfo info;
  info.consumer_id = {peers_[peer].connection_id, 1, value};
  info.destination = Destination{type, name};
  info.prefetch_size = prefetch;
  return info;
}

ProducerInfo OpenWireFixture::producer(std::size_t peer, std::int32_t window) const {
  ProducerInfo info;
  info.producer_id = {peers_[peer].connection_id, 1, 1};
  info.window_size = window;
  return info;
}

Message OpenWireFixture::message(std::size_t peer, std::string_view name, std::string_view text,
                                 DestinationType type) {
  auto content = std::make_unique<std::string>();
  append_big(*content, static_cast<std::uint32_t>(text.size()));
  *content += text;
  Message made;
  made.type_code = MessageType::text;
  made.destination = Destination{type, name};
  made.producer_id = ProducerId{peers_[peer].connection_id, 1, 1};
  made.message_id = MessageId{std::nullopt, *made.producer_id, ++sequence_, 0};
  made.persistent = true;
  made.priority = 4;
  made.content.value = *content;
  kept_.push_back(std::move(content));
  return made;
}

MessageAck OpenWireFixture::ack(std::size_t peer, const Received& first, const Received& last,
                                AckType type, std::int32_t count) const {
  MessageAck made;
  made.destination = dispatch(last).destination;
  made.consumer_id = *dispatch(last).consumer_id;
  made.consumer_id.connection_id = peers_[peer].connection_id;
  made.ack_type = static_cast<std::uint8_t>(type);
  if (type != AckType::individual) made.first_message_id = dispatch(first).message->message_id;
  made.last_message_id = dispatch(last).message->message_id;
  made.message_count = count;
  return made;
}

TransactionId OpenWireFixture::transaction(std::size_t peer, std::int64_t value) const {
  return LocalTransactionId{value, {peers_[peer].connection_id}};
}

TransactionId OpenWireFixture::branch(std::string_view name) {
  XaTransactionId xid;
  xid.format_id = 1;
  xid.global_transaction_id.value = name;
  xid.branch_qualifier.value = "b";
  return xid;
}

TransactionInfo OpenWireFixture::transaction_info(std::size_t peer, TransactionVerb verb,
                                                  std::optional<TransactionId> id) const {
  TransactionInfo info;
  info.connection_id = ConnectionId{peers_[peer].connection_id};
  info.transaction_id = std::move(id);
  info.type = static_cast<std::uint8_t>(verb);
  return info;
}

std::vector<std::string> OpenWireFixture::texts(const std::vector<Received>& dispatches) {
  std::vector<std::string> all;
  for (const Received& received : dispatches) {
    const auto& message = dispatch(received).message;
    all.emplace_back(message ? message->content.value->substr(4) : "end");
  }
  return all;
}

}  // namespace pabal::openwire
