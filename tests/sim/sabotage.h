#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace pabal::sim {

/// A lie that is told between the broker and the judge, to see that the judge notices. A judge that
/// cannot fail is worth nothing.
enum class Sabotage : std::uint8_t {
  none,
  // --- the store's (below the engine)
  lose_durable,      ///< every 16th message is never stored
  lose_early,        ///< durable() runs ahead of the truth
  forget_touches,    ///< what may have been delivered before a crash is not logged
  forget_counts,     ///< delivery counts are not logged
  forget_refusals,   ///< refusals are logged as lost deliveries
  forget_producers,  ///< their numbers are not logged
  forget_jobs,       ///< every 4th scheduled message is never stored
  repeat_jobs,       ///< every 4th that has come stays scheduled
  forget_branches,   ///< prepared XA branches are not logged
  forget_expiry,     ///< what was stored before a start is not known to expire
  hide_expired,      ///< of what is on disk nothing is said to have expired
  split_sends,       ///< every 4th message is not stored in the second of its queues
  lose_moved,        ///< every 4th message that a command moves is not stored where it goes
  keep_moved,        ///< every 4th of them stays where it was
  lose_spilled,      ///< every 4th message that is spilled for durable subscriptions is not stored
  keep_spilled,      ///< what is spilled for them is never deleted as a whole
  keep_deleted,      ///< queues that an operator deletes stay where they were
  resurrect,         ///< every 16th acknowledgement is never stored
  tear_batches,      ///< a batch is stored in two halves
  // --- the disk's (below the journal)
  skip_sync,  ///< a sync says that it is done, and has done nothing
  // --- the dispatcher's (above the engine)
  drop_marks,         ///< no delivery is marked as redelivered
  swap_deliveries,    ///< two neighbours for one consumer change places
  repeat_deliveries,  ///< every 16th is handed out twice
  hide_browsed,       ///< every 4th is not shown to browsers
  lose_deliveries,    ///< every 16th is never handed out
  invent_counts,      ///< a mark counts as a failed delivery, so restarts alone make poison
  // --- the client's
  commit_instead,     ///< a transaction that is rolled back takes effect
  forget_selectors,   ///< a consumer with a selector gets everything
  forget_targets,     ///< a send to several places leaves the last out
  answer_twice,       ///< what was parked is answered twice
  late_takes,         ///< a late acknowledgement settles what somebody else has
  command_all,        ///< a command leaves its selector out
  copy_instead,       ///< a command that moves copies
  forget_groups,      ///< a sender leaves its message groups out
  forget_exclusive,   ///< an exclusive consumer does not say so
  forget_identities,  ///< what is sent again comes without its identity
  come_early,         ///< what is scheduled is asked for earlier
  commit_prepared,    ///< an XA branch takes effect when it is prepared
  free_prepared,      ///< an XA branch lets go what it acknowledged when it is prepared
};

struct SabotageInfo {
  Sabotage sabotage{};
  std::string_view name;
  bool memory = true;   ///< can be seen on the memory store
  bool journal = true;  ///< and on the journal, which writes a batch that is torn in one piece
};

inline constexpr std::array<SabotageInfo, 39> kSabotages{{
    {Sabotage::lose_durable, "lose_durable"},
    {Sabotage::lose_early, "lose_early"},
    {Sabotage::forget_touches, "forget_touches"},
    {Sabotage::forget_counts, "forget_counts"},
    {Sabotage::forget_refusals, "forget_refusals"},
    {Sabotage::forget_producers, "forget_producers"},
    {Sabotage::forget_jobs, "forget_jobs"},
    {Sabotage::repeat_jobs, "repeat_jobs"},
    {Sabotage::forget_branches, "forget_branches"},
    {Sabotage::forget_expiry, "forget_expiry"},
    {Sabotage::hide_expired, "hide_expired"},
    {Sabotage::split_sends, "split_sends"},
    {Sabotage::lose_moved, "lose_moved"},
    {Sabotage::keep_moved, "keep_moved"},
    {Sabotage::lose_spilled, "lose_spilled"},
    {Sabotage::keep_spilled, "keep_spilled"},
    {Sabotage::keep_deleted, "keep_deleted"},
    {Sabotage::resurrect, "resurrect"},
    {Sabotage::tear_batches, "tear_batches", true, false},
    {Sabotage::skip_sync, "skip_sync", false, true},
    {Sabotage::drop_marks, "drop_marks"},
    {Sabotage::swap_deliveries, "swap_deliveries"},
    {Sabotage::repeat_deliveries, "repeat_deliveries"},
    {Sabotage::hide_browsed, "hide_browsed"},
    {Sabotage::lose_deliveries, "lose_deliveries"},
    {Sabotage::invent_counts, "invent_counts"},
    {Sabotage::commit_instead, "commit_instead"},
    {Sabotage::forget_selectors, "forget_selectors"},
    {Sabotage::forget_targets, "forget_targets"},
    {Sabotage::answer_twice, "answer_twice"},
    {Sabotage::late_takes, "late_takes"},
    {Sabotage::command_all, "command_all"},
    {Sabotage::copy_instead, "copy_instead"},
    {Sabotage::forget_groups, "forget_groups"},
    {Sabotage::forget_exclusive, "forget_exclusive"},
    {Sabotage::forget_identities, "forget_identities"},
    {Sabotage::come_early, "come_early"},
    {Sabotage::commit_prepared, "commit_prepared"},
    {Sabotage::free_prepared, "free_prepared"},
}};

}  // namespace pabal::sim
