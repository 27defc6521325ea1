#include <cstdlib>
#include <set>
#include <sstream>

#include <Poco/Zip/ZipArchive.h>
#include <Poco/Zip/ZipStream.h>

#include "config_support.h"
#include "server/config/generate.h"
#include "server/config/option_table.h"
#include "server/config/xml_document.h"

namespace pabal::server {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples = "/usr/share/doc/activemq/examples/conf";
constexpr const char* kMain = "/etc/activemq/instances-available/main/activemq.xml";
constexpr const char* kSpringJar = "/usr/share/java/activemq-spring.jar";

std::string content_of(const std::string& path) {
  auto text = read_file(path, 64U << 20);
  EXPECT_TRUE(text) << path;
  return text ? *text : "";
}

std::string conf(const std::string& name) {
  return PABAL_SOURCE_DIR "/conf/" + name;
}

TEST(ConfigFilesTest, TheFilesInConfAreMadeFromTheTable) {
  const char* how = "; make them anew: cmake --build build/dev --target conf";
  EXPECT_TRUE(content_of(conf("pabal.xml")) == generate_sample()) << "conf/pabal.xml" << how;
  EXPECT_TRUE(content_of(conf("pabal.xsd")) == generate_schema()) << "conf/pabal.xsd" << how;
  EXPECT_TRUE(content_of(conf("REFERENCE.md")) == generate_reference())
      << "conf/REFERENCE.md" << how;
}

TEST(ConfigFilesTest, TheTableIsWellFormed) {
  std::set<std::string> seen;
  for (const Option& option : option_rows()) {
    const std::string name = std::string(option.owner) + '@' + std::string(option.name);
    EXPECT_TRUE(seen.insert(name).second) << name << " stands in the table twice";
    const Shape* shape = find_shape(option.owner);
    ASSERT_NE(shape, nullptr) << name;
    if (option.status == Status::honoured) {
      EXPECT_FALSE(option.text.empty()) << name << " has no text";
      EXPECT_TRUE(option.type != Type::choice || !option.choices.empty()) << name;
    } else {
      EXPECT_FALSE(option.why.empty()) << name << " has no reason";
      EXPECT_EQ(option.set, nullptr) << name;
    }
    const std::string listed = ' ' + std::string(shape->attributes) + ' ';
    const std::string bare(option.name);
    EXPECT_TRUE(bare.starts_with("uri?") || listed.find(bare + ' ') != std::string::npos)
        << name << " is not in the element's shape";
  }
  for (const Shape& shape : shapes()) {
    std::set<std::string_view> attributes;
    for (const Option& option : options_of(shape)) {
      EXPECT_TRUE(attributes.insert(option.name).second) << shape.name << '@' << option.name;
      EXPECT_TRUE(option.status == Status::honoured || !option.why.empty()) << shape.name;
    }
    for (const std::string& property : property_names(shape)) {
      for (const std::string& element : *find_property(shape, property)) {
        const bool known = element == "*" || element == "!" || find_shape(element) != nullptr;
        EXPECT_TRUE(known) << shape.name << '/' << property << '/' << element;
      }
    }
  }
}

TEST(ConfigFilesTest, TheSampleIsTheDefaults) {
  ConfigDirectory directory;
  LoadOptions options;
  options.machine = large_machine();
  const auto sample = load_config(conf("pabal.xml"), options);
  ASSERT_TRUE(sample) << sample.error().text;
  const auto bare = load_config(directory.write("bare.xml", "<broker/>"), options);
  ASSERT_TRUE(bare);
  for (const Change& change : diff(bare->config, sample->config)) {
    const bool listener = change.path.starts_with("transportConnector[");
    EXPECT_TRUE(listener || change.path == "pabalHttp@uri" || change.path == "broker@dataDirectory")
        << change.path << ' ' << change.before << " > " << change.after;
  }
  // The defaults of the values themselves are those of the table.
  const Config values;
  StoreSettings store = values.store;
  store.directory = "data/store";
  EXPECT_EQ(sample->config.store, store);
  EXPECT_EQ(sample->config.stomp, values.stomp);
  EXPECT_EQ(sample->config.listeners.at(0).stomp, values.stomp);
  EXPECT_EQ(sample->config.server.io_threads, values.server.io_threads);
  EXPECT_EQ(sample->config.server.drain_timeout, values.server.drain_timeout);
  EXPECT_EQ(sample->config.server.accept_backlog, values.server.accept_backlog);
  EXPECT_EQ(sample->config.server.read_buffer_bytes, values.server.read_buffer_bytes);
  EXPECT_EQ(sample->config.server.log_level, values.server.log_level);
  EXPECT_EQ(sample->config.http.connections_max, values.http.connections_max);
  EXPECT_EQ(sample->config.http.request_bytes_max, values.http.request_bytes_max);
  EXPECT_EQ(sample->config.http.request_timeout, values.http.request_timeout);
  const core::EngineLimits& limits = sample->config.limits;
  EXPECT_EQ(limits.memory_bytes_max, values.limits.memory_bytes_max);
  EXPECT_EQ(limits.spilled_bytes_max, values.limits.spilled_bytes_max);
  EXPECT_EQ(limits.window_bytes_max, values.limits.window_bytes_max);
  EXPECT_EQ(limits.list_window_bytes_max, values.limits.list_window_bytes_max);
  EXPECT_EQ(limits.parked_bytes_max, values.limits.parked_bytes_max);
  EXPECT_EQ(limits.transaction_bytes_max, values.limits.transaction_bytes_max);
  EXPECT_EQ(limits.transaction_operations_max, values.limits.transaction_operations_max);
  EXPECT_EQ(limits.transactions_per_connection_max, values.limits.transactions_per_connection_max);
  EXPECT_EQ(limits.subscriptions_per_connection_max,
            values.limits.subscriptions_per_connection_max);
  EXPECT_EQ(limits.connections_max, values.limits.connections_max);
  EXPECT_EQ(limits.destinations_max, values.limits.destinations_max);
  EXPECT_EQ(limits.unwritten_bytes_max, values.limits.unwritten_bytes_max);
  EXPECT_EQ(limits.topic_pending_bytes_max, values.limits.topic_pending_bytes_max);
  EXPECT_EQ(limits.steps_per_entry_max, values.limits.steps_per_entry_max);
}

TEST(ConfigFilesTest, TheSampleHasThePortsOfTheOuterInterface) {
  LoadOptions options;
  options.machine = large_machine();
  const auto standard = load_config(conf("pabal.xml"), options);
  ASSERT_TRUE(standard);
  std::string names;
  for (const ListenerConfig& listener : standard->config.listeners) {
    names += listener.name + '=' + listener.host + ':' + std::to_string(listener.port) +
             (listener.open ? " " : " closed ");
  }
  EXPECT_EQ(names,
            "openwire=127.0.0.1:61616 stomp=127.0.0.1:61613 mqtt=127.0.0.1:1883 "
            "ws=127.0.0.1:61614 ");
  EXPECT_TRUE(standard->config.http.enabled);
  EXPECT_EQ(standard->config.http.port, 8161);
  for (const char* name : {"openwire.port", "stomp.port", "mqtt.port", "ws.port", "http.port"}) {
    options.definitions[name] = "off";
  }
  const auto off = load_config(conf("pabal.xml"), options);
  ASSERT_TRUE(off);
  EXPECT_TRUE(off->config.listeners.empty());
  EXPECT_FALSE(off->config.http.enabled);
  EXPECT_TRUE(off->findings.empty());
  for (const char* name : {"openwire.tls.port", "stomp.tls.port", "mqtt.tls.port", "ws.tls.port",
                           "openwire.port", "stomp.port", "mqtt.port", "ws.port", "http.port"}) {
    options.definitions[name] = "0";
  }
  const auto free_ports = load_config(conf("pabal.xml"), options);
  ASSERT_TRUE(free_ports) << free_ports.error().text;  // accepted and reported, not opened
  EXPECT_EQ(free_ports->config.listeners.size(), 8U);
  for (const ListenerConfig& listener : free_ports->config.listeners) {
    EXPECT_EQ(listener.open, !listener.tls) << listener.name;
  }
  options.definitions["stomp.port"] = "70000";
  const auto wrong = load_config(conf("pabal.xml"), options);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text.find("pabal.xml:"), std::string::npos) << wrong.error().text;
}

