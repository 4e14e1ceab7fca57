#include "tests/e2e/driver.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "client/cpp/stubs.h"

namespace faultline::e2e {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kProtReadWrite = 3;
constexpr uint64_t kMapPrivateFixedAnonymous = 0x32;
constexpr uint64_t kMadvDontneed = 4;
// Where a driver works, and the regions in it.
constexpr uint64_t kPlaceBytes = uint64_t{1} << 42;
constexpr uint64_t kRegionBytes = uint64_t{1} << 20;
constexpr uint64_t kCommandsPerRegion = 4;
constexpr size_t kBatchesInFlight = 4;
constexpr size_t kBatchCommandsMax = 20;
constexpr int kPageCommands = 1000;

}  // namespace

v1::Command MmapAt(uint64_t address, uint64_t pages) {
  v1::Command command;
  command.set_pid(1);
  v1::Mmap* mmap = command.mutable_mmap();
  mmap->set_addr(address);
  mmap->set_length(pages * kPage);
  mmap->set_prot(kProtReadWrite);
  mmap->set_flags(kMapPrivateFixedAnonymous);
  mmap->set_fd(-1);
  return command;
}

Driver::Driver(std::string session, int number, Way way)
    : session_(std::move(session)),
      number_(number),
      way_(way),
      random_(static_cast<uint32_t>(number)) {}

// Each region is mapped, stored to, and given back in one of two ways.
v1::Command Driver::NextCommand() {
  const uint64_t n = commands_++;
  const uint64_t region = kPlaceBytes * static_cast<uint64_t>(number_ + 1) +
                          kRegionBytes * (n / kCommandsPerRegion);
  v1::Command command;
  command.set_pid(1);
  switch (n % kCommandsPerRegion) {
    case 0:
      return MmapAt(region, 1 + random_() % 16);
    case 1: {
      v1::Access* access = command.mutable_access();
      access->set_kind(v1::ACCESS_KIND_WRITE);
      access->set_addr(region);
      access->set_count(1 + random_() % 2);
      access->set_stride(kPage / 2);
      access->set_value(random_() % 256);
      return command;
    }
    case 2:
      command.mutable_mprotect()->set_addr(region);
      command.mutable_mprotect()->set_length(kPage);
      command.mutable_mprotect()->set_prot(random_() % 4);
      return command;
    default:
      if (random_() % 4 == 0) {
        command.mutable_madvise()->set_addr(region);
        command.mutable_madvise()->set_length(kPage);
        command.mutable_madvise()->set_advice(kMadvDontneed);
      } else {
        command.mutable_munmap()->set_addr(region);
        command.mutable_munmap()->set_length(16 * kPage);
      }
      return command;
  }
}

Request Driver::NextRequest() {
  Request request;
  request.id = absl::StrCat("driver-", number_, "-", ++requests_);
  const size_t commands =
      way_ == Way::kUnary ? 1 : 1 + random_() % kBatchCommandsMax;
  while (request.commands.size() < commands) {
    request.commands.push_back(NextCommand());
  }
  return request;
}

void Driver::Drive(const std::string& address, std::atomic<int>& count) {
  client::Connection connection(address);
  if (way_ == Way::kUnary) {
    Call(connection, count);
  } else {
    Run(connection, count);
  }
}

void Driver::Call(client::Connection& connection, std::atomic<int>& count) {
  for (;;) {
    Request request = NextRequest();
    if (!Send(connection, request).ok()) {
      unanswered_.push_back(std::move(request));
      return;
    }
    answered_.push_back(std::move(request));
    ++count;
  }
}

void Driver::Run(client::Connection& connection, std::atomic<int>& count) {
  grpc::ClientContext context;
  const auto stream = connection.stubs().machines.Run(&context);
  for (;;) {
    while (unanswered_.size() < kBatchesInFlight) {
      unanswered_.push_back(NextRequest());
      if (!Write(*stream, unanswered_.back())) break;
    }
    if (!ReadAnswer(*stream, unanswered_.front())) break;
    answered_.push_back(std::move(unanswered_.front()));
    unanswered_.pop_front();
    ++count;
  }
  // Answers that came before the end of the stream count as well.
  while (!unanswered_.empty() && ReadAnswer(*stream, unanswered_.front())) {
    answered_.push_back(std::move(unanswered_.front()));
    unanswered_.pop_front();
  }
  stream->Finish();
}

