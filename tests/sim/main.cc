// pabal_sim: runs simulated brokers, one per seed, and says which seed broke a promise.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "tests/sim/world.h"

namespace {

using pabal::sim::Options;
using pabal::sim::Report;
using pabal::sim::Sabotage;

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t last = 500;
  bool twice = false;
  bool sabotage = false;  ///< see that every lie is noticed
  Options options;
};

constexpr const char* kUsage =
    "usage: pabal_sim [--seeds A..B | --seed N] [--store memory|journal] [--verbose]\n"
    "                 [--steps N] [--twice] [--sabotage NAME|all]\n"
    "  --seeds A..B  one simulated broker for each seed (default 1..500; PABAL_SIM_SEEDS=B too)\n"
    "  --seed N      one only\n"
    "  --store       what keeps the messages (default memory)\n"
    "  --steps N     stop each run after N steps instead of where the seed says\n"
    "  --twice       run every seed twice and compare all that the engine did\n"
    "  --sabotage    tell one lie (or each in turn) and fail unless the judge notices it\n"
    "  --verbose     tell every step\n";

bool parse_seeds(const std::string& text, Arguments& arguments) {
  const auto dots = text.find("..");
  char* end = nullptr;
  arguments.first = std::strtoull(text.c_str(), &end, 10);
  if (dots == std::string::npos) return false;
  arguments.last = std::strtoull(text.c_str() + dots + 2, &end, 10);
  return arguments.first <= arguments.last;
}

bool parse_sabotage(std::string_view name, Arguments& arguments) {
  arguments.sabotage = true;
  for (const auto& each : pabal::sim::kSabotages) {
    if (each.name == name) arguments.options.sabotage = each.sabotage;
  }
  return name == "all" || arguments.options.sabotage != Sabotage::none;
}

bool parse(int argc, char** argv, Arguments& arguments) {
  if (const char* seeds = std::getenv("PABAL_SIM_SEEDS")) {
    arguments.last = std::strtoull(seeds, nullptr, 10);
  }
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const bool has_value = i + 1 < argc;
    if (option == "--verbose") {
      arguments.options.verbose = true;
    } else if (option == "--twice") {
      arguments.twice = true;
    } else if (option == "--seeds" && has_value) {
      if (!parse_seeds(argv[++i], arguments)) return false;
    } else if (option == "--seed" && has_value) {
      arguments.first = arguments.last = std::strtoull(argv[++i], nullptr, 10);
    } else if (option == "--steps" && has_value) {
      arguments.options.steps = std::strtoull(argv[++i], nullptr, 10);
    } else if (option == "--sabotage" && has_value) {
      if (!parse_sabotage(argv[++i], arguments)) return false;
    } else if (option == "--store" && has_value) {
      const std::string store = argv[++i];
      if (store != "memory" && store != "journal") return false;
      arguments.options.store =
          store == "journal" ? pabal::sim::StoreKind::journal : pabal::sim::StoreKind::memory;
    } else {
      return false;
    }
  }
  return true;
}

using Counter = std::pair<std::uint64_t Report::*, const char*>;
constexpr std::array<Counter, 19> kCounters = {{
    {&Report::steps, "steps"},
    {&Report::starts, "starts"},
    {&Report::messages, "messages"},
    {&Report::deliveries, "deliveries"},
    {&Report::receipts, "receipts"},
    {&Report::pages, "pages read"},
    {&Report::spills, "spills"},
    {&Report::relocations, "relocations"},
    {&Report::cancelled, "batches cancelled"},
    {&Report::refused, "refused"},
    {&Report::parked, "parked"},
    {&Report::branches, "branches prepared"},
    {&Report::several, "sends to several places"},
    {&Report::late, "late acknowledgements"},
    {&Report::commands, "commands"},
    {&Report::commanded, "messages of theirs"},
    {&Report::browsers, "browsers"},
    {&Report::queues_deleted, "queues deleted with their messages"},
    {&Report::failures, "failures of the store"},
}};

void print(const Report& sum) {
  const char* separator = "  ";
  for (const auto& [member, name] : kCounters) {
    std::printf("%s%llu %s", separator, static_cast<unsigned long long>(sum.*member), name);
    separator = ", ";
  }
  std::printf("\n");
}

Report simulate(Options options, std::uint64_t seed) {
  options.seed = seed;
  pabal::sim::World world(options);
  return world.run();
}

const char* store_name(const Options& options) {
  return options.store == pabal::sim::StoreKind::journal ? "journal" : "memory";
}

/// A judge that cannot fail is worth nothing: for each lie, some seed must find it out.
int see_through(const Arguments& arguments) {
  bool all = true;
  const bool journal = arguments.options.store == pabal::sim::StoreKind::journal;
  for (const auto& each : pabal::sim::kSabotages) {
    Options options = arguments.options;
    if (options.sabotage != Sabotage::none && options.sabotage != each.sabotage) continue;
    if (!(journal ? each.journal : each.memory)) continue;
    options.sabotage = each.sabotage;
    std::uint64_t seed = arguments.first;
    Report report;
    for (; seed <= arguments.last && report.violations.empty(); ++seed) {
      report = simulate(options, seed);
    }
    if (report.violations.empty()) {
      std::printf("%s: NOT NOTICED by any seed\n", std::string(each.name).c_str());
      all = false;
    } else {
      std::printf("%s: noticed by seed %llu: %s\n", std::string(each.name).c_str(),
                  static_cast<unsigned long long>(seed - 1), report.violations.front().c_str());
    }
    std::fflush(stdout);
  }
  return all ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (arguments.sabotage) return see_through(arguments);
  const char* store = store_name(arguments.options);
  Report sum;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    Report report = simulate(arguments.options, seed);
    if (arguments.twice && report.violations.empty() &&
        simulate(arguments.options, seed).hash != report.hash) {
      report.violations.emplace_back("the same seed took another course the second time");
    }
    for (const auto& [member, name] : kCounters) sum.*member += report.*member;
    if (report.violations.empty()) continue;
    ++failed;
    std::printf("seed %llu FAILED at step %llu\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(report.steps));
    for (const std::string& violation : report.violations) {
      std::printf("  %s\n", violation.c_str());
    }
    std::printf("  again: %s --store %s --seed %llu --verbose\n", argv[0], store,
                static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    if (failed == 20) break;
  }
  std::printf("%s store: seeds %llu..%llu, %llu failed\n", store,
              static_cast<unsigned long long>(arguments.first),
              static_cast<unsigned long long>(arguments.last),
              static_cast<unsigned long long>(failed));
  print(sum);
  return failed == 0 ? 0 : 1;
}
