#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "protocols/mqtt/level.h"

namespace pabal::mqtt {

/// MQTT 5.0 §2.2.2.2.
enum class PropertyId : std::uint8_t {
  none = 0x00,  ///< no property of the specification
  payload_format = 0x01,
  message_expiry = 0x02,  ///< seconds
  content_type = 0x03,
  response_topic = 0x08,
  correlation_data = 0x09,
  subscription_id = 0x0B,
  session_expiry = 0x11,  ///< seconds; 0xFFFFFFFF: never
  assigned_client_id = 0x12,
  server_keep_alive = 0x13,  ///< seconds
  authentication_method = 0x15,
  authentication_data = 0x16,
  request_problem_information = 0x17,
  will_delay = 0x18,  ///< seconds
  request_response_information = 0x19,
  response_information = 0x1A,
  server_reference = 0x1C,
  reason_string = 0x1F,
  receive_maximum = 0x21,
  topic_alias_maximum = 0x22,
  topic_alias = 0x23,
  maximum_qos = 0x24,
  retain_available = 0x25,
  user_property = 0x26,
  maximum_packet_size = 0x27,
  wildcard_subscription_available = 0x28,
  subscription_id_available = 0x29,
  shared_subscription_available = 0x2A,
};
inline constexpr std::size_t kPropertyIds = 0x2B;

enum class PropertyKind : std::uint8_t {
  none,
  byte,
  two_bytes,
  four_bytes,
  variable,
  text,
  binary,
  pair
};

/// One bit per packet type, and bit 0 for the properties of a will.
using PropertyHolders = std::uint16_t;
inline constexpr PropertyHolders kWillHolder = 1;
constexpr PropertyHolders holder(PacketType type) noexcept {
  return static_cast<PropertyHolders>(1U << static_cast<unsigned>(type));
}

/// What the specification says of one property.
struct PropertyRow {
  PropertyId id = PropertyId::none;
  PropertyKind kind = PropertyKind::none;
  std::uint8_t slot = 0;  ///< its place among the numbers, or among the texts, of Properties
  std::string_view name;
  PropertyHolders from_client = 0;
  PropertyHolders from_server = 0;
  std::uint32_t min = 0;
  std::uint32_t max = 0;

