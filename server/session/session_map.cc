#include "server/session/session_map.h"

#include "server/session/session.h"

namespace faultline {

std::shared_ptr<Session> SessionMap::FindOrMake(SessionContext& context,
                                                absl::string_view id) {
  absl::MutexLock lock(&mutex_);
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) {
    order_.splice(order_.end(), order_, found->second);
    return order_.back();
  }
  order_.push_back(std::make_shared<Session>(context, std::string(id)));
  by_id_.emplace(std::string(id), std::prev(order_.end()));
  return order_.back();
}

std::shared_ptr<Session> SessionMap::Find(absl::string_view id) {
  absl::MutexLock lock(&mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : *found->second;
}

// Whoever removes a session holds it, so that none is destroyed under the lock.
void SessionMap::Remove(const Session& session) {
  absl::MutexLock lock(&mutex_);
  const auto found = by_id_.find(session.id());
  if (found == by_id_.end() || found->second->get() != &session) return;
  order_.erase(found->second);
  by_id_.erase(found);
}

void SessionMap::Clear() {
  Order all;
  absl::MutexLock lock(&mutex_);
  by_id_.clear();
  all.swap(order_);
}

bool SessionMap::TakeSlot() {
  size_t used = machines_;
  while (used < machines_max_) {
    if (machines_.compare_exchange_weak(used, used + 1)) return true;
  }
  return false;
}

std::shared_ptr<Session> SessionMap::RetireOne() {
  absl::MutexLock lock(&mutex_);
  for (auto i = order_.begin(); i != order_.end(); ++i) {
    if (!(*i)->TryRetire()) continue;
    std::shared_ptr<Session> retired = std::move(*i);
    by_id_.erase(retired->id());
    order_.erase(i);
    return retired;
  }
  return nullptr;
}

absl::optional<MachineSlot> SessionMap::AcquireSlot() {
  while (!TakeSlot()) {
    const std::shared_ptr<Session> retired = RetireOne();
    if (retired == nullptr) return absl::nullopt;
    retired->Sleep();  // here, outside the lock: a machine may be large
  }
  return MachineSlot(machines_);
}

}  // namespace faultline
