// pabal_session_sim: simulated clients with sessions, one world per seed; see session_world.h.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/session_world.h"

namespace {

constexpr const char* kUsage =
    "usage: pabal_session_sim [--seeds A..B | --seed N] [--store memory|journal] [--twice]\n"
    "                         [--verbose]\n";

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t last = 300;
  bool journal = false;
  bool twice = false;
  bool verbose = false;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  if (const char* seeds = std::getenv("PABAL_SIM_SEEDS")) {
    arguments.last = std::strtoull(seeds, nullptr, 10);
  }
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const bool has_value = i + 1 < argc;
    if (option == "--verbose") {
      arguments.verbose = true;
    } else if (option == "--twice") {
      arguments.twice = true;
    } else if (option == "--seed" && has_value) {
      arguments.first = arguments.last = std::strtoull(argv[++i], nullptr, 10);
    } else if (option == "--seeds" && has_value) {
      char* end = nullptr;
      arguments.first = std::strtoull(argv[++i], &end, 10);
      if (std::strncmp(end, "..", 2) != 0) return false;
      arguments.last = std::strtoull(end + 2, nullptr, 10);
    } else if (option == "--store" && has_value) {
      arguments.journal = std::string(argv[++i]) == "journal";
    } else {
      return false;
    }
  }
  return arguments.first <= arguments.last;
}

}  // namespace

int main(int argc, char** argv) {
  using pabal::sim::SessionReport;
  using pabal::sim::SessionWorld;
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  SessionReport sum;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = arguments.first; seed <= arguments.last && failed < 20; ++seed) {
    SessionReport report = SessionWorld(arguments.journal, seed, arguments.verbose).run();
    if (arguments.twice && report.violations.empty() &&
        SessionWorld(arguments.journal, seed, false).run().hash != report.hash) {
      report.violations.emplace_back("the same seed took another course the second time");
    }
    sum.starts += report.starts;
    sum.deliveries += report.deliveries;
    sum.retained_seen += report.retained_seen;
    sum.wills += report.wills;
    sum.resumed += report.resumed;
    sum.pins += report.pins;
    if (report.violations.empty()) continue;
    ++failed;
    std::printf("seed %llu FAILED at step %llu\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(report.steps));
    for (const auto& violation : report.violations) std::printf("  %s\n", violation.c_str());
    std::printf("  again: %s --store %s --seed %llu --verbose\n", argv[0],
                arguments.journal ? "journal" : "memory", static_cast<unsigned long long>(seed));
    std::fflush(stdout);
  }
  std::printf("%s store: seeds %llu..%llu, %llu failed\n", arguments.journal ? "journal" : "memory",
              static_cast<unsigned long long>(arguments.first),
              static_cast<unsigned long long>(arguments.last),
              static_cast<unsigned long long>(failed));
  std::printf(
      "  %llu starts, %llu deliveries, %llu looks at retained messages, %llu wills, %llu sessions "
      "resumed, %llu pins\n",
      static_cast<unsigned long long>(sum.starts), static_cast<unsigned long long>(sum.deliveries),
      static_cast<unsigned long long>(sum.retained_seen),
      static_cast<unsigned long long>(sum.wills), static_cast<unsigned long long>(sum.resumed),
      static_cast<unsigned long long>(sum.pins));
  return failed == 0 ? 0 : 1;
}
