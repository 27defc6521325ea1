#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/cli/bench/scenario.h"

namespace pabal::cli::bench {

enum class Role : std::uint8_t {
  consumer,
  producer,
  idle,  ///< connects and stays
};

/// One thing that a broker said, in the generator's words. Views into the bytes it was found in.
struct Event {
  enum class Kind : std::uint8_t {
    incomplete,  ///< more bytes are needed
    nothing,     ///< of no interest here
    connected,   ///< `text`: what the broker calls itself
    subscribed,
    message,    ///< `text`: its body
    confirmed,  ///< one unit, the oldest or another, is the broker's from here on
    finished,   ///< everything before bye() was taken
    refused,    ///< `text`: why
    malformed,  ///< `text`: what is wrong with it
  };
  Kind kind = Kind::incomplete;
  std::string_view text{};
  std::size_t size = 0;  ///< bytes to step over
};

/// What is sent again and again, with places where only digits change.
struct Unit {
  std::string bytes;
  std::vector<std::size_t> bodies;  ///< where each message's body begins
};

/// All that the generator has to know of a protocol, for one connection: what to say, and what was
/// said. It does no I/O and counts nothing; to add a protocol is to implement it. Home: one thread
/// at a time.
class Wire {
 public:
  Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  virtual ~Wire() = default;

  /// The first thing to say; `connected` or `refused` answers it.
  virtual std::string login() = 0;
  /// A consumer's second; `subscribed` answers it.
  virtual std::string subscribe() = 0;
  /// A producer's unit number `slot` of a ring, with `unit()` messages made by make_body(). All are
  /// equally long.
  virtual Unit make_unit(std::size_t slot) = 0;
  /// Numbers a unit that is about to be sent again, so that its confirmation can be told.
  virtual void stamp(char* unit, std::uint64_t number) = 0;
  /// Asks for `finished`; nothing more is sent but last_words().
  virtual std::string_view bye() const = 0;
  /// Sent behind it before the connection is closed.
  virtual std::string_view last_words() const { return {}; }

  /// Looks for one thing at the start of `bytes`; after `incomplete`, call again with the same
  /// start and more of them. What must be answered is appended to `replies`.
  virtual Event next(std::string_view bytes, std::string& replies) = 0;
  /// All of one read has been looked at: what is answered once for it.
  virtual void end_of_read(std::string& /*replies*/) {}
};

/// `scenario` outlives it.
std::unique_ptr<Wire> make_wire(const Scenario& scenario, Role role, unsigned index);
std::unique_ptr<Wire> make_stomp_wire(const Scenario& scenario, Role role, unsigned index);
std::unique_ptr<Wire> make_mqtt_wire(const Scenario& scenario, Role role, unsigned index);

}  // namespace pabal::cli::bench
