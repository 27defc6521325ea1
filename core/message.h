#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/destination.h"
#include "core/ids.h"
#include "core/result.h"

namespace pabal::core {

/// What the body is, in JMS words. Map, stream and object bodies are opaque bytes to core; a blob's
/// says where its data is.
enum class BodyKind : std::uint8_t {
  none = 0,
  text = 1,
  bytes = 2,
  map = 3,
  stream = 4,
  object = 5,
  blob = 6
};

/// The encoding in which properties or body came, when an adaptor keeps them as they are. Of a
/// native body the bytes are the text (UTF-8) or the bytes themselves; a map, stream or blob has no
/// native form. Properties of both encodings are read with PropertyReader.
enum class Encoding : std::uint8_t { native = 0, openwire = 1 };

/// Type tags of properties; the numbers are on disk.
enum class PropertyType : std::uint8_t {
  null = 0,
  boolean = 1,
  int8 = 2,
  int16 = 3,
  int32 = 4,
  int64 = 5,
  float32 = 6,
  float64 = 7,
  string = 8,
  bytes = 9,
  character = 10,
  list = 11,
  map = 12,
};

/// A view of one property; valid as long as the message. Integers of every width and booleans are
/// in `integer`, both float widths in `real`, string, bytes, list and map in `text` (of the last
/// two what core/primitive_values.h says of them).
struct Property {
  std::string_view name;
  PropertyType type = PropertyType::null;
  Encoding encoding = Encoding::native;  ///< openwire: name and string are modified UTF-8
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text;

  /// Name and string as UTF-8; made in `scratch` where they are not, which is rare.
  [[nodiscard]] std::string_view utf8_name(std::string& scratch) const {
    return encoding == Encoding::native ? name : to_native(name, scratch);
  }
  [[nodiscard]] std::string_view utf8_text(std::string& scratch) const {
    return encoding == Encoding::native || type != PropertyType::string ? text
                                                                        : to_native(text, scratch);
  }
  /// The value as text, by the JMS 1.1 §3.5.4 conversion table (booleans "true"/"false").
  void append_text(std::string& out) const;

 private:
  static std::string_view to_native(std::string_view modified, std::string& scratch);
};

/// What a reply-to or original destination is: a destination of `kind`, or (reply-to) opaque text.
struct Address {
  std::optional<DestinationKind>
      kind;  ///< nullopt: `name` is text that only the client understands
  std::string_view name;
};

class MessageRef;

/// One message: immutable, shared by reference count, flat. The bytes of flat() are the form in
/// memory, in the journal and on the replication link alike; nothing is parsed until asked for.
/// Thread: any (the count is atomic). See message.cc for the layout.
class Message {
 public:
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  [[nodiscard]] DestinationKind destination_kind() const noexcept;
  [[nodiscard]] std::string_view destination_name() const noexcept;
  [[nodiscard]] Destination destination() const {
    return {destination_kind(), std::string(destination_name())};
  }
  [[nodiscard]] bool persistent() const noexcept;
  [[nodiscard]] bool compressed() const noexcept;
  /// Its topic keeps it for those who subscribe later (core/retained.h).
  [[nodiscard]] bool retain() const noexcept;
  [[nodiscard]] std::uint8_t priority() const noexcept;    ///< 0–9
  [[nodiscard]] std::int64_t timestamp() const noexcept;   ///< ms since 1970
  [[nodiscard]] std::int64_t expiration() const noexcept;  ///< ms since 1970; 0: never
  [[nodiscard]] bool expired(TimePoint now) const noexcept {
    return expiration() != 0 && expiration() <= to_millis(now);
  }
  [[nodiscard]] std::uint64_t origin() const noexcept;  ///< with sequence(): the message's id
  [[nodiscard]] std::uint64_t sequence() const noexcept;
  [[nodiscard]] std::string_view foreign_id()
      const noexcept;  ///< id text kept from elsewhere, or empty
  [[nodiscard]] std::string_view correlation() const noexcept;
  [[nodiscard]] bool correlation_is_bytes() const noexcept;
  [[nodiscard]] std::optional<Address> reply_to() const noexcept;
  [[nodiscard]] std::optional<Address> original_destination() const noexcept;
  [[nodiscard]] std::string_view type() const noexcept;
  [[nodiscard]] std::string_view group_id() const noexcept;
  [[nodiscard]] std::int32_t group_sequence() const noexcept;
  [[nodiscard]] std::string_view content_type() const noexcept;
  [[nodiscard]] std::string_view user_id() const noexcept;
  [[nodiscard]] BodyKind body_kind() const noexcept;
  [[nodiscard]] Encoding body_encoding() const noexcept;
  [[nodiscard]] std::string_view body() const noexcept;
  [[nodiscard]] Encoding property_encoding() const noexcept;
  /// The encoded property list; read it with PropertyReader.
  [[nodiscard]] std::string_view properties() const noexcept;
  /// First property of that name; of several in OpenWire's encoding the last, as its clients have
  /// it. Linear.
  [[nodiscard]] std::optional<Property> property(std::string_view name) const noexcept;

