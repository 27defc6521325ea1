#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/result.h"

namespace pabal::core {

/// Name of a transaction branch (X/Open XA §4.2, javax.transaction.xa.Xid). Known broker-wide: any
/// connection may finish a branch. The order is only there to be the same every time.
struct Xid {
  std::int32_t format = 0;  ///< -1 is the null Xid, which names nothing
  std::string global;       ///< 1 to kXidPartBytesMax bytes, any
  std::string branch;       ///< up to kXidPartBytesMax bytes, any

  friend auto operator<=>(const Xid&, const Xid&) = default;

  /// `<format>:<hex of global>:<hex of branch>`, as people and STOMP headers write it.
  [[nodiscard]] std::string to_text() const;
  /// The inverse; hexadecimal digits of either case. Errors: invalid_argument.
  static Result<Xid> parse(std::string_view text);
};
inline constexpr std::size_t kXidPartBytesMax = 64;

/// What an XA call answers: the numbers of X/Open XA §4.5 and javax.transaction.xa.XAException.
enum class XaCode : std::int16_t {
  ok = 0,
  read_only = 3,                  ///< XA_RDONLY: prepared nothing, the branch has ended
  heuristically_rolled_back = 6,  ///< XA_HEURRB
  heuristically_committed = 7,    ///< XA_HEURCOM
  rolled_back = 100,              ///< XA_RBROLLBACK
  resource_error = -3,            ///< XAER_RMERR
  unknown = -4,                   ///< XAER_NOTA
  invalid = -5,                   ///< XAER_INVAL
  protocol = -6,                  ///< XAER_PROTO: not in this state
  unavailable = -7,               ///< XAER_RMFAIL: changed nothing, ask again
  duplicate = -8,                 ///< XAER_DUPID
};
/// "XAER_NOTA" and so on.
std::string_view to_string(XaCode code) noexcept;

struct XaError {
  XaCode code{};
  std::string text;  ///< for people
};

/// How a connection joins the work of a branch (xa_start).
enum class XaStart : std::uint8_t {
  fresh,   ///< TMNOFLAGS: the branch begins
  join,    ///< TMJOIN: it is known; this connection works for it too
  resume,  ///< TMRESUME: this connection goes on after XaEnd::suspend
};

/// How a connection leaves it (xa_end).
enum class XaEnd : std::uint8_t {
  success,
  fail,     ///< TMFAIL: it can only roll back
  suspend,  ///< TMSUSPEND: resume follows, or success or fail
};

enum class BranchState : std::uint8_t {
  active,      ///< somebody works for it, or has and may again
  prepared,    ///< durable; waits for the transaction manager's word, over any number of restarts
  committing,  ///< that has come; its messages are being read back
  heuristically_committed,    ///< by an operator; remembered until forgotten
  heuristically_rolled_back,  ///< likewise
  unreadable,  ///< found at a start, and another version wrote it: kept, and only to be forgotten
};
std::string_view to_string(BranchState state) noexcept;

struct BranchSnapshot {
  Xid xid;
  BranchState state{};
  TimePoint since{};      ///< of the state
  std::string client_id;  ///< of the connection that began it
  std::string remote;
  std::uint64_t sends = 0;
  std::uint64_t acknowledgements = 0;
  std::uint64_t bytes = 0;  ///< of its sends
};

}  // namespace pabal::core
