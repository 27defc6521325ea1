#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/engine.h"
#include "tests/sim/random.h"
#include "tests/sim/session_model.h"
#include "tests/sim/store_host.h"

namespace pabal::sim {

struct SessionReport {
  std::vector<std::string> violations;
  std::uint64_t hash = 0;
  std::uint64_t steps = 0;
  std::uint64_t starts = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t retained_seen = 0;  ///< looks at what is retained
  std::uint64_t wills = 0;          ///< sent
  std::uint64_t resumed = 0;        ///< sessions
  std::uint64_t pins = 0;
};

/// Clients with sessions, as an adaptor for MQTT has them, on a store that dies now and then.
class SessionWorld final : public core::StoreListener {
 public:
  SessionWorld(bool journal, std::uint64_t seed, bool verbose);
  ~SessionWorld() override;
  SessionReport run();

  // core::StoreListener
  void durable_advanced() noexcept override { durable_told_ = true; }
  void page_loaded(core::Page page) noexcept override { pages_.push_back(std::move(page)); }
  void space_changed() noexcept override { space_told_ = true; }
  void failed(core::Error error) noexcept override { failure_ = error.text; }

 private:
  using Stream = SessionModel::Stream;
  enum class Role : std::uint8_t { keeper, publisher, consumer, member, mortal };
  struct Client {
    Role role{};
    std::size_t index = 0;
    std::string id;
    std::optional<core::ConnectionDetails> connection;
    std::vector<core::Delivery> out;  ///< not acknowledged
    std::map<core::SubscriptionId, std::string> subscriptions;
    std::vector<std::uint64_t> attached;  ///< numbers whose attachment it has
    std::uint64_t will = 0;               ///< of its connection; zero: none
  };

  void start();
  void crash();
  void step();
  void tell_engine();
  void enter();
  void take_effects();
  /// Until nothing moves.
  void settle();
  /// Nothing is parked here: the store takes another send, now or when it has synced.
  void make_room();
  void note(const std::string& what) const;

  void act(Client& client);
  void connect(Client& client);
  void leave(Client& client);
  void subscribe(Client& client, const std::string& pattern, const std::string& name,
                 const std::string& group);
  void receive(Client& client, const core::Delivery& delivery);
  void acknowledge(Client& client, std::size_t which);
  void publish(Client& client);
  void erase(Client& client);
  void send_numbers();
  void retain();
  void look_at_retained();
  core::MessageRef message(const core::ConnectionDetails& from, const std::string& topic,
                           const std::string& body, bool persistent, bool retain);
  void drain();

  Random random_;
  const bool verbose_;
  core::EngineLimits limits_;
  std::unique_ptr<StoreHost> host_;
  core::Store* store_ = nullptr;
  std::unique_ptr<core::Engine> engine_;
  SessionModel model_;
  SessionReport report_;
  std::vector<Client> clients_;
  std::map<core::ConnectionId, Client*> by_connection_;
  core::ConnectionDetails sender_;
  std::deque<core::Page> pages_;
  std::optional<std::string> failure_;
  bool durable_told_ = false;
  bool space_told_ = false;
  core::TimePoint now_{core::milliseconds(1'700'000'000'000)};
  std::uint64_t number_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t last_will_ = 0;
  std::uint64_t step_ = 0;
};

}  // namespace pabal::sim
