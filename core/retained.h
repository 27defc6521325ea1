#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/message.h"
#include "core/ring.h"

// Retained messages: of each topic the last one that was sent to be kept (Message::retain), for
// those who subscribe later. Source: MQTT 5.0 §3.3.1.3.
//
// They stand in one hidden list of the store, each under a number of its own; the batch that brings
// a new one acknowledges the number before it. So a body is written once, and shared with the lists
// of durable subscriptions; it moves like any message when its segment is reclaimed; and it need
// not be in memory, where only names and numbers must be. (As attachments, whole bodies would stand
// in the index and be written again with every segment that goes.) At a start the list is read from
// its beginning; new ones are taken meanwhile, and who subscribes waits for the rest. What deletes
// one meanwhile stands in the list as well, without a body, until all of it is read.
//
// A subscription gets what matches by a replay: in order of name, in steps, with its credit; what
// is not in memory is read ahead. A retained message that came after the subscription is not in its
// replay, because the subscription gets it as any other.

namespace pabal::core {

/// The name of the list, which is no name for clients.
inline constexpr std::string_view kRetainedList = "\x01retained";

/// What a topic keeps.
struct Retained {
  std::uint64_t sequence = 0;  ///< in the list
  std::uint32_t bytes = 0;     ///< of the flat message; zero: deleted, and the list not read yet
  std::int64_t expiration = 0;
  bool stored = false;               ///< the list has an entry of this number
  Ticket visible_after = kNoTicket;  ///< sent in a transaction: not before this is durable
  MessageRef message;                ///< null: in the store only
};

using RetainedMap = std::map<std::string, Retained, std::less<>>;

/// All of them.
struct RetainedBook {
  ListId list{};  ///< zero: not made yet
  std::uint64_t next_sequence = 1;
  RetainedMap topics;
  std::uint64_t bytes = 0;         ///< of flat messages; limit: retained_bytes_max
  std::uint64_t window_bytes = 0;  ///< of those in memory; limit: retained_window_bytes_max
  std::set<std::pair<std::int64_t, std::string_view>> expirations;  ///< names: keys of `topics`
  bool expiry_due = false;

  // Until the list is read: `read_to` is where the next page begins, `read_end` behind the last.
  std::uint64_t read_to = 0;
  std::uint64_t read_end = 0;
  bool wants_page = false;
  std::uint64_t page = 0;               ///< the request under way
  std::uint64_t damaged = 0;            ///< messages that could not be read
  std::vector<SubscriptionId> waiting;  ///< replays that wait for the end of the reading
  /// Messages under way for replays, by request.
  std::map<std::uint64_t, SubscriptionId> asked;

  [[nodiscard]] bool reading() const noexcept { return read_to < read_end; }
};

/// One subscription on its way through them.
struct RetainedReplay {
  std::uint64_t below = 0;   ///< those from here on came after it
  std::size_t interest = 0;  ///< under way
  bool begun = false;        ///< with that interest: everything up to `behind` was looked at
  std::string behind;
  struct Ahead {
    std::string name;
    std::uint64_t sequence = 0;
    MessageRef message;
    std::uint64_t request = 0;  ///< not zero: it is being read
    std::uint64_t bytes = 0;    ///< counted in `ahead_bytes`
  };
  Ring<Ahead> ahead;
  std::uint64_t ahead_bytes = 0;
  bool all_ahead = false;       ///< nothing is left to look at
  bool awaits_durable = false;  ///< for the next one
  bool listed = false;          ///< stands in RetainedBook::waiting
};

/// One retained message, for operators.
struct RetainedView {
  std::string topic;
  std::uint64_t bytes = 0;
  std::int64_t expiration = 0;
  bool in_memory = false;
};

}  // namespace pabal::core