  [[nodiscard]] PropertyHolders holders(Sender sender) const noexcept {
    return sender == Sender::client ? from_client : from_server;
  }
};

namespace detail {

constexpr PropertyHolders kConnectHolder = holder(PacketType::connect);
constexpr PropertyHolders kConnackHolder = holder(PacketType::connack);
constexpr PropertyHolders kPublishHolder = holder(PacketType::publish);
constexpr PropertyHolders kDisconnectHolder = holder(PacketType::disconnect);
constexpr PropertyHolders kAuthHolder = holder(PacketType::auth);
constexpr PropertyHolders kPubAckHolders = holder(PacketType::puback) | holder(PacketType::pubrec) |
                                           holder(PacketType::pubrel) | holder(PacketType::pubcomp);
constexpr PropertyHolders kMessageHolders = kPublishHolder | kWillHolder;
constexpr PropertyHolders kUserFromClient =
    kMessageHolders | kConnectHolder | kPubAckHolders | kDisconnectHolder | kAuthHolder |
    holder(PacketType::subscribe) | holder(PacketType::unsubscribe);
constexpr PropertyHolders kUserFromServer =
    kPublishHolder | kConnackHolder | kPubAckHolders | kDisconnectHolder | kAuthHolder |
    holder(PacketType::suback) | holder(PacketType::unsuback);

/// MQTT 5.0 table 2-4 and what §3 says of each value. From clients and from servers apart: a
/// PUBLISH from a client has no subscription identifier [MQTT-3.3.4-6], a DISCONNECT from a server
/// no session expiry [MQTT-3.14.2-2], and only servers send references to others.
constexpr std::array<PropertyRow, kPropertyIds> make_property_rows() {
  constexpr std::uint32_t kMax2 = 0xFFFF;
  constexpr std::uint32_t kMax4 = 0xFFFFFFFF;
  using Id = PropertyId;
  using Kind = PropertyKind;
  const PropertyRow rows[] = {
      {Id::payload_format, Kind::byte, 0, "Payload Format Indicator", kMessageHolders,
       kPublishHolder, 0, 1},
      {Id::message_expiry, Kind::four_bytes, 0, "Message Expiry Interval", kMessageHolders,
       kPublishHolder, 0, kMax4},
      {Id::content_type, Kind::text, 0, "Content Type", kMessageHolders, kPublishHolder, 0, 0},
      {Id::response_topic, Kind::text, 0, "Response Topic", kMessageHolders, kPublishHolder, 0, 0},
      {Id::correlation_data, Kind::binary, 0, "Correlation Data", kMessageHolders, kPublishHolder,
       0, 0},
      {Id::subscription_id, Kind::variable, 0, "Subscription Identifier",
       holder(PacketType::subscribe), kPublishHolder, 1, kVariableIntegerMax},
      {Id::session_expiry, Kind::four_bytes, 0, "Session Expiry Interval",
       kConnectHolder | kDisconnectHolder, kConnackHolder, 0, kMax4},
      {Id::assigned_client_id, Kind::text, 0, "Assigned Client Identifier", 0, kConnackHolder, 0,
       0},
      {Id::server_keep_alive, Kind::two_bytes, 0, "Server Keep Alive", 0, kConnackHolder, 0, kMax2},
      {Id::authentication_method, Kind::text, 0, "Authentication Method",
       kConnectHolder | kAuthHolder, kConnackHolder | kAuthHolder, 0, 0},
      {Id::authentication_data, Kind::binary, 0, "Authentication Data",
       kConnectHolder | kAuthHolder, kConnackHolder | kAuthHolder, 0, 0},
      {Id::request_problem_information, Kind::byte, 0, "Request Problem Information",
       kConnectHolder, 0, 0, 1},
      {Id::will_delay, Kind::four_bytes, 0, "Will Delay Interval", kWillHolder, 0, 0, kMax4},
      {Id::request_response_information, Kind::byte, 0, "Request Response Information",
       kConnectHolder, 0, 0, 1},
      {Id::response_information, Kind::text, 0, "Response Information", 0, kConnackHolder, 0, 0},
      {Id::server_reference, Kind::text, 0, "Server Reference", 0,
       kConnackHolder | kDisconnectHolder, 0, 0},
      {Id::reason_string, Kind::text, 0, "Reason String",
       kPubAckHolders | kDisconnectHolder | kAuthHolder,
       kUserFromServer & static_cast<PropertyHolders>(~kPublishHolder), 0, 0},
      {Id::receive_maximum, Kind::two_bytes, 0, "Receive Maximum", kConnectHolder, kConnackHolder,
       1, kMax2},
      {Id::topic_alias_maximum, Kind::two_bytes, 0, "Topic Alias Maximum", kConnectHolder,
       kConnackHolder, 0, kMax2},
      {Id::topic_alias, Kind::two_bytes, 0, "Topic Alias", kPublishHolder, kPublishHolder, 1,
       kMax2},
      {Id::maximum_qos, Kind::byte, 0, "Maximum QoS", 0, kConnackHolder, 0, 1},
      {Id::retain_available, Kind::byte, 0, "Retain Available", 0, kConnackHolder, 0, 1},
      {Id::user_property, Kind::pair, 0, "User Property", kUserFromClient, kUserFromServer, 0, 0},
      {Id::maximum_packet_size, Kind::four_bytes, 0, "Maximum Packet Size", kConnectHolder,
       kConnackHolder, 1, kMax4},
      {Id::wildcard_subscription_available, Kind::byte, 0, "Wildcard Subscription Available", 0,
       kConnackHolder, 0, 1},
      {Id::subscription_id_available, Kind::byte, 0, "Subscription Identifier Available", 0,
       kConnackHolder, 0, 1},
      {Id::shared_subscription_available, Kind::byte, 0, "Shared Subscription Available", 0,
       kConnackHolder, 0, 1},
  };
  std::array<PropertyRow, kPropertyIds> by_id{};
  std::uint8_t numbers = 0;
  std::uint8_t texts = 0;
  for (PropertyRow row : rows) {
    if (row.kind == Kind::text || row.kind == Kind::binary) {
      row.slot = texts++;
    } else if (row.kind != Kind::pair) {
      row.slot = numbers++;
    }
    by_id[static_cast<std::size_t>(row.id)] = row;
  }
  return by_id;
}

}  // namespace detail

/// By id; gaps have kind none.
inline constexpr std::array<PropertyRow, kPropertyIds> kPropertyRows = detail::make_property_rows();
inline constexpr std::size_t kNumberProperties = 17;
inline constexpr std::size_t kTextProperties = 9;

/// The row of that number; of one that is no property, a row of kind none.
inline const PropertyRow& property_row(std::uint8_t id) noexcept {
  return kPropertyRows[id < kPropertyIds ? id : 0];
}
constexpr const PropertyRow& property_row(PropertyId id) noexcept {
  return kPropertyRows[static_cast<std::size_t>(id)];
}

/// One name and value.
struct UserProperty {
  std::string_view name;
  std::string_view value;
};

/// The user properties of a packet in their order, as they were encoded: a view of a well-formed
/// property list, whose other properties are passed over. Valid as long as those bytes.
class UserProperties {
 public:
  class Iterator {
   public:
    explicit Iterator(std::string_view rest) noexcept : rest_(rest) { find(); }
    const UserProperty& operator*() const noexcept { return property_; }
    const UserProperty* operator->() const noexcept { return &property_; }
    Iterator& operator++() noexcept {
      find();
      return *this;
    }
    /// At the end or not; iterators of different lists are not compared.
    bool operator==(const Iterator& other) const noexcept { return done_ == other.done_; }

