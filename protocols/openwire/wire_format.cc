#include "protocols/openwire/wire_format.h"

#include <algorithm>
#include <optional>

#include "protocols/openwire/wire.h"

namespace pabal::openwire {
namespace {

// Source: reference §8, unbounded structure.
constexpr std::uint32_t kPropertiesMax = 64;
constexpr std::size_t kValueBytesMax = 512;

// Tags of primitive values (reference §5.1).
constexpr std::uint8_t kBoolean = 1;
constexpr std::uint8_t kInteger = 5;
constexpr std::uint8_t kLong = 6;
constexpr std::uint8_t kString = 9;

/// One value; a text is a view.
struct Value {
  std::uint8_t tag = 0;
  std::int64_t number = 0;
  std::string_view text;
};

Value read_value(Reader& in) {
  Value value;
  value.tag = in.number<std::uint8_t>();
  switch (value.tag) {
    case 0:
      break;
    case kBoolean:
      value.number = in.boolean() ? 1 : 0;
      break;
    case 2:
      (void)in.number<std::uint8_t>();
      break;
    case 3:
    case 4:
      (void)in.number<std::uint16_t>();
      break;
    case kInteger:
      value.number = static_cast<std::int32_t>(in.number<std::uint32_t>());
      break;
    case kLong:
      value.number = static_cast<std::int64_t>(in.number<std::uint64_t>());
      break;
    case 7:
      (void)in.number<std::uint64_t>();
      break;
    case 8:
      (void)in.number<std::uint32_t>();
      break;
    case kString:
      value.text = in.short_bytes();
      break;
    case 10:
    case 13:
      value.text = in.sized_bytes();
      break;
    default:
      in.fail("a property that is no plain value");
      break;
  }
  if (value.text.size() > kValueBytesMax) in.fail("a property longer than 512 bytes");
  return value;
}

struct BooleanProperty {
  std::string_view name;
  bool WireFormatOffer::*member;
};
constexpr BooleanProperty kBooleans[] = {
    {"StackTraceEnabled", &WireFormatOffer::stack_trace_enabled},
    {"TcpNoDelayEnabled", &WireFormatOffer::tcp_no_delay_enabled},
    {"CacheEnabled", &WireFormatOffer::cache_enabled},
    {"TightEncodingEnabled", &WireFormatOffer::tight_encoding_enabled},
    {"SizePrefixDisabled", &WireFormatOffer::size_prefix_disabled},
    {"MaxFrameSizeEnabled", &WireFormatOffer::max_frame_size_enabled},
};
struct LongProperty {
  std::string_view name;
  std::int64_t WireFormatOffer::*member;
};
constexpr LongProperty kLongs[] = {
    {"MaxInactivityDuration", &WireFormatOffer::max_inactivity_duration},
    {"MaxInactivityDurationInitalDelay", &WireFormatOffer::max_inactivity_initial_delay},
    {"MaxFrameSize", &WireFormatOffer::max_frame_size},
};
struct TextProperty {
  std::string_view name;
  std::string WireFormatOffer::*member;
};
constexpr TextProperty kTexts[] = {
    {"Host", &WireFormatOffer::host},
    {"ProviderName", &WireFormatOffer::provider_name},
    {"ProviderVersion", &WireFormatOffer::provider_version},
    {"PlatformDetails", &WireFormatOffer::platform_details},
};
constexpr std::string_view kCacheSize = "CacheSize";

void keep_value(WireFormatOffer& offer, std::string_view name, const Value& value) {
  const auto named = [name](const auto& property) { return property.name == name; };
  switch (value.tag) {
    case kBoolean:
      if (const auto* it = std::find_if(std::begin(kBooleans), std::end(kBooleans), named);
          it != std::end(kBooleans)) {
        offer.*it->member = value.number != 0;
      }
      break;
    case kInteger:
      if (name == kCacheSize) offer.cache_size = static_cast<std::int32_t>(value.number);
      break;
    case kLong:
      if (const auto* it = std::find_if(std::begin(kLongs), std::end(kLongs), named);
          it != std::end(kLongs)) {
        offer.*it->member = value.number;
      }
      break;
    case kString:
      if (const auto* it = std::find_if(std::begin(kTexts), std::end(kTexts), named);
          it != std::end(kTexts)) {
        offer.*it->member = std::string(value.text);
      }
      break;
    default:
      break;
  }
}

/// The least of those that are above zero.
std::int64_t least(std::int64_t a, std::int64_t b) noexcept {
  if (a <= 0) return std::max<std::int64_t>(b, 0);
  if (b <= 0) return a;
  return std::min(a, b);
}

}  // namespace

core::Result<WireFormatOffer> read_offer(const WireFormatInfo& info) {
  WireFormatOffer offer;
  offer.version = info.version;
  if (!info.marshalled_properties.value) return offer;
  Reader in(*info.marshalled_properties.value);
  const auto count = static_cast<std::int32_t>(in.number<std::uint32_t>());
  if (count > static_cast<std::int32_t>(kPropertiesMax)) in.fail("more than 64 properties");
  for (std::int32_t i = 0; i < count && !in.failed(); ++i) {
    const std::string_view name = in.short_bytes();
    const Value value = read_value(in);
    if (!in.failed()) keep_value(offer, name, value);
  }
  if (!in.failed() && in.left() != 0) in.fail("bytes behind the last property");
  if (in.failed()) {
    return core::Error{core::Errc::invalid_argument, "WireFormatInfo: " + in.fault().to_text()};
  }
  return offer;
}

void append_offer(std::string& out, const WireFormatOffer& offer) {
  std::string map;
  std::uint32_t count = 0;
  const auto begin = [&](std::string_view name, std::uint8_t tag) {
    ++count;
    append_big(map, static_cast<std::uint16_t>(name.size()));
    map += name;
    map += static_cast<char>(tag);
  };
  append_big(map, count);
  for (const BooleanProperty& property : kBooleans) {
    begin(property.name, kBoolean);
    map += static_cast<char>(offer.*property.member ? 1 : 0);
  }
  begin(kCacheSize, kInteger);
  append_big(map, static_cast<std::uint32_t>(offer.cache_size));
  for (const LongProperty& property : kLongs) {
    if (property.member == &WireFormatOffer::max_frame_size && offer.max_frame_size == 0) continue;
    begin(property.name, kLong);
    append_big(map, static_cast<std::uint64_t>(offer.*property.member));
  }
  for (const TextProperty& property : kTexts) {
    const std::string_view text =
        std::string_view(offer.*property.member).substr(0, kValueBytesMax);
    if (text.empty()) continue;
    begin(property.name, kString);
    append_big(map, static_cast<std::uint16_t>(text.size()));
    map += text;
  }
  store_big(map.data(), count);
  WireFormatInfo info;
  info.version = offer.version;
  info.marshalled_properties.value = map;
  append_frame(out, info, WireFormat{});
}

WireFormatOffer broker_offer(core::milliseconds inactivity, core::milliseconds initial_delay,
                             std::int64_t frame_bytes_max, std::string_view provider_version) {
  WireFormatOffer offer;
  offer.version = kVersionMax;
  offer.tcp_no_delay_enabled = true;  // false would make the client switch it off
  offer.cache_size = 1024;
  offer.max_inactivity_duration = inactivity.count();
  offer.max_inactivity_initial_delay = initial_delay.count();
  offer.max_frame_size = frame_bytes_max;
  offer.max_frame_size_enabled = true;
  offer.provider_name = "Pabal";
  offer.provider_version = provider_version;
  return offer;
}

core::Result<Agreement> agree(const WireFormatOffer& ours, const WireFormatOffer& theirs) {
  Agreement agreement;
  const auto version = least(ours.version, theirs.version);
  if (version < kVersionMin) {
    return core::Error{core::Errc::not_supported, "OpenWire version " +
                                                      std::to_string(theirs.version) +
                                                      " is not spoken here: 9 to 12 expected"};
  }
  if (ours.size_prefix_disabled && theirs.size_prefix_disabled) {
    return core::Error{core::Errc::not_supported, "frames without their length"};
  }
  agreement.format.version = static_cast<std::int32_t>(version);
  agreement.format.stack_traces = ours.stack_trace_enabled && theirs.stack_trace_enabled;
  if (ours.max_inactivity_duration > 0 && theirs.max_inactivity_duration > 0) {
    agreement.inactivity =
        core::milliseconds(least(ours.max_inactivity_duration, theirs.max_inactivity_duration));
    agreement.initial_delay = core::milliseconds(std::max<std::int64_t>(
        0, std::min(ours.max_inactivity_initial_delay, theirs.max_inactivity_initial_delay)));
  }
  agreement.max_frame_size = least(ours.max_frame_size, theirs.max_frame_size);
  return agreement;
}

}  // namespace pabal::openwire
