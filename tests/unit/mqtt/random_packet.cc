#include "tests/unit/mqtt/random_packet.h"

#include <iterator>
#include <utility>

#include "protocols/mqtt/wire.h"

namespace pabal::tests {

using namespace mqtt;

std::string_view RandomPackets::text() {
  const std::string pieces[] = {"a",
                                "key",
                                " ",
                                "\xC3\xBC",
                                "\xE2\x82\xAC",
                                "\xF0\x9F\x98\x80",
                                "\x01",
                                std::string(below(150), 'l')};
  std::string made;
  const unsigned count = below(5);
  for (unsigned i = 0; i < count; ++i) made += pieces[below(std::size(pieces))];
  return keep(std::move(made));
}

std::string_view RandomPackets::binary() {
  std::string made(chance(90) ? below(20) : below(3000), '\0');
  for (char& c : made) c = static_cast<char>(below(256));
  return keep(std::move(made));
}

std::string_view RandomPackets::topic() {
  std::string made;
  const unsigned count = 1 + below(6);
  for (unsigned i = 0; i < count; ++i) made += "/ab.*>$,?\t"[below(10)];
  if (chance(20)) made += "\xC3\xBC";
  return keep(std::move(made));
}

std::string RandomPackets::filter() {
  std::string made = chance(20) ? "$share/g/" : chance(10) ? "$queue/" : "";
  const unsigned count = 1 + below(4);
  for (unsigned i = 0; i < count; ++i) {
    if (i != 0) made += '/';
    made += chance(20)                     ? "+"
            : i + 1 == count && chance(20) ? "#"
                                           : std::string(1, "ab.>*,"[below(6)]);
  }
  return made;
}

ReasonCode RandomPackets::reason(PacketType type, Sender sender) {
  while (true) {
    const auto code = static_cast<ReasonCode>(below(256));
    if (is_allowed(code, type, sender)) return code;
  }
}

std::string_view RandomPackets::reasons(PacketType type, Level level, Sender sender) {
  if (type == PacketType::unsuback && level != Level::v5) return {};
  std::string made(1 + below(10), '\0');
  for (char& c : made) {
    ReasonCode code = reason(type, sender);
    if (level != Level::v5 && is_error(code)) code = ReasonCode::unspecified_error;
    c = static_cast<char>(code);
  }
  return keep(std::move(made));
}

Properties RandomPackets::properties(PropertyHolders in_packet, Level level, Sender sender) {
  Properties made;
  if (level != Level::v5 || chance(30)) return made;
  const unsigned percent = chance(20) ? 100 : below(60);
  for (const PropertyRow& row : kPropertyRows) {
    if ((row.holders(sender) & in_packet) == 0 || !chance(percent)) continue;
    if (row.kind == PropertyKind::pair) {
      const unsigned count = 1 + below(4);
      std::string encoded;
      for (unsigned i = 0; i < count; ++i) (void)append_user_property(encoded, text(), text());
      made.user = UserProperties(keep(std::move(encoded)), count);
    } else if (row.kind == PropertyKind::binary) {
      made.set(row.id, binary());
    } else if (row.kind == PropertyKind::text) {
      made.set(row.id, row.id == PropertyId::response_topic ? topic() : text());
    } else {
      const std::uint64_t range = std::uint64_t{row.max} - row.min + 1;
      const std::uint64_t offset = chance(30)   ? (chance(50) ? 0 : range - 1)
                                   : chance(50) ? random_() % 300
                                                : random_();
      made.set(row.id, static_cast<std::uint32_t>(row.min + offset % range));
    }
  }
  // Both sides of §3.1.2.11.10: no data without a method; an AUTH always has one.
  const PropertyHolders with_method =
      holder(PacketType::auth) | holder(PacketType::connect) | holder(PacketType::connack);
  if ((in_packet & with_method) != 0 &&
      (in_packet == holder(PacketType::auth) || made.has(PropertyId::authentication_data)) &&
      !made.has(PropertyId::authentication_method)) {
    made.set(PropertyId::authentication_method, text());
  }
  if (sender == Sender::server && in_packet == holder(PacketType::publish) &&
      made.has(PropertyId::subscription_id) && chance(50)) {
    std::string encoded;
    encoded += static_cast<char>(PropertyId::subscription_id);
    append_variable(encoded, made.number(PropertyId::subscription_id));
    const unsigned count = below(3);
    for (unsigned i = 0; i < count; ++i) {
      encoded += static_cast<char>(PropertyId::subscription_id);
      append_variable(encoded, 1 + below(kVariableIntegerMax));
    }
    made.subscription_ids = keep(std::move(encoded));
  }
  return made;
}

Packet RandomPackets::connect(Level level) {
  texts_.clear();
  Connect made;
  made.level = level;
  made.clean_start = chance(50);
  made.keep_alive = static_cast<std::uint16_t>(below(65'536));
  made.client_id = text();
  if (made.client_id.empty() && (level == Level::v3_1 || !made.clean_start)) made.client_id = "c";
  if (chance(50)) {
    Will& will = made.will.emplace();
    will.qos = qos();
    will.retain = chance(50);
    will.topic = topic();
    will.payload = binary();
    will.properties = properties(kWillHolder, level, Sender::client);
  }
  if (chance(60)) made.user_name = text();
  if (level == Level::v5 ? chance(60) : made.user_name && chance(70)) made.password = binary();
  made.properties = properties(holder(PacketType::connect), level, Sender::client);
  return made;
}

Publish RandomPackets::publish(Level level, Sender sender) {
  Publish made;
  made.qos = qos();
  if (made.qos != QoS::at_most_once) {
    made.dup = chance(50);
    made.packet_id = packet_id();
  }
  made.retain = chance(30);
  made.topic = topic();
  made.payload = binary();
  made.properties = properties(holder(PacketType::publish), level, sender);
  if (made.properties.has(PropertyId::topic_alias) && chance(50)) made.topic = {};
  return made;
}

Subscribe RandomPackets::subscribe(Level level) {
  Subscribe made;
  made.packet_id = packet_id();
  made.count = 1 + below(5);
  std::string encoded;
  for (std::uint32_t i = 0; i < made.count; ++i) {
    const std::string one = filter();
    SubscriptionRequest request{one, qos()};
    if (level == Level::v5) {
      request.no_local = !one.starts_with("$share/") && chance(30);
      request.retain_as_published = chance(30);
      request.retain_handling = static_cast<RetainHandling>(below(3));
    }
    (void)append_subscription_request(encoded, request);
  }
  made.requests = SubscriptionRequests(keep(std::move(encoded)), level);
  made.properties = properties(holder(PacketType::subscribe), level, Sender::client);
  return made;
}

Unsubscribe RandomPackets::unsubscribe(Level level) {
  Unsubscribe made;
  made.packet_id = packet_id();
  made.count = 1 + below(5);
  std::string encoded;
  for (std::uint32_t i = 0; i < made.count; ++i) (void)append_topic_filter(encoded, filter());
  made.filters = TopicFilters(keep(std::move(encoded)));
  made.properties = properties(holder(PacketType::unsubscribe), level, Sender::client);
  return made;
}

template <class One>
One RandomPackets::acknowledgement(PacketType type, Level level, Sender sender) {
  One made;
  made.packet_id = packet_id();
  if (level != Level::v5) return made;
  made.reason = reason(type, sender);
  made.properties = properties(holder(type), level, sender);
  return made;
}

Packet RandomPackets::other(Level level, Sender sender) {
  texts_.clear();
  while (true) {
    const auto type = static_cast<PacketType>(2 + below(14));
    const bool client = sender == Sender::client;
    switch (type) {
      case PacketType::connect:
        break;
      case PacketType::connack: {
        if (client) break;
        Connack made;
        do {
          made.reason = reason(type, sender);
        } while (level != Level::v5 &&
                 (!to_return_code(made.reason) ||
                  from_return_code(*to_return_code(made.reason)) != made.reason));
        made.session_present =
            made.reason == ReasonCode::success && level != Level::v3_1 && chance(50);
        made.properties = properties(holder(type), level, sender);
        return made;
      }
      case PacketType::publish:
        return publish(level, sender);
      case PacketType::puback:
        return acknowledgement<Puback>(type, level, sender);
      case PacketType::pubrec:
        return acknowledgement<Pubrec>(type, level, sender);
      case PacketType::pubrel:
        return acknowledgement<Pubrel>(type, level, sender);
      case PacketType::pubcomp:
        return acknowledgement<Pubcomp>(type, level, sender);
      case PacketType::subscribe:
        if (client) return subscribe(level);
        break;
      case PacketType::unsubscribe:
        if (client) return unsubscribe(level);
        break;
      case PacketType::suback:
        if (client) break;
        return Suback{packet_id(), reasons(type, level, sender),
                      properties(holder(type), level, sender)};
      case PacketType::unsuback:
        if (client) break;
        return Unsuback{packet_id(), reasons(type, level, sender),
                        properties(holder(type), level, sender)};
      case PacketType::pingreq:
        if (client) return Pingreq{};
        break;
      case PacketType::pingresp:
        if (!client) return Pingresp{};
        break;
      case PacketType::disconnect:
        if (level == Level::v5) {
          return Disconnect{reason(type, sender), properties(holder(type), level, sender)};
        }
        if (client) return Disconnect{};
        break;
      case PacketType::auth: {
        if (level != Level::v5) break;
        Auth made{reason(type, sender), properties(holder(type), level, sender)};
        if (!made.properties.has(PropertyId::authentication_method)) {
          if (!made.properties.empty() || made.reason != ReasonCode::success) break;
        }
        return made;
      }
    }
  }
}

}  // namespace pabal::tests
