#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "store/file_system.h"
#include "store/index/key_value.h"

namespace pabal::store {

/// Settings of a JournalStore. Sizes are bytes.
struct JournalStoreOptions {
  std::string directory;
  std::uint64_t segment_bytes = 32ULL << 20;
  std::uint64_t first_segment_bytes = 1ULL
                                      << 20;  ///< of a start that finds none ready: small is quick
  std::uint64_t bytes_limit = 0;              ///< storeUsage: live message bytes; 0: none
  std::uint64_t ballast_bytes = 8ULL << 20;   ///< set aside for the index's files on a full disk
  std::uint64_t undurable_bytes_max = 64ULL << 20;  ///< sends wait above this
  std::uint64_t group_bytes_max = 4ULL << 20;  ///< of one journal entry, unless one batch is larger
  std::uint64_t unapplied_bytes_max = 32ULL
                                      << 20;  ///< how far the journal may run ahead of the index
  std::uint64_t index_flush_journal_bytes = 64ULL << 20;  ///< bounds what a restart reads
  std::uint64_t index_memory_bytes_max = 16ULL << 20;     ///< of blocks in memory
  /// How long acknowledgements that nobody waits for may wait for something else to be written and
  /// synced with them, so that they cost no sync of their own. After a crash so much more may be
  /// delivered again. Zero: they do not wait.
  std::chrono::milliseconds acknowledgements_wait{0};
  /// How long what is passing (core::StoreOp::passing) is held back at most. If it is of few
  /// senders only, it is as long as two syncs take, if that is shorter. Zero: not at all.
  std::chrono::microseconds passing_wait_max{0};
  FileSystem* files = nullptr;       ///< null: the operating system's
  KeyValueFactory* index = nullptr;  ///< null: LevelDB
};

}  // namespace pabal::store
