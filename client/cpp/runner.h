// Batches of commands to one session, for speed: MachineService.Run.
//
//   client::Runner runner = lab->Run();
//   for (v1::RunRequest& batch : batches) {
//     if (!runner.Send(std::move(batch)).ok()) break;
//   }
//   while (runner.unanswered() > 0) {
//     absl::StatusOr<client::RunAnswer> answer = runner.Next();
//     if (!answer.ok()) return answer.status();
//     for (const v1::Outcome& outcome : answer->Outcomes()) …
//   }

#ifndef FAULTLINE_CLIENT_CPP_RUNNER_H_
#define FAULTLINE_CLIENT_CPP_RUNNER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/connection.h"
#include "faultline/v1/machine.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/sync_stream.h"

namespace faultline::client {

struct RunSettings {
  v1::EventLevel event_level = v1::EVENT_LEVEL_FAULTS;
  // Answers in columns, which are shorter.
  bool packed = true;
  // How many batches may be on their way; the server takes up to 8.
  int batches_in_flight = 4;
  // Of the whole stream.
  absl::Duration deadline = kLongDeadline;
};

// What a batch came to.
struct RunAnswer {
  int64_t revision = 0;  // of the session, after the last command
  // As they came: one, or several of a long answer, in the order of the
  // commands.
  std::vector<v1::RunResponse> parts;

  // One per command, out of columns or not. A column does not hold the digest.
  std::vector<v1::Outcome> Outcomes() const;
};

// A stream of batches, executed in the order in which they were sent. Movable;
// for one thread.
//
// Each batch gets a request_id, unless it has one. When the connection or the
// server goes away (UNAVAILABLE), a new stream is opened and the batches that
// have no answer are sent again: the server executes those that it has not
// executed and answers all of them, the repeated ones without events.
//
// Any other error ends the stream: the batch at fault has done nothing, nor has
// any after it.
class Runner {
 public:
  Runner(std::shared_ptr<Connection> connection, std::string session,
         const RunSettings& settings);
  Runner(Runner&&) = default;
  Runner& operator=(Runner&&) = delete;
  // Gives up what has no answer yet.
  ~Runner();

  // Sends a batch: its commands, and options.expected_revision if it has one.
  // Waits for an answer only when too many batches are on their way; Next()
  // still gives it.
  absl::Status Send(v1::RunRequest batch);

  // Batches sent whose answers Next() has not given.
  size_t unanswered() const { return sent_.size() + answers_.size(); }

  // Waits for the answer to the first of them. OUT_OF_RANGE when there is none.
  absl::StatusOr<RunAnswer> Next();

 private:
  void Open();
  // The stream has given all that it has: goes on with another, or leaves what
  // went wrong in status_.
  void Recover();
  // Leaves an answer in answers_, or what went wrong in status_.
  void ReadAnswer();

  std::shared_ptr<Connection> connection_;
  std::string session_;
  RunSettings settings_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::RunRequest, v1::RunResponse>>
      stream_;
  std::deque<v1::RunRequest> sent_;  // those that the server has not answered
  std::deque<RunAnswer> answers_;
  int attempts_ = 0;  // since the last answer
  absl::Status status_;
};

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_RUNNER_H_
