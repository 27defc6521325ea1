#include <algorithm>
#include <map>

#include "server/config/generate.h"
#include "server/config/reading.h"

namespace pabal::server {
namespace {

constexpr std::string_view kBuiltInName = "(built-in configuration)";

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void set_built_in_values(Reading& reading, const std::string& path) {
  const std::string& data = reading.options.data_directory;
  reading.placeholders.set_built_in("activemq.home", ".");
  reading.placeholders.set_built_in("activemq.base", ".");
  reading.placeholders.set_built_in("activemq.conf", directory_of(path));
  reading.placeholders.set_built_in("activemq.data", data.empty() ? "data" : data);
}

std::string error_text(const Finding& finding) {
  std::string text = finding.location.to_text();
  if (!text.empty()) text += ": ";
  if (!finding.path.empty()) text += finding.path + ": ";
  return text + finding.text;
}

}  // namespace

LoadedConfig examine_config(const std::string& path, const LoadOptions& options) {
  Reading reading(options);
  set_built_in_values(reading, path);
  if (path.empty()) {
    read_document(reading, generate_sample(), std::string(kBuiltInName), 0);
  } else if (const auto text = read_file(path, kXmlBytesMax); text) {
    read_document(reading, *text, path, 0);
  } else {
    reading.report(Severity::error, {}, "", text.error().text);
  }
  const bool readable =
      std::none_of(reading.findings.begin(), reading.findings.end(),
                   [](const Finding& finding) { return finding.severity == Severity::error; });
  if (!reading.broker_seen && readable) {
    reading.report(Severity::error, {path, 1, 1}, "", "there is no broker in it");
  }
  finish(reading);
  if (options.insecure) {
    for (Finding& finding : reading.findings) {
      if (finding.severity == Severity::guard) finding.severity = Severity::warning;
    }
  }
  // In file order, each file as a whole, the files as they were read.
  std::map<std::string, int> order;
  for (const Finding& finding : reading.findings) {
    order.emplace(finding.location.file, static_cast<int>(order.size()));
  }
  order[path] = -1;
  std::stable_sort(reading.findings.begin(), reading.findings.end(),
                   [&](const Finding& a, const Finding& b) {
                     return std::tuple(order[a.location.file], a.location.line, a.location.column) <
                            std::tuple(order[b.location.file], b.location.line, b.location.column);
                   });
  return {std::move(reading.config), std::move(reading.findings)};
}

core::Result<LoadedConfig> load_config(const std::string& path, const LoadOptions& options) {
  LoadedConfig loaded = examine_config(path, options);
  std::string text;
  for (const Finding& finding : loaded.findings) {
    const bool guard = finding.severity == Severity::guard && !options.guards_as_findings;
    if (finding.severity != Severity::error && !guard) continue;
    if (!text.empty()) text += '\n';
    text += error_text(finding);
    if (guard) text += " (serve --insecure starts without it)";
  }
  if (!text.empty()) return core::Error{core::Errc::invalid_argument, std::move(text)};
  return loaded;
}

std::vector<Change> diff(const Config& before, const Config& after) {
  std::map<std::string_view, const Setting*> old_settings;
  for (const Setting& setting : before.settings) old_settings[setting.path] = &setting;
  const auto shown = [](const Setting& setting) {
    return setting.secret ? std::string("(hidden)") : setting.value;
  };
  std::vector<Change> changes;
  for (const Setting& setting : after.settings) {
    const auto found = old_settings.find(setting.path);
    if (found == old_settings.end()) {
      changes.push_back({setting.path, "", shown(setting), setting.reloadable, setting.location});
      continue;
    }
    if (found->second->value != setting.value) {
      changes.push_back({setting.path, shown(*found->second), shown(setting), setting.reloadable,
                         setting.location});
    }
    old_settings.erase(found);
  }
  for (const auto& [path, setting] : old_settings) {
    changes.push_back({setting->path, shown(*setting), "", setting->reloadable, {}});
  }
  std::sort(changes.begin(), changes.end(),
            [](const Change& a, const Change& b) { return a.path < b.path; });
  return changes;
}

}  // namespace pabal::server
