#include <algorithm>
#include <vector>

#include "server/config/option_table.h"

namespace pabal::server {

std::span<const Shape> broker_shapes() noexcept;
std::span<const Shape> policy_shapes() noexcept;
std::span<const Shape> other_shapes() noexcept;
std::string_view element_group(std::string_view name) noexcept;

namespace {

/// Lists of elements that may stand in more than one property.
struct Group {
  std::string_view name;
  std::string_view elements;
};

constexpr Group kGroups[] = {
    {"brokerFilter",
     "destinationPathSeparatorPlugin|destinationsPlugin|forcePersistencyModeBroker|"
     "loggingBrokerPlugin|multicastTraceBrokerPlugin|redeliveryPlugin|"
     "timeStampingBrokerPlugin|traceBrokerPathPlugin|udpTraceBrokerPlugin"},
    {"destination", "queue|tempQueue|tempTopic|topic"},
    {"persistence",
     "jdbcPersistenceAdapter|journalPersistenceAdapter|kahaDB|mKahaDB|"
     "memoryPersistenceAdapter|levelDB|replicatedLevelDB|amqPersistenceAdapter|"
     "kahaPersistenceAdapter|journaledJDBC"},
    {"plugin",
     "authorizationPlugin|connectionDotFilePlugin|destinationDotFilePlugin|"
     "destinationPathSeparatorPlugin|destinationsPlugin|discardingDLQBrokerPlugin|"
     "forcePersistencyModeBrokerPlugin|jaasAuthenticationPlugin|"
     "jaasCertificateAuthenticationPlugin|jaasDualAuthenticationPlugin|loggingBrokerPlugin|"
     "multicastTraceBrokerPlugin|partitionBrokerPlugin|redeliveryPlugin|"
     "runtimeConfigurationPlugin|simpleAuthenticationPlugin|statisticsBrokerPlugin|"
     "timeStampingBrokerPlugin|traceBrokerPathPlugin|udpTraceBrokerPlugin|"
     "virtualSelectorCacheBrokerPlugin"},
    {"service",
     "broker|brokerService|database-locker|forwardingBridge|inboundQueueBridge|"
     "inboundTopicBridge|jdbcPersistenceAdapter|jmsQueueConnector|jmsTopicConnector|"
     "jobSchedulerUsage|journalPersistenceAdapterFactory|kahaDB|ldapNetworkConnector|"
     "lease-database-locker|mKahaDB|managementContext|memoryUsage|"
     "multicastNetworkConnector|networkConnector|outboundQueueBridge|outboundTopicBridge|"
     "pListStoreImpl|proxyConnector|shared-file-locker|storeUsage|systemUsage|"
     "tempUsage|transact-database-locker"},
    {"persistenceFactory",
     "jdbcPersistenceAdapter|journalPersistenceAdapterFactory|kahaDB|mKahaDB|"
     "journaledJDBC"},
    {"jdbcAdapter",
     "axionJDBCAdapter|blobJDBCAdapter|bytesJDBCAdapter|db2JDBCAdapter|"
     "defaultJDBCAdapter|hsqldb-jdbc-adapter|imageBasedJDBCAdaptor|informixJDBCAdapter|"
     "maxdb-jdbc-adapter|mysql-jdbc-adapter|oracleBlobJDBCAdapter|oracleJDBCAdapter|"
     "postgresql-jdbc-adapter|sqlServerJDBCAdapter|streamJDBCAdapter|sybase-jdbc-adapter|"
     "transact-jdbc-adapter"},
    {"locker", "database-locker|lease-database-locker|shared-file-locker|transact-database-locker"},
    {"recovery",
     "fixedCountSubscriptionRecoveryPolicy|fixedSizedSubscriptionRecoveryPolicy|"
     "lastImageSubscriptionRecoveryPolicy|noSubscriptionRecoveryPolicy|"
     "queryBasedSubscriptionRecoveryPolicy|retainedMessageSubscriptionRecoveryPolicy|"
     "timedSubscriptionRecoveryPolicy"},
};

std::vector<Shape> all_shapes() {
  std::vector<Shape> all;
  for (const auto part : {broker_shapes(), policy_shapes(), other_shapes()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace

std::string_view element_group(std::string_view name) noexcept {
  const auto found = std::find_if(std::begin(kGroups), std::end(kGroups),
                                  [&](const Group& group) { return group.name == name; });
  PABAL_CHECK(found != std::end(kGroups), "a shape names a group that does not exist");
  return found->elements;
}

std::span<const Shape> shapes() noexcept {
  static const std::vector<Shape> all = all_shapes();
  return all;
}

}  // namespace pabal::server
