#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/engine.h"
#include "protocols/openwire/frame_parser.h"
#include "protocols/openwire/session.h"
#include "protocols/openwire/wire_format.h"
#include "store/memory/memory_store.h"
#include "tests/support/wire.h"

namespace pabal::openwire {

/// A command that the broker sent, with the bytes of its views.
struct Received {
  std::unique_ptr<std::string> frame;
  AnyCommand command;
};

/// A whole broker without sockets, threads or clock, and clients that speak OpenWire 12 with it.
class OpenWireFixture : public ::testing::Test, public core::StoreListener {
 protected:
  struct Peer {
    std::string connection_id;
    std::unique_ptr<protocols::Session> session;
    std::unique_ptr<tests::Wire> wire;
    std::int32_t last_command = 0;
    bool gone = false;
  };

  void SetUp() override { open(); }
  void TearDown() override { store_->set_listener(nullptr); }
  void open(store::MemoryStoreOptions store = {}, core::EngineLimits limits = {}) {
    limits_ = limits;
    store_ = std::make_unique<store::MemoryStore>(store);
    store_->set_listener(this);
    engine_ = std::make_unique<core::Engine>(*store_, limits_, 1);
  }

  /// A connection that has not said anything; its number.
  std::size_t accept();
  /// … and one that has greeted and connected, with session 1.
  std::size_t connect(const std::string& connection_id, const std::string& client_id = "",
                      ConnectionInfo info = {});
  /// … of a client with `failover:`; `again`: it has lost a connection.
  std::size_t connect_failover(const std::string& connection_id, bool again);
  /// A connection that has greeted only.
  std::size_t greet();

  void receive(std::size_t peer, std::string_view bytes);
  template <class Command>
  std::int32_t send(std::size_t peer, Command command, bool response_required = true) {
    command.command_id = ++peers_[peer].last_command;
    command.response_required = response_required;
    std::string bytes;
    append_frame(bytes, AnyCommand(command), WireFormat{});
    receive(peer, bytes);
    return command.command_id;
  }
  void settle();
  void sync() {
    store_->make_durable(store_->submitted());
    settle();
  }
  /// Time passes, and the sessions' timers fire.
  void advance(core::milliseconds time);
  /// The client is gone without a word.
  void drop(std::size_t peer);
  /// The broker dies and starts again with what is durable. All connections are gone.
  void restart();

  /// Everything that the broker has sent since the last call.
  std::vector<Received> take(std::size_t peer);
  /// The one command of this type among them; the others are dropped.
  template <class Command>
  std::vector<Received> take_all(std::size_t peer) {
    std::vector<Received> all = take(peer);
    std::erase_if(
        all, [](const Received& each) { return !std::holds_alternative<Command>(each.command); });
    return all;
  }
  /// How the command was answered: "ok", the class of its exception, "" if it was not.
  std::string answer_to(std::size_t peer, std::int32_t command_id);

  // Commands of clients.
  ConsumerInfo consumer(std::size_t peer, std::int64_t value, std::string_view name,
                        DestinationType type = DestinationType::queue,
                        std::int32_t prefetch = 1000) const;
  ProducerInfo producer(std::size_t peer, std::int32_t window = 0) const;
  Message message(std::size_t peer, std::string_view name, std::string_view text,
                  DestinationType type = DestinationType::queue);
  MessageAck ack(std::size_t peer, const Received& first, const Received& last,
                 AckType type = AckType::standard, std::int32_t count = 1) const;
  TransactionId transaction(std::size_t peer, std::int64_t value) const;
  /// The branch of this name.
  static TransactionId branch(std::string_view name);
  TransactionInfo transaction_info(std::size_t peer, TransactionVerb verb,
                                   std::optional<TransactionId> id) const;
  /// The texts of the messages that were dispatched.
  static std::vector<std::string> texts(const std::vector<Received>& dispatches);
  static const MessageDispatch& dispatch(const Received& received) {
    return std::get<MessageDispatch>(received.command);
  }

  void durable_advanced() noexcept override {}
  void page_loaded(core::Page page) noexcept override { pages_.push_back(std::move(page)); }
  void space_changed() noexcept override { space_changed_ = true; }
  void failed(core::Error) noexcept override {}

  static core::TimePoint now() { return now_; }
  inline static core::TimePoint now_;
  std::unique_ptr<store::MemoryStore> store_;
  core::EngineLimits limits_;
  std::unique_ptr<core::Engine> engine_;
  SessionOptions options_;
  LoopCache cache_{&OpenWireFixture::now};
  std::vector<Peer> peers_;
  std::vector<core::Page> pages_;
  bool space_changed_ = false;
  std::int64_t sequence_ = 0;
  std::vector<std::unique_ptr<std::string>> kept_;  // texts of messages
};

}  // namespace pabal::openwire
