// Whoever listens to advisories, since whenever and however slowly, knows in the end what there is:
// connections, destinations, consumers and producers come and go at random, and at rest what each
// listener has put together from what it was told is what a plain model says. The seed is printed;
// PABAL_RANDOM_SEEDS sets how many are walked, PABAL_RANDOM_SEED walks one.

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/advisory.h"
#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

constexpr int kSteps = 300;
constexpr std::size_t kConnectionsMax = 8;

using Names = std::set<std::string>;
/// Of a consumer or producer: its connection and number.
using Who = std::tuple<std::string, std::int64_t, std::int64_t>;

/// What there is, as the model has it, or as a listener has put it together.
struct World {
  Names connections;
  Names destinations;  // of all four kinds
  std::map<Who, std::string> consumers;
  std::map<Who, std::string> producers;
  friend bool operator==(const World&, const World&) = default;
};

std::string to_text(const World& world) {
  std::string text = "connections:";
  for (const auto& name : world.connections) text += ' ' + name;
  text += "\ndestinations:";
  for (const auto& name : world.destinations) text += ' ' + name;
  const auto list = [&text](const char* title, const std::map<Who, std::string>& all) {
    text += title;
    for (const auto& [who, name] : all) {
      text += ' ' + std::get<0>(who) + '/' + std::to_string(std::get<1>(who)) + '/' +
              std::to_string(std::get<2>(who)) + "=" + name;
    }
  };
  list("\nconsumers:", world.consumers);
  list("\nproducers:", world.producers);
  return text;
}

