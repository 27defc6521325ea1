#include "protocols/openwire/codec.h"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>
#include <utility>

#include "protocols/openwire/wire.h"

// The grammar (reference §1.1, §2.1):
//
//   frame     = size (4, of what follows), type code (1), fields
//   nested    = 0 | 1, type code, fields
//   string    = 0 | 1, size (2), modified UTF-8
//   bytes     = 0 | 1, size (4), data
//   array     = 0 | 1, count (2), that many nested
//   throwable = 0 | 1, class (string), message (string) [, depth (2), that many elements,
//   throwable]
//
// Which fields: fields.h.

namespace pabal::openwire {
namespace {

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsVariant = false;
template <class... T>
inline constexpr bool kIsVariant<std::variant<T...>> = true;

template <class T>
std::uint8_t type_of(const T& value) noexcept {
  if constexpr (std::is_same_v<T, Message>) {
    return static_cast<std::uint8_t>(value.type_code);
  } else if constexpr (std::is_same_v<T, Destination>) {
    return static_cast<std::uint8_t>(value.type);
  } else {
    return T::kType;
  }
}

/// Whether a structure of this type code is a T; sets what T keeps of it.
template <class T>
bool take_type(std::uint8_t code, T& value) noexcept {
  if constexpr (std::is_same_v<T, Message>) {
    if (code < 23 || code > 29) return false;
    value.type_code = static_cast<MessageType>(code);
    return true;
  } else if constexpr (std::is_same_v<T, Destination>) {
    if (code < 100 || code > 103) return false;
    value.type = static_cast<DestinationType>(code);
    return true;
  } else {
    return code == T::kType;
  }
}

constexpr char kMagic[] = {'A', 'c', 't', 'i', 'v', 'e', 'M', 'Q'};
constexpr std::string_view kMagicText(kMagic, sizeof kMagic);

// --- reading
// ---------------------------------------------------------------------------------------

class Decoder {
 public:
  Decoder(Reader& in, const WireFormat& format) : in_(in), format_(format) {}

  template <class Struct>
  void fields(Struct& value) {
    if constexpr (std::is_same_v<Struct, WireFormatInfo>) {
      wire_format_info(value);
    } else {
      read_all(value, FieldsOf<Struct>::kFields);
      if constexpr (std::is_same_v<Struct, Message>) {
        if (value.type_code == MessageType::blob) read_all(value, FieldsOf<Message>::kBlobFields);
      }
    }
  }

  /// Any structure that can be a frame.
  void any(AnyCommand& command);

 private:
  template <class Struct, class Fields>
  void read_all(Struct& value, const Fields& fields) {
    std::apply([&](const auto&... field) { (read_one(value, field), ...); }, fields);
  }

  template <class Struct, class Owner, class Member>
  void read_one(Struct& value, const Field<Owner, Member>& field) {
    if (in_.failed() || format_.version < field.since || format_.version >= field.before) return;
    read(value.*field.member);
    if (in_.failed()) in_.fault().in_field(field.name);
  }

  /// Magic is checked by the frame parser's caller through the fault it sets here.
  void wire_format_info(WireFormatInfo& info) {
    if (in_.take(sizeof kMagic) != kMagicText) in_.fail("the magic is not ActiveMQ");
    info.version = static_cast<std::int32_t>(in_.number<std::uint32_t>());
    read(info.marshalled_properties);
  }

  template <class T>
  void read(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = in_.boolean();
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(in_.number<std::make_unsigned_t<T>>());
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      if (present()) value = in_.short_bytes();
    } else if constexpr (std::is_same_v<T, Text>) {
      if (in_.boolean()) value = in_.short_bytes();
    } else if constexpr (std::is_same_v<T, Bytes>) {
      if (in_.boolean()) value.value = in_.sized_bytes();
    } else if constexpr (std::is_same_v<T, Throwable>) {
      throwable(value);
    } else if constexpr (std::is_same_v<T, std::shared_ptr<const Command>>) {
      if (in_.boolean()) value = command();
    } else if constexpr (kIsOptional<T>) {
      if (!in_.boolean()) return;
      value.emplace();
      if constexpr (kIsVector<typename T::value_type>) {
        array(*value);
      } else if constexpr (std::is_same_v<typename T::value_type, Throwable>) {
        throwable(*value);
      } else {
        nested(*value);
      }
    } else {
      if (present()) nested(value);
    }
  }

  bool present() {
    if (in_.boolean()) return true;
    in_.fail("null where there has to be a value");
    return false;
  }

  /// Behind the byte that says that it is there.
  template <class T>
  void nested(T& value) {
    if (!descend()) return;
    const auto code = in_.number<std::uint8_t>();
    bool fits = false;
    if constexpr (kIsVariant<T>) {
      fits = one_of(code, value, std::make_index_sequence<std::variant_size_v<T>>());
    } else {
      fits = take_type(code, value);
      if (fits) fields(value);
    }
    if (!fits) in_.fail("a structure of a type that does not belong there");
    --depth_;
  }

