// Clients that break off, lie, or only make noise: the server lives on and the
// others are served.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "client/cpp/stubs.h"
#include "tests/client/cli/process.h"
#include "tests/e2e/driver.h"
#include "tests/e2e/server_process.h"

namespace faultline::e2e {
namespace {

using testing::HasSubstr;

constexpr uint64_t kBase = 0x10000000;
constexpr uint64_t kStep = 0x10000;
constexpr size_t kMiB = size_t{1} << 20;

v1::Command NthMmap(uint64_t n) { return MmapAt(kBase + n * kStep, 1); }

// A TCP connection without gRPC.
class Socket {
 public:
  explicit Socket(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address),
                      sizeof address),
              0);
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // False when the other end has closed.
  bool Send(const std::string& bytes) {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Sends no more; waits until the other end has closed as well.
  void Finish() {
    shutdown(fd_, SHUT_WR);
    char buffer[4096];
    while (recv(fd_, buffer, sizeof buffer, 0) > 0) {
    }
  }

 private:
  const int fd_;
};

// A bystander has a session and a connection of its own throughout; it is
// served at the end, and nothing that it was told is lost.
class HostileTest : public testing::Test {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::RunRequest, v1::RunResponse>;

  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(bystander_ = Create("bystander"));
    ASSERT_TRUE(bystander_->Call(NthMmap(0)).ok());
  }

  void TearDown() override {
    EXPECT_TRUE(server_.IsRunning()) << server_.Errors();
    const auto outcome = bystander_->Call(NthMmap(1));
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(bystander_->revision(), 2);
    ExpectVerified(server_.address(), "bystander", 2);
  }

  std::unique_ptr<client::Session> Create(const std::string& id) {
    auto client = client::Client::Connect(server_.address());
    EXPECT_TRUE(client.ok()) << client.status();
    auto session = client->CreateSession({id});
    EXPECT_TRUE(session.ok()) << session.status();
    return std::make_unique<client::Session>(*std::move(session));
  }

  int64_t RevisionOf(const std::string& id) {
    auto client = client::Client::Connect(server_.address());
    const auto session = client->GetSession(id);
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? session->revision() : -1;
  }

  ServerProcess server_{FreshPath("data")};
  std::unique_ptr<client::Session> bystander_;
};

// --- Streams.

TEST_F(HostileTest, AHalfClosedStreamIsAnsweredToItsEnd) {
  constexpr int kBatches = 20;
  Create("half-closed");
  client::Connection connection(server_.address());
  grpc::ClientContext context;
  const auto stream = connection.stubs().machines.Run(&context);
  for (uint64_t i = 0; i < kBatches; ++i) {
    v1::RunRequest request;
    request.set_session("sessions/half-closed");
    *request.add_commands() = NthMmap(2 * i);
    *request.add_commands() = NthMmap(2 * i + 1);
    ASSERT_TRUE(stream->Write(request));
  }
  ASSERT_TRUE(stream->WritesDone());
  v1::RunResponse response;
  for (int i = 0; i < kBatches; ++i) {
    ASSERT_TRUE(stream->Read(&response)) << i;
    EXPECT_EQ(response.batch(), i);
    EXPECT_EQ(response.revision(), 2 * (i + 1));
    EXPECT_EQ(response.outcomes_size(), 2);
  }
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  ExpectVerified(server_.address(), "half-closed", 2 * kBatches);
}

