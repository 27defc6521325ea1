#include "tests/fuzz/openwire_conversation.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/check.h"
#include "protocols/openwire/codec.h"
#include "protocols/openwire/frame_parser.h"
#include "protocols/openwire/wire_format.h"
#include "tests/support/openwire_broker.h"

namespace pabal::tests {
namespace {

using namespace openwire;

constexpr std::uint32_t kFrameBytesMax = 16 * 1024;
constexpr std::uint32_t kUnlimited = 1U << 30;
constexpr std::size_t kClients = 3;

core::EngineLimits small_limits() {
  core::EngineLimits limits;
  limits.memory_bytes_max = 64 * 1024;  // so that sends get parked
  limits.parked_bytes_max = 8 * 1024;
  limits.transactions_per_connection_max = 4;
  limits.transaction_bytes_max = 32 * 1024;
  limits.transaction_operations_max = 32;
  limits.prepared_branches_max = 3;
  limits.prepared_acknowledgements_max = 16;
  limits.prepared_bytes_max = 2048;
  limits.subscriptions_per_connection_max = 6;
  limits.destinations_max = 64;
  limits.composite_targets_max = 16;
  limits.unwritten_bytes_max = 4096;
  limits.topic_pending_bytes_max = 8192;
  limits.producers_max = 4;
  limits.walks_max = 4;
  limits.scheduled_volatile_max = 8;
  limits.steps_per_entry_max = 5;  // so that entries lie between all that goes on
  return limits;
}

SessionOptions small_options() {
  SessionOptions options;
  options.frame_bytes_max = kFrameBytesMax;
  options.unconnected_frame_bytes_max = 2048;
  options.sessions_max = 4;
  options.producers_max = 4;
  options.prefetch_max = 32;
  return options;
}

/// What one client has said, as far as it wants answers.
class Asked {
 public:
  void take(std::string_view bytes, std::int32_t version) {
    format_.version = version;
    if (failed_) return;
    parser_.feed(bytes);
    std::string_view frame;
    ParseStatus status = parser_.next(frame);
    for (; status == ParseStatus::frame; status = parser_.next(frame)) {
      AnyCommand command;
      std::string error;
      if (!read_command(frame, format_, command, error)) break;
      note(command);
    }
    failed_ = status != ParseStatus::need_more;
  }
  void answered(std::int32_t id) {
    const auto at = open_.find(id);
    PABAL_CHECK(at != open_.end() && at->second > 0, "an answer that nobody wants, or a second");
    --at->second;
  }

 private:
  void note(const AnyCommand& command) {
    std::visit(
        [&](const auto& value) {
          if constexpr (std::is_base_of_v<CommandHead, std::decay_t<decltype(value)>>) {
            if (value.response_required) ++open_[value.command_id];
          }
        },
        command);
  }

  FrameParser parser_{kFrameBytesMax};
  WireFormat format_;
  bool failed_ = false;
  std::map<std::int32_t, int> open_;
};

/// What one connection of the broker has written.
class Written {
 public:
  explicit Written(Asked& asked) : asked_(asked) {}

  void take(const std::string& bytes, std::int32_t version) {
    format_.version = version;
    parser_.feed(bytes);
    std::string_view frame;
    ParseStatus status = parser_.next(frame);
    for (; status == ParseStatus::frame; status = parser_.next(frame)) {
      AnyCommand command;
      std::string error;
      PABAL_CHECK(read_command(frame, format_, command, error), error.c_str());
      check(command);
    }
    PABAL_CHECK(status == ParseStatus::need_more, parser_.error().c_str());
  }

