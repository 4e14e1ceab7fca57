// A client that works as hard as it can and remembers what it was told, and
// the questions to ask of a journal afterwards.
#ifndef FAULTLINE_TESTS_E2E_DRIVER_H_
#define FAULTLINE_TESTS_E2E_DRIVER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/connection.h"
#include "faultline/v1/command.pb.h"
#include "faultline/v1/history.pb.h"
#include "faultline/v1/machine.pb.h"

namespace faultline::e2e {

// How requests travel: each command in a unary call, or in batches on a stream.
enum class Way { kUnary, kRun };

// One call or one batch, and its answer.
struct Request {
  std::string id;
  std::vector<v1::Command> commands;
  int64_t revision = 0;           // after its last command; 0: not answered
  std::vector<uint64_t> digests;  // one per command
};

// Drives one session. No two commands of it are alike: each is of a kind or at
// an address of its own.
class Driver {
 public:
  // `number` sets it apart from the other drivers of a test: 0 to 15.
  Driver(std::string session, int number, Way way);

  const std::string& session() const { return session_; }
  Way way() const { return way_; }
  const std::deque<Request>& answered() const { return answered_; }
  const std::deque<Request>& unanswered() const { return unanswered_; }

  // Makes requests until one fails. Adds to `count` for each that is answered.
  void Drive(const std::string& address, std::atomic<int>& count);
  // Sends each unanswered request once more, with its own request_id.
  void Retry(client::Connection& connection);
  // Sends a request as it is; the answer goes into it.
  absl::Status Send(client::Connection& connection, Request& request) const;

 private:
  using Stream = grpc::ClientReaderWriter<v1::RunRequest, v1::RunResponse>;

  void Call(client::Connection& connection, std::atomic<int>& count);
  void Run(client::Connection& connection, std::atomic<int>& count);
  bool Write(Stream& stream, const Request& request) const;
  static bool ReadAnswer(Stream& stream, Request& request);
  Request NextRequest();
  v1::Command NextCommand();

  const std::string session_;
  const int number_;
  const Way way_;
  std::mt19937 random_;
  int requests_ = 0;
  uint64_t commands_ = 0;
  std::deque<Request> answered_;
  std::deque<Request> unanswered_;
};

// A small mapping, of a kind that the journal needs no default for.
v1::Command MmapAt(uint64_t address, uint64_t pages);

// All recorded commands of a session. The test fails when they have gaps or are
// not as many as the session's revision says.
class Journal {
 public:
  Journal(client::Connection& connection, const std::string& session);

  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  const std::vector<v1::JournalEntry>& entries() const { return entries_; }
  // The test fails unless each command of `request` is where its answer said,
  // with the outcome that its answer had, and nowhere else.
  void ExpectHas(const Request& request) const;
  // The test fails when a command of `request` is there.
  void ExpectHasNot(const Request& request) const;

 private:
  std::vector<int64_t> RevisionsOf(const v1::Command& command) const;

  std::vector<v1::JournalEntry> entries_;
  std::map<std::string, std::vector<int64_t>> revisions_;  // by the command
};

// That VerifySession finds all `commands` commands as recorded.
void ExpectVerified(const std::string& address, const std::string& session,
                    int64_t commands);

}  // namespace faultline::e2e

#endif  // FAULTLINE_TESTS_E2E_DRIVER_H_
