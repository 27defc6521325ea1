#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include <gtest/gtest.h>

#include "server/config/config.h"

namespace pabal::server {

/// A directory of its own for one test, removed with it.
class ConfigDirectory {
 public:
  ConfigDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pabal-config-XXXXXX").string();
    const char* made = ::mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr);
    path_ = pattern;
  }
  ~ConfigDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ConfigDirectory(const ConfigDirectory&) = delete;
  ConfigDirectory& operator=(const ConfigDirectory&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return path_ + '/' + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

 private:
  std::string path_;
};

/// Figures that no limit of these tests reaches, unless a test says otherwise.
inline Machine large_machine() {
  return {1ULL << 44, 1ULL << 50, 1ULL << 50};
}

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() { options_.machine = large_machine(); }

  LoadedConfig examine(const std::string& text) {
    return examine_config(directory_.write("test.xml", text), options_);
  }
  core::Result<LoadedConfig> load(const std::string& text) {
    return load_config(directory_.write("test.xml", text), options_);
  }
  /// A broker with the given attributes and content; its start tag is line 1.
  static std::string broker(const std::string& content, const std::string& attributes = "") {
    return "<broker xmlns=\"http://activemq.apache.org/schema/core\" " + attributes + ">\n" +
           content + "\n</broker>\n";
  }
  static std::string connector(const std::string& uri) {
    return broker("<transportConnectors>\n<transportConnector uri=\"" + uri +
                  "\"/>\n</transportConnectors>");
  }
  static const Finding* find(const LoadedConfig& loaded, const std::string& path) {
    for (const Finding& finding : loaded.findings) {
      if (finding.path == path) return &finding;
    }
    return nullptr;
  }
  static int count(const LoadedConfig& loaded, Severity severity) {
    int found = 0;
    for (const Finding& finding : loaded.findings) found += finding.severity == severity ? 1 : 0;
    return found;
  }
  static std::string all_findings(const LoadedConfig& loaded) {
    std::string text;
    for (const Finding& finding : loaded.findings) text += finding.to_text() + '\n';
    return text;
  }

  ConfigDirectory directory_;
  LoadOptions options_;
};

}  // namespace pabal::server