  template <class Variant, std::size_t... kIndex>
  bool one_of(std::uint8_t code, Variant& value, std::index_sequence<kIndex...>) {
    const auto is = [&]<std::size_t kAt>(std::integral_constant<std::size_t, kAt>) {
      if (code != std::variant_alternative_t<kAt, Variant>::kType) return false;
      fields(value.template emplace<kAt>());
      return true;
    };
    return (is(std::integral_constant<std::size_t, kIndex>()) || ...);
  }

  /// An element takes five bytes at least, so what is set aside grows with what was sent.
  template <class T>
  void array(std::vector<T>& values) {
    const auto count = static_cast<std::int16_t>(in_.number<std::uint16_t>());
    if (count < 0) in_.fail("a negative length");
    for (int i = 0; i < count && !in_.failed(); ++i) {
      if (present()) nested(values.emplace_back());
    }
  }

  void throwable(Throwable& value) {
    if (!descend()) return;
    read(value.class_name);
    read(value.message);
    if (format_.stack_traces) {
      const auto depth = static_cast<std::int16_t>(in_.number<std::uint16_t>());
      if (depth < 0) in_.fail("a negative length");
      for (int i = 0; i < depth && !in_.failed(); ++i) {
        StackElement& element = value.stack.emplace_back();
        read(element.class_name);
        read(element.method_name);
        read(element.file_name);
        read(element.line);
      }
      if (in_.boolean()) {
        value.cause = std::make_shared<Throwable>();
        throwable(*value.cause);
      }
    }
    --depth_;
  }

  std::shared_ptr<const Command> command() {
    if (!descend()) return nullptr;
    auto read = std::make_shared<Command>();
    any(read->value);
    --depth_;
    return read;
  }

  /// Source: reference §8, unbounded structure.
  bool descend() {
    if (in_.failed()) return false;
    if (++depth_ <= kNestingMax) return true;
    in_.fail("structures nested too deep");
    return false;
  }

  Reader& in_;
  const WireFormat& format_;
  int depth_ = 0;
};

template <class Struct>
void read_into(Decoder& decoder, std::uint8_t code, AnyCommand& command) {
  Struct& value = command.emplace<Struct>();
  (void)take_type(code, value);
  decoder.fields(value);
}

struct TypeEntry {
  const char* name = nullptr;
  void (*read)(Decoder&, std::uint8_t, AnyCommand&) = nullptr;
};

template <class Struct>
constexpr TypeEntry entry(const char* name) {
  return {name, &read_into<Struct>};
}

/// By type code. Those without a reader only stand inside of others. Source: reference §3.
constexpr std::array<TypeEntry, 125> make_types() {
  std::array<TypeEntry, 125> types{};
  types[0] = entry<NullCommand>("null");
  types[1] = entry<WireFormatInfo>("WireFormatInfo");
  types[2] = entry<BrokerInfo>("BrokerInfo");
  types[3] = entry<ConnectionInfo>("ConnectionInfo");
  types[4] = entry<SessionInfo>("SessionInfo");
  types[5] = entry<ConsumerInfo>("ConsumerInfo");
  types[6] = entry<ProducerInfo>("ProducerInfo");
  types[7] = entry<TransactionInfo>("TransactionInfo");
  types[8] = entry<DestinationInfo>("DestinationInfo");
  types[9] = entry<RemoveSubscriptionInfo>("RemoveSubscriptionInfo");
  types[10] = entry<KeepAliveInfo>("KeepAliveInfo");
  types[11] = entry<ShutdownInfo>("ShutdownInfo");
  types[12] = entry<RemoveInfo>("RemoveInfo");
  types[14] = entry<ControlCommand>("ControlCommand");
  types[15] = entry<FlushCommand>("FlushCommand");
  types[16] = entry<ConnectionError>("ConnectionError");
  types[17] = entry<ConsumerControl>("ConsumerControl");
  types[18] = entry<ConnectionControl>("ConnectionControl");
  types[19] = entry<ProducerAck>("ProducerAck");
  types[20] = entry<MessagePull>("MessagePull");
  types[21] = entry<MessageDispatch>("MessageDispatch");
  types[22] = entry<MessageAck>("MessageAck");
  types[23] = entry<Message>("ActiveMQMessage");
  types[24] = entry<Message>("ActiveMQBytesMessage");
  types[25] = entry<Message>("ActiveMQMapMessage");
  types[26] = entry<Message>("ActiveMQObjectMessage");
  types[27] = entry<Message>("ActiveMQStreamMessage");
  types[28] = entry<Message>("ActiveMQTextMessage");
  types[29] = entry<Message>("ActiveMQBlobMessage");
  types[30] = entry<Response>("Response");
  types[31] = entry<ExceptionResponse>("ExceptionResponse");
  types[32] = entry<DataResponse>("DataResponse");
  types[33] = entry<DataArrayResponse>("DataArrayResponse");
  types[34] = entry<IntegerResponse>("IntegerResponse");
  types[40] = entry<DiscoveryEvent>("DiscoveryEvent");
  types[50] = entry<JournalTopicAck>("JournalTopicAck");
  types[52] = entry<JournalQueueAck>("JournalQueueAck");
  types[53] = entry<JournalTrace>("JournalTrace");
  types[54] = entry<JournalTransaction>("JournalTransaction");
  types[55] = entry<SubscriptionInfo>("SubscriptionInfo");
  types[60] = entry<PartialCommand>("PartialCommand");
  types[61] = entry<LastPartialCommand>("LastPartialCommand");
  types[65] = entry<ReplayCommand>("ReplayCommand");
  types[90] = entry<MessageDispatchNotification>("MessageDispatchNotification");
  types[91] = entry<NetworkBridgeFilter>("NetworkBridgeFilter");
  types[92] = entry<BrokerSubscriptionInfo>("BrokerSubscriptionInfo");
  types[100] = {"ActiveMQQueue"};
  types[101] = {"ActiveMQTopic"};
  types[102] = {"ActiveMQTempQueue"};
  types[103] = {"ActiveMQTempTopic"};
  types[110] = {"MessageId"};
  types[111] = {"LocalTransactionId"};
  types[112] = {"XATransactionId"};
  types[120] = {"ConnectionId"};
  types[121] = {"SessionId"};
  types[122] = {"ConsumerId"};
  types[123] = {"ProducerId"};
  types[124] = {"BrokerId"};
  return types;
}
constexpr auto kTypes = make_types();

void Decoder::any(AnyCommand& command) {
  const auto code = in_.number<std::uint8_t>();
  if (in_.failed()) return;
  if (code >= kTypes.size() || kTypes[code].read == nullptr) {
    in_.fail(code < kTypes.size() && kTypes[code].name != nullptr ? "a structure that is no command"
                                                                  : "an unknown type code");
    return;
  }
  kTypes[code].read(*this, code, command);
  if (in_.failed()) in_.fault().in_field(kTypes[code].name);
}

// --- writing
// ---------------------------------------------------------------------------------------

class Encoder {
 public:
  Encoder(std::string& out, const WireFormat& format, MessageMarks* marks = nullptr)
      : out_(out), format_(format), marks_(marks) {}

