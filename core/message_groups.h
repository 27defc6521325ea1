#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

// Message groups: which consumer of a queue has which group (JMSXGroupID).
//
// A queue without grouped messages knows nothing of this. With the first one that a scan meets, the
// reader gets a MessageGroups, its front scan hands its consumers to a shared scan beside those of
// the selectors, and from then on every consumer is a GroupMember of its shared scan.
//
// The shared scan goes through the list and gives each message to the owner of its group; a group
// without an owner goes to the member with the highest priority and credit that has the fewest. An
// owner without credit falls behind: the shared scan passes its messages, and a scan of its own
// begins there, which takes nothing but its groups' messages and ends when it has caught up with
// the shared one. So a blocked owner holds up nobody, its messages keep their order, nothing is
// copied aside, and while nobody is blocked there is one scan.
//
// A group is in the hands of one consumer at a time. Nobody's are: groups never seen or forgotten
// (no record; every shared scan still has its messages before it), and those whose owner left while
// something of theirs is out, acknowledged in a transaction that is open (a record without owner:
// they are passed until that is settled). When a group with messages that others have passed
// becomes free, the shared scans go back to where its owner was.

namespace pabal::core {

class Scan;
class Subscription;

/// A consumer of a queue that has message groups.
struct GroupMember {
  Subscription* subscription = nullptr;
  Scan* shared = nullptr;  ///< by which it gets messages
  Scan* own = nullptr;     ///< while it is behind the shared one
  std::size_t groups = 0;  ///< that it owns
};

/// A message group that somebody owns or has something of; or, beyond the number that may be
/// remembered, all groups whose ids fall into one bucket.
struct MessageGroup {
  std::string id;  ///< empty: a bucket
  GroupMember* owner = nullptr;
  std::uint64_t out = 0;  ///< deliveries not settled
  bool closed = false;    ///< by JMSXGroupSeq -1; free when nothing is out
  // What shared scans have passed of it because of its owner; some of it may have been taken since.
  bool passed_returned = false;         ///< in Reader::returned
  bool passed_refused = false;          ///< what its owner's selector refuses
  std::uint16_t passed_priorities = 0;  ///< a bit for each lane
  std::uint64_t passed_last = 0;        ///< the highest sequence, of any lane
  [[nodiscard]] bool passed() const noexcept { return passed_returned || passed_priorities != 0; }
};

/// The groups and members of one queue. The least recently used group is forgotten when there are
/// too many, if it has nothing out and nothing that waits behind its owner; when all have, new
/// groups share the owner of their bucket.
class MessageGroups {
 public:
  static constexpr std::size_t kBuckets = 256;
  static constexpr std::size_t kIdBytesMax = 256;  ///< of a remembered one; longer: by bucket

  std::vector<std::unique_ptr<GroupMember>> members;
  std::size_t behind = 0;  ///< members with a scan of their own
  std::size_t free = 0;    ///< records without owner: something of theirs is out

  /// Null: nobody owns it.
  [[nodiscard]] MessageGroup* find(std::string_view id) noexcept {
    if (const auto known = by_id_.find(id); known != by_id_.end()) return &*known->second;
    if (buckets_.empty()) return nullptr;
    MessageGroup& bucket = buckets_[bucket_of(id)];
    return bucket.owner != nullptr || bucket.out > 0 ? &bucket : nullptr;
  }
  [[nodiscard]] const MessageGroup* find(std::string_view id) const noexcept {
    return const_cast<MessageGroups*>(this)->find(id);
  }

  /// A record for a group that has none. `idle`: whether another may be forgotten; `forget` does
  /// it, and ends in erase().
  template <class Idle, class Forget>
  MessageGroup& add(std::string_view id, std::size_t remembered_max, Idle idle, Forget forget) {
    // Those that cannot go are as good as just used: the next try finds others.
    for (int tries = 0; records_.size() >= remembered_max && !records_.empty(); ++tries) {
      if (tries == kTriesMax) break;
      if (idle(records_.front())) {
        forget(records_.front());
      } else {
        records_.splice(records_.end(), records_, records_.begin());
      }
    }
    if (records_.size() >= remembered_max || id.size() > kIdBytesMax) {
      if (buckets_.empty()) buckets_.resize(kBuckets);
      return buckets_[bucket_of(id)];
    }
    records_.emplace_back().id = id;
    by_id_.emplace(records_.back().id, std::prev(records_.end()));
    return records_.back();
  }
  void used(const MessageGroup& group) {
    if (group.id.empty()) return;
    records_.splice(records_.end(), records_, by_id_.find(group.id)->second);
  }
  /// Nobody owns it, and nothing of it is out.
  void erase(MessageGroup& group) {
    if (group.id.empty()) {
      group = MessageGroup{};
      return;
    }
    const auto known = by_id_.find(group.id);
    const auto record = known->second;
    by_id_.erase(known);
    records_.erase(record);
  }
  /// Every record, in the order of their use, and the buckets in use. `visit` may erase its own.
  template <class Visit>
  void for_each(Visit visit) {
    for (auto at = records_.begin(); at != records_.end();) visit(*at++);
    for (auto& bucket : buckets_) {
      if (bucket.owner != nullptr || bucket.out > 0) visit(bucket);
    }
  }
  [[nodiscard]] std::size_t remembered() const noexcept { return records_.size(); }

 private:
  static constexpr int kTriesMax = 16;

  /// FNV-1a: the same on every machine, because it decides who gets what.
  static std::size_t bucket_of(std::string_view id) noexcept {
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    return static_cast<std::size_t>((hash ^ hash >> 32) % kBuckets);
  }

  std::list<MessageGroup> records_;  ///< the least recently used first
  std::unordered_map<std::string_view, std::list<MessageGroup>::iterator> by_id_;
  std::vector<MessageGroup> buckets_;  ///< empty until the records do not suffice
};

}  // namespace pabal::core