 private:
  void check(const AnyCommand& command) {
    PABAL_CHECK(!ended_, "something behind ShutdownInfo");
    const bool greeting = std::holds_alternative<WireFormatInfo>(command);
    PABAL_CHECK(greeting != greeted_ || std::holds_alternative<ConnectionError>(command),
                "WireFormatInfo is first, and comes once");
    greeted_ = greeted_ || greeting;
    ended_ = std::holds_alternative<ShutdownInfo>(command);
    std::visit([&](const auto& value) { check_one(value); }, command);
  }
  template <class Command>
  void check_one(const Command& command) {
    if constexpr (std::is_same_v<Command, Response> || std::is_same_v<Command, ExceptionResponse> ||
                  std::is_same_v<Command, IntegerResponse> ||
                  std::is_same_v<Command, DataArrayResponse>) {
      asked_.answered(command.correlation_id);
    } else if constexpr (std::is_same_v<Command, MessageDispatch>) {
      PABAL_CHECK(command.message.has_value() == command.destination.has_value(), "both or none");
      if (!command.message) return;
      PABAL_CHECK(command.message->message_id.has_value(), "clients compare them");
      PABAL_CHECK(command.redelivery_counter >= 0, "a count");
    } else {
      constexpr bool kKnown =
          std::is_same_v<Command, WireFormatInfo> || std::is_same_v<Command, BrokerInfo> ||
          std::is_same_v<Command, ConnectionError> || std::is_same_v<Command, KeepAliveInfo> ||
          std::is_same_v<Command, ConnectionControl> || std::is_same_v<Command, ProducerAck> ||
          std::is_same_v<Command, ShutdownInfo>;
      PABAL_CHECK(kKnown, "nothing else comes from a broker");
    }
  }

  Asked& asked_;
  FrameParser parser_{kUnlimited};
  WireFormat format_;
  bool greeted_ = false;
  bool ended_ = false;
};

class Conversation {
 public:
  Conversation() : broker_(small_limits(), small_options()) {
    for (auto& client : clients_) begin(client);
  }

  void receive(const std::string& bytes) {
    Client& client = clients_[turn_];
    if (together_ && broker_.peer(client.peer).session->has_commands()) settle();
    // The greeting decides how the rest is read: it comes alone.
    std::string_view rest = bytes;
    if (version_of(client) == 0) {
      const std::size_t end = end_of_greeting(client, rest);
      say(client, rest.substr(0, end));
      rest.remove_prefix(end);
    }
    say(client, rest);
    if (!together_) settle();
  }

  void happen(OpenWireEvent event) {
    core::engine_role.assert_held();
    Client& client = clients_[turn_];
    // Timers fire, and connections end, when what was read has been answered.
    if (event != OpenWireEvent::next_client) settle();
    switch (event) {
      case OpenWireEvent::next_client:
        turn_ = (turn_ + 1) % clients_.size();
        return;
      case OpenWireEvent::together:
        together_ = !together_;
        break;
      case OpenWireEvent::sync:
        broker_.sync();
        break;
      case OpenWireEvent::drop:
        broker_.drop(client.peer);
        settle();
        begin(client);
        return;
      case OpenWireEvent::dismiss:
        broker_.sync();  // the server waits for what is held, too
        broker_.dismiss(client.peer);
        settle();
        begin(client);
        return;
      case OpenWireEvent::restart:
        broker_.restart();
        for (auto& each : clients_) begin(each);
        break;
      case OpenWireEvent::instant:
        pass(core::milliseconds(1));
        break;
      case OpenWireEvent::second:
        pass(core::milliseconds(1000));
        break;
      case OpenWireEvent::hour:
        broker_.advance(std::chrono::hours(1));
        break;
      case OpenWireEvent::silence:
        (void)broker_.peer(client.peer).session->describe();
        broker_.wait(client.peer, core::milliseconds(120'000), core::milliseconds(120'000));
        break;
      case OpenWireEvent::count:
        PABAL_UNREACHABLE();
    }
    settle();
  }

  /// All leave; nothing of them may be left but what outlives a connection.
  void end() {
    core::engine_role.assert_held();
    settle();
    broker_.sync();
    for (Client& client : clients_) broker_.drop(client.peer);
    settle();
    broker_.sync();
    const auto left = broker_.engine().snapshot();
    PABAL_CHECK(left.connections == 0 && left.subscriptions == 0, "no connection is left");
    PABAL_CHECK(left.connections_parked == 0, "nobody waits");
    PABAL_CHECK(left.transactions == left.branches_prepared, "but those in doubt");
    PABAL_CHECK(broker_.engine().temporaries(nullptr, 1).empty(), "they go with their connection");
    PABAL_CHECK(broker_.engine().blocked_producers(1).empty(), "nobody waits");
  }

