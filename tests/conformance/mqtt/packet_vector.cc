#include "tests/conformance/mqtt/packet_vector.h"

#include <charconv>
#include <map>

#include "protocols/mqtt/packet_encoder.h"

namespace pabal::tests {
namespace {

std::optional<std::uint32_t> number_of(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) {
    text.remove_prefix(2);
    base = 16;
  }
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<char> byte_of(std::string_view text) {
  if (text.size() != 2) return std::nullopt;
  const auto number = number_of("0x" + std::string(text));
  if (!number) return std::nullopt;
  return static_cast<char>(*number);
}

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// Takes one step into the case; false: it makes no sense.
bool take(PacketCase& one, std::vector<mqtt::Level>& levels, const VectorStep& step) {
  const std::string argument = step.arguments.empty() ? "" : step.arguments.front();
  if (step.verb == "level") {
    levels.clear();
    for (const std::string& word : step.arguments) {
      const auto number = number_of(word);
      if (!number || *number < 3 || *number > 5) return false;
      levels.push_back(static_cast<mqtt::Level>(*number));
    }
    return !levels.empty();
  }
  if (step.verb == "from" && argument == "server") {
    one.sender = mqtt::Sender::server;
    return true;
  }
  if (step.verb == "first") return one.first = true;
  if (step.verb == "other-bytes") return !(one.same_bytes = false);
  if (step.verb == "limit") {
    const std::map<std::string, std::uint32_t*> limits = {
        {"packet_bytes_max", &one.options.packet_bytes_max},
        {"connect_bytes_max", &one.options.connect_bytes_max},
        {"user_properties_max", &one.options.user_properties_max},
        {"filters_max", &one.options.filters_max}};
    for (const std::string& word : step.arguments) {
      const auto equals = word.find('=');
      const auto found = limits.find(word.substr(0, equals));
      const auto value =
          equals == std::string::npos ? std::nullopt : number_of(word.substr(equals + 1));
      if (found == limits.end() || !value) return false;
      *found->second = *value;
    }
    return true;
  }
  if (step.verb == "bytes") {
    const auto bytes = read_bytes(step.content);
    if (bytes) one.bytes += *bytes;
    return bytes.has_value();
  }
  using Kind = PacketExpectation::Kind;
  if (step.verb == "packet") {
    one.expected.push_back({Kind::packet, trimmed(step.content), 0, step.line});
    return true;
  }
  const auto number = number_of(argument);
  if (!number) return false;
  if (step.verb == "error") {
    one.expected.push_back({Kind::error, trimmed(step.content), *number, step.line});
    return true;
  }
  if (step.verb == "need") {
    one.expected.push_back({Kind::need, "", *number, step.line});
    return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> read_bytes(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    if (text.front() == ' ' || text.front() == '\n') {
      text.remove_prefix(1);
      continue;
    }
    if (text.front() == '"') {
      const auto end = text.find('"', 1);
      if (end == std::string_view::npos) return std::nullopt;
      bytes += text.substr(1, end - 1);
      text.remove_prefix(end + 1);
      continue;
    }
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(word.size());
    if (!word.starts_with("repeat:")) {
      const auto byte = byte_of(word);
      if (!byte) return std::nullopt;
      bytes += *byte;
      continue;
    }
    const auto colon = word.find(':', 7);
    if (colon == std::string_view::npos) return std::nullopt;
    const auto count = number_of(word.substr(7, colon - 7));
    std::string once;
    for (std::string_view hex = word.substr(colon + 1); !hex.empty(); hex.remove_prefix(2)) {
      const auto byte = byte_of(hex.substr(0, 2));
      if (!byte) return std::nullopt;
      once += *byte;
    }
    if (!count) return std::nullopt;
    for (std::uint32_t i = 0; i < *count; ++i) bytes += once;
  }
  return bytes;
}

std::vector<PacketCase> read_packet_cases(const std::string& folder, std::string& error) {
  std::vector<PacketCase> cases;
  for (const VectorCase& vector : read_vector_folder(folder, error)) {
    PacketCase one;
    one.name = vector.name;
    one.clause = vector.clause;
    one.file = vector.file;
    one.line = vector.line;
    std::vector<mqtt::Level> levels = {mqtt::Level::v5};
    for (const VectorStep& step : vector.steps) {
      if (take(one, levels, step)) continue;
      error = vector.file + ":" + std::to_string(step.line) + ": makes no sense";
      return {};
    }
    for (const mqtt::Level level : levels) {
      one.level = level;
      if (levels.size() > 1) {
        one.name = vector.name + "/" + std::to_string(static_cast<int>(level));
      }
      cases.push_back(one);
    }
  }
  return cases;
}

std::string some_connect(mqtt::Level level) {
  mqtt::Connect connect;
  connect.level = level;
  connect.clean_start = true;
  connect.client_id = "c";
  std::string bytes;
  mqtt::append_packet(bytes, connect);
  return bytes;
}

std::string conversation_of(const PacketCase& one) {
  const bool begins = !one.first && one.sender == mqtt::Sender::client;
  return (begins ? some_connect(one.level) : std::string()) + one.bytes;
}

}  // namespace pabal::tests