class AdvisoriesRandomTest : public EngineFixture {
 protected:
  struct Client {
    ConnectionDetails details;
    std::string name;
    std::vector<Destination> temporaries;
    std::vector<std::pair<SubscriptionId, Who>> consumers;
    std::vector<std::pair<ProducerId, Who>> producers;
    std::uint64_t last_number = 0;  // of its deliveries
    std::uint64_t written = 0;
    std::int64_t numbers = 0;
  };
  struct Listener {
    std::size_t client = 0;
    SubscriptionId id{};
    std::vector<std::string> patterns;
    bool explicit_acks = false;
    World heard;
    std::map<std::string, std::int64_t> consumer_counts;
    std::map<std::string, std::int64_t> producer_counts;
    std::vector<DeliveryId> unacknowledged;
  };

  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }

  void walk(std::uint64_t seed) {
    random_.seed(seed);
    EngineLimits limits;
    limits.steps_per_entry_max = one_in(2) ? 4096 : static_cast<std::uint32_t>(1 + below(8));
    limits.unwritten_bytes_max = one_in(2) ? 1 << 20 : 1 + below(4000);
    open({}, limits);
    clients_.clear();
    listeners_.clear();
    durables_.clear();
    topics_.clear();
    consumers_of_.clear();
    truth_ = {};
    names_ = 0;
    const int checks = 1 + static_cast<int>(below(4));
    for (int check = 0; check < checks; ++check) {
      for (int step = 0; step < kSteps / checks; ++step) {
        do_something();
        if (one_in(3)) hear_some();
        if (HasFatalFailure()) return;
      }
      settle();
      compare(seed);
      if (HasFailure()) return;
    }
  }

  void do_something() {
    if (clients_.empty() || (clients_.size() < kConnectionsMax && one_in(8))) return come();
    Client& client = any_client();
    switch (below(12)) {
      case 0:
        return go();
      case 1:
      case 2:
        return make_temporary(client);
      case 3:
        return delete_temporary(client);
      case 4:
      case 5:
        return consume(client);
      case 6:
        return stop_consuming(client);
      case 7:
        return produce(client);
      case 8:
        return stop_producing(client);
      case 9:
        return use_queue(client);
      case 10:
        return one_in(2) ? listen(client) : delete_durable();
      default:
        (void)engine_->run(now_);
        store_->deliver();
        return;
    }
  }

  Client& any_client() { return std::next(clients_.begin(), below(clients_.size()))->second; }
  std::string name_of_something() { return "d" + std::to_string(below(4)); }

  void come() {
    const std::size_t number = ++names_;
    Client& client = clients_[number];
    client.name = "c" + std::to_string(number);
    ConnectOptions options;
    options.client_id = client.name;
    options.instance = client.name;
    auto connected = engine_->connect(options);
    ASSERT_TRUE(connected);
    client.details = *connected;
    truth_.connections.insert(client.name);
  }

  void go() {
    const auto at = std::next(clients_.begin(), below(clients_.size()));
    Client& client = at->second;
    for (const auto& each : client.temporaries) truth_.destinations.erase(each.to_text());
    for (const auto& [id, who] : client.consumers) forget_consumer(who);
    for (const auto& [id, who] : client.producers) truth_.producers.erase(who);
    truth_.connections.erase(client.name);
    std::erase_if(listeners_, [&](const Listener& each) { return each.client == at->first; });
    engine_->disconnect(client.details.id, now_);
    clients_.erase(at);
  }

  void make_temporary(Client& client) {
    const auto kind =
        one_in(2) ? DestinationKind::temporary_queue : DestinationKind::temporary_topic;
    const auto made = engine_->create_temporary(client.details.id, kind);
    ASSERT_TRUE(made);
    client.temporaries.push_back(*made);
    truth_.destinations.insert(made->to_text());
  }

  void delete_temporary(Client& client) {
    if (client.temporaries.empty()) return;
    const auto at = std::next(client.temporaries.begin(), below(client.temporaries.size()));
    const Destination name = *at;
    if (!engine_->delete_temporary(client.details.id, name, now_)) return;  // it is consumed from
    truth_.destinations.erase(name.to_text());
    client.temporaries.erase(at);
  }

  void consume(Client& client) {
    SubscribeOptions options;
    Destination from{one_in(2) ? DestinationKind::queue : DestinationKind::topic,
                     name_of_something()};
    if (!client.temporaries.empty() && one_in(4)) {
      from = client.temporaries[below(client.temporaries.size())];
    }
    if (from.kind == DestinationKind::topic && one_in(3)) {
      options.durable_name = "s" + std::to_string(below(2));
      if (durables_.contains({client.name, options.durable_name})) return;
    }
    options.interests.push_back({from, "", false});
    options.number = {1, ++client.numbers};
    const auto subscribed = engine_->subscribe(client.details.id, options, now_);
    ASSERT_TRUE(subscribed) << subscribed.error().text;
    const Who who{client.name, 1, client.numbers};
    client.consumers.emplace_back(*subscribed, who);
    truth_.consumers[who] = from.to_text();
    ++consumers_of_[from.to_text()];
    if (from.kind == DestinationKind::topic) want_topic(from.to_text());
    if (!options.durable_name.empty()) {
      durables_[{client.name, options.durable_name}] = {who, from.to_text()};
    }
  }

  void want_topic(const std::string& topic) {
    if (++topics_[topic] == 1) truth_.destinations.insert(topic);
  }
  void unwant_topic(const std::string& topic) {
    if (--topics_[topic] == 0) truth_.destinations.erase(topic);
  }
  bool is_durable(const Who& who) const {
    return std::any_of(durables_.begin(), durables_.end(),
                       [&](const auto& each) { return each.second.first == who; });
  }
  void forget_consumer(const Who& who) {
    const std::string from = truth_.consumers.at(who);
    truth_.consumers.erase(who);
    --consumers_of_[from];
    // The topic of a durable subscription is wanted as long as that is there.
    if (from.starts_with("topic://") && !is_durable(who)) unwant_topic(from);
  }

  void stop_consuming(Client& client) {
    if (client.consumers.empty()) return;
    const auto at = std::next(client.consumers.begin(), below(client.consumers.size()));
    ASSERT_TRUE(engine_->unsubscribe(at->first, now_));
    forget_consumer(at->second);
    client.consumers.erase(at);
  }

  void delete_durable() {
    if (durables_.empty()) return;
    const auto at = std::next(durables_.begin(), below(durables_.size()));
    const auto& [key, known] = *at;
    if (truth_.consumers.contains(known.first)) return;  // in use
    ASSERT_TRUE(engine_->delete_durable(key.first, key.second, now_));
    unwant_topic(known.second);
    durables_.erase(at);
  }

  void produce(Client& client) {
    ProducerOptions options;
    if (!one_in(5)) {
      options.destination = Destination{one_in(2) ? DestinationKind::queue : DestinationKind::topic,
                                        name_of_something()};
    }
    options.number = {1, ++client.numbers};
    const auto added = engine_->add_producer(client.details.id, options, now_);
    ASSERT_TRUE(added);
    const Who who{client.name, 1, client.numbers};
    client.producers.emplace_back(*added, who);
    if (options.destination) truth_.producers[who] = options.destination->to_text();
  }

  void stop_producing(Client& client) {
    if (client.producers.empty()) return;
    const auto at = std::next(client.producers.begin(), below(client.producers.size()));
    engine_->remove_producer(at->first, now_);
    truth_.producers.erase(at->second);
    client.producers.erase(at);
  }

  void use_queue(Client& client) {
    const Destination queue{DestinationKind::queue, name_of_something()};
    if (one_in(2)) {
      (void)engine_->delete_queue(queue, QueueDeletion::with_messages, now_);
    } else {
      publish(client.details, {.name = queue.name, .persistent = one_in(2)});
    }
  }

  void listen(Client& client) {
    static const std::vector<std::vector<std::string>> kPatterns{
        {"ActiveMQ.Advisory.>"},
        {"ActiveMQ.Advisory.Connection"},
        {"ActiveMQ.Advisory.TempQueue", "ActiveMQ.Advisory.TempTopic"},
        {"ActiveMQ.Advisory.Queue", "ActiveMQ.Advisory.Topic"},
        {"ActiveMQ.Advisory.Consumer.>"},
        {"ActiveMQ.Advisory.Producer.>", "ActiveMQ.Advisory.*"},
    };
    Listener made;
    made.client = std::stoul(client.name.substr(1));
    made.patterns = kPatterns[below(kPatterns.size())];
    made.explicit_acks = one_in(3);
    SubscribeOptions options;
    for (const auto& pattern : made.patterns) {
      options.interests.push_back({Destination{DestinationKind::topic, pattern}, "", false});
    }
    options.ack_mode = made.explicit_acks ? AckMode::explicit_ : AckMode::automatic;
    options.prefetch = one_in(2) ? 1000 : static_cast<std::uint32_t>(1 + below(3));
    const auto subscribed = engine_->subscribe(client.details.id, options, now_);
    ASSERT_TRUE(subscribed) << subscribed.error().text;
    made.id = *subscribed;
    listeners_.push_back(std::move(made));
  }

  /// `topic`: behind the prefix; one level, or the first of several.
  static bool hears(const Listener& listener, const std::string& topic) {
    const bool deep = topic == "Consumer" || topic == "Producer";
    return std::any_of(listener.patterns.begin(), listener.patterns.end(),
                       [&](const std::string& pattern) {
                         const std::string rest = pattern.substr(kAdvisoryPrefix.size());
                         if (rest == ">") return true;
                         return deep ? rest == topic + ".>" : rest == "*" || rest == topic;
                       });
  }

  /// What is out is heard, and of some clients also written and acknowledged.
  void hear_some() {
    take();
    for (auto& [number, client] : clients_) {
      if (one_in(3))
        write(client, client.last_number - below(client.last_number - client.written + 1));
    }
    for (Listener& listener : listeners_) {
      if (one_in(2)) acknowledge(listener);
    }
  }

  void write(Client& client, std::uint64_t up_to) {
    if (up_to == client.written) return;
    client.written = up_to;
    engine_->written(client.details.id, up_to, now_);
  }

  void acknowledge(Listener& listener) {
    if (listener.unacknowledged.empty()) return;
    const auto outcome = engine_->acknowledge(
        listener.id, {listener.unacknowledged.front(), listener.unacknowledged.back()},
        AckKind::consumed, "", std::nullopt, now_);
    EXPECT_EQ(outcome.disposition, Disposition::done);
    listener.unacknowledged.clear();
  }

  bool take() {
    std::vector<Delivery> taken;
    taken.swap(engine_->outbox(HomeId{}).deliveries);
    for (const Delivery& delivery : taken) {
      for (auto& [number, client] : clients_) {
        if (client.details.id == delivery.connection) client.last_number = delivery.number;
      }
      const auto listener =
          std::find_if(listeners_.begin(), listeners_.end(),
                       [&](const Listener& each) { return each.id == delivery.subscription; });
      if (listener == listeners_.end()) continue;
      if (listener->explicit_acks) listener->unacknowledged.push_back(delivery.id);
      const auto advisory = read_advisory(*delivery.message);
      EXPECT_TRUE(advisory);
      if (advisory) hear(*listener, *advisory);
    }
    return !taken.empty();
  }

  static void hear(Listener& listener, const Advisory& told) {
    World& heard = listener.heard;
    const Who who{told.connection, told.number.session, told.number.value};
    const std::string place = told.destination ? told.destination->to_text() : "";
    switch (told.kind) {
      case AdvisoryKind::connection_started:
        heard.connections.insert(told.connection);
        break;
      case AdvisoryKind::connection_ended:
        heard.connections.erase(told.connection);
        break;
      case AdvisoryKind::destination_added:
        heard.destinations.insert(place);
        break;
      case AdvisoryKind::destination_removed:
        heard.destinations.erase(place);
        break;
      case AdvisoryKind::consumer_started:
        heard.consumers[who] = place;
        listener.consumer_counts[place] = told.count;
        break;
      case AdvisoryKind::consumer_ended:
        heard.consumers.erase(who);
        listener.consumer_counts[place] = told.count;
        break;
      case AdvisoryKind::producer_started:
        heard.producers[who] = place;
        listener.producer_counts[place] = told.count;
        break;
      case AdvisoryKind::producer_ended:
        heard.producers.erase(who);
        listener.producer_counts[place] = told.count;
        break;
      default:
        break;
    }
  }

  /// Until there is nothing left to be told to anybody.
  void settle() {
    (void)take();
    for (int round = 0; round < 100'000; ++round) {
      for (auto& [number, client] : clients_) {
        write(client, client.last_number);
      }
      for (Listener& listener : listeners_) acknowledge(listener);
      run();
      if (HasFatalFailure() || !take()) return;
    }
    FAIL() << "it does not come to rest";
  }

  void compare(std::uint64_t seed) {
    World truth = truth_;
    for (const auto& snapshot : engine_->destinations("", 1'000'000)) {
      if (snapshot.destination.kind == DestinationKind::queue) {
        truth.destinations.insert(snapshot.destination.to_text());
      }
    }
    for (const Listener& listener : listeners_) {
      World expected;
      if (hears(listener, "Connection")) expected.connections = truth.connections;
      for (const auto& name : truth.destinations) {
        const char* topic = name.starts_with("queue://")        ? "Queue"
                            : name.starts_with("topic://")      ? "Topic"
                            : name.starts_with("temp-queue://") ? "TempQueue"
                                                                : "TempTopic";
        if (hears(listener, topic)) expected.destinations.insert(name);
      }
      if (hears(listener, "Consumer")) {
        expected.consumers = truth.consumers;
        for (const auto& [place, count] : listener.consumer_counts) {
          const auto known = consumers_of_.find(place);
          EXPECT_EQ(count, known == consumers_of_.end() ? 0 : known->second)
              << "seed " << seed << ", consumers of " << place;
        }
      }
      if (hears(listener, "Producer")) {
        expected.producers = truth.producers;
        for (const auto& [place, count] : listener.producer_counts) {
          const auto is_there = [&](const auto& each) { return each.second == place; };
          EXPECT_EQ(count, std::count_if(truth.producers.begin(), truth.producers.end(), is_there))
              << "seed " << seed << ", producers of " << place;
        }
      }
      EXPECT_TRUE(listener.heard == expected)
          << "seed " << seed << ", a listener to " << listener.patterns.front() << " heard\n"
          << to_text(listener.heard) << "\nand there is\n"
          << to_text(expected);
    }
  }

  std::mt19937_64 random_;
  std::map<std::size_t, Client> clients_;
  std::vector<Listener> listeners_;
  /// By client and name: the consumer that has it, or had it last, and the topic.
  std::map<std::pair<std::string, std::string>, std::pair<Who, std::string>> durables_;
  std::map<std::string, int> topics_;  // by how many each is wanted
  std::map<std::string, std::int64_t> consumers_of_;
  World truth_;
  std::size_t names_ = 0;
};

TEST_F(AdvisoriesRandomTest, WhoListensKnowsWhatThereIs) {
  const auto number = [](const char* name, std::uint64_t usual) {
    const char* text = std::getenv(name);
    return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
  };
  const std::uint64_t first = number("PABAL_RANDOM_SEED", 1);
  const std::uint64_t count =
      std::getenv("PABAL_RANDOM_SEED") != nullptr ? 1 : number("PABAL_RANDOM_SEEDS", 150);
  for (std::uint64_t seed = first; seed < first + count && !HasFailure(); ++seed) {
    walk(seed);
    if (HasFailure()) ADD_FAILURE() << "PABAL_RANDOM_SEED=" << seed;
  }
}

}  // namespace
}  // namespace pabal::core
