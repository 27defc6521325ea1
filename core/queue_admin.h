#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/destination.h"
#include "core/ids.h"
#include "core/message.h"
#include "core/result.h"

// What an operator asks of a queue, and what he is told. Everything here is a plain value that is
// copied out of the engine and formatted elsewhere.

namespace pabal::core {

enum class TaskId : std::uint64_t {};

enum class QueueCommand : std::uint8_t {
  list,          ///< copies of the messages, in the order in which they would be taken
  purge,         ///< what waits is acknowledged
  remove,        ///< the same under the name of those who say "delete"
  move,          ///< to QueueTaskOptions::to
  copy,          ///< the same; what was there stays
  retry,         ///< dead letters go back to where they came from
  skip_damaged,  ///< what waits on disk and cannot be read is acknowledged; nothing else
};
/// "list", "purge", …
std::string_view to_string(QueueCommand command) noexcept;

/// Which queue may be deleted.
enum class QueueDeletion : std::uint8_t {
  if_empty,       ///< one without messages and consumers
  with_messages,  ///< the same whatever waits in it, if no consumer, browser or transaction has
                  ///< part in it
  forced,         ///< any; who consumes from it alone has his connection closed
};

/// A place in the order of a queue: priority 9 first, then by sequence. Behind everything: {-1, 0}.
struct QueuePosition {
  int priority = kPriorities - 1;
  std::uint64_t sequence = 0;
  friend bool operator==(const QueuePosition&, const QueuePosition&) = default;
};

/// One command about what stands in one queue when it begins.
struct QueueTaskOptions {
  QueueCommand command = QueueCommand::list;
  Destination queue;
  /// skip_damaged: what a durable subscription keeps, instead of a queue. Empty: of `queue`.
  std::string client_id;
  std::string subscription;
  std::string selector;     ///< only what it matches; empty: everything
  std::string message_id;   ///< only this one; empty: all
  Destination to;           ///< move, copy
  std::uint64_t limit = 0;  ///< so many messages, then it is done; 0: all that there are
  QueuePosition from;       ///< list: begin here
  std::uint64_t bytes_max = 1ULL << 20;  ///< list: end behind the message that passes this
};

/// How a message stood when a task came by.
enum class Standing : std::uint8_t {
  waiting,
  delayed,    ///< waiting for the time of its redelivery
  out,        ///< with a consumer, or on its way: to him, to the dead letters, out of the broker
  invisible,  ///< its transaction is not durable yet
  gone,       ///< acknowledged since it was read
};
std::string_view to_string(Standing standing) noexcept;

struct ListedMessage {
  QueuePosition position;
  MessageRef message;
  std::uint32_t deliveries = 0;  ///< earlier ones that failed or were lost
  bool redelivered = false;
  Standing standing = Standing::waiting;
};

enum class TaskState : std::uint8_t {
  working,
  waiting_for_room,  ///< `text` says for which
  done,
  failed,  ///< `text` says why; what `affected` counts has taken effect
  cancelled,
};
std::string_view to_string(TaskState state) noexcept;

struct QueueTaskView {
  TaskId id{};
  QueueCommand command{};
  Destination queue;         ///< or the topic of `subscription`
  std::string client_id;     ///< as in QueueTaskOptions
  std::string subscription;  ///< the same
  TaskState state = TaskState::working;
  std::string text;
  std::uint64_t looked_at = 0;      ///< messages that it has come by
  std::uint64_t affected = 0;       ///< purged, moved, copied, retried, listed
  std::uint64_t skipped_out = 0;    ///< matched, but a consumer has it
  std::uint64_t skipped_other = 0;  ///< matched, but the command is not for it: `skipped_why`
  std::string skipped_why;
  std::uint64_t damaged = 0;  ///< could not be read
  std::string damage;         ///< the first of them
  bool more = false;          ///< list: it ended before the queue did
  QueuePosition next;         ///< list: what to ask for then
  std::vector<ListedMessage> messages;

