// Clients that acknowledge what is no longer theirs: it was settled before, is back in its queue or
// with somebody else, has expired, was purged, stands in an open transaction, or its consumer has
// gone with or without its connection.

#include "tests/sim/world.h"

namespace pabal::sim {

using core::raw;

namespace {

constexpr std::size_t kRememberedMax = 40;

}  // namespace

void World::remember(Client& client, core::SubscriptionId subscription, core::DeliveryId delivery) {
  client.remembered.emplace_back(subscription, delivery);
  if (client.remembered.size() > kRememberedMax) client.remembered.pop_front();
}

/// It must be told so, and nothing may come of it.
void World::acknowledge_late(Client& client, OpenTransaction* transaction) {
  if (client.remembered.empty()) return;
  const auto [subscription, delivery] = client.remembered[random_.below(client.remembered.size())];
  if (model_.is_out(subscription, delivery)) return;
  const auto kind = static_cast<core::AckKind>(random_.below(4));
  std::optional<core::TransactionId> within;
  if (transaction != nullptr && random_.one_in(3)) within = transaction->id;
  note("client " + std::to_string(client.index) + " acknowledges too late: subscription " +
       std::to_string(raw(subscription)) + " " + std::to_string(raw(delivery)) + " kind " +
       std::to_string(static_cast<int>(kind)));
  if (options_.sabotage == Sabotage::late_takes) {
    if (const auto other = model_.some_delivery_out()) {
      (void)engine_->acknowledge(other->first, {other->second, other->second},
                                 core::AckKind::consumed, "", std::nullopt, now_);
    }
  }
  const auto outcome =
      engine_->acknowledge(subscription, {delivery, delivery}, kind, "late", within, now_);
  ++report_.late;
  mix(static_cast<std::uint64_t>(outcome.disposition));
  if (outcome.disposition != core::Disposition::failed ||
      outcome.error->code != core::Errc::not_found) {
    model_.violation("a late acknowledgement was taken, or not refused as such");
  }
}

}  // namespace pabal::sim
