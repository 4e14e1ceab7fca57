// Which appends may be spooled: a spooled append is acknowledged before it is
// executed, so nothing may be in the way of executing it.
#ifndef FAULTLINE_STORAGE_SPOOL_LEDGER_H_
#define FAULTLINE_STORAGE_SPOOL_LEDGER_H_

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "storage/journal.h"

namespace faultline::storage {

// For each session of late: where its journal ends, and what waits for the
// database. One thread at a time uses it.
class SpoolLedger {
 public:
  // True when a write of the session is queued and not executed.
  bool IsWaiting(absl::string_view session) const;
  // The genesis hash of the session if its journal is known to end right before
  // `revision`, so that an append may be spooled unless another write of the
  // session waits in front of it. Else null.
  const std::string* GenesisIfNext(absl::string_view session,
                                   int64_t revision) const;

  // A write of the session was queued, or spooled up to a revision.
  void Queued(const std::string& session);
  void Spooled(const std::string& session, int64_t last_revision);
  // It was executed.
  void Executed(const std::string& session);
  void Folded(const std::string& session);

  // Where a journal ended after a transaction in which it grew by what was
  // queued; and that it may end anywhere.
  void Learn(const std::string& session, const JournalHead& head);
  void Forget(absl::string_view session);

  // True when appends of the session are spooled and not folded; of any.
  bool IsUnfolded(absl::string_view session) const;
  bool IsAnyUnfolded() const { return unfolded_ > 0; }

 private:
  struct Session {
    std::string genesis;  // empty: its end is not known
    int64_t last_revision = 0;
    int64_t queued = 0;
    int64_t unfolded = 0;
  };

  void MakeRoom();

  absl::flat_hash_map<std::string, Session> sessions_;
  int64_t unfolded_ = 0;  // of all
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_SPOOL_LEDGER_H_
