#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pabal::store {

/// CRC-32C (Castagnoli; RFC 3720 appendix B.4) of `bytes`, going on from `seed`, which is the
/// result for the bytes before them. Uses the processor's instruction where there is one.
std::uint32_t crc32c(std::uint32_t seed, std::span<const std::byte> bytes) noexcept;

/// The same by table, on every processor. For tests.
std::uint32_t crc32c_portable(std::uint32_t seed, std::span<const std::byte> bytes) noexcept;

/// What a checksum in the journal starts from: bytes that belong to another place, left over from
/// the file's former life, never pass.
std::uint32_t place_seed(std::uint64_t segment, std::uint64_t offset) noexcept;

}  // namespace pabal::store
