#include "tests/support/mqtt_text.h"

#include <cstdio>
#include <type_traits>

#include "core/check.h"

namespace pabal::tests {
namespace {

using namespace mqtt;

std::string hex(unsigned value) {
  char text[8];
  std::snprintf(text, sizeof(text), "0x%02X", value);
  return text;
}

std::string hex(ReasonCode reason) {
  return hex(static_cast<unsigned>(reason));
}

std::string decimal(std::string_view name, std::uint64_t value) {
  return " " + std::string(name) + "=" + std::to_string(value);
}

std::string decimal(std::string_view name, QoS qos) {
  return decimal(name, static_cast<std::uint64_t>(qos));
}

void describe_property(std::string& out, const Properties& properties, const PropertyRow& row) {
  const auto begin = [&] { out += (out.back() == '{' ? "" : ", ") + std::string(row.name) + "="; };
  if (row.kind == PropertyKind::text || row.kind == PropertyKind::binary) {
    begin();
    out += quote(properties.text(row.id));
  } else if (row.id == PropertyId::subscription_id && !properties.subscription_ids.empty()) {
    std::string_view ids = properties.subscription_ids;
    while (const std::uint32_t id = next_subscription_id(ids)) {
      begin();
      out += std::to_string(id);
    }
  } else {
    begin();
    out += std::to_string(properties.number(row.id));
  }
}

std::string describe(const Properties& properties) {
  if (properties.empty()) return {};
  std::string out = " {";
  for (const PropertyRow& row : kPropertyRows) {
    if (row.id != PropertyId::none && properties.has(row.id)) {
      describe_property(out, properties, row);
    }
  }
  std::uint32_t users = 0;
  for (const UserProperty& user : properties.user) {
    out += (out.back() == '{' ? "" : ", ") + quote(user.name) + ": " + quote(user.value);
    ++users;
  }
  PABAL_CHECK(users == properties.user.size(), "as many user properties as counted");
  return out + "}";
}

std::string body(const Connect& packet) {
  std::string out = "CONNECT" + decimal("level", static_cast<std::uint64_t>(packet.level));
  if (packet.clean_start) out += " clean";
  out += decimal("keep-alive", packet.keep_alive) + " client-id=" + quote(packet.client_id);
  if (packet.will) {
    out += " will(qos=" + std::to_string(static_cast<int>(packet.will->qos));
    if (packet.will->retain) out += " retain";
    out += " topic=" + quote(packet.will->topic) + " payload=" + quote(packet.will->payload) +
           describe(packet.will->properties) + ")";
  }
  if (packet.user_name) out += " user=" + quote(*packet.user_name);
  if (packet.password) out += " password=" + quote(*packet.password);
  return out;
}

std::string body(const Connack& packet) {
  return std::string("CONNACK") + (packet.session_present ? " session-present " : " ") +
         hex(packet.reason);
}

std::string body(const Publish& packet) {
  std::string out = "PUBLISH" + decimal("qos", packet.qos);
  if (packet.dup) out += " dup";
  if (packet.retain) out += " retain";
  if (packet.packet_id != 0) out += decimal("id", packet.packet_id);
  return out + " topic=" + quote(packet.topic) + " payload=" + quote(packet.payload);
}

template <PacketType kType>
std::string body(const Acknowledgement<kType>& packet) {
  constexpr const char* kNames[] = {"PUBACK", "PUBREC", "PUBREL", "PUBCOMP"};
  return kNames[static_cast<int>(kType) - static_cast<int>(PacketType::puback)] +
         decimal("id", packet.packet_id) + " " + hex(packet.reason);
}

std::string body(const Subscribe& packet) {
  std::string out = "SUBSCRIBE" + decimal("id", packet.packet_id);
  std::uint32_t count = 0;
  for (const SubscriptionRequest& request : packet.requests) {
    out += (count == 0 ? " " : "; ") + quote(request.filter) + decimal("qos", request.qos);
    if (request.no_local) out += " no-local";
    if (request.retain_as_published) out += " retain-as-published";
    if (request.retain_handling != RetainHandling::always) {
      out += decimal("retain-handling", static_cast<std::uint64_t>(request.retain_handling));
    }
    ++count;
  }
  PABAL_CHECK(count == packet.count, "as many filters as counted");
  return out;
}

std::string body(const Unsubscribe& packet) {
  std::string out = "UNSUBSCRIBE" + decimal("id", packet.packet_id);
  std::uint32_t count = 0;
  for (const std::string_view filter : packet.filters) {
    out += (count == 0 ? " " : "; ") + quote(filter);
    ++count;
  }
  PABAL_CHECK(count == packet.count, "as many filters as counted");
  return out;
}

std::string reasons(std::string_view codes) {
  std::string out;
  for (const char code : codes) out += " " + hex(static_cast<unsigned char>(code));
  return out;
}

std::string body(const Suback& packet) {
  return "SUBACK" + decimal("id", packet.packet_id) + reasons(packet.reasons);
}
std::string body(const Unsuback& packet) {
  return "UNSUBACK" + decimal("id", packet.packet_id) + reasons(packet.reasons);
}
std::string body(const Disconnect& packet) {
  return "DISCONNECT " + hex(packet.reason);
}
std::string body(const Auth& packet) {
  return "AUTH " + hex(packet.reason);
}

}  // namespace

std::string quote(std::string_view bytes) {
  std::string out = "\"";
  for (const char c : bytes) {
    if (c < 0x20 || c > 0x7E || c == '"' || c == '\\') {
      char text[8];
      std::snprintf(text, sizeof(text), "\\x%02X",
                    static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += text;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string describe(const mqtt::Packet& packet) {
  return std::visit(
      [](const auto& one) -> std::string {
        using One = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<One, std::monostate>) {
          return "nothing";
        } else if constexpr (std::is_same_v<One, Pingreq>) {
          return "PINGREQ";
        } else if constexpr (std::is_same_v<One, Pingresp>) {
          return "PINGRESP";
        } else {
          return body(one) + describe(one.properties);
        }
      },
      packet);
}

}  // namespace pabal::tests
