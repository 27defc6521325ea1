#include "server/store_map_report.h"

#include <ctime>

#include <Poco/JSON/Array.h>

#include "core/engine_xa.h"
#include "core/schedule.h"
#include "server/utf8.h"

namespace pabal::server {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

Poco::UInt64 number(std::uint64_t value) {
  return value;
}

/// What a list keeps, in the words of who configured it: the store keeps lists for the broker's own
/// use under names that nobody else can give.
std::string shown(const core::Destination& list) {
  if (core::is_schedule_list(list.name)) return "scheduled messages";
  if (!core::is_temporary(list.kind)) return list.to_text();
  if (list.name.starts_with("queue://") || list.name.starts_with("topic://") ||
      list.name.starts_with("temp-queue://") || list.name.starts_with("temp-topic://")) {
    return list.name + " (spilled)";
  }
  if (list.name == core::kBranchList) return "prepared XA transactions";
  return list.to_text();
}

/// "2026-11-21T08:15:00Z".
std::string time_text(std::int64_t millis) {
  const std::time_t seconds = millis / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Array::Ptr rows_json(const std::vector<store::MapRow>& rows) {
  Array::Ptr json = new Array;
  for (const store::MapRow& row : rows) {
    Object::Ptr each = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
    each->set("destination", to_utf8(shown(row.destination)));
    if (!row.reader_name.empty()) each->set("subscription", to_utf8(row.reader_name));
    each->set("messages", number(row.messages));
    each->set("bytes", number(row.bytes));
    if (row.since != 0) {
      each->set("since", static_cast<Poco::Int64>(row.since));
      each->set("sinceText", time_text(row.since));
    }
    json->add(each);
  }
  return json;
}

}  // namespace

Object::Ptr store_map_json(const store::MapReport& report) {
  Object::Ptr json = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
  json->set("totals", rows_json(report.totals));
  json->set("totalsLeftOut", number(report.totals_left_out));
  Array::Ptr segments = new Array;
  for (const store::MapSegment& segment : report.segments) {
    Object::Ptr each = new Object(Poco::JSON_PRESERVE_KEY_ORDER);
    each->set("segment", number(segment.segment));
    each->set("bytes", number(segment.bytes));
    each->set("bytesLive", number(segment.bytes_live));
    if (segment.given_up) each->set("givenUp", true);
    each->set("readers", rows_json(segment.rows));
    each->set("readersLeftOut", number(segment.rows_left_out));
    segments->add(each);
  }
  json->set("segments", segments);
  return json;
}

}  // namespace pabal::server
