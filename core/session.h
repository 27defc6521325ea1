#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/destination.h"
#include "core/ids.h"
#include "core/message.h"

// Sessions: what a client has under its client id beyond one connection. Source: MQTT 5.0 §4.1.
//
// A session begins with a connection that asks for one, and ends a while after its connection has
// (`keep`), or with it, or never. To it belong
//   - durable subscriptions that were made by its connections,
//   - what the adaptor wants kept (attachments): a key and some bytes, of no meaning to core,
//   - a will: a message that the broker sends for the client when its connection is lost.
//
// In the store a session is attachments, if it outlives its connection or has a will:
//   session/<client id>                          the record: generation, times, origins, will
//   session.part/<generation>:<client id>/<key>  an attachment of the adaptor's
//   session.subscription/<generation>:<client id>/<name>   what belongs to a subscription
//   session.will/<number>                        a will that is due, and found no room yet
// Each session of a client id has a generation of its own, so that one step ends a session: what
// bears a generation that is no session's is removed in its own time, or at the next start.
//
// After a crash, whoever was connected counts as lost at the start: wills and ends count from then.
// A will and what says that it is to be sent change in one batch, and nobody sees it before that is
// durable. So it is sent once for each lost connection, over crashes too.

namespace pabal::core {

using std::chrono::seconds;

/// What the broker sends when a connection is lost.
struct Will {
  MessageRef message;            ///< gets its id and its time when it is sent
  seconds delay{0};              ///< not before this, unless the session ends
  milliseconds time_to_live{0};  ///< counts from when it is sent; 0: for ever
};

/// What an adaptor has in memory about a connection with a session, for the one that takes it over.
/// Core only hands it on.
class SessionCompanion {
 public:
  SessionCompanion() = default;
  virtual ~SessionCompanion() = default;
  SessionCompanion(const SessionCompanion&) = delete;
  SessionCompanion& operator=(const SessionCompanion&) = delete;
};

/// Where a message stands that was delivered to a session; the same over reconnections and
/// restarts. List zero: it is a copy, of a retained message for instance.
struct DeliveryPlace {
  ListId list{};
  ReaderId reader{};
  std::uint8_t priority = 0;
  std::uint64_t sequence = 0;
};

/// The session that a connection asks for.
struct SessionRequest {
  bool fresh = true;  ///< what there is under the client id is forgotten first
  /// How long it outlives its connections; 0: it ends with this one; none: for ever. The answer may
  /// be less (EngineLimits::session_keep_max).
  std::optional<seconds> keep = seconds{0};
  std::shared_ptr<const Will> will;
  std::shared_ptr<SessionCompanion> companion = nullptr;  ///< of this connection; null: none
  /// Not a client's, but of the broker's own configuration: no limit of time shortens `keep`.
  bool configured = false;
};

/// How a connection with a session ends.
enum class Leaving : std::uint8_t {
  lost,       ///< its will is sent
  orderly,    ///< its will is dropped
  with_will,  ///< by its own wish, and its will is sent
};

/// One change of a session's attachments.
struct SessionChange {
  std::string key;                   ///< up to 8192 bytes
  std::optional<std::string> value;  ///< none: it goes
};
using SessionChanges = std::vector<SessionChange>;

/// A subscription that a session has.
struct SessionSubscription {
  std::string name;
  Destination destination;
  std::string group;  ///< of a shared one; else empty
  std::string data;   ///< SubscribeOptions::session_data
};

/// One session, for operators.
struct SessionSnapshot {
  std::string client_id;
  bool connected = false;
  std::optional<seconds> keep;
  std::optional<TimePoint> ends_at;  ///< set while nobody is connected, unless it never ends
  std::optional<TimePoint> will_at;  ///< a will waits for this
  std::uint64_t subscriptions = 0;
  std::uint64_t attachments = 0;
  std::uint64_t attachment_bytes = 0;
};

class Reader;
class Session;

/// A subscription, as its session knows it.
struct OwnSubscription {
  Reader* reader = nullptr;  ///< null: after a start, until the readers are there
  ListId list{};
  ReaderId reader_id{};
  std::string group;
  std::string data;
  bool volatile_when_active = false;
  bool replaying = false;  ///< it has not acknowledged all that was retained when it came
};

/// A delivery of a shared subscription that goes to nobody but its session: see engine_shared.cc.
struct PinKey {
  ReaderId reader{};
  std::uint8_t priority = 0;
  std::uint64_t sequence = 0;
  friend auto operator<=>(const PinKey&, const PinKey&) = default;
};
struct Pin {
  ListId list{};
  std::uint64_t bytes = 0;
};

class Session {
 public:
  Session(std::string id, std::uint64_t its_generation)
      : client_id(std::move(id)), generation(its_generation) {}

  const std::string client_id;
  const std::uint64_t generation;
  std::optional<seconds> keep;
  ConnectionId connection{};                    ///< zero: nobody is connected
  std::shared_ptr<SessionCompanion> companion;  ///< of that connection
  TimePoint ended{};  ///< when the last connection has; TimePoint{}: not known yet
  std::shared_ptr<const Will> will;
  bool will_waits = false;               ///< the connection was lost, and its delay runs
  TimePoint planned = TimePoint::max();  ///< stands in the engine's set of times under this
  bool stored = false;                   ///< the store has its record
  bool parts_stored = false;             ///< and its attachments and subscriptions
  std::vector<std::uint64_t> origins;    ///< of its last connections: what it sent itself
  std::map<std::string, std::string, std::less<>> attachments;
  std::map<std::string, OwnSubscription, std::less<>> subscriptions;
  std::map<PinKey, Pin> pins;
  std::uint64_t attachment_bytes = 0;  ///< keys and values, those of subscriptions too

  [[nodiscard]] bool connected() const noexcept { return connection != ConnectionId{}; }
  [[nodiscard]] bool ends_with_connection() const noexcept { return keep && keep->count() <= 0; }
  [[nodiscard]] bool has_origin(std::uint64_t origin) const noexcept {
    return std::find(origins.begin(), origins.end(), origin) != origins.end();
  }
};

/// What a session that has ended leaves to be cleared away.
struct EndingSession {
  std::string client_id;
  std::uint64_t generation = 0;
  bool parts_stored = false;
  std::vector<std::pair<std::string, ReaderId>> subscriptions;  ///< names
  std::vector<std::string> attachments;                         ///< keys
};

/// A will that is due, whose session may have ended.
struct DueWill {
  std::shared_ptr<const Will> will;
  std::string key;  ///< of the attachment that has it; empty: none
  std::string client_id;
};

}  // namespace pabal::core