TEST(ConfigFilesTest, WithoutAFileTheSampleIsUsed) {
  LoadOptions options;
  options.machine = large_machine();
  const auto built_in = load_config("", options);
  ASSERT_TRUE(built_in) << built_in.error().text;
  const auto sample = load_config(conf("pabal.xml"), options);
  EXPECT_TRUE(diff(built_in->config, sample->config).empty());
  EXPECT_EQ(built_in->config.listeners.size(), sample->config.listeners.size());
}

TEST(ConfigFilesTest, TheSampleFitsTheSchema) {
  if (!fs::exists("/usr/bin/xmllint")) GTEST_SKIP() << "xmllint is not installed (libxml2-utils)";
  const std::string command =
      "/usr/bin/xmllint --noout --nonet --schema " + conf("pabal.xsd") + ' ' + conf("pabal.xml");
  EXPECT_EQ(std::system((command + " 2>&1").c_str()), 0);
  ConfigDirectory directory;
  const std::string wrong =
      directory.write("wrong.xml",
                      "<broker xmlns='http://activemq.apache.org/schema/core'>"
                      "<pabalServer ioThreads='0'/></broker>");
  EXPECT_NE(std::system(("/usr/bin/xmllint --noout --nonet --schema " + conf("pabal.xsd") + ' ' +
                         wrong + " >/dev/null 2>&1")
                            .c_str()),
            0);
}

