#include <cstdio>
#include <ctime>
#include <ostream>

#include "server/cli/command.h"
#include "server/cli/json.h"
#include "store/tools.h"

namespace pabal::cli {
namespace {

constexpr Option kOptions[] = {kJsonOption, kHelpOption};

std::string format(const char* pattern, auto... values) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

unsigned long long wide(std::uint64_t number) {
  return number;
}

/// What to do about an error of the store.
Failure explain(const core::Error& error) {
  std::string text = error.text;
  if (error.code == core::Errc::in_use) text += "; stop the broker that has it open first";
  if (error.code == core::Errc::not_found) {
    text += "; the operand is the directory that holds the journal, usually DATA_DIR/store";
  }
  return {ExitCode::failed, std::move(text)};
}

store::JournalStoreOptions options_for(const Arguments& arguments) {
  store::JournalStoreOptions options;
  options.directory = arguments.positional()[0];
  return options;
}

int run_store_check(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  const auto found = store::check_store(options_for(arguments));
  if (!found) return report(explain(found.error()), "store check", json, terminal);
  if (json) {
    JsonWriter writer;
    writer.begin_object().boolean("good", found->problems.empty());
    writer.number("segments", found->segments).number("entries", found->entries);
    writer.number("payloads", found->payloads).number("lists", found->lists);
    writer.number("messages", found->messages).number("bytes", found->bytes);
    writer.number("epoch", found->epoch).number("index", found->index).begin_array("problems");
    for (const std::string& problem : found->problems) writer.text({}, problem);
    writer.end_array().end_object();
    terminal.out << writer.str() << '\n';
  } else {
    for (const std::string& problem : found->problems)
      terminal.out << "damage: " << problem << '\n';
    terminal.out << format(
        "%llu segments, %llu entries up to epoch %llu index %llu, %llu payloads\n"
        "%llu lists with %llu messages (%llu bytes) that somebody still needs\n",
        wide(found->segments), wide(found->entries), wide(found->epoch), wide(found->index),
        wide(found->payloads), wide(found->lists), wide(found->messages), wide(found->bytes));
    terminal.out << (found->problems.empty() ? "good\n" : "DAMAGED\n");
  }
  return static_cast<int>(found->problems.empty() ? ExitCode::ok : ExitCode::failed);
}

/// "2026-11-21T08:15:00Z"; "?" for a time that is not known.
std::string time_text(std::int64_t millis) {
  if (millis == 0) return "?";
  const std::time_t seconds = millis / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

void write_row(JsonWriter& writer, const store::MapRow& row) {
  writer.begin_object().text("destination", row.destination.to_text());
  if (!row.reader_name.empty()) writer.text("subscription", row.reader_name);
  writer.number("messages", row.messages).number("bytes", row.bytes);
  if (row.since != 0) {
    writer.number("since", static_cast<std::uint64_t>(row.since));
    writer.text("since_text", time_text(row.since));
  }
  writer.end_object();
}

void print_row(const store::MapRow& row, std::ostream& out) {
  out << format("  %12llu bytes in %9llu messages since ", wide(row.bytes), wide(row.messages))
      << time_text(row.since) << " for " << row.destination.to_text();
  if (!row.reader_name.empty()) out << " (" << row.reader_name << ')';
  out << '\n';
}

void print_map_json(const store::MapReport& map, std::ostream& out) {
  JsonWriter writer;
  writer.begin_object().begin_array("totals");
  for (const store::MapRow& row : map.totals) write_row(writer, row);
  writer.end_array().begin_array("segments");
  for (const store::MapSegment& segment : map.segments) {
    writer.begin_object().number("segment", segment.segment).number("bytes", segment.bytes);
    writer.number("bytes_live", segment.bytes_live).begin_array("readers");
    for (const store::MapRow& row : segment.rows) write_row(writer, row);
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
  out << writer.str() << '\n';
}

int run_store_map(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  const auto map = store::map_store(options_for(arguments));
  if (!map) return report(explain(map.error()), "store map", json, terminal);
  if (json) {
    print_map_json(*map, terminal.out);
    return 0;
  }
  for (const store::MapSegment& segment : map->segments) {
    terminal.out << format("segment %llu: %llu bytes, %llu live\n", wide(segment.segment),
                           wide(segment.bytes), wide(segment.bytes_live));
    for (const store::MapRow& row : segment.rows) print_row(row, terminal.out);
  }
  if (!map->totals.empty()) terminal.out << "all segments\n";
  for (const store::MapRow& row : map->totals) print_row(row, terminal.out);
  if (map->segments.empty()) terminal.out << "no segments\n";
  return 0;
}

}  // namespace

constinit const Command kStoreCheckCommand{
    .name = "store check",
    .operands = "DIR",
    .summary = "verify every byte of a store that no broker has open",
    .text =
        "Reads every journal entry, every row of the index and every message that a row points\n"
        "at, and checks them against their checksums and against each other.",
    .examples = "  pabal store check /var/lib/pabal/store",
    .options = kOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_store_check,
};

constinit const Command kStoreMapCommand{
    .name = "store map",
    .operands = "DIR",
    .summary = "say which queue or subscription keeps which segment of a store",
    .text =
        "Lists the segments of the journal and, for each, whose messages keep it on disk and "
        "since\n"
        "when the oldest of them waits; then the same over all segments. No broker may have the\n"
        "store open.",
    .examples = "  pabal store map /var/lib/pabal/store",
    .options = kOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_store_map,
};

}  // namespace pabal::cli
