#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/engine.h"

namespace pabal::sim {

/// What must be true of retained messages, of wills, and of what sessions keep. It knows what was
/// asked of the engine and with which ticket; after a crash, everything up to the durable ticket
/// must be there, and of the rest a beginning may be.
class SessionModel {
 public:
  void violation(const std::string& what) {
    if (violations_.size() < 20) violations_.push_back(what);
  }
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }

  // --- retained ----------------------------------------------------------------------------------

  using Retained = std::map<std::string, std::string>;
  /// One batch retained these; an empty text deletes.
  void retained(core::Ticket ticket, Retained changes);
  /// What somebody who came now was given, when nothing is under way. After each start before
  /// anything else is retained.
  void see_retained(const Retained& seen);

  // --- messages that are delivered once
  // ------------------------------------------------------------

  enum class Stream : std::uint8_t { in, out, shared };
  /// A persistent message for the stream's one durable reader.
  void sent(Stream stream, std::uint64_t number, core::Ticket ticket);
  void delivered(Stream stream, std::uint64_t number, bool redelivered, std::size_t by);
  void acknowledged(Stream stream, std::uint64_t number, core::Ticket ticket);
  /// From here on, it is delivered to this member only.
  void pinned(std::uint64_t number, std::size_t member, core::Ticket ticket);

  // --- attachments
  // ---------------------------------------------------------------------------------

  /// An attachment that came in one batch with the send (in) or the acknowledgement (out) of it.
  void attached(Stream stream, std::size_t client, std::uint64_t number, core::Ticket ticket);
  void erased(Stream stream, std::uint64_t number, core::Ticket ticket);
  /// All that the client's session has, as it resumes.
  void see_attachments(Stream stream, std::size_t client, const std::set<std::uint64_t>& numbers);

  // --- wills
  // ---------------------------------------------------------------------------------------

  /// `from`: the ticket of the session's record.
  void connected(std::uint64_t will, core::Ticket from, bool delayed);
  /// Orderly: the will is dropped with `ticket`. Else it is to be sent.
  void left(std::uint64_t will, bool orderly, core::Ticket ticket);
  void will_seen(std::uint64_t will, const std::string& message_id);

  // --- the process
  // ---------------------------------------------------------------------------------

  /// It died; everything up to `durable` survives.
  void crashed(core::Ticket durable);
  /// At the end, with everything consumed: nothing is missing.
  void check_end();

  [[nodiscard]] std::uint64_t deliveries() const { return deliveries_; }

 private:
  /// Something that was submitted with a ticket: whether it is there.
  struct Fact {
    enum class State : std::uint8_t { never, submitted, uncertain, certain } state = State::never;
    core::Ticket ticket = core::kNoTicket;

    void submit(core::Ticket with) {
      state = State::submitted;
      ticket = with;
    }
    /// While the process lives, what was submitted is there.
    [[nodiscard]] bool is() const { return state == State::submitted || state == State::certain; }
    [[nodiscard]] bool may_be() const { return state != State::never; }
    void crashed(core::Ticket durable) {
      if (state == State::submitted) {
        state = ticket <= durable ? State::certain : State::uncertain;
      }
    }
    /// It was seen to be there, or not.
    void settle(bool there) { state = there ? State::certain : State::never; }
  };
  struct Message {
    Fact sent;
    Fact acknowledged;
    Fact attached;
    Fact erased;
    Fact pinned;
    std::size_t client = 0;  ///< whose attachment
    std::size_t member = 0;  ///< for whom it is pinned
    bool gone = false;       ///< it was seen not to have survived
    std::uint64_t seen = 0;
  };
  struct Will {
    Fact connected;
    Fact dropped;
    bool delayed = false;
    bool over = false;  ///< its connection has ended
    std::set<std::string> seen;
  };
  struct Batch {
    core::Ticket ticket{};
    Retained changes;
  };
  static std::string name(Stream stream, std::uint64_t number);
  Message& message(Stream stream, std::uint64_t number) { return messages_[{stream, number}]; }

  std::vector<std::string> violations_;
  std::vector<Batch> batches_;
  Retained before_;                  ///< what was seen last, and batches_ since
  std::size_t batches_certain_ = 0;  ///< of them, those that must be there
  std::map<std::pair<Stream, std::uint64_t>, Message> messages_;
  std::map<std::uint64_t, Will> wills_;
  std::uint64_t deliveries_ = 0;
};

}  // namespace pabal::sim