   private:
    void find() noexcept;
    std::string_view rest_;
    UserProperty property_;
    bool done_ = false;
  };

  UserProperties() = default;
  /// `encoded` has `count` user properties.
  UserProperties(std::string_view encoded, std::uint32_t count) noexcept
      : encoded_(count == 0 ? std::string_view() : encoded), count_(count) {}

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::uint32_t size() const noexcept { return count_; }
  [[nodiscard]] Iterator begin() const noexcept { return Iterator(encoded_); }
  [[nodiscard]] Iterator end() const noexcept { return Iterator({}); }
  [[nodiscard]] std::string_view encoded() const noexcept { return encoded_; }

 private:
  std::string_view encoded_;
  std::uint32_t count_ = 0;
};

/// Appends one user property to a list for UserProperties. False, and nothing appended, if one of
/// them is longer than a string may be.
bool append_user_property(std::string& encoded, std::string_view name, std::string_view value);

/// The properties of one packet. Texts are views of the packet, or of what the caller gave, and
/// valid as long as that.
class Properties {
 public:
  [[nodiscard]] bool empty() const noexcept { return present_ == 0 && user.empty(); }
  [[nodiscard]] bool has(PropertyId id) const noexcept { return (present_ & bit(id)) != 0; }
  /// The value of a property that is a number; 0 if absent.
  [[nodiscard]] std::uint32_t number(PropertyId id) const noexcept {
    return numbers_[property_row(id).slot];
  }
  [[nodiscard]] std::uint32_t number_or(PropertyId id, std::uint32_t absent) const noexcept {
    return has(id) ? number(id) : absent;
  }
  /// The value of a property that is text or binary; empty if absent.
  [[nodiscard]] std::string_view text(PropertyId id) const noexcept {
    return texts_[property_row(id).slot];
  }

  void set(PropertyId id, std::uint32_t value) noexcept {
    present_ |= bit(id);
    numbers_[property_row(id).slot] = value;
  }
  void set(PropertyId id, std::string_view value) noexcept {
    present_ |= bit(id);
    texts_[property_row(id).slot] = value;
  }

  /// One bit per id, as 1 << id; user properties are not among them.
  [[nodiscard]] std::uint64_t present() const noexcept { return present_; }

  UserProperties user;
  /// A PUBLISH from a server may have several: number(subscription_id) is the first, and
  /// next_subscription_id() reads all of them from here.
  std::string_view subscription_ids;

 private:
  static constexpr std::uint64_t bit(PropertyId id) noexcept {
    return std::uint64_t{1} << static_cast<unsigned>(id);
  }

  std::uint64_t present_ = 0;
  std::array<std::uint32_t, kNumberProperties> numbers_{};
  std::array<std::string_view, kTextProperties> texts_{};
};

/// Takes the next subscription identifier off a well-formed property list; 0 at its end.
std::uint32_t next_subscription_id(std::string_view& encoded) noexcept;

}  // namespace pabal::mqtt
