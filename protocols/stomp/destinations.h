#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/destination.h"
#include "core/message.h"
#include "core/result.h"
#include "protocols/stomp/text.h"
#include "protocols/stomp/version.h"

namespace pabal::stomp {

/// A `destination` header, read. Views into the header.
struct DestinationText {
  core::DestinationKind kind = core::DestinationKind::queue;
  std::string_view name;
  std::string_view options;  ///< behind the '?': "consumer.prefetchSize=10&…"
  /// `/temp-queue/x`, `/temp-topic/x`: `name` is the connection's own alias of a temporary.
  bool alias = false;
  /// `/exchange/amq.topic/<key>`: the last level '#' of a subscription is the wildcard '>'.
  bool topic_exchange = false;

  /// As core names it; not for aliases.
  [[nodiscard]] core::Destination to_destination() const;
};

/// Whether a client's name is that of several destinations.
bool names_several(std::string_view text) noexcept;
/// Reads what a client calls one destination. A name without a known prefix is a queue as it
/// stands. Errors: bad_destination, not_supported.
core::Result<DestinationText> parse_destination(std::string_view text);
/// The same of one, or a composite of several with commas between them. Options stand behind the
/// last; whatever follows the first '?' is theirs, and each part has them all. Parts that are
/// repeated count once. Errors: bad_destination, not_supported.
core::Result<std::vector<DestinationText>> parse_destinations(std::string_view text);

/// The name that a composite has as a whole, as ActiveMQ writes it: of the first one's kind, and
/// the others with their kind if it is another ("a,topic://b").
core::Destination composite_of(const std::vector<core::Destination>& parts);

/// Reads a `reply-to`: only text with a destination prefix is one, anything else is kept as text.
/// Its `alias` is set like that of parse_destination.
core::Address parse_reply_to(std::string_view text, bool& alias);

/// Takes the next `name=value` off `options`; false at the end.
bool next_option(std::string_view& options, std::string_view& name, std::string_view& value);
/// A name or value of an option without its URL encoding ("%2C", '+' for a blank); nullopt: broken.
std::optional<std::string> decode_option(std::string_view text);

/// The temporary destinations that one connection created under names of its own.
class TemporaryNames {
 public:
  [[nodiscard]] bool empty() const noexcept { return names_[0].empty() && names_[1].empty(); }
  /// The real destination, or null. The pointer holds until that is removed.
  [[nodiscard]] const core::Destination* find(core::DestinationKind kind,
                                              std::string_view alias) const;
  const core::Destination& add(std::string_view alias, core::Destination destination);
  void remove(core::DestinationKind kind, std::string_view alias);
  /// The alias of a temporary that is the connection's own, or null.
  [[nodiscard]] const std::string* alias_of(core::DestinationKind kind,
                                            std::string_view name) const;

 private:
  // Queues and topics have name spaces of their own.
  TextMap<core::Destination> names_[2];
  TextMap<std::string> aliases_[2];
};

/// The destination as the client writes it: own temporaries under their alias (`own` may be null),
/// foreign ones as `/remote-temp-…`. Escaped for `version`.
void append_destination(std::string& out, core::DestinationKind kind, std::string_view name,
                        Version version, const TemporaryNames* own);

}  // namespace pabal::stomp