TEST_F(HostileTest, AStreamThatIsCutOffLosesNoBatchThatWasAnswered) {
  constexpr int kAnswers = 5;
  Create("cut-off");
  client::Connection connection(server_.address());
  std::vector<Request> answered;
  {
    grpc::ClientContext context;
    const auto stream = connection.stubs().machines.Run(&context);
    for (uint64_t i = 0; i < 2 * kAnswers; ++i) {
      v1::RunRequest request;
      request.set_session("sessions/cut-off");
      *request.add_commands() = NthMmap(i);
      ASSERT_TRUE(stream->Write(request));
    }
    v1::RunResponse response;
    for (uint64_t i = 0; i < kAnswers; ++i) {
      ASSERT_TRUE(stream->Read(&response));
      answered.push_back({absl::StrCat("batch ", i),
                          {NthMmap(i)},
                          response.revision(),
                          {response.outcomes(0).digest()}});
    }
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  const Journal journal(connection, "sessions/cut-off");
  for (const Request& request : answered) journal.ExpectHas(request);
}

TEST_F(HostileTest, AClientThatIsKilledLeavesASessionThatOthersContinue) {
  constexpr int kOperations = 20000;
  std::string script;
  for (int i = 0; i < kOperations; ++i) {
    absl::StrAppend(&script, "mmap 0 1p rw- PRIVATE|ANON\n");
  }
  Child client({"run", cli::WriteTemporary("long.s", script), "--server",
                server_.address(), "--session", "half-way"});
  // Its output tells that it is at work.
  for (int i = 0; i < 20; ++i) client.ReadLine();
  ASSERT_TRUE(client.IsRunning()) << client.Errors();
  client.Signal(SIGKILL);
  EXPECT_EQ(client.Wait(), 128 + SIGKILL);

  auto other = client::Client::Connect(server_.address());
  auto session = other->OpenSession("half-way");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_GT(session->revision(), 0);
  EXPECT_LT(session->revision(), kOperations);
  const auto outcome = session->Call(NthMmap(0));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  ExpectVerified(server_.address(), "half-way", session->revision());
}

TEST_F(HostileTest, AClientThatNeverReadsIsHeldBackAndCutOffBySecondSignal) {
  constexpr uint64_t kBytes = kMiB;
  constexpr int kBatchesMax = 64;
  const std::string data = FreshPath("data");
  auto server = std::make_unique<ServerProcess>(data);
  client::Connection connection(server->address());
  {
    auto client = client::Client::Connect(server->address());
    ASSERT_TRUE(client->CreateSession({"deaf"}).ok());
  }
  grpc::ClientContext context;
  const auto stream = connection.stubs().machines.Run(&context);
  v1::RunRequest request;
  request.set_session("sessions/deaf");
  v1::Command* command = request.add_commands();
  command->set_pid(1);
  command->mutable_create_file()->set_path("/big");
  command->mutable_create_file()->set_size(kBytes);
  command->mutable_create_file()->set_content(v1::FILE_CONTENT_PATTERN);
  command = request.add_commands();
  command->set_pid(1);
  command->mutable_open()->set_path("/big");
  ASSERT_TRUE(stream->Write(request));
  v1::RunResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.outcomes_size(), 2);
  const auto fd = static_cast<int32_t>(response.outcomes(1).value());
  request.clear_commands();
  command = request.add_commands();
  command->set_pid(1);
  command->mutable_read()->set_fd(fd);
  command->mutable_read()->set_length(kBytes);
  for (int i = 0; i < kBatchesMax; ++i) ASSERT_TRUE(stream->Write(request));

  // As soon as it has answers that nobody takes, the server stops to read.
  auto other = client::Client::Connect(server->address());
  for (int64_t revision = 2, next = -1; next != revision;) {
    absl::SleepFor(absl::Milliseconds(200));
    const auto session = other->GetSession("deaf");
    ASSERT_TRUE(session.ok()) << session.status();
    revision = std::exchange(next, session->revision());
  }

  server->Signal(SIGTERM);
  while (server->Errors().find("stopping") == std::string::npos) {
    std::this_thread::yield();
  }
  server->Signal(SIGTERM);
  EXPECT_EQ(server->Wait(), 6) << server->Errors();
  EXPECT_THAT(server->Errors(), HasSubstr("stopped at once"));
  server = std::make_unique<ServerProcess>(data);
  client::Connection after(server->address());
  const Journal journal(after, "sessions/deaf");
  EXPECT_LT(journal.size(), kBatchesMax / 2);
  ExpectVerified(server->address(), "deaf", journal.size());
}

