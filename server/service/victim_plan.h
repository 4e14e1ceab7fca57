// An access of a process whose replacement policy is a client.
#ifndef FAULTLINE_SERVER_SERVICE_VICTIM_PLAN_H_
#define FAULTLINE_SERVER_SERVICE_VICTIM_PLAN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/machine/command.h"
#include "server/service/call.h"
#include "server/service/victim_stream.h"

namespace faultline {

// Does the access on copies of the machine until the client has chosen every
// page that has to go, then executes it with these victims in it. So nothing is
// recorded that is not done whole, no session waits for a client, and a replay
// needs none.
class VictimPlan : public std::enable_shared_from_this<VictimPlan> {
 public:
  using Answer = std::function<void(absl::StatusOr<ExecuteResult>)>;

  // True: `command` is such an access, and the plan answers. False: nothing was
  // done.
  static bool Start(const ServiceContext& context, VictimStreams& streams,
                    const std::string& session, Command& command,
                    ExecuteOptions& options, const Answer& answer);

 private:
  VictimPlan(const ServiceContext& context, std::string session,
             Command command, ExecuteOptions options, Answer answer,
             std::shared_ptr<VictimStream> chooser);

  void Look();
  void TryOnWorker();
  void Try();
  void Execute();
  void Executed(absl::StatusOr<ExecuteResult> result);

  std::vector<uint64_t>& victims();

  const ServiceContext context_;
  const std::string session_;
  Command command_;
  const ExecuteOptions options_;
  Answer answer_;
  const std::shared_ptr<VictimStream> chooser_;
  std::shared_ptr<const MachineView> view_;
  int tries_ = 0;  // others changed the machine meanwhile
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_VICTIM_PLAN_H_
