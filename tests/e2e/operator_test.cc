// What an operator and a user get wrong, or the computer does: a clear error
// that says what to do, and nothing is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "tests/client/cli/process.h"
#include "tests/e2e/driver.h"
#include "tests/e2e/server_process.h"

namespace faultline::e2e {
namespace {

namespace fs = std::filesystem;
using cli::Faultline;
using cli::Finished;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Matcher;
using testing::Not;

constexpr int kAddressBad = 4;
constexpr int kDataBad = 5;

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string DatabaseOf(const std::string& data) {
  return data + "/faultline.db";
}

int UserVersion(const std::string& path) {
  sqlite3* database = nullptr;
  int version = 0;
  const auto take = [](void* out, int, char** columns, char**) {
    return absl::SimpleAtoi(columns[0], static_cast<int*>(out)) ? 0 : 1;
  };
  EXPECT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK) << path;
  EXPECT_EQ(
      sqlite3_exec(database, "PRAGMA user_version", take, &version, nullptr),
      SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
  return version;
}

void Sql(const std::string& path, const std::string& statement) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK) << path;
  EXPECT_EQ(
      sqlite3_exec(database, statement.c_str(), nullptr, nullptr, nullptr),
      SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

// A server on this directory ends with `code` and says so.
void ExpectServeFails(const std::string& data, int code,
                      const Matcher<std::string>& says) {
  const Finished serve =
      Faultline({"serve", "--data", data, "--listen", "127.0.0.1:0"});
  EXPECT_EQ(serve.code, code);
  EXPECT_THAT(serve.err, says);
  EXPECT_THAT(serve.out, IsEmpty());
}

// Makes session `id` with `commands` commands.
void Record(const std::string& address, const std::string& id, int commands) {
  auto client = client::Client::Connect(address);
  ASSERT_TRUE(client.ok()) << client.status();
  auto session = client->CreateSession({id});
  ASSERT_TRUE(session.ok()) << session.status();
  for (int i = 0; i < commands; ++i) {
    const auto outcome = session->Call(
        MmapAt(uint64_t{0x10000000} + static_cast<uint64_t>(i) * 0x10000, 1));
    ASSERT_TRUE(outcome.ok()) << outcome.status();
  }
}

// A data directory with one session, "kept", of ten commands.
std::string RecordedData() {
  const std::string data = FreshPath("data");
  ServerProcess server(data);
  Record(server.address(), "kept", 10);
  EXPECT_EQ(server.Stop(), 0) << server.Errors();
  return data;
}

void ExpectKept(const std::string& data) {
  const ServerProcess server(data);
  ExpectVerified(server.address(), "kept", 10);
}

// From here on this process and its children see mounts of their own. The test
// program runs as root only in some places.
bool CanMount() { return unshare(CLONE_NEWNS) == 0; }

// --- The data directory.

TEST(DataDirectoryTest, OfAnotherProgramIsRefusedAndLeftAsItWas) {
  const std::string data = FreshPath("data");
  fs::create_directory(data);
  Sql(DatabaseOf(data), "CREATE TABLE bookmarks (url TEXT)");
  const std::string before = ReadFile(DatabaseOf(data));
  ExpectServeFails(data, kDataBad,
                   AllOf(HasSubstr("is another program's database"),
                         HasSubstr("choose another data directory")));
  EXPECT_EQ(ReadFile(DatabaseOf(data)), before);
}

TEST(DataDirectoryTest, WithAFileThatIsNoDatabaseIsRefusedAndLeftAsItWas) {
  const std::string data = FreshPath("data");
  fs::create_directory(data);
  const std::string text(5000, 'x');
  std::ofstream(DatabaseOf(data)) << text;
  ExpectServeFails(data, kDataBad,
                   AllOf(HasSubstr("the file is not an SQLite database"),
                         HasSubstr("move the file away")));
  EXPECT_EQ(ReadFile(DatabaseOf(data)), text);
}

TEST(DataDirectoryTest, OfANewerVersionIsRefusedAndKept) {
  const std::string data = RecordedData();
  const int version = UserVersion(DatabaseOf(data));
  Sql(DatabaseOf(data), "PRAGMA user_version = 99");
  ExpectServeFails(data, kDataBad,
                   AllOf(HasSubstr("has schema version 99"),
                         HasSubstr("use the newer faultline that wrote it")));
  Sql(DatabaseOf(data), absl::StrCat("PRAGMA user_version = ", version));
  ExpectKept(data);
}

TEST(DataDirectoryTest, OfARunningServerIsRefusedAndThatServerGoesOn) {
  const std::string data = FreshPath("data");
  ServerProcess server(data);
  Record(server.address(), "kept", 10);
  ExpectServeFails(
      data, kDataBad,
      AllOf(HasSubstr(absl::StrCat("is in use by process ", server.pid(), ";")),
            HasSubstr("stop that server, or choose another")));
  ExpectVerified(server.address(), "kept", 10);
  Record(server.address(), "another", 1);
}

TEST(DataDirectoryTest, BelowAFileOrBelowNothingIsRefused) {
  const std::string file = cli::WriteTemporary("file", "text");
  ExpectServeFails(
      file, kDataBad,
      HasSubstr("there is a file where a directory is needed; choose another"));
  ExpectServeFails(
      file + "/below", kDataBad,
      HasSubstr("there is a file where a directory is needed; choose another"));
  EXPECT_EQ(ReadFile(file), "text");
  ExpectServeFails(FreshPath("no") + "/data", kDataBad,
                   AllOf(HasSubstr("No such file or directory"),
                         HasSubstr("create its parent directory")));
}

TEST(DataDirectoryTest, ThatCannotBeWrittenIsRefusedAndKept) {
  const std::string data = RecordedData();
  if (!CanMount()) GTEST_SKIP() << "mount namespaces are not allowed here";
  ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  ASSERT_EQ(mount(data.c_str(), data.c_str(), nullptr, MS_BIND, nullptr), 0)
      << std::strerror(errno);
  ASSERT_EQ(mount("none", data.c_str(), nullptr,
                  MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr),
            0)
      << std::strerror(errno);
  const std::string before = ReadFile(DatabaseOf(data));
  ExpectServeFails(data, kDataBad,
                   AllOf(HasSubstr("Read-only file system"),
                         HasSubstr("writable file system")));
  EXPECT_EQ(ReadFile(DatabaseOf(data)), before);
  ASSERT_EQ(umount(data.c_str()), 0) << std::strerror(errno);
  ExpectKept(data);
}

// Fills the disk with commands; gives the status of the first that failed. All
// before it are in `answered`.
absl::Status FillDisk(const std::string& address, const Driver& driver,
                      std::vector<Request>* answered, Request* refused) {
  constexpr int kCommandsMax = 2000;
  constexpr size_t kBytes = 64 << 10;
  client::Connection connection(address);
  std::mt19937 random(1);  // what does not compress
  for (int i = 0; i < kCommandsMax; ++i) {
    Request request{absl::StrCat("fill-", i), {v1::Command()}, 0, {}};
    v1::CreateFile* file = request.commands[0].mutable_create_file();
    request.commands[0].set_pid(1);
    file->set_path(absl::StrCat("/file-", i));
    file->set_content(v1::FILE_CONTENT_BYTES);
    file->set_cached(true);
    file->set_mode(0644);
    file->set_fs(v1::FS_TYPE_EXT4);
    file->set_size(kBytes);
    for (size_t j = 0; j < kBytes; ++j) {
      file->mutable_data()->push_back(static_cast<char>(random()));
    }
    absl::Status status = driver.Send(connection, request);
    if (!status.ok()) {
      *refused = std::move(request);
      return status;
    }
    answered->push_back(std::move(request));
  }
  return absl::OkStatus();
}

TEST(DataDirectoryTest, OnAFullDiskTakesNoCommandAndGoesOnWhenThereIsSpace) {
  if (!CanMount()) GTEST_SKIP() << "mount namespaces are not allowed here";
  const std::string disk = FreshPath("disk");
  fs::create_directory(disk);
  ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m"), 0)
      << std::strerror(errno);
  const std::string data = disk + "/data";
  auto server = std::make_unique<ServerProcess>(data);
  Record(server->address(), "full", 0);
  const Driver driver("sessions/full", 0, Way::kRun);
  std::vector<Request> answered;
  Request refused;
  const absl::Status full =
      FillDisk(server->address(), driver, &answered, &refused);
  EXPECT_TRUE(absl::IsUnavailable(full)) << full;
  EXPECT_EQ(client::ReasonOf(full), "JOURNAL_UNAVAILABLE");
  EXPECT_THAT(client::Explain(full),
              AllOf(HasSubstr("the disk is full"),
                    HasSubstr("repeat it with the same request_id")));
  EXPECT_FALSE(answered.empty());

  // The disk grows under the running server; the same request is repeated.
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0)
      << std::strerror(errno);
  {
    client::Connection connection(server->address());
    const absl::Status again = driver.Send(connection, refused);
    EXPECT_TRUE(again.ok()) << again;
    answered.push_back(refused);
    const Journal journal(connection, "sessions/full");
    for (const Request& request : answered) journal.ExpectHas(request);
    EXPECT_EQ(journal.size(), static_cast<int64_t>(answered.size()));
  }
  server->Kill();
  server = std::make_unique<ServerProcess>(data);
  ExpectVerified(server->address(), "full",
                 static_cast<int64_t>(answered.size()));
  server.reset();
  EXPECT_EQ(umount(disk.c_str()), 0) << std::strerror(errno);
}

TEST(DataDirectoryTest, OnADiskThatIsFullFromTheStartIsRefused) {
  if (!CanMount()) GTEST_SKIP() << "mount namespaces are not allowed here";
  const std::string disk = FreshPath("disk");
  fs::create_directory(disk);
  ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=16k"), 0)
      << std::strerror(errno);
  ExpectServeFails(disk + "/data", kDataBad,
                   AllOf(HasSubstr("full"), HasSubstr("free some space")));
  EXPECT_EQ(umount(disk.c_str()), 0) << std::strerror(errno);
}

// --- The address.

TEST(ListenTest, APortInUseIsRefusedAndItsOwnerGoesOn) {
  ServerProcess server(FreshPath("data"));
  const std::string data = FreshPath("data");
  const Finished second =
      Faultline({"serve", "--data", data, "--listen", server.address()});
  EXPECT_EQ(second.code, kAddressBad);
  EXPECT_THAT(second.err, AllOf(HasSubstr(absl::StrCat("port ", server.port(),
                                                       " of "
                                                       "127.0.0.1 is in use")),
                                HasSubstr("--listen 127.0.0.1:0")));
  Record(server.address(), "alive", 1);
}

TEST(ListenTest, AnAddressThatOthersCanReachNeedsAFlag) {
  const Finished serve =
      Faultline({"serve", "--data", ":memory:", "--listen", "0.0.0.0:0"});
  EXPECT_EQ(serve.code, kAddressBad);
  EXPECT_THAT(serve.err, AllOf(HasSubstr("listen on 127.0.0.1"),
                               HasSubstr("--allow-remote")));
}

TEST(ListenTest, WhatIsNoAddressIsNamed) {
  const Finished serve =
      Faultline({"serve", "--data", ":memory:", "--listen", "here"});
  EXPECT_EQ(serve.code, kAddressBad);
  EXPECT_THAT(serve.err, AllOf(HasSubstr("'here' is no address to listen on"),
                               HasSubstr("for example 127.0.0.1:50051")));
}

TEST(ServeFlagsTest, AMisspeltOneIsNamedWithTheRightOne) {
  const Finished serve = Faultline({"serve", "--durabilty", "power"});
  EXPECT_EQ(serve.code, cli::kExitUsage);
  EXPECT_THAT(serve.err, HasSubstr("unknown flag '--durabilty'; did you mean "
                                   "'--durability'?"));
}

TEST(ServeFlagsTest, AWrongDurabilityIsNamedWithTheRightOnes) {
  const Finished serve = Faultline({"serve", "--durability", "disk"});
  EXPECT_EQ(serve.code, cli::kExitUsage);
  EXPECT_THAT(serve.err, AllOf(HasSubstr("disk"), HasSubstr("process"),
                               HasSubstr("power")));
}

// --- What a user asks for.

class UserTest : public testing::Test {
 protected:
  Finished Ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", server_.address()});
    return Faultline(arguments);
  }

