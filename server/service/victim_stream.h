// MachineService.ChooseVictims: a client that is the replacement policy of a
// process.
#ifndef FAULTLINE_SERVER_SERVICE_VICTIM_STREAM_H_
#define FAULTLINE_SERVER_SERVICE_VICTIM_STREAM_H_

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "faultline/v1/machine.pb.h"
#include "server/machine/outcome.h"
#include "server/service/drain.h"

namespace faultline {

class VictimStream;

// Who chooses for which process. Thread-safe.
class VictimStreams {
 public:
  using Process = std::pair<std::string, uint32_t>;  // session id, pid

  // Null: nobody.
  std::shared_ptr<VictimStream> Find(const Process& process)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // False: somebody else chooses for it.
  bool Add(const Process& process, std::shared_ptr<VictimStream> stream)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const Process& process) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  absl::flat_hash_map<Process, std::shared_ptr<VictimStream>> streams_
      ABSL_GUARDED_BY(mutex_);
};

// Asks one question at a time, in the order in which they come. A client that
// does not answer in time, or names a page that may not go, is let go.
//
// Shared by gRPC, until the call is over, the list, and whoever asks.
class VictimStream : public grpc::ServerBidiReactor<v1::ChooseVictimsRequest,
                                                    v1::ChooseVictimsResponse>,
                     public Drainable {
 public:
  // The page that goes, or why there is none.
  using Answer = std::function<void(absl::StatusOr<uint64_t>)>;

  static VictimStream* Start(VictimStreams& streams, DrainList& drain,
                             grpc::CallbackServerContext& context);

  // `answer` is called once, on another thread or on this one.
  void Ask(int64_t revision, VictimWanted wanted, Answer answer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Drain() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Question {
    int64_t revision;
    VictimWanted wanted;
    Answer answer;
  };

  VictimStream(VictimStreams& streams, DrainList& drain,
               grpc::CallbackServerContext& context)
      : streams_(streams), drain_(drain), context_(context) {}

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

  // The first request: whose policy the client is.
  absl::Status Open() ABSL_LOCKS_EXCLUDED(mutex_);
  // An answer: it ends the first question.
  void Answered() ABSL_LOCKS_EXCLUDED(mutex_);
  void TooLate(int64_t question) ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the stream; every question that is open is answered with `status`.
  void End(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);
  void FinishIfDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  VictimStreams& streams_;
  DrainList& drain_;
  grpc::CallbackServerContext& context_;
  std::shared_ptr<VictimStream> self_;              // until OnDone
  absl::optional<VictimStreams::Process> process_;  // once it is open

  absl::Mutex mutex_;
  std::deque<Question> questions_ ABSL_GUARDED_BY(mutex_);
  int64_t asked_ ABSL_GUARDED_BY(mutex_) = 0;     // questions sent
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;  // for the first one's answer
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<absl::Status> status_ ABSL_GUARDED_BY(mutex_);  // its end
  v1::ChooseVictimsRequest incoming_;   // gRPC's while it reads
  v1::ChooseVictimsResponse outgoing_;  // gRPC's while writing_
  std::unique_ptr<grpc::Alarm> patience_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_VICTIM_STREAM_H_
