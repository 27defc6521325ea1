#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocols/mqtt/level.h"
#include "protocols/mqtt/properties.h"
#include "protocols/mqtt/reason_code.h"

// The fifteen control packets as values, one struct for all levels: what a level does not have is
// empty. All texts are views: of the parser's bytes until its next call, or of what the caller gave
// to be encoded.

namespace pabal::mqtt {

struct Will {
  QoS qos = QoS::at_most_once;
  bool retain = false;
  std::string_view topic;
  std::string_view payload;
  Properties properties;
};

struct Connect {
  Level level = Level::v5;
  bool clean_start = false;      ///< before 5.0: clean session
  std::uint16_t keep_alive = 0;  ///< seconds
  std::string_view client_id;
  std::optional<Will> will;
  std::optional<std::string_view> user_name;
  std::optional<std::string_view> password;
  Properties properties;
};

struct Connack {
  bool session_present = false;
  ReasonCode reason = ReasonCode::success;
  Properties properties;
};

struct Publish {
  QoS qos = QoS::at_most_once;
  bool dup = false;
  bool retain = false;
  std::uint16_t packet_id = 0;  ///< 0 with QoS 0
  std::string_view topic;       ///< empty: the property topic_alias says it
  std::string_view payload;
  Properties properties;
};

/// PUBACK, PUBREC, PUBREL and PUBCOMP. Before 5.0 the reason is always success.
template <PacketType kType>
struct Acknowledgement {
  std::uint16_t packet_id = 0;
  ReasonCode reason = ReasonCode::success;
  Properties properties;
};
using Puback = Acknowledgement<PacketType::puback>;
using Pubrec = Acknowledgement<PacketType::pubrec>;
using Pubrel = Acknowledgement<PacketType::pubrel>;
using Pubcomp = Acknowledgement<PacketType::pubcomp>;

/// MQTT 5.0 §3.8.3.1. The numbers are those of the wire.
enum class RetainHandling : std::uint8_t { always = 0, if_new = 1, never = 2 };

struct SubscriptionRequest {
  std::string_view filter;
  QoS qos = QoS::at_most_once;
  bool no_local = false;
  bool retain_as_published = false;
  RetainHandling retain_handling = RetainHandling::always;
};

/// The payload of a SUBSCRIBE: filters with options, decoded one by one, so that it costs no memory
/// however many there are. A view of well-formed bytes.
class SubscriptionRequests {
 public:
  class Iterator {
   public:
    Iterator(std::string_view rest, std::uint8_t options_mask) noexcept
        : rest_(rest), options_mask_(options_mask) {
      read();
    }
    const SubscriptionRequest& operator*() const noexcept { return request_; }
    const SubscriptionRequest* operator->() const noexcept { return &request_; }
    Iterator& operator++() noexcept {
      read();
      return *this;
    }
    /// At the end or not; iterators of different lists are not compared.
    bool operator==(const Iterator& other) const noexcept { return done_ == other.done_; }

   private:
    void read() noexcept;
    std::string_view rest_;
    SubscriptionRequest request_;
    std::uint8_t options_mask_;
    bool done_ = false;
  };

  SubscriptionRequests() = default;
  /// Before 5.0 there is a QoS and no other option.
  explicit SubscriptionRequests(std::string_view encoded, Level level = Level::v5) noexcept
      : encoded_(encoded), options_mask_(level == Level::v5 ? 0xFF : 0x03) {}
  [[nodiscard]] Iterator begin() const noexcept { return {encoded_, options_mask_}; }
  [[nodiscard]] Iterator end() const noexcept { return {{}, options_mask_}; }
  [[nodiscard]] std::string_view encoded() const noexcept { return encoded_; }

 private:
  std::string_view encoded_;
  std::uint8_t options_mask_ = 0xFF;
};

/// The payload of an UNSUBSCRIBE, like SubscriptionRequests.
class TopicFilters {
 public:
  class Iterator {
   public:
    explicit Iterator(std::string_view rest) noexcept : rest_(rest) { read(); }
    const std::string_view& operator*() const noexcept { return filter_; }
    Iterator& operator++() noexcept {
      read();
      return *this;
    }
    bool operator==(const Iterator& other) const noexcept { return done_ == other.done_; }

   private:
    void read() noexcept;
    std::string_view rest_;
    std::string_view filter_;
    bool done_ = false;
  };

  TopicFilters() = default;
  explicit TopicFilters(std::string_view encoded) noexcept : encoded_(encoded) {}
  [[nodiscard]] Iterator begin() const noexcept { return Iterator(encoded_); }
  [[nodiscard]] Iterator end() const noexcept { return Iterator({}); }
  [[nodiscard]] std::string_view encoded() const noexcept { return encoded_; }

 private:
  std::string_view encoded_;
};

/// Append one element to a list for SubscriptionRequests or TopicFilters. False, and nothing
/// appended, if the filter is longer than kTextBytesMax.
bool append_subscription_request(std::string& encoded, const SubscriptionRequest& request);
bool append_topic_filter(std::string& encoded, std::string_view filter);

struct Subscribe {
  std::uint16_t packet_id = 0;
  SubscriptionRequests requests;
  std::uint32_t count = 0;  ///< of requests
  Properties properties;
};

struct Unsubscribe {
  std::uint16_t packet_id = 0;
  TopicFilters filters;
  std::uint32_t count = 0;  ///< of filters
  Properties properties;
};

struct Suback {
  std::uint16_t packet_id = 0;
  std::string_view reasons;  ///< one ReasonCode per filter, in their order
  Properties properties;
};

struct Unsuback {
  std::uint16_t packet_id = 0;
  std::string_view reasons;  ///< like those of Suback; none before 5.0
  Properties properties;
};

struct Pingreq {};
struct Pingresp {};

struct Disconnect {
  ReasonCode reason = ReasonCode::success;
  Properties properties;
};

/// Only in 5.0.
struct Auth {
  ReasonCode reason = ReasonCode::success;
  Properties properties;
};

/// index() is the number of the PacketType; 0: nothing read yet.
using Packet =
    std::variant<std::monostate, Connect, Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp,
                 Subscribe, Suback, Unsubscribe, Unsuback, Pingreq, Pingresp, Disconnect, Auth>;

inline PacketType type_of(const Packet& packet) noexcept {
  return static_cast<PacketType>(packet.index());
}

}  // namespace pabal::mqtt
