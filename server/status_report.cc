#include "server/status_report.h"

#include <array>
#include <cstdio>
#include <fcntl.h>
#include <sstream>
#include <unistd.h>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "core/selector_text.h"
#include "server/utf8.h"

namespace pabal::server {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

Poco::UInt64 number(std::uint64_t value) {
  return value;
}

std::string to_text(const Object& object) {
  std::ostringstream out;
  object.stringify(out);
  out << '\n';
  return out.str();
}

Object::Ptr counters_json(const core::DestinationCounters& counters) {
  Object::Ptr json = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
  json->set("enqueued", number(counters.enqueued));
  json->set("dequeued", number(counters.dequeued));
  json->set("dispatched", number(counters.dispatched));
  json->set("expired", number(counters.expired));
  json->set("deadLettered", number(counters.dead_lettered));
  json->set("redelivered", number(counters.redelivered));
  json->set("dropped", number(counters.dropped));
  return json;
}

Object::Ptr engine_json(const StatusReport& report) {
  const auto& engine = report.engine;
  Object::Ptr json = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
  json->set("connections", number(engine.connections));
  json->set("connectionsTotal", number(engine.connections_total));
  json->set("connectionsParked", number(engine.connections_parked));
  json->set("subscriptions", number(engine.subscriptions));
  json->set("queues", number(engine.queues));
  json->set("durableSubscriptions", number(engine.durable_subscriptions));
  json->set("transactions", number(engine.transactions));
  json->set("xaPrepared", number(engine.branches_prepared));
  json->set("xaHeuristic", number(engine.branches_heuristic));
  if (engine.oldest_prepared) {
    json->set("xaOldestPrepared", Poco::Int64{core::to_millis(*engine.oldest_prepared)});
  }
  json->set("bytesHeld", number(engine.bytes_held));
  json->set("bytesWindow", number(engine.bytes_window));
  json->set("bytesSpilled", number(engine.bytes_spilled));
  json->set("bytesRemembered", number(engine.bytes_remembered));
  json->set("scheduled", number(engine.scheduled));
  json->set("scheduledBytes", number(engine.scheduled_bytes));
  if (!engine.scheduled_waiting.empty()) {
    json->set("scheduledWaiting", to_utf8(engine.scheduled_waiting));
  }
  json->set("damagedReads", number(engine.damaged_reads));
  json->set("damagedSkipped", number(engine.damaged_skipped));
  if (!engine.damage.empty()) json->set("damage", to_utf8(engine.damage));
  json->set("slowConsumersAborted", number(engine.slow_consumers_aborted));
  json->set("destinationsCollected", number(engine.destinations_collected));
  json->set("durableSubscriptionsExpired", number(engine.durable_subscriptions_expired));
  json->set("entries", number(report.engine_entries));
  json->set("longestEntryMicros",
            number(static_cast<std::uint64_t>(report.engine_longest_entry.count() / 1000)));
  json->set("longestEntrySteps", number(engine.steps_longest_entry));
  json->set("totals", counters_json(engine.totals));
  return json;
}

Object::Ptr store_json(const StatusReport& report) {
  const auto& store = report.store;
  Object::Ptr json = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
  json->set("epoch", number(store.epoch));
  json->set("bytesLive", number(store.bytes_live));
  json->set("bytesOnDisk", number(store.bytes_on_disk));
  json->set("bytesLimit", number(store.bytes_limit));
  json->set("segments", number(store.segments));
  json->set("segmentsGivenUp", number(store.segments_given_up));
  json->set("groupsSynced", number(store.groups_synced));
  json->set("bytesWritten", number(store.bytes_written));
  json->set("batchesCancelled", number(store.batches_cancelled));
  json->set("batchesPassing", number(store.batches_passing));
  json->set("messagesRelocated", number(store.messages_relocated));
  json->set("submitted", number(core::raw(store.submitted)));
  json->set("durable", number(core::raw(store.durable)));
  json->set("full", store.full);
  json->set("sendsWait", store.sends_wait);
  if (store.full) json->set("fullReason", store.full_reason);
  json->set("failed", report.store_failed);
  return json;
}

Array::Ptr listeners_json(const StatusReport& report) {
  Array::Ptr list = new Array;
  for (const auto& listener : report.listeners) {
    Object::Ptr json = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
    json->set("name", listener.name);
    json->set("protocol", listener.protocol);
    json->set("port", static_cast<int>(listener.port));
    json->set("connections", number(listener.open));
    json->set("accepted", number(listener.accepted));
    json->set("refused", number(listener.refused));
    list->add(json);
  }
  return list;
}

Array::Ptr destinations_json(const StatusReport& report) {
  Array::Ptr list = new Array;
  for (const auto& destination : report.destinations) {
    Object::Ptr json = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
    json->set("destination", to_utf8(destination.destination.to_text()));
    json->set("depth", number(destination.depth));
    json->set("depthBytes", number(destination.depth_bytes));
    json->set("inFlight", number(destination.in_flight));
    json->set("consumers", static_cast<int>(destination.consumers));
    json->set("waiting", std::string(core::to_string(destination.waiting)));
    if (destination.memory_limit != 0) {
      json->set("heldBytes", number(destination.held_bytes));
      json->set("memoryLimit", number(destination.memory_limit));
    }
    if (destination.store_limit != 0) json->set("storeLimit", number(destination.store_limit));
    json->set("producersBlocked", static_cast<int>(destination.producers_blocked));
    json->set("counters", counters_json(destination.counters));
    list->add(json);
  }
  return list;
}

Array::Ptr blocked_json(const StatusReport& report) {
  Array::Ptr list = new Array;
  for (const auto& producer : report.blocked_producers) {
    Object::Ptr json = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
    json->set("clientId", to_utf8(producer.client_id));
    json->set("remote", to_utf8(producer.remote));
    // Without one it waits for the broker as a whole.
    if (!producer.destination.name.empty()) {
      json->set("destination", to_utf8(producer.destination.to_text()));
    }
    json->set("reason", to_utf8(producer.reason));
    json->set("sinceMillis", static_cast<Poco::Int64>(core::to_millis(producer.since)));
    json->set("sends", number(producer.sends));
    json->set("bytes", number(producer.bytes));
    list->add(json);
  }
  return list;
}

Array::Ptr subscriptions_json(const StatusReport& report) {
  Array::Ptr list = new Array;
  for (const auto& subscription : report.durable_subscriptions) {
    Object::Ptr json = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
    json->set("clientId", to_utf8(subscription.client_id));
    json->set("name", to_utf8(subscription.name));
    json->set("destination", to_utf8(subscription.destination.to_text()));
    json->set("selector", to_utf8(core::shown_selector(subscription.selector)));
    json->set("active", subscription.active);
    json->set("depth", number(subscription.depth));
    json->set("inFlight", number(subscription.in_flight));
    json->set("waiting", std::string(core::to_string(subscription.waiting)));
    list->add(json);
  }
  return list;
}

Array::Ptr bridges_json(const std::vector<BridgeReport>& bridges) {
  Array::Ptr list = new Array;
  for (const auto& bridge : bridges) {
    Object::Ptr json = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
    json->set("name", to_utf8(bridge.name));
    json->set("remote", to_utf8(bridge.remote));
    json->set("clientId", to_utf8(bridge.client_id));
    json->set("state", bridge.state);
    json->set("connected", bridge.connected);
    json->set("since", static_cast<Poco::Int64>(core::to_millis(bridge.since)));
    json->set("connects", number(bridge.connects));
    json->set("forwardedOut", number(bridge.forwarded_out));
    json->set("forwardedIn", number(bridge.forwarded_in));
    json->set("looped", number(bridge.looped));
    json->set("refusedOut", number(bridge.refused_out));
    json->set("refusedIn", number(bridge.refused_in));
    json->set("waiting", number(bridge.waiting));
    json->set("inFlight", number(bridge.in_flight));
    json->set("lastError", to_utf8(bridge.fault));
    json->set("lastErrorAt", static_cast<Poco::Int64>(core::to_millis(bridge.fault_at)));
    list->add(json);
  }
  return list;
}

// --- Prometheus text format ----------------------------------------------------------------------

/// Writes one metric family after another.
class Metrics {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
    text_.append(name).append(" ").append(type).append("\n");
  }
  void value(std::uint64_t number, std::string_view labels = {}) {
    text_.append(name_);
    if (!labels.empty()) text_.append("{").append(labels).append("}");
    text_.append(" ").append(std::to_string(number)).append("\n");
  }
  void single(std::string_view name, std::string_view type, std::string_view help,
              std::uint64_t number) {
    family(name, type, help);
    value(number);
  }
  void seconds(std::string_view name, std::string_view type, std::string_view help,
               double seconds) {
    family(name, type, help);
    std::array<char, 32> digits{};
    std::snprintf(digits.data(), digits.size(), " %.9f\n", seconds);
    text_.append(name_).append(digits.data());
  }
  std::string take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

std::string label(std::string_view name, std::string_view value) {
  std::string text(name);
  text += "=\"";
  for (const char c : to_utf8(value)) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text + "\"";
}

void broker_metrics(Metrics& metrics, const StatusReport& report) {
  metrics.family("pabal_info", "gauge", "The running broker.");
  metrics.value(1, label("version", report.version) + "," + label("broker", report.broker_name));
  metrics.single("pabal_up_seconds", "gauge", "Seconds since the start.",
                 static_cast<std::uint64_t>(report.uptime.count()));
  metrics.single("pabal_healthy", "gauge", "1: nothing is refused for lack of space.",
                 illness(report).empty() ? 1 : 0);
  metrics.single("pabal_resident_bytes", "gauge", "Memory of the process.", report.resident_bytes);
  metrics.single("pabal_connections", "gauge", "Open sockets.", report.connections);
  metrics.single("pabal_received_bytes_total", "counter", "Bytes read from sockets.",
                 report.bytes_in);
  metrics.single("pabal_sent_bytes_total", "counter", "Bytes written to sockets.",
                 report.bytes_out);
  metrics.family("pabal_listener_connections", "gauge", "Open sockets of a listener.");
  for (const auto& listener : report.listeners) {
    metrics.value(listener.open, label("listener", listener.name));
  }
  metrics.family("pabal_listener_accepted_total", "counter", "Connections taken by a listener.");
  for (const auto& listener : report.listeners) {
    metrics.value(listener.accepted, label("listener", listener.name));
  }
  metrics.family("pabal_listener_refused_total", "counter", "Connections refused by a listener.");
  for (const auto& listener : report.listeners) {
    metrics.value(listener.refused, label("listener", listener.name));
  }
}

void engine_metrics(Metrics& metrics, const StatusReport& report) {
  const auto& engine = report.engine;
  metrics.single("pabal_clients", "gauge", "Clients that are logged on.", engine.connections);
  metrics.single("pabal_clients_parked", "gauge", "Clients whose sends wait for room.",
                 engine.connections_parked);
  metrics.single("pabal_subscriptions", "gauge", "Active subscriptions.", engine.subscriptions);
  metrics.single("pabal_durable_subscriptions", "gauge", "Durable subscriptions, active or not.",
                 engine.durable_subscriptions);
  metrics.single("pabal_queues", "gauge", "Queues.", engine.queues);
  metrics.single("pabal_transactions", "gauge", "Open transactions.", engine.transactions);
  metrics.single("pabal_xa_prepared", "gauge", "XA branches that are prepared.",
                 engine.branches_prepared);
  metrics.single("pabal_xa_heuristic", "gauge", "XA branches completed by hand, not forgotten.",
                 engine.branches_heuristic);
  metrics.single("pabal_xa_oldest_prepared_seconds", "gauge",
                 "When the oldest prepared XA branch was prepared (Unix time); 0: none.",
                 engine.oldest_prepared
                     ? static_cast<std::uint64_t>(core::to_millis(*engine.oldest_prepared) / 1000)
                     : 0);
  metrics.single("pabal_messages_held_bytes", "gauge", "Messages that must stay in memory.",
                 engine.bytes_held);
  metrics.single("pabal_messages_window_bytes", "gauge", "Stored messages also kept in memory.",
                 engine.bytes_window);
  metrics.single("pabal_messages_spilled_bytes", "gauge",
                 "Non-persistent messages moved to the store's disk.", engine.bytes_spilled);
  metrics.single("pabal_scheduled", "gauge", "Messages that wait for their time.",
                 engine.scheduled);
  metrics.single("pabal_scheduled_bytes", "gauge", "Their bytes.", engine.scheduled_bytes);
  metrics.single("pabal_scheduled_held_up", "gauge",
                 "1: one that was due could not be delivered, the last time.",
                 engine.scheduled_waiting.empty() ? 0 : 1);
  metrics.single("pabal_damaged_reads_total", "counter",
                 "Reads that met a stored message that cannot be read.", engine.damaged_reads);
  metrics.single("pabal_damaged_skipped_total", "counter",
                 "Stored messages that an operator had deleted unread.", engine.damaged_skipped);
  metrics.single("pabal_enqueued_total", "counter", "Messages accepted.", engine.totals.enqueued);
  metrics.single("pabal_dequeued_total", "counter", "Messages settled.", engine.totals.dequeued);
  metrics.single("pabal_dispatched_total", "counter", "Deliveries.", engine.totals.dispatched);
  metrics.single("pabal_expired_total", "counter", "Messages expired.", engine.totals.expired);
  metrics.single("pabal_dead_lettered_total", "counter", "Messages dead-lettered.",
                 engine.totals.dead_lettered);
  metrics.single("pabal_duplicates_total", "counter", "Sends that were taken before.",
                 engine.totals.duplicates);
  metrics.single("pabal_redelivered_total", "counter", "Deliveries repeated.",
                 engine.totals.redelivered);
  metrics.single("pabal_engine_entries_total", "counter", "Entries into the engine.",
                 report.engine_entries);
  metrics.single("pabal_loop_turns_total", "counter", "Turns of the event loops.", report.turns);
  metrics.seconds("pabal_engine_longest_entry_seconds", "gauge", "Longest stay in the engine.",
                  static_cast<double>(report.engine_longest_entry.count()) / 1e9);
}

void bridge_metrics(Metrics& metrics, const StatusReport& report) {
  struct Family {
    const char* name;
    const char* type;
    const char* help;
    std::uint64_t (*value)(const BridgeReport&);
  };
  static constexpr Family kFamilies[] = {
      {"pabal_bridge_connected", "gauge", "1: the other broker is there.",
       [](const BridgeReport& b) -> std::uint64_t { return b.connected ? 1 : 0; }},
      {"pabal_bridge_connects_total", "counter", "Connections that the other broker accepted.",
       [](const BridgeReport& b) -> std::uint64_t { return b.connects; }},
      {"pabal_bridge_forwarded_out_total", "counter", "Messages that the other broker has taken.",
       [](const BridgeReport& b) -> std::uint64_t { return b.forwarded_out; }},
      {"pabal_bridge_forwarded_in_total", "counter", "Messages taken from the other broker.",
       [](const BridgeReport& b) -> std::uint64_t { return b.forwarded_in; }},
      {"pabal_bridge_looped_total", "counter", "Messages that came back and were not taken again.",
       [](const BridgeReport& b) -> std::uint64_t { return b.looped; }},
      {"pabal_bridge_refused_out_total", "counter", "Dead letters that the other broker refused.",
       [](const BridgeReport& b) -> std::uint64_t { return b.refused_out; }},
      {"pabal_bridge_refused_in_total", "counter", "Messages that cannot be here.",
       [](const BridgeReport& b) -> std::uint64_t { return b.refused_in; }},
      {"pabal_bridge_waiting", "gauge", "Messages that are to be forwarded.",
       [](const BridgeReport& b) -> std::uint64_t { return b.waiting; }},
      {"pabal_bridge_in_flight", "gauge", "Of them, those that the other broker has to answer.",
       [](const BridgeReport& b) -> std::uint64_t { return b.in_flight; }},
      {"pabal_bridge_since_timestamp_seconds", "gauge",
       "Since when it is connected, or is not; 0: it is not configured any more.",
       [](const BridgeReport& b) -> std::uint64_t {
         return static_cast<std::uint64_t>(core::to_millis(b.since) / 1000);
       }},
  };
  for (const auto& family : kFamilies) {
    metrics.family(family.name, family.type, family.help);
    for (const auto& bridge : report.bridges) {
      metrics.value(family.value(bridge), label("bridge", bridge.name));
    }
  }
}

void store_metrics(Metrics& metrics, const StatusReport& report) {
  const auto& store = report.store;
  metrics.single("pabal_store_live_bytes", "gauge", "Messages that somebody still needs.",
                 store.bytes_live);
  metrics.single("pabal_store_disk_bytes", "gauge", "Journal and index files.",
                 store.bytes_on_disk);
  metrics.single("pabal_store_limit_bytes", "gauge", "storeUsage; 0: none.", store.bytes_limit);
  metrics.single("pabal_store_segments", "gauge", "Journal segments.", store.segments);
  metrics.single("pabal_store_segments_given_up", "gauge",
                 "Journal segments that cannot be read and are never reclaimed.",
                 store.segments_given_up);
  metrics.single("pabal_store_groups_synced_total", "counter", "Syncs of the journal.",
                 store.groups_synced);
  metrics.single("pabal_store_written_bytes_total", "counter", "Bytes written to the journal.",
                 store.bytes_written);
  metrics.single("pabal_store_cancelled_total", "counter", "Batches consumed before written.",
                 store.batches_cancelled);
  metrics.single("pabal_store_passing_batches", "gauge",
                 "Held back, because consumers will probably acknowledge them before long.",
                 store.batches_passing);
  metrics.single("pabal_store_relocated_total", "counter", "Messages moved to free segments.",
                 store.messages_relocated);
  const auto submitted = core::raw(store.submitted);
  const auto durable = core::raw(store.durable);
  metrics.single("pabal_store_undurable_batches", "gauge", "Submitted and not synced yet.",
                 submitted > durable ? submitted - durable : 0);
  metrics.single("pabal_store_full", "gauge", "1: sends wait or are refused.", store.full ? 1 : 0);
}

void destination_metrics(Metrics& metrics, const StatusReport& report) {
  using Snapshot = core::DestinationSnapshot;
  struct Family {
    const char* name;
    const char* type;
    const char* help;
    std::uint64_t (*value)(const Snapshot&);
  };
  static constexpr Family kFamilies[] = {
      {"pabal_destination_depth", "gauge", "Messages not settled.",
       [](const Snapshot& s) -> std::uint64_t { return s.depth; }},
      {"pabal_destination_depth_bytes", "gauge", "Their bytes.",
       [](const Snapshot& s) -> std::uint64_t { return s.depth_bytes; }},
      {"pabal_destination_in_flight", "gauge", "Messages out to consumers.",
       [](const Snapshot& s) -> std::uint64_t { return s.in_flight; }},
      {"pabal_destination_consumers", "gauge", "Consumers.",
       [](const Snapshot& s) -> std::uint64_t { return s.consumers; }},
      {"pabal_destination_enqueued_total", "counter", "Messages accepted.",
       [](const Snapshot& s) -> std::uint64_t { return s.counters.enqueued; }},
      {"pabal_destination_dequeued_total", "counter", "Messages settled.",
       [](const Snapshot& s) -> std::uint64_t { return s.counters.dequeued; }},
  };
  for (const auto& family : kFamilies) {
    metrics.family(family.name, family.type, family.help);
    for (const auto& destination : report.destinations) {
      metrics.value(family.value(destination),
                    label("destination", destination.destination.to_text()));
    }
  }
  metrics.single("pabal_destinations_cut", "gauge",
                 "1: there are more destinations than are listed here.",
                 report.destinations_cut ? 1 : 0);
}

}  // namespace