  std::string Sessions() { return Ask({"session", "list"}).out; }

  ServerProcess server_{FreshPath("data")};
};

TEST_F(UserTest, AnUnknownSessionIsNamedAndTheListIsPointedTo) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{
           {"verify", "nobody"},
           {"replay", "nobody"},
           {"cat", "/proc/1/maps", "--session", "nobody"},
           {"session", "show", "nobody"},
           {"session", "close", "nobody"},
           {"session", "delete", "nobody"}}) {
    const Finished run = Ask(command);
    EXPECT_EQ(run.code, cli::kExitCannot) << command[0];
    EXPECT_THAT(run.err, AllOf(HasSubstr("sessions/nobody"),
                               HasSubstr("ession"), Not(HasSubstr("INTERNAL"))))
        << command[0];
    EXPECT_THAT(run.out, IsEmpty()) << command[0];
  }
}

TEST_F(UserTest, ASessionIdThatIsTakenOrImpossibleIsRefused) {
  ASSERT_EQ(Ask({"session", "create", "taken"}).code, cli::kExitOk);
  const Finished taken = Ask({"session", "create", "taken"});
  EXPECT_EQ(taken.code, cli::kExitCannot);
  EXPECT_THAT(taken.err, HasSubstr("sessions/taken"));
  const Finished impossible = Ask({"session", "create", "Not_A_Name"});
  EXPECT_EQ(impossible.code, cli::kExitCannot);
  EXPECT_THAT(impossible.err, HasSubstr("session_id"));
  EXPECT_THAT(Sessions(), Not(HasSubstr("Not_A_Name")));
}