 private:
  struct Client {
    std::size_t peer = 0;
    std::string greeting;  ///< as much of the first frame as has come
    std::unique_ptr<Asked> asked;
    std::unique_ptr<Written> written;
    std::uint64_t said = 0;
  };

  void begin(Client& client) {
    client = Client{};
    client.peer = broker_.accept();
    client.asked = std::make_unique<Asked>();
    client.written = std::make_unique<Written>(*client.asked);
  }

  /// 0: not agreed yet.
  std::int32_t version_of(const Client& client) {
    const std::string what = broker_.peer(client.peer).session->describe();
    constexpr std::string_view kWord = "openwire ";
    return what.starts_with(kWord) ? std::stoi(what.substr(kWord.size())) : 0;
  }

  /// How many of `bytes` belong to the first frame.
  std::size_t end_of_greeting(Client& client, std::string_view bytes) const {
    std::size_t taken = 0;
    const auto size = [&] {
      std::uint64_t value = 0;
      for (int i = 0; i < 4; ++i) {
        value = value << 8 | static_cast<unsigned char>(client.greeting[static_cast<size_t>(i)]);
      }
      return value + 4;
    };
    while (taken < bytes.size() &&
           (client.greeting.size() < 4 || client.greeting.size() < size())) {
      client.greeting += bytes[taken++];
    }
    return taken;
  }

  void say(Client& client, std::string_view bytes) {
    if (bytes.empty()) return;
    // A heap block of its own, so that a sanitizer sees a read beyond it or after its time.
    const std::vector<char> block(bytes.begin(), bytes.end());
    const std::string_view view(block.data(), block.size());
    const auto& peer = broker_.peer(client.peer);
    if (!peer.gone && !peer.wire->closed()) {
      const auto version = version_of(client);
      client.asked->take(view, version == 0 ? kVersionMax : version);
    }
    broker_.decode(client.peer, view);
  }

  void pass(core::milliseconds time) {
    broker_.advance(time);
    for (Client& client : clients_) broker_.wait(client.peer, time, time);
  }

  void settle() {
    core::engine_role.assert_held();
    broker_.settle();
    for (Client& client : clients_) {
      const auto version = version_of(client);
      client.written->take(broker_.take_bytes(client.peer), version == 0 ? kVersionMax : version);
    }
    const auto limits = small_limits();
    const auto now = broker_.engine().snapshot();
    PABAL_CHECK(now.connections <= kClients, "one a socket");
    PABAL_CHECK(now.subscriptions <= kClients * limits.subscriptions_per_connection_max,
                "subscriptions_per_connection_max");
    PABAL_CHECK(now.branches_prepared <= limits.prepared_branches_max, "prepared_branches_max");
    PABAL_CHECK(now.transactions <=
                    kClients * limits.transactions_per_connection_max + now.branches_prepared,
                "transactions_per_connection_max");
  }

  OpenWireBroker broker_;
  std::array<Client, kClients> clients_;
  std::size_t turn_ = 0;
  bool together_ = false;
};

}  // namespace

void play_openwire_conversation(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return;
  Conversation conversation;
  const std::size_t portion_max = bytes[0] == 0 ? size : bytes[0];
  std::string_view rest(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  while (!rest.empty()) {
    if (rest.starts_with(kOpenWireMark) && rest.size() > kOpenWireMark.size()) {
      const auto event = static_cast<unsigned char>(rest[kOpenWireMark.size()]);
      rest.remove_prefix(kOpenWireMark.size() + 1);
      conversation.happen(
          static_cast<OpenWireEvent>(event % static_cast<unsigned>(OpenWireEvent::count)));
      continue;
    }
    const std::size_t mark = rest.find(kOpenWireMark, 1);
    const std::string block(rest.substr(0, std::min({portion_max, rest.size(), mark})));
    conversation.receive(block);
    rest.remove_prefix(block.size());
  }
  conversation.end();
}

}  // namespace pabal::tests
