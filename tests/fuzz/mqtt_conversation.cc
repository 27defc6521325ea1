#include "tests/fuzz/mqtt_conversation.h"

#include <algorithm>
#include <array>
#include <string>

#include "core/check.h"
#include "tests/support/mqtt_broker.h"

namespace pabal::tests {
namespace {

using namespace mqtt;

/// What one connection of the broker has written.
class Written {
 public:
  explicit Written(Level level) : parser_(kAnything, Sender::server), level_(level) {
    parser_.set_level(level);
  }

  void take(const std::string& bytes) {
    parser_.feed({bytes.data(), bytes.size()});
    Packet packet;
    while (true) {
      const ParseStatus status = parser_.next(packet);
      PABAL_CHECK(status != ParseStatus::failed, parser_.error().text.c_str());
      if (status != ParseStatus::packet) return;
      check(packet);
    }
  }

 private:
  void check(const Packet& packet) {
    PABAL_CHECK(!ended_, "something behind DISCONNECT");
    if (!begun_) {
      const PacketType type = type_of(packet);
      PABAL_CHECK(type == PacketType::connack || type == PacketType::auth, "CONNACK is first");
      begun_ = type == PacketType::connack;
      return;
    }
    PABAL_CHECK(type_of(packet) != PacketType::connack, "a second CONNACK");
    if (type_of(packet) == PacketType::disconnect) {
      PABAL_CHECK(level_ == Level::v5, "DISCONNECT before 5.0");
      ended_ = true;
    }
    if (type_of(packet) == PacketType::publish) {
      const auto& publish = std::get<Publish>(packet);
      PABAL_CHECK((publish.qos == QoS::at_most_once) == (publish.packet_id == 0), "a packet id");
    }
  }

  static inline const ParserOptions kAnything{};
  PacketParser parser_;
  Level level_;
  bool begun_ = false;
  bool ended_ = false;
};

core::EngineLimits small_limits() {
  core::EngineLimits limits;
  limits.memory_bytes_max = 64 * 1024;  // so that sends get parked
  limits.subscriptions_per_connection_max = 16;
  limits.sessions_max = 4;
  limits.session_attachments_max = 6;
  limits.session_attachment_bytes_max = 2048;
  limits.retained_messages_max = 8;
  limits.retained_bytes_max = 4096;
  limits.will_bytes_max = 512;
  return limits;
}

SessionOptions small_options() {
  SessionOptions options;
  options.parser.packet_bytes_max = 8192;
  options.parser.connect_bytes_max = 4096;
  options.parser.user_properties_max = 16;
  options.parser.filters_max = 16;
  options.receive_maximum = 4;
  options.topic_alias_maximum = 4;
  options.topic_aliases_out_max = 4;
  options.in_flight_max = 4;
  options.prefetch = 4;
  return options;
}

class Conversation {
 public:
  Conversation() : broker_(small_limits(), small_options()) {
    for (auto& client : clients_) client = begin();
  }

  void receive(const std::string& bytes) {
    broker_.receive(clients_[turn_].peer, bytes);
    collect();
  }

  void happen(Event event) {
    Client& client = clients_[turn_];
    switch (event) {
      case Event::next_client:
        turn_ = (turn_ + 1) % clients_.size();
        return;
      case Event::sync:
        broker_.sync();
        break;
      case Event::drop:
        broker_.drop(client.peer);
        collect();
        client = begin();
        return;
      case Event::restart:
        collect();
        broker_.restart();
        for (auto& each : clients_) each = begin();
        return;
      case Event::second:
        broker_.advance(std::chrono::seconds(1));
        break;
      case Event::hour:
        broker_.advance(std::chrono::hours(1));
        break;
      case Event::silence: {
        auto& [session, wire, parser, level, gone] = broker_.peer(client.peer);
        (void)session->describe();
        if (!gone)
          (void)session->on_timer(core::milliseconds(60'000), core::milliseconds(0), *wire);
        break;
      }
      case Event::count:
        PABAL_UNREACHABLE();
    }
    collect();
  }

 private:
  struct Client {
    std::size_t peer = 0;
    std::unique_ptr<Written> written;  ///< null: it is not known yet what it speaks
    std::string before;                ///< what it was sent until then
  };

  Client begin() {
    Client client;
    client.peer = broker_.accept(Level::v5);
    return client;
  }

  void collect() {
    for (Client& client : clients_) {
      client.before += broker_.take_bytes(client.peer);
      if (!client.written) {
        const std::string what = broker_.peer(client.peer).session->describe();
        if (what == "mqtt") continue;
        client.written = std::make_unique<Written>(what.starts_with("mqtt 5.0")     ? Level::v5
                                                   : what.starts_with("mqtt 3.1.1") ? Level::v3_1_1
                                                                                    : Level::v3_1);
      }
      client.written->take(std::exchange(client.before, {}));
    }
  }

  MqttBroker broker_;
  std::array<Client, 3> clients_;
  std::size_t turn_ = 0;
};

}  // namespace

void play_mqtt_conversation(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return;
  Conversation conversation;
  const std::size_t portion_max = bytes[0] == 0 ? size : bytes[0];
  std::string_view rest(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  while (!rest.empty()) {
    if (rest.starts_with(kMark) && rest.size() > kMark.size()) {
      const auto event = static_cast<unsigned char>(rest[kMark.size()]);
      rest.remove_prefix(kMark.size() + 1);
      conversation.happen(static_cast<Event>(event % static_cast<unsigned>(Event::count)));
      continue;
    }
    const std::size_t mark = rest.find(kMark, 1);
    // A heap block of its own, so that a sanitizer sees a read beyond it or after its time.
    const std::string block(rest.substr(0, std::min({portion_max, rest.size(), mark})));
    conversation.receive(block);
    rest.remove_prefix(block.size());
  }
  conversation.happen(Event::sync);
  conversation.happen(Event::restart);
  conversation.happen(Event::hour);
}

}  // namespace pabal::tests