TEST_F(UserTest, ABrokenScenarioIsToldByLineAndColumnAndNothingIsRun) {
  const Finished run =
      Ask({"run", cli::WriteTemporary("broken.s", "fork\nmunmp 0 1p\n"),
           "--session", "broken"});
  EXPECT_EQ(run.code, cli::kExitCannot);
  EXPECT_THAT(run.err, AllOf(HasSubstr("broken.s:2:1: unknown op 'munmp'"),
                             HasSubstr("munmap")));
  EXPECT_THAT(Sessions(), Not(HasSubstr("broken")));
}

TEST_F(UserTest, AForeignRecordingIsRefused) {
  const Finished binary =
      Ask({"import", "strace", cli::FaultlinePath(), "--session", "foreign"});
  EXPECT_EQ(binary.code, cli::kExitCannot);
  EXPECT_THAT(binary.err, HasSubstr("does not look like strace output"));
}

TEST_F(UserTest, ATruncatedRecordingIsReenactedAsFarAsItGoes) {
  const std::string ls = "tests/traces/6.18/ls/";
  const std::string text = ReadFile(ls + "strace.txt");
  const Finished import = Ask(
      {"import", "strace",
       // In the middle of a line.
       cli::WriteTemporary("cut.strace", text.substr(0, text.rfind("(") + 3)),
       "--heads", ls + "snap/elf", "--session", "cut"});
  EXPECT_EQ(import.code, cli::kExitOk) << import.out << import.err;
  EXPECT_THAT(import.out,
              AllOf(HasSubstr("skipped: "), HasSubstr(", 1 of no use"),
                    HasSubstr(": 0 differences")));
  EXPECT_EQ(Ask({"verify", "cut"}).code, cli::kExitOk);
}

}  // namespace
}  // namespace faultline::e2e