  [[nodiscard]] bool ended() const noexcept { return state >= TaskState::done; }
};

/// One consumer or browser of a queue, and what it can take.
struct ConsumerExplanation {
  std::string client_id;
  std::string remote;
  std::string protocol;
  std::string destination;  ///< what it subscribed to: perhaps a pattern
  std::string selector;
  std::int32_t priority = 0;
  std::uint32_t prefetch = 0;
  std::uint64_t out = 0;          ///< deliveries that its credit counts
  std::int64_t oldest_since = 0;  ///< ms since 1970: of its oldest delivery; 0: none
  std::string blocked;            ///< why it takes no more now; empty: it would
};

/// Why the consumers that take the same messages get none.
struct ScanExplanation {
  std::string selector;  ///< empty: they take everything
  std::uint64_t consumers = 0;
  std::string waiting;
};

/// A connection whose sends wait for room, because of a limit that this queue has part in.
struct ProducerExplanation {
  std::string client_id;
  std::string remote;
  std::uint64_t parked_bytes = 0;
  std::string reason;      ///< which limit, and how much of it is used
  std::int64_t since = 0;  ///< ms since 1970
};

/// A message group that a consumer has, or of which messages wait.
struct GroupExplanation {
  std::string id;         ///< empty: several share the owner, because there are too many
  std::string client_id;  ///< of its owner; empty: nobody yet
  std::string remote;
  std::uint64_t out = 0;      ///< deliveries not settled
  std::uint64_t waiting = 0;  ///< among the waiting messages that were looked at
};

/// A transaction that has not ended, and what it did with the queue.
struct TransactionExplanation {
  std::uint64_t id = 0;   ///< TransactionId
  std::string xid;        ///< of an XA branch; empty: a client's own
  std::string state;      ///< "open"; of a branch: "active", "prepared", "committing"
  std::string client_id;  ///< who began it
  std::string remote;
  std::int64_t since = 0;              ///< ms since 1970: of the state
  std::uint64_t acknowledgements = 0;  ///< of messages of the queue
  std::uint64_t sends = 0;             ///< to it: nobody sees them before it commits
};

struct QueueExplanation {
  Destination queue;
  std::uint64_t depth = 0;
  std::uint64_t depth_bytes = 0;
  std::uint64_t in_flight = 0;
  std::int64_t oldest_out_since = 0;       ///< ms since 1970; 0: nothing is out
  std::uint64_t in_transactions = 0;       ///< of in_flight: acknowledged, and not committed
  std::uint64_t sent_in_transactions = 0;  ///< not of depth: sent, and not committed
  std::uint64_t returned = 0;              ///< came back, and goes next
  std::uint64_t delayed = 0;               ///< wait for the time of a redelivery
  std::uint64_t expired_without_room = 0;
  std::uint64_t window_bytes = 0;  ///< of stored messages also in memory
  bool paused = false;
  std::string waiting;               ///< the dispatcher's own word
  std::string next;                  ///< id of the message that goes next; empty: none, or on disk
  std::vector<std::string> reasons;  ///< why messages wait, in sentences, the decisive first
  std::vector<ScanExplanation> scans;
  std::vector<ConsumerExplanation> consumers;        ///< the first kExplainedMax
  std::vector<ProducerExplanation> producers;        ///< the first kExplainedMax
  std::vector<TransactionExplanation> transactions;  ///< the oldest kExplainedMax
  std::uint64_t transactions_total = 0;
  bool transactions_cut = false;  ///< there may be more: not all operations were looked at
  std::uint64_t consumers_total = 0;
  std::uint64_t producers_total = 0;
  std::uint64_t browsers = 0;
  std::string exclusive_client;  ///< who gets all; empty: there is no exclusive consumer
  std::string exclusive_remote;
  std::uint64_t groups_total = 0;        ///< message groups with an owner
  std::uint64_t groups_looked_at = 0;    ///< waiting messages in memory that were looked at
  std::vector<GroupExplanation> groups;  ///< those with the most waiting first: kExplainedMax
  std::int64_t starts_at = 0;  ///< ms since 1970: warming up until then at the latest; 0: it is not
  std::vector<std::string> damaged;  ///< where messages that cannot be read hold others up
};
inline constexpr std::size_t kExplainedMax = 100;

/// Where one message is, and who would take it.
struct MessageExplanation {
  Standing standing = Standing::waiting;
  std::vector<std::string> reasons;
  /// With a consumer: whose, since when (ms since 1970), within which transaction (0: none).
  std::string client_id;
  std::string remote;
  std::int64_t since = 0;
  std::uint64_t transaction = 0;
  std::string xid;                     ///< of that transaction, if it is an XA branch
  std::string transaction_state;       ///< as in TransactionExplanation
  std::int64_t transaction_since = 0;  ///< ms since 1970
  std::int64_t due = 0;                ///< delayed: ms since 1970
  struct Match {
    std::string selector;
    std::uint64_t consumers = 0;
    bool matches = false;
  };
  std::vector<Match> matches;
};

}  // namespace pabal::core