  template <class Struct>
  void structure(const Struct& value) {
    out_.number(type_of(value));
    if constexpr (std::is_same_v<Struct, WireFormatInfo>) {
      out_.bytes(kMagicText);
      write(value.version);
      write(value.marshalled_properties);
    } else {
      write_all(value, FieldsOf<Struct>::kFields);
      if constexpr (std::is_same_v<Struct, Message>) {
        if (value.type_code == MessageType::blob) write_all(value, FieldsOf<Message>::kBlobFields);
      }
    }
  }

  template <class T>
  void write(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      out_.boolean(value);
    } else if constexpr (std::is_integral_v<T>) {
      out_.number(static_cast<std::make_unsigned_t<T>>(value));
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      text(value);
    } else if constexpr (std::is_same_v<T, Text>) {
      if (value) {
        text(*value);
      } else {
        out_.boolean(false);
      }
    } else if constexpr (std::is_same_v<T, Bytes>) {
      if (!present(value.value.has_value())) return;
      out_.number(static_cast<std::uint32_t>(value.value->size()));
      out_.bytes(*value.value);
    } else if constexpr (std::is_same_v<T, std::shared_ptr<const Command>>) {
      if (present(value != nullptr)) any(value->value);
    } else if constexpr (kIsOptional<T>) {
      if (!present(value.has_value())) return;
      if constexpr (kIsVector<typename T::value_type>) {
        array(*value);
      } else if constexpr (std::is_same_v<typename T::value_type, Throwable>) {
        throwable(*value);
      } else {
        nested(*value);
      }
    } else {
      out_.boolean(true);
      nested(value);
    }
  }

  void any(const AnyCommand& command) {
    std::visit([this](const auto& value) { this->structure(value); }, command);
  }

 private:
  template <class Struct, class Fields>
  void write_all(const Struct& value, const Fields& fields) {
    std::apply([&](const auto&... field) { (write_one(value, field), ...); }, fields);
  }

