#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "core/message_list.h"
#include "core/xa.h"

// XA branches, as the engine keeps them.
//
//   active ──prepare──▶ prepared ──commit──▶ (committing ──▶) gone
//     │                    │ └──by hand──▶ heuristically … ──forget──▶ gone
//     └──rollback, one-phase commit, its connection gone──▶ gone ◀──rollback──┘
//
// While active, a branch is a Transaction whose connections come and go. Preparing it writes one
// batch: its stored sends, into a list that no client can name; and a record (attachments) of what
// it acknowledged, by number, and of what else is needed to finish it. Another batch finishes it:
// the sends again, into the lists that they are routed to then; the acknowledgements; and what the
// first batch had added goes.
//
// What a prepared branch acknowledged stays taken: it is with the delivery, as long as its
// subscription lasts (so that a rollback leaves it there), and else only its number is kept
// (HeldRange). After a restart the numbers are in ReaderLane::taken_ahead, where no page brings
// them. What comes back is read from the store by an Errand, and is delivered to nobody before the
// rollback is durable: a crash must not leave a prepared branch whose messages others have seen.

namespace pabal::core {

class Transaction;

/// The list of what prepared branches sent: to the store a temporary queue. Of these the engine
/// stores no others but spilled ones, whose names are longer, so no client can name it.
inline constexpr std::string_view kBranchList = "xa-prepared";

/// Who may wait for the end of one commit; one more is told to ask again (XAER_RMFAIL).
inline constexpr std::size_t kCommitWaitersMax = 16;
/// Of a prepared branch: so many places that it sent to are told with their queues.
inline constexpr std::size_t kSentToMax = 100;

/// What one connection has to do with an active branch.
struct Association {
  ConnectionId connection{};
  std::uint32_t active = 0;     ///< xa_start()s that were not ended
  std::uint32_t suspended = 0;  ///< of those that were, the ones that may resume
};

/// Whether an acknowledgement moves the message, or may: then its number is not enough.
constexpr bool needs_message(AckKind kind) noexcept {
  return kind != AckKind::consumed;
}

/// Acknowledged in a prepared branch: neighbours of one lane, of which only the numbers are kept.
struct HeldRange {
  Reader* reader = nullptr;  ///< null: it has gone
  std::uint8_t priority = 0;
  AckKind kind = AckKind::consumed;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t bytes = 0;  ///< of all their messages
  std::string cause;

  [[nodiscard]] std::uint64_t count() const noexcept { return last - first + 1; }
  [[nodiscard]] bool needs_messages() const noexcept { return needs_message(kind); }
};

class Branch {
 public:
  explicit Branch(Xid name) : xid(std::move(name)) {}

  const Xid xid;
  BranchState state = BranchState::active;
  TimePoint since{};
  std::string client_id;  ///< of the connection that began it
  std::string remote;
  Transaction* work = nullptr;  ///< null: it is only remembered

  // While active.
  std::vector<Association> associations;
  bool rollback_only = false;
  bool ending = false;  ///< a prepare or one-phase commit of it is parked

  // Once prepared.
  std::uint64_t first_stored = 0;           ///< of its messages in the hidden list; zero: none
  std::vector<std::uint32_t> stored_sends;  ///< which of Transaction::sends these are
  /// Where these go, as their sender wrote it, and how many: the first kSentToMax places.
  std::vector<std::pair<Destination, std::uint64_t>> sent_to;
  std::uint64_t stored_bytes = 0;
  std::uint64_t counted_bytes = 0;  ///< of them, in the engine's account of prepared_bytes
  bool in_memory = true;            ///< nothing has to be read back before it can commit
  std::vector<HeldRange> held;
  std::uint64_t acknowledgements = 0;
  std::uint32_t pieces = 0;           ///< attachments that its record takes
  std::vector<ConnectionId> holders;  ///< whose subscriptions have what it acknowledged
  bool by_hand = false;               ///< committing by an operator's word
  /// Whom to answer when a commit that could not be done at once is done: kCommitWaitersMax.
  std::vector<std::pair<ConnectionId, ReplyToken>> waiting;
};

/// Stored messages to be read back, a page at a time: for a branch that commits, or, which a branch
/// has let go, for their readers.
struct Errand {
  struct Range {
    ListId list{};
    ReaderId reader{};
    std::uint8_t priority = 0;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::size_t held = 0;  ///< for a branch: of Branch::held, one behind its index; zero: its sends

    [[nodiscard]] bool in_lane_of(const Range& other) const noexcept {
      return list == other.list && reader == other.reader && priority == other.priority;
    }
  };
  std::optional<Xid> branch;  ///< none: they return
  std::vector<Range> ranges;
  std::size_t at = 0;
  std::uint64_t next = 0;  ///< in the range `at`; zero: from its first
  std::uint64_t page = 0;  ///< the request under way; zero: none
  std::size_t loaded = 0;  ///< of Branch::stored_sends
  Ticket visible_after = kNoTicket;
};

}  // namespace pabal::core
