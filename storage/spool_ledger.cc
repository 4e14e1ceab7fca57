#include "storage/spool_ledger.h"

namespace faultline::storage {
namespace {

// Those with nothing waiting are forgotten beyond this.
constexpr size_t kSessionsMax = 1 << 14;

}  // namespace

bool SpoolLedger::IsWaiting(absl::string_view session) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second.queued > 0;
}

const std::string* SpoolLedger::GenesisIfNext(absl::string_view session,
                                              int64_t revision) const {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return nullptr;
  const Session& known = found->second;
  const bool is_next =
      !known.genesis.empty() && known.last_revision + 1 == revision;
  return is_next ? &known.genesis : nullptr;
}

void SpoolLedger::Queued(const std::string& session) {
  MakeRoom();
  ++sessions_[session].queued;
}

void SpoolLedger::Spooled(const std::string& session, int64_t last_revision) {
  Session& known = sessions_[session];
  known.last_revision = last_revision;
  ++known.unfolded;
  ++unfolded_;
}

void SpoolLedger::Executed(const std::string& session) {
  --sessions_[session].queued;
}

void SpoolLedger::Folded(const std::string& session) {
  --sessions_[session].unfolded;
  --unfolded_;
}

void SpoolLedger::Learn(const std::string& session, const JournalHead& head) {
  Session& known = sessions_[session];
  known.genesis = head.genesis;
  known.last_revision = head.last_revision;
}

void SpoolLedger::Forget(absl::string_view session) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end()) found->second.genesis.clear();
}

bool SpoolLedger::IsUnfolded(absl::string_view session) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second.unfolded > 0;
}

void SpoolLedger::MakeRoom() {
  if (sessions_.size() < kSessionsMax) return;
  absl::erase_if(sessions_, [](const auto& session) {
    return session.second.queued == 0 && session.second.unfolded == 0;
  });
}

}  // namespace faultline::storage