  template <class Struct, class Owner, class Member>
  void write_one(const Struct& value, const Field<Owner, Member>& field) {
    if (format_.version < field.since || format_.version >= field.before) return;
    // Of what is nested in the message itself, the id comes before and the other behind it.
    if constexpr (std::is_same_v<Owner, MessageId> && std::is_same_v<Member, std::int64_t>) {
      if (marks_ != nullptr && field.member == &MessageId::broker_sequence_id &&
          marks_->broker_sequence == MessageMarks::kNone) {
        marks_->broker_sequence = out_.size();
      }
    }
    if constexpr (std::is_same_v<Owner, Message> && std::is_same_v<Member, bool>) {
      if (marks_ != nullptr && field.member == &Message::first_for_consumer) {
        marks_->first_for_consumer = out_.size();
      }
    }
    write(value.*field.member);
  }

  template <class T>
  void nested(const T& value) {
    if constexpr (kIsVariant<T>) {
      std::visit([this](const auto& one) { this->structure(one); }, value);
    } else {
      structure(value);
    }
  }

  template <class T>
  void array(const std::vector<T>& values) {
    const auto count =
        std::min<std::size_t>(values.size(), std::numeric_limits<std::int16_t>::max());
    out_.number(static_cast<std::uint16_t>(count));
    for (std::size_t i = 0; i < count; ++i) write(values[i]);
  }

  void throwable(const Throwable& value) {
    write(value.class_name);
    write(value.message);
    if (!format_.stack_traces) return;
    out_.number(static_cast<std::uint16_t>(value.stack.size()));
    for (const StackElement& element : value.stack) {
      write(element.class_name);
      write(element.method_name);
      write(element.file_name);
      write(element.line);
    }
    if (present(value.cause != nullptr)) throwable(*value.cause);
  }

  bool present(bool is) {
    out_.boolean(is);
    return is;
  }

  void text(std::string_view value) {
    if (value.size() > kTextBytesMax) {
      std::size_t end = kTextBytesMax;
      while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0U) == 0x80U) --end;
      value = value.substr(0, end);
    }
    out_.boolean(true);
    out_.number(static_cast<std::uint16_t>(value.size()));
    out_.bytes(value);
  }

  Writer out_;
  const WireFormat& format_;
  MessageMarks* marks_;
};

template <class Write>
void append_sized(std::string& out, const Write& write) {
  const std::size_t start = out.size();
  out.append(4, '\0');
  write();
  store_big(out.data() + start, static_cast<std::uint32_t>(out.size() - start - 4));
}

}  // namespace

bool read_command(std::string_view frame, const WireFormat& format, AnyCommand& command,
                  std::string& error) {
  Reader in(frame);
  Decoder decoder(in, format);
  decoder.any(command);
  if (!in.failed() && in.left() != 0) in.fail("bytes behind the last field");
  if (!in.failed()) return true;
  error = in.fault().to_text();
  return false;
}

template <class Struct>
void append_frame(std::string& out, const Struct& command, const WireFormat& format) {
  append_sized(out, [&] { Encoder(out, format).structure(command); });
}

void append_frame(std::string& out, const AnyCommand& command, const WireFormat& format) {
  append_sized(out, [&] { Encoder(out, format).any(command); });
}

template <class Struct>
void append_nested(std::string& out, const Struct& value, const WireFormat& format) {
  Encoder(out, format).write(value);
}

void append_destination_and_message(std::string& out, const Message& message,
                                    const WireFormat& format, MessageMarks& marks) {
  marks = {};
  Encoder encoder(out, format, &marks);
  encoder.write(message.destination);
  encoder.write(message);
}

// What the session sends.
template void append_frame(std::string&, const WireFormatInfo&, const WireFormat&);
template void append_frame(std::string&, const BrokerInfo&, const WireFormat&);
template void append_frame(std::string&, const KeepAliveInfo&, const WireFormat&);
template void append_frame(std::string&, const ShutdownInfo&, const WireFormat&);
template void append_frame(std::string&, const ConnectionError&, const WireFormat&);
template void append_frame(std::string&, const ConsumerControl&, const WireFormat&);
template void append_frame(std::string&, const ConnectionControl&, const WireFormat&);
template void append_frame(std::string&, const ProducerAck&, const WireFormat&);
template void append_frame(std::string&, const MessageDispatch&, const WireFormat&);
template void append_frame(std::string&, const DestinationInfo&, const WireFormat&);
template void append_frame(std::string&, const Response&, const WireFormat&);
template void append_frame(std::string&, const ExceptionResponse&, const WireFormat&);
template void append_frame(std::string&, const DataArrayResponse&, const WireFormat&);
template void append_frame(std::string&, const IntegerResponse&, const WireFormat&);
template void append_frame(std::string&, const Message&, const WireFormat&);
template void append_nested(std::string&, const ConsumerId&, const WireFormat&);

std::string_view type_name(std::uint8_t type_code) noexcept {
  if (type_code >= kTypes.size() || kTypes[type_code].name == nullptr) return "unknown";
  return kTypes[type_code].name;
}

}  // namespace pabal::openwire
