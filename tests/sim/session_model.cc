#include "tests/sim/session_model.h"

#include <algorithm>
#include <utility>

namespace pabal::sim {

using core::Ticket;

std::string SessionModel::name(Stream stream, std::uint64_t number) {
  static constexpr const char* kNames[] = {"in ", "out ", "shared "};
  return kNames[static_cast<std::size_t>(stream)] + std::to_string(number);
}

// --- retained ------------------------------------------------------------------------------------

void SessionModel::retained(Ticket ticket, Retained changes) {
  batches_.push_back({ticket, std::move(changes)});
  // Whoever looks while the process lives sees all.
  batches_certain_ = batches_.size();
}

void SessionModel::see_retained(const Retained& seen) {
  Retained state = before_;
  for (std::size_t survived = 0;; ++survived) {
    if (survived >= batches_certain_ && state == seen) break;
    if (survived == batches_.size()) {
      std::string text = "retained state is none that was:";
      for (const auto& [topic, body] : seen) text += ' ' + topic + '=' + body;
      text += "; expected";
      for (const auto& [topic, body] : state) text += ' ' + topic + '=' + body;
      violation(text);
      break;
    }
    for (const auto& [topic, body] : batches_[survived].changes) {
      if (body.empty()) {
        state.erase(topic);
      } else {
        state[topic] = body;
      }
    }
  }
  before_ = seen;
  batches_.clear();
  batches_certain_ = 0;
}

// --- messages ------------------------------------------------------------------------------------

void SessionModel::sent(Stream stream, std::uint64_t number, Ticket ticket) {
  message(stream, number).sent.submit(ticket);
}

void SessionModel::delivered(Stream stream, std::uint64_t number, bool redelivered,
                             std::size_t by) {
  ++deliveries_;
  Message& found = message(stream, number);
  const auto what = name(stream, number);
  if (!found.sent.may_be()) violation(what + " was never sent");
  if (found.gone) violation(what + " is there, and what came in its batch is not");
  if (found.acknowledged.is()) violation(what + " again, behind its acknowledgement");
  if (found.seen > 0 && !redelivered) violation(what + " again, without the mark");
  if (found.pinned.is() && found.member != by) {
    violation(what + " is pinned for " + std::to_string(found.member) + " and came to " +
              std::to_string(by));
  }
  // Who sees it knows that it survived, and that its acknowledgement did not.
  if (found.sent.state == Fact::State::uncertain) found.sent.settle(true);
  if (found.acknowledged.state == Fact::State::uncertain) found.acknowledged.settle(false);
  if (found.pinned.state == Fact::State::uncertain && found.member != by) {
    found.pinned.settle(false);
  }
  ++found.seen;
}

void SessionModel::acknowledged(Stream stream, std::uint64_t number, Ticket ticket) {
  message(stream, number).acknowledged.submit(ticket);
}

void SessionModel::pinned(std::uint64_t number, std::size_t member, Ticket ticket) {
  Message& found = message(Stream::shared, number);
  found.pinned.submit(ticket);
  found.member = member;
}

// --- attachments ---------------------------------------------------------------------------------

void SessionModel::attached(Stream stream, std::size_t client, std::uint64_t number,
                            Ticket ticket) {
  Message& found = message(stream, number);
  found.attached.submit(ticket);
  found.client = client;
}

void SessionModel::erased(Stream stream, std::uint64_t number, Ticket ticket) {
  message(stream, number).erased.submit(ticket);
}

void SessionModel::see_attachments(Stream stream, std::size_t client,
                                   const std::set<std::uint64_t>& numbers) {
  for (const auto number : numbers) {
    if (!message(stream, number).attached.may_be()) {
      violation("an attachment of " + name(stream, number) + " that was never made");
    }
  }
  for (auto& [key, found] : messages_) {
    if (key.first != stream || found.client != client || !found.attached.may_be()) continue;
    const auto what = name(stream, key.second);
    const bool there = numbers.contains(key.second);
    if (there && found.erased.is()) violation("the attachment of " + what + " is there again");
    if (!there && found.attached.is() && !found.erased.may_be()) {
      violation("the attachment of " + what + " is lost");
    }
    if (found.attached.state == Fact::State::uncertain && found.erased.may_be() && !there) {
      // It was never there, or it was and has gone: nobody can tell.
      found.attached.settle(false);
      found.erased.settle(false);
      continue;
    }
    if (found.erased.state == Fact::State::uncertain) found.erased.settle(!there);
    if (found.attached.state != Fact::State::uncertain) continue;
    // What came with it in one batch shares its fate.
    const bool survived = there;
    found.attached.settle(survived);
    if (stream == Stream::in) {
      if (!survived && found.seen > 0) violation(what + " was seen, and its attachment is lost");
      found.gone = !survived;
      found.sent.settle(survived);
    } else if (found.acknowledged.state == Fact::State::uncertain) {
      found.acknowledged.settle(survived);
    } else if (found.acknowledged.is() != survived) {
      violation("the attachment of " + what + " and its acknowledgement came apart");
    }
  }
}

// --- wills ---------------------------------------------------------------------------------------

void SessionModel::connected(std::uint64_t will, Ticket from, bool delayed) {
  Will& made = wills_[will];
  made.connected.submit(from);
  made.delayed = delayed;
}

void SessionModel::left(std::uint64_t will, bool orderly, Ticket ticket) {
  Will& known = wills_[will];
  known.over = true;
  if (orderly) known.dropped.submit(ticket);
}

void SessionModel::will_seen(std::uint64_t number, const std::string& message_id) {
  Will& will = wills_[number];
  const auto what = "will " + std::to_string(number);
  if (!will.connected.may_be()) violation(what + " was never made");
  if (!will.over) violation(what + " was sent, and its connection is there");
  if (will.dropped.is()) violation(what + " was sent, and it was dropped");
  will.seen.insert(message_id);
  if (will.seen.size() > 1) violation(what + " was sent twice");
}

// --- the process ---------------------------------------------------------------------------------

void SessionModel::crashed(Ticket durable) {
  for (auto& [key, each] : messages_) {
    for (auto* fact :
         {&each.sent, &each.acknowledged, &each.attached, &each.erased, &each.pinned}) {
      fact->crashed(durable);
    }
  }
  for (auto& [number, will] : wills_) {
    will.connected.crashed(durable);
    will.dropped.crashed(durable);
    will.over = true;
  }
  // The world looks at them after each start, before it retains more: all tickets are of this life.
  batches_certain_ = 0;
  while (batches_certain_ < batches_.size() && batches_[batches_certain_].ticket <= durable) {
    ++batches_certain_;
  }
}

void SessionModel::check_end() {
  for (const auto& [key, each] : messages_) {
    if (each.sent.is() && !each.gone && !each.acknowledged.may_be()) {
      violation(name(key.first, key.second) + " is lost");
    }
  }
  for (const auto& [number, will] : wills_) {
    if (!will.connected.is() || will.delayed || !will.over || will.dropped.may_be()) continue;
    if (will.seen.empty()) violation("will " + std::to_string(number) + " was never sent");
  }
}

}  // namespace pabal::sim