// --- Sizes.

TEST_F(HostileTest, ARequestThatIsTooLargeIsRefusedWithItsBoundAndNotRecorded) {
  const auto session = Create("large");
  const auto write = [&](size_t bytes) {
    v1::Command command;
    command.set_pid(1);
    command.mutable_create_file()->set_path("/large");
    command.mutable_create_file()->set_content(v1::FILE_CONTENT_BYTES);
    command.mutable_create_file()->set_data(std::string(bytes, 'x'));
    return session->Call(command).status();
  };
  const absl::Status field = write(3 * kMiB);
  EXPECT_TRUE(absl::IsInvalidArgument(field)) << field;
  EXPECT_THAT(client::Explain(field), HasSubstr("create_file.data"));
  const absl::Status request = write(5 * kMiB);
  EXPECT_TRUE(absl::IsResourceExhausted(request)) << request;
  EXPECT_EQ(client::ReasonOf(request), "REQUEST_TOO_LARGE");
  const absl::Status message = write(9 * kMiB);
  EXPECT_TRUE(absl::IsResourceExhausted(message)) << message;
  EXPECT_EQ(RevisionOf("large"), 0);
}

TEST_F(HostileTest, ABatchOfTooManyCommandsIsRefusedWhole) {
  constexpr uint64_t kOneTooMany = 4097;
  Create("many");
  client::Connection connection(server_.address());
  grpc::ClientContext context;
  const auto stream = connection.stubs().machines.Run(&context);
  v1::RunRequest request;
  request.set_session("sessions/many");
  for (uint64_t i = 0; i < kOneTooMany; ++i) {
    *request.add_commands() = NthMmap(i);
  }
  ASSERT_TRUE(stream->Write(request));
  v1::RunResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const absl::Status status =
      client::FromGrpc(stream->Finish(), server_.address());
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(client::Explain(status), HasSubstr("4096"));
  EXPECT_EQ(RevisionOf("many"), 0);
}

// --- Noise.

std::string RandomBytes(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::string bytes(count, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

// An HTTP/2 frame's head: length, type, flags, stream.
std::string FrameHead(uint32_t length, uint8_t type, uint32_t stream) {
  std::string head;
  for (int shift : {16, 8, 0}) head += static_cast<char>(length >> shift);
  head += static_cast<char>(type);
  head += '\0';
  for (int shift : {24, 16, 8, 0}) head += static_cast<char>(stream >> shift);
  return head;
}

constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

TEST_F(HostileTest, NoiseOnThePortEndsThatConnectionOnly) {
  const std::string settings = FrameHead(0, 4, 0);
  for (const std::string& noise : std::vector<std::string>{
           "", std::string(1, '\0'),
           "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", RandomBytes(100'000, 1),
           std::string(kPreface) + RandomBytes(100'000, 2),
           kPreface + settings + FrameHead(0xffffff, 0, 1),
           kPreface + settings + FrameHead(64, 1, 1) + RandomBytes(64, 3),
           kPreface + settings + FrameHead(100, 9, 7) + RandomBytes(100, 4)}) {
    Socket socket(server_.port());
    socket.Send(noise);  // it may be cut off before it is through
    socket.Finish();
  }
}

TEST_F(HostileTest, ConnectionsThatSayNothingKeepNobodyOut) {
  constexpr int kSockets = 200;
  std::vector<std::unique_ptr<Socket>> sockets;
  for (int i = 0; i < kSockets; ++i) {
    sockets.push_back(std::make_unique<Socket>(server_.port()));
    if (i % 2 == 0) sockets.back()->Send(std::string(kPreface, 10));
  }
  const auto session = Create("among-them");
  EXPECT_TRUE(session->Call(NthMmap(0)).ok());
}

}  // namespace
}  // namespace faultline::e2e
