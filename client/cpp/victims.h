// A replacement policy in C++: MachineService.ChooseVictims.
//
//   auto victims = lab->ChooseVictims(1, [](const v1::VictimWanted& wanted) {
//     return wanted.frames(0).addr();
//   });
//   … accesses of process 1 …
//   absl::Status status = (*victims)->Stop();

#ifndef FAULTLINE_CLIENT_CPP_VICTIMS_H_
#define FAULTLINE_CLIENT_CPP_VICTIMS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "client/cpp/connection.h"
#include "faultline/v1/machine.pb.h"
#include "faultline/v1/replacement.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/sync_stream.h"

namespace faultline::client {

// Names the page that leaves memory: an address in it. Called on a thread of
// the library, once for each page that must go, one after the other. It must
// not access the process itself: that access would wait for it.
using ChooseVictim = std::function<uint64_t(const v1::VictimWanted& wanted)>;

// Answers which page of a process leaves memory, until it is stopped. An answer
// that names a page which may not go ends it too: the accesses then stop with
// Outcome.victim_wanted.
class Victims {
 public:
  // When it returns, the client is the policy. ALREADY_EXISTS: another client
  // is.
  static absl::StatusOr<std::unique_ptr<Victims>> Begin(
      std::shared_ptr<Connection> connection, const std::string& session,
      uint32_t pid, ChooseVictim choose);
  Victims(const Victims&) = delete;
  Victims& operator=(const Victims&) = delete;
  ~Victims();

  // Ends it. Not OK: what had ended it before.
  absl::Status Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Victims(std::shared_ptr<Connection> connection, ChooseVictim choose);
  void Answer() ABSL_LOCKS_EXCLUDED(mutex_);

  std::shared_ptr<Connection> connection_;
  ChooseVictim choose_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ChooseVictimsRequest,
                                           v1::ChooseVictimsResponse>>
      stream_;
  absl::Mutex mutex_;  // one writes at a time
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // from the begin to the stop
};

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_VICTIMS_H_
