#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pabal::mqtt {

/// Enhanced authentication: MQTT 5.0 §4.12.

/// What a method says to the client's last message.
struct AuthenticationStep {
  enum class Result : std::uint8_t { more, accepted, refused };
  Result result = Result::refused;
  std::string data;    ///< authentication data for the client; empty: none
  std::string user;    ///< accepted: who it is
  std::string reason;  ///< refused: for people
};

/// One exchange with one client. Used on the loop of its connection, outside the engine; it must
/// not block.
class Authentication {
 public:
  Authentication() = default;
  virtual ~Authentication() = default;
  Authentication(const Authentication&) = delete;
  Authentication& operator=(const Authentication&) = delete;

  /// `data`: of CONNECT or AUTH; empty: none came.
  virtual AuthenticationStep take(std::string_view data) = 0;
};

/// The methods that there are. Any thread; lives longer than every session.
class Authenticator {
 public:
  Authenticator() = default;
  virtual ~Authenticator() = default;
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;

  /// Null: no such method.
  virtual std::unique_ptr<Authentication> begin(std::string_view method) = 0;
};

}  // namespace pabal::mqtt