bool Driver::Write(Stream& stream, const Request& request) const {
  v1::RunRequest message;
  message.set_session(session_);
  message.mutable_options()->set_request_id(request.id);
  message.mutable_options()->set_event_level(v1::EVENT_LEVEL_NONE);
  message.mutable_commands()->Assign(request.commands.begin(),
                                     request.commands.end());
  return stream.Write(message);
}

bool Driver::ReadAnswer(Stream& stream, Request& request) {
  std::vector<uint64_t> digests;
  v1::RunResponse response;
  do {
    if (!stream.Read(&response)) return false;
    for (const v1::Outcome& outcome : response.outcomes()) {
      digests.push_back(outcome.digest());
    }
  } while (!response.last());
  request.revision = response.revision();
  request.digests = std::move(digests);
  EXPECT_EQ(request.digests.size(), request.commands.size());
  return true;
}

absl::Status Driver::Send(client::Connection& connection,
                          Request& request) const {
  if (way_ == Way::kUnary) {
    client::Session session(std::shared_ptr<client::Connection>(
                                std::shared_ptr<void>(), &connection),
                            session_, 0);
    client::CallSettings settings;
    settings.request_id = request.id;
    const auto outcome = session.Call(request.commands.front(), settings);
    if (!outcome.ok()) return outcome.status();
    request.revision = session.revision();
    request.digests = {outcome->digest()};
    return absl::OkStatus();
  }
  grpc::ClientContext context;
  const auto stream = connection.stubs().machines.Run(&context);
  Write(*stream, request);
  stream->WritesDone();
  ReadAnswer(*stream, request);
  return client::FromGrpc(stream->Finish(), connection.address());
}

void Driver::Retry(client::Connection& connection) {
  while (!unanswered_.empty()) {
    Request& request = unanswered_.front();
    const absl::Status status = Send(connection, request);
    EXPECT_TRUE(status.ok()) << request.id << ": " << status;
    if (status.ok()) answered_.push_back(std::move(request));
    unanswered_.pop_front();
  }
}

Journal::Journal(client::Connection& connection, const std::string& session) {
  v1::ListCommandsRequest request;
  request.set_session(session);
  request.set_page_size(kPageCommands);
  v1::ListCommandsResponse response;
  do {
    response.Clear();
    const absl::Status status =
        connection.Call(client::kDefaultDeadline, client::Repeat::kYes,
                        [&](grpc::ClientContext& context) {
                          return connection.stubs().history.ListCommands(
                              &context, request, &response);
                        });
    EXPECT_TRUE(status.ok()) << status;
    for (v1::JournalEntry& entry : *response.mutable_entries()) {
      revisions_[entry.command().SerializeAsString()].push_back(
          entry.revision());
      entries_.push_back(std::move(entry));
      EXPECT_EQ(entries_.back().revision(), size())
          << "a gap in the journal of " << session;
    }
    request.set_page_token(response.next_page_token());
  } while (!response.next_page_token().empty());
  EXPECT_EQ(size(), response.revision());
}

std::vector<int64_t> Journal::RevisionsOf(const v1::Command& command) const {
  const auto found = revisions_.find(command.SerializeAsString());
  return found == revisions_.end() ? std::vector<int64_t>() : found->second;
}

void Journal::ExpectHas(const Request& request) const {
  const auto count = static_cast<int64_t>(request.commands.size());
  ASSERT_GE(request.revision, count);
  ASSERT_LE(request.revision, size())
      << request.id << " was answered and is lost";
  ASSERT_EQ(request.digests.size(), request.commands.size());
  int64_t revision = request.revision - count;
  for (size_t i = 0; i < request.commands.size(); ++i) {
    const v1::JournalEntry& entry = entries_[static_cast<size_t>(revision)];
    ++revision;
    ASSERT_EQ(RevisionsOf(request.commands[i]), std::vector<int64_t>{revision})
        << request.id << ", recorded there: " << entry.ShortDebugString();
    EXPECT_EQ(entry.digest(), request.digests[i])
        << request.id << " at revision " << revision;
  }
}

void Journal::ExpectHasNot(const Request& request) const {
  for (const v1::Command& command : request.commands) {
    EXPECT_EQ(RevisionsOf(command), std::vector<int64_t>{})
        << request.id << " was executed and not answered";
  }
}

void ExpectVerified(const std::string& address, const std::string& session,
                    int64_t commands) {
  auto client = client::Client::Connect(address);
  ASSERT_TRUE(client.ok()) << client.status();
  auto opened = client->OpenSession(session);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const auto report = opened->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok()) << report->DebugString();
  EXPECT_EQ(report->replay().equal(), commands);
  EXPECT_EQ(report->replay().commands(), commands);
}

}  // namespace faultline::e2e
