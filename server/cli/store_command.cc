#include <cstdio>
#include <filesystem>
#include <ostream>
#include <system_error>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "server/cli/api_client.h"
#include "server/cli/command.h"
#include "server/cli/json.h"
#include "server/cli/time_text.h"
#include "server/store_map_report.h"
#include "store/tools.h"

namespace pabal::cli {
namespace {

constexpr Option kOptions[] = {kJsonOption, kHelpOption};

constexpr Option kMapOptions[] = {
    kApiOption,
    {.name = "timeout",
     .kind = OptionKind::seconds,
     .value = "SECONDS",
     .default_value = "60",
     .help = "how long to wait for the broker's answer",
     .minimum = 1},
    {.name = "limit",
     .kind = OptionKind::integer,
     .value = "N",
     .default_value = "100",
     .help = "of a running broker: show at most N queues and subscriptions",
     .maximum = 1000},
    kJsonOption,
    kHelpOption,
};

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
    text += "; name the data directory of a broker, or its store";
  }
  return {ExitCode::failed, std::move(text)};
}

store::JournalStoreOptions options_for(const Arguments& arguments) {
  store::JournalStoreOptions options;
  options.directory = arguments.positional()[0];
  // The data directory does as well.
  std::error_code ignored;
  const std::filesystem::path inside = std::filesystem::path(options.directory) / "store";
  if (!std::filesystem::exists(std::filesystem::path(options.directory) / "journal", ignored) &&
      std::filesystem::exists(inside / "journal", ignored)) {
    options.directory = inside.string();
  }
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

using Poco::JSON::Array;
using Poco::JSON::Object;

void print_rows(const Array& rows, std::ostream& out) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = rows.getObject(static_cast<unsigned>(i));
    out << format("  %12llu bytes in %9llu messages since ",
                  wide(row->getValue<Poco::UInt64>("bytes")),
                  wide(row->getValue<Poco::UInt64>("messages")))
        << (row->has("since") ? time_text(row->getValue<std::int64_t>("since"), now_millis()) : "?")
        << " for " << row->getValue<std::string>("destination");
    if (row->has("subscription")) out << " (" << row->getValue<std::string>("subscription") << ')';
    out << '\n';
  }
}

void print_left_out(const Object& object, const char* name, std::ostream& out) {
  if (const auto more = object.getValue<Poco::UInt64>(name); more > 0) {
    out << format("  and %llu that keep less\n", wide(more));
  }
}

void print_map(const Object& map, std::ostream& out) {
  const auto segments = map.getArray("segments");
  for (std::size_t i = 0; i < segments->size(); ++i) {
    const auto segment = segments->getObject(static_cast<unsigned>(i));
    out << format("segment %llu: %llu bytes, %llu live\n",
                  wide(segment->getValue<Poco::UInt64>("segment")),
                  wide(segment->getValue<Poco::UInt64>("bytes")),
                  wide(segment->getValue<Poco::UInt64>("bytesLive")));
    if (segment->has("givenUp")) {
      out << "  cannot be read and is never reclaimed: 'pabal store check' says where\n";
    }
    print_rows(*segment->getArray("readers"), out);
    print_left_out(*segment, "readersLeftOut", out);
  }
  if (segments->empty()) out << "no segments\n";
  const auto totals = map.getArray("totals");
  if (totals->empty()) return;
  out << "all segments\n";
  print_rows(*totals, out);
  print_left_out(map, "totalsLeftOut", out);
}

/// Of a running broker, or of the directory that is named.
Outcome<Object::Ptr> find_map(const Arguments& arguments) {
  if (arguments.positional().empty()) {
    auto reply = ApiClient(arguments).get("/api/store/map", {{"limit", arguments.text("limit")}});
    if (!reply) return reply.error();
    return reply->json;
  }
  if (arguments.given("api")) {
    return Failure{ExitCode::usage, "--api asks a running broker; DIR is for one that is stopped"};
  }
  const auto map = store::map_store(options_for(arguments));
  if (!map) return explain(map.error());
  return server::store_map_json(*map);
}

int run_store_map(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  const auto map = find_map(arguments);
  if (!map) return report(map.error(), "store map", json, terminal);
  if (json) {
    (*map)->stringify(terminal.out);
    terminal.out << '\n';
  } else {
    print_map(**map, terminal.out);
  }
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
    .examples = "  pabal store check /var/lib/pabal",
    .options = kOptions,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_store_check,
};

constinit const Command kStoreMapCommand{
    .name = "store map",
    .operands = "[DIR]",
    .summary = "say which queue or subscription keeps how much on disk since when",
    .text =
        "Lists the segments of the journal and, for each, whose messages keep it on disk and "
        "since\n"
        "when the oldest of them waits; then the same over all segments. Without DIR it asks the\n"
        "running broker, which goes on working; with DIR no broker may have the store open.",
    .examples =
        "  pabal store map\n"
        "  pabal store map /var/lib/pabal",
    .options = kMapOptions,
    .operands_min = 0,
    .operands_max = 1,
    .run = run_store_map,
};

}  // namespace pabal::cli
