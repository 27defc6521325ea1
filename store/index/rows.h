#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.h"

/// Keys of the index's rows; FORMAT.md describes them. Numbers in keys are big-endian, so that rows
/// of one list stand together and in order.
namespace pabal::store {

inline constexpr std::uint32_t kIndexFormatVersion = 2;

inline constexpr char kAttachmentRow = 'A';
inline constexpr char kBlockRow = 'B';
inline constexpr char kLaneRow = 'C';
inline constexpr char kExpiryRow = 'E';
inline constexpr char kFlushRow = 'F';
inline constexpr char kListRow = 'L';
inline constexpr char kMainRow = 'M';
inline constexpr char kPaddingRow = 'P';  ///< makes small flushes larger; says nothing
inline constexpr char kReaderRow = 'R';
inline constexpr char kSegmentRow = 'S';

inline void put_key_number(std::string& key, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
}

inline std::uint64_t get_key_number(std::string_view key, std::size_t at) {
  std::uint64_t number = 0;
  for (std::size_t i = at; i < at + 8 && i < key.size(); ++i) {
    number = (number << 8) | static_cast<std::uint8_t>(key[i]);
  }
  return number;
}

inline std::string row_key(char kind, std::uint64_t number) {
  std::string key(1, kind);
  put_key_number(key, number);
  return key;
}
inline std::string lane_key(core::ListId list, std::uint8_t priority) {
  std::string key = row_key(kLaneRow, core::raw(list));
  key.push_back(static_cast<char>(priority));
  return key;
}
inline std::string reader_key(core::ListId list, core::ReaderId reader) {
  std::string key = row_key(kReaderRow, core::raw(list));
  put_key_number(key, core::raw(reader));
  return key;
}
inline std::string block_key(core::ListId list, std::uint8_t priority, std::uint64_t block) {
  std::string key = row_key(kBlockRow, core::raw(list));
  key.push_back(static_cast<char>(priority));
  put_key_number(key, block);
  return key;
}
inline std::string expiry_key(core::ListId list, std::uint8_t priority, std::uint64_t span) {
  std::string key = row_key(kExpiryRow, core::raw(list));
  key.push_back(static_cast<char>(priority));
  put_key_number(key, span);
  return key;
}
inline std::string attachment_key(std::string_view key) {
  return kAttachmentRow + std::string(key);
}

}  // namespace pabal::store
