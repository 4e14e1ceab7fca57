// A machine in this process that a scenario was run on, as the recording of a
// session: what `show` and `export` read, without a server.

#ifndef FAULTLINE_TESTS_CLIENT_CLI_RECORDED_MACHINE_H_
#define FAULTLINE_TESTS_CLIENT_CLI_RECORDED_MACHINE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/recording.h"
#include "server/scenario/target.h"

namespace faultline::cli {

class RecordedMachine : public Recording {
 public:
  // Runs the scenario; a line that cannot be executed fails the test.
  explicit RecordedMachine(const std::string& scenario);

  // One more command, which the scenario language may not have.
  const v1::Change& Apply(const v1::Command& command);

  const v1::Session& session() const override { return session_; }
  v1::Session& mutable_session() { return session_; }
  const std::vector<v1::Change>& changes() const { return changes_; }
  std::vector<v1::Change>& mutable_changes() { return changes_; }

  absl::Status ForEachChange(Revisions revisions, v1::EventLevel level,
                             const ChangeCallback& callback) override;
  absl::StatusOr<std::string> ReadProc(const std::string& path,
                                       int64_t revision) override;
  absl::StatusOr<std::string> ReadProcAt(const std::string& path,
                                         int64_t revision, uint64_t offset,
                                         uint64_t length) override;

  int reads() const { return reads_; }

 private:
  // The machine as it was after `revision`.
  scenario::Target& At(int64_t revision);

  v1::Session session_;
  v1::MachineConfig config_;
  std::vector<v1::Change> changes_;  // with the events of EVENT_LEVEL_ALL
  std::map<int64_t, std::unique_ptr<scenario::Target>> machines_;
  int reads_ = 0;
};

// The text of tests/client/cli/golden/NAME. With FAULTLINE_REWRITE=1 in the
// environment it is `now` that is written there and given back.
std::string Golden(const std::string& name, const std::string& now);

}  // namespace faultline::cli

#endif  // FAULTLINE_TESTS_CLIENT_CLI_RECORDED_MACHINE_H_