/// Goal: an activemq.xml that somebody has starts Pabal. Method: every file with a broker of the
/// installed package, as it stands.
TEST(ConfigFilesTest, EveryStockFileLoadsUnchanged) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry(kExamples, error), end; !error && entry != end; ++entry) {
    const std::string path = entry->path().string();
    const bool broker =
        path.ends_with(".xml") && content_of(path).find("<broker") != std::string::npos;
    if (broker) files.push_back(path);
  }
  if (fs::exists(kMain)) files.emplace_back(kMain);
  if (files.empty()) GTEST_SKIP() << "Debian's activemq is not installed";
  EXPECT_GE(files.size(), 14U);
  ConfigDirectory directory;
  LoadOptions options;
  options.machine = large_machine();
  options.data_directory = directory.path("data");
  for (const std::string& file : files) {
    const LoadedConfig found = examine_config(file, options);
    for (const Finding& finding : found.findings) {
      EXPECT_NE(finding.severity, Severity::error) << finding.to_text();
      EXPECT_NE(finding.location.line, 0U) << finding.to_text();
      EXPECT_FALSE(finding.text.empty()) << finding.to_text();
    }
    EXPECT_FALSE(found.config.listeners.empty()) << file;
    EXPECT_TRUE(found.config.store.directory.starts_with(options.data_directory)) << file;
    const bool guarded = file.ends_with("security.xml") || file.ends_with("demo.xml");
    const auto served = load_config(file, options);
    EXPECT_EQ(served.has_value(), !guarded) << file << (served ? "" : served.error().text);
    options.insecure = true;
    EXPECT_TRUE(load_config(file, options)) << file;
    options.insecure = false;
  }
}

/// Everything that ActiveMQ's own schema allows is known: its elements, their attributes, and what
/// may stand in them.
TEST(ConfigFilesTest, ActiveMqsSchemaIsCoveredWhole) {
  std::ifstream jar(kSpringJar, std::ios::binary);
  if (!jar) GTEST_SKIP() << "Debian's activemq is not installed";
  const Poco::Zip::ZipArchive archive(jar);
  const auto header = archive.findHeader("activemq.xsd");
  ASSERT_NE(header, archive.headerEnd());
  Poco::Zip::ZipInputStream stream(jar, header->second);
  std::ostringstream text;
  text << stream.rdbuf();
  const auto schema = parse_xml(text.str(), "activemq.xsd");
  ASSERT_TRUE(schema) << schema.error().to_text();
  int attributes = 0;
  for (const XmlElement& element : schema->children) {
    if (element.name != "element") continue;
    const std::string name = element.attribute("name")->value;
    const Shape* shape = find_shape(name);
    ASSERT_NE(shape, nullptr) << name;
    for (const XmlElement& type : element.children) {
      if (type.name != "complexType") continue;
      for (const XmlElement& part : type.children) {
        if (part.name == "attribute") {
          const std::string attribute = part.attribute("name")->value;
          const bool known = attribute == "id" || find_option(shape->name, attribute) != nullptr;
          EXPECT_TRUE(known) << name << '@' << attribute;
          ++attributes;
        }
        for (const XmlElement& choice : part.children) {
          for (const XmlElement& property : choice.children) {
            const XmlAttribute* property_name = property.attribute("name");
            if (property.name != "element" || property_name == nullptr) continue;
            EXPECT_NE(find_property(*shape, property_name->value), nullptr)
                << name << '/' << property_name->value;
          }
        }
      }
    }
  }
  EXPECT_GT(attributes, 1000);
}

}  // namespace
}  // namespace pabal::server