std::string illness(const StatusReport& report) {
  if (report.store_failed) return "the store failed";
  // At storeUsage the sends wait for consumers, which must not be kept away by whoever watches
  // this.
  if (report.store.full && !report.store.sends_wait) {
    return "the store is full: " + report.store.full_reason;
  }
  return {};
}

std::string format_health(const StatusReport& report) {
  const std::string reason = illness(report);
  Object json(Poco::JSON_PRESERVE_KEY_ORDER);
  json.set("status", reason.empty() ? "ok" : "unhealthy");
  if (!reason.empty()) json.set("reason", reason);
  return to_text(json);
}

std::string format_status(const StatusReport& report) {
  Object json(Poco::JSON_PRESERVE_KEY_ORDER);
  json.set("broker", report.broker_name);
  json.set("version", report.version);
  json.set("uptimeSeconds", number(static_cast<std::uint64_t>(report.uptime.count())));
  json.set("healthy", illness(report).empty());
  json.set("residentBytes", number(report.resident_bytes));
  json.set("connections", number(report.connections));
  json.set("bytesIn", number(report.bytes_in));
  json.set("bytesOut", number(report.bytes_out));
  json.set("listeners", listeners_json(report));
  if (!report.bridges.empty()) json.set("bridges", bridges_json(report.bridges));
  json.set("engine", engine_json(report));
  json.set("store", store_json(report));
  json.set("destinations", destinations_json(report));
  json.set("destinationsCut", report.destinations_cut);
  json.set("durableSubscriptions", subscriptions_json(report));
  json.set("blockedProducers", blocked_json(report));
  return to_text(json);
}

std::string format_bridges(const std::vector<BridgeReport>& bridges) {
  Object json(Poco::JSON_PRESERVE_KEY_ORDER);
  json.set("bridges", bridges_json(bridges));
  return to_text(json);
}

std::string format_metrics(const StatusReport& report) {
  Metrics metrics;
  broker_metrics(metrics, report);
  engine_metrics(metrics, report);
  if (!report.bridges.empty()) bridge_metrics(metrics, report);
  store_metrics(metrics, report);
  destination_metrics(metrics, report);
  return metrics.take();
}

std::uint64_t resident_bytes() {
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  std::array<char, 128> text{};
  const auto count = ::read(file, text.data(), text.size() - 1);
  ::close(file);
  unsigned long long total = 0;
  unsigned long long resident = 0;
  if (count <= 0 || std::sscanf(text.data(), "%llu %llu", &total, &resident) != 2) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace pabal::server
