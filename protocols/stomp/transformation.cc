#include "protocols/stomp/transformation.h"

#include "core/advisory.h"
#include "protocols/content/advisory_text.h"
#include "protocols/content/body.h"
#include "protocols/content/xstream.h"
#include "protocols/stomp/jms_types.h"

namespace pabal::stomp {
namespace {

constexpr std::string_view kNotShown = "the body cannot be read";

/// ActiveMQ goes by the end of the word, whatever else was asked for.
FrameBody map_body(const core::Message& message, Transformation asked, std::string& scratch) {
  using enum Transformation;
  if (asked == none) return {};
  const bool as_json =
      asked == json || asked == map_json || asked == object_json || asked == advisory_json;
  const auto notation = as_json ? content::Notation::json : content::Notation::xml;
  std::string inflated;
  const auto content = content::content_of(message, inflated);
  scratch.clear();
  if (!content || !content::append_xstream(scratch, *content, notation)) {
    return {.error = kNotShown};
  }
  FrameBody made{.body = scratch};
  if (asked == json) made.transformation = "jms-map-json";
  if (asked == xml) made.transformation = "jms-map-xml";
  return made;
}

FrameBody jms_body(const core::Message& message, std::string& scratch) {
  std::string inflated;
  const core::BodyKind kind = message.body_kind();
  FrameBody made;
  if (kind == core::BodyKind::map || kind == core::BodyKind::stream) {
    const auto content = content::content_of(message, inflated);
    scratch.clear();
    const bool shown =
        content && (kind == core::BodyKind::map
                        ? content::append_xstream(scratch, *content, content::Notation::json,
                                                  kJmsContentBytesMax)
                        : content::append_json_stream(scratch, *content, kJmsContentBytesMax));
    if (shown) made.body = scratch;
    if (!shown) made.error = kNotShown;
  } else {
    const auto body = kind == core::BodyKind::object ? content::content_of(message, scratch)
                                                     : content::plain_body(message, scratch);
    if (body) made.body = *body;
    if (!body) made.error = kNotShown;
  }
  made.jms_kind = jms_body_kind(message, made.body);
  return made;
}

/// Source: reference/stomp.md §11: JSON, if nothing else was asked for.
FrameBody advisory_body(const core::Advisory& advisory, Transformation asked,
                        std::string& scratch) {
  using enum Transformation;
  const bool as_xml =
      asked == xml || asked == map_xml || asked == object_xml || asked == advisory_xml;
  scratch.clear();
  content::append_advisory_text(scratch, advisory,
                                as_xml ? content::Notation::xml : content::Notation::json);
  FrameBody made{.body = scratch};
  if (asked == none || asked == json) made.transformation = "jms-advisory-json";
  if (asked == xml) made.transformation = "jms-advisory-xml";
  return made;
}

}  // namespace

Transformation read_transformation(std::string_view header) noexcept {
  using enum Transformation;
  if (header == "jms-json") return json;
  if (header == "jms-xml") return xml;
  if (header == "jms-map-json") return map_json;
  if (header == "jms-map-xml") return map_xml;
  if (header == "jms-object-json") return object_json;
  if (header == "jms-object-xml") return object_xml;
  if (header == "jms-advisory-json") return advisory_json;
  if (header == "jms-advisory-xml") return advisory_xml;
  if (header == "jms-pabal") return jms_pabal;
  return none;
}

FrameBody frame_body(const core::Message& message, Transformation asked, std::string& scratch) {
  using enum Transformation;
  if (core::may_be_advisory(message)) {
    if (const auto advisory = core::read_advisory(message)) {
      return advisory_body(*advisory, asked, scratch);
    }
  }
  if (asked == jms_pabal) return jms_body(message, scratch);
  switch (message.body_kind()) {
    case core::BodyKind::text:
    case core::BodyKind::bytes: {
      const auto body = content::plain_body(message, scratch);
      return body ? FrameBody{.body = *body} : FrameBody{.error = kNotShown};
    }
    case core::BodyKind::map:
      return map_body(message, asked, scratch);
    case core::BodyKind::object:
      return asked == none ? FrameBody{} : FrameBody{.error = "Java objects are not read"};
    case core::BodyKind::none:
    case core::BodyKind::stream:
    case core::BodyKind::blob:
      break;
  }
  return {};
}

}  // namespace pabal::stomp