  static constexpr std::size_t kNativeIdBytesMax = 72;
  /// The id as clients see it: the foreign text, or "ID:pabal-<origin>:-1:1:<sequence>", which is
  /// written to `room`.
  [[nodiscard]] std::string_view id_in(std::span<char, kNativeIdBytesMax> room) const noexcept;
  /// That of origin and sequence, whether there is a foreign one or not.
  [[nodiscard]] std::string_view own_id_in(std::span<char, kNativeIdBytesMax> room) const noexcept;
  void append_id(std::string& out) const;
  [[nodiscard]] std::string id() const {
    std::string text;
    append_id(text);
    return text;
  }

  [[nodiscard]] std::span<const std::byte> flat() const noexcept {
    return {reinterpret_cast<const std::byte*>(data()), size_};
  }
  /// Bytes of memory that this message holds.
  [[nodiscard]] std::size_t footprint() const noexcept { return sizeof(Message) + size_; }

  /// Copies `flat` after checking every offset, so that no accessor can leave it. Errors: store_io.
  static Result<MessageRef> from_flat(std::span<const std::byte> flat);

 private:
  friend class MessageRef;
  friend class MessageBuilder;
  explicit Message(std::uint32_t size) noexcept : size_(size) {}
  static Message* allocate(std::uint32_t size);
  [[nodiscard]] const char* data() const noexcept {
    return reinterpret_cast<const char*>(this + 1);
  }
  char* data() noexcept { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] std::string_view section(int index) const noexcept;
  [[nodiscard]] std::optional<Property> openwire_property(std::string_view name) const noexcept;

  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t size_;
};

/// An intrusive shared pointer to a Message; null by default. The one thing shared widely.
class MessageRef {
 public:
  MessageRef() = default;
  MessageRef(const MessageRef& other) noexcept : message_(other.message_) { retain(); }
  MessageRef(MessageRef&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessageRef& operator=(const MessageRef& other) noexcept {
    MessageRef(other).swap(*this);
    return *this;
  }
  MessageRef& operator=(MessageRef&& other) noexcept {
    MessageRef(std::move(other)).swap(*this);
    return *this;
  }
  ~MessageRef() { release(); }

  explicit operator bool() const noexcept { return message_ != nullptr; }
  const Message& operator*() const noexcept { return *message_; }
  const Message* operator->() const noexcept { return message_; }
  [[nodiscard]] const Message* get() const noexcept { return message_; }
  void reset() noexcept { MessageRef().swap(*this); }
  void swap(MessageRef& other) noexcept { std::swap(message_, other.message_); }

 private:
  friend class Message;
  friend class MessageBuilder;
  explicit MessageRef(const Message* adopted) noexcept : message_(adopted) {}
  void retain() const noexcept {
    if (message_ != nullptr) message_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept;

  const Message* message_ = nullptr;
};

/// Walks an encoded property list in order, duplicates included.
class PropertyReader {
 public:
  PropertyReader(Encoding encoding, std::string_view encoded) noexcept
      : rest_(encoded), encoding_(encoding) {}
  explicit PropertyReader(const Message& message) noexcept
      : PropertyReader(message.property_encoding(), message.properties()) {}
  /// Next property, or nullopt at the end or where the bytes stop making sense.
  std::optional<Property> next() noexcept;
  /// Once next() had nothing more: whether the list ended exactly at its end.
  [[nodiscard]] bool complete() const noexcept { return rest_.empty() && left_ == 0; }
  /// The bytes of what next() has just given.
  [[nodiscard]] std::string_view entry() const noexcept { return entry_; }

 private:
  std::optional<Property> next_openwire() noexcept;

  std::string_view rest_;
  std::string_view entry_;
  Encoding encoding_;
  bool counted_ = false;    // openwire: the count at the beginning was read
  std::uint32_t left_ = 0;  // openwire: entries that it promises
};

/// Of one flat message.
inline constexpr std::uint64_t kMessageBytesMax = 0x7FFF'FFFF;

/// A message with this property true, as a boolean or in text, is one that its topic keeps (the
/// name is ActiveMQ's, so that every protocol can say it).
inline constexpr std::string_view kRetainProperty = "ActiveMQ.Retain";

/// Collects the fields of one message, then builds it with one allocation and one copy of the body.
/// Reusable after clear(): its property buffer keeps its memory. The string_views given must stay
/// valid until build(). Fields not set: queue, priority 4, non-persistent, no expiration, no body.
class MessageBuilder {
 public:
  MessageBuilder() = default;
  /// Starts from a copy of all fields of `message`, which must outlive build().
  explicit MessageBuilder(const Message& message);
  void clear() noexcept;

  DestinationKind destination_kind = DestinationKind::queue;
  std::string_view destination_name;
  bool persistent = false;
  bool compressed = false;
  bool retain = false;  ///< set by adding kRetainProperty, too
  std::uint8_t priority = kDefaultPriority;
  std::int64_t timestamp = 0;
  std::int64_t expiration = 0;
  std::uint64_t origin = 0;
  std::uint64_t sequence = 0;
  std::string_view foreign_id;
  std::string_view correlation;
  bool correlation_is_bytes = false;
  std::optional<Address> reply_to;
  std::optional<Address> original_destination;
  std::string_view type;
  std::string_view group_id;
  std::int32_t group_sequence = 0;
  std::string_view content_type;
  std::string_view user_id;
  BodyKind body_kind = BodyKind::none;
  Encoding body_encoding = Encoding::native;
  Encoding property_encoding = Encoding::native;
  std::string_view body;

  /// Appends one property, in `property_encoding`, which is set before the first; names up to
  /// 65,535 bytes (longer ones make build() fail). Names and texts are UTF-8.
  void add_string(std::string_view name, std::string_view value);
  void add_integer(std::string_view name, PropertyType type, std::int64_t value);
  void add_real(std::string_view name, PropertyType type, double value);
  void add_boolean(std::string_view name, bool value) {
    add_integer(name, PropertyType::boolean, value ? 1 : 0);
  }
  /// For null, bytes, and the opaque list and map.
  void add_raw(std::string_view name, PropertyType type, std::string_view value);
  /// As another message has it.
  void add(const Property& property);
  /// Replaces the whole list by already encoded properties. Whether those of OpenWire hold
  /// kRetainProperty, the caller says in `retain`.
  void set_encoded_properties(Encoding encoding, std::string_view encoded);
  /// Replaces the list by that of `message`, byte by byte and in its encoding, but without those
  /// that `drop` says.
  void copy_properties(const Message& message, bool (*drop)(const Property& property));

  /// Errors: invalid_argument when the message would pass 2 GiB or a name is too long.
  [[nodiscard]] Result<MessageRef> build() const;

 private:
  void add_name(std::string_view name, PropertyType type);
  void add_openwire(std::string_view name, const Property& value);
  std::string properties_;
  bool name_too_long_ = false;
};

}  // namespace pabal::core
