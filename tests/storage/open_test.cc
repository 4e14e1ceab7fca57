// Opening a data directory that is not as it should be: each trouble has its
// own reason and says what to do, and nothing of anyone is harmed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/store.h"
#include "tests/storage/storage_testing.h"

namespace faultline::storage {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// For the life of this object the process is not root: permissions count.
class WithoutRoot {
 public:
  WithoutRoot() : user_(geteuid()) {
    if (user_ == 0) changed_ = seteuid(kNobody) == 0;
  }
  ~WithoutRoot() {
    if (changed_ && seteuid(user_) != 0) std::abort();
  }
  bool works() const { return geteuid() != 0; }

 private:
  static constexpr uid_t kNobody = 65534;
  const uid_t user_;
  bool changed_ = false;
};

class OpenTest : public testing::Test {
 protected:
  OpenTest() {
    options_.path = directory_.data();
    // Passable for WithoutRoot.
    std::filesystem::permissions(directory_.path(),
                                 std::filesystem::perms(0755));
  }
  absl::Status Open() { return Store::Open(options_).status(); }
  absl::Status OpenReadOnly() {
    options_.access = Store::Access::kReadOnly;
    return Open();
  }
  // A data directory with a session "a" and three entries.
  void Fill() {
    auto store = MustOpen(options_);
    ASSERT_TRUE(Create(*store, "a").ok());
    ASSERT_TRUE(Append(*store, "a", MakeEntries(1, 3)).ok());
  }
  void ExpectError(const absl::Status& status, const std::string& reason,
                   const std::string& advice) {
    EXPECT_EQ(ReasonOf(status), reason) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(directory_.path()), HasSubstr(advice)));
  }
  std::string FileBytes() {
    std::stringstream bytes;
    bytes << std::ifstream(directory_.database(), std::ios::binary).rdbuf();
    return bytes.str();
  }

  TempDirectory directory_;
  Store::Options options_;
};

TEST_F(OpenTest, CreatesTheDirectoryButNotItsParents) {
  EXPECT_TRUE(Open().ok());
  options_.path = directory_.path() + "/no/where";
  ExpectError(Open(), "DATA_DIRECTORY_MISSING", "create its parent directory");
}

TEST_F(OpenTest, SaysThatAFileIsInTheWay) {
  std::ofstream(directory_.data()) << "a file";
  ExpectError(Open(), "DATA_DIRECTORY_MISSING", "there is a file");
}

TEST_F(OpenTest, SaysThatItMayNotCreateTheDirectory) {
  std::filesystem::permissions(directory_.path(), std::filesystem::perms(0555));
  const WithoutRoot without_root;
  if (!without_root.works()) GTEST_SKIP() << "cannot stop being root";
  ExpectError(Open(), "DATA_DIRECTORY_NOT_WRITABLE", "owner or mode");
}

TEST_F(OpenTest, SaysThatItMayNotWriteToTheDirectory) {
  std::filesystem::create_directory(directory_.data());
  std::filesystem::permissions(directory_.data(), std::filesystem::perms(0555));
  const WithoutRoot without_root;
  if (!without_root.works()) GTEST_SKIP() << "cannot stop being root";
  ExpectError(Open(), "DATA_DIRECTORY_NOT_WRITABLE", "owner or mode");
}

TEST_F(OpenTest, SaysThatItMayNotWriteToTheDatabase) {
  Fill();
  using std::filesystem::perms;
  std::filesystem::permissions(directory_.data(), perms(0777));
  std::filesystem::permissions(directory_.data() + "/faultline.lock",
                               perms(0666));
  std::filesystem::permissions(directory_.database(), perms(0444));
  const WithoutRoot without_root;
  if (!without_root.works()) GTEST_SKIP() << "cannot stop being root";
  auto store = Store::Open(options_);
  // SQLite notices with the first write.
  const absl::Status status =
      store.ok() ? Append(**store, "a", MakeEntry(4)) : store.status();
  ExpectError(status, "DATA_DIRECTORY_NOT_WRITABLE", "permissions");
}

TEST_F(OpenTest, SaysThatTheFileSystemIsReadOnly) {
  ExpectError(DirectoryError(EROFS, "create", directory_.path()),
              "DATA_DIRECTORY_READ_ONLY", "writable file system");
}

TEST_F(OpenTest, SaysThatARealFileSystemIsReadOnly) {
  // In a child with mounts of its own.
  constexpr int kNoMounts = 77;
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", directory_.path().c_str(), "tmpfs", MS_RDONLY, nullptr) !=
            0) {
      _exit(kNoMounts);
    }
    _exit(ReasonOf(Open()) == "DATA_DIRECTORY_READ_ONLY" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoMounts) GTEST_SKIP() << "may not mount here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(OpenTest, SaysThatTheDiskIsFull) {
  ExpectError(DirectoryError(ENOSPC, "create", directory_.path()), "DISK_FULL",
              "free some space");
}

TEST_F(OpenTest, SaysThatAnotherServerUsesTheDirectory) {
  Fill();
  const auto first = MustOpen(options_);
  ExpectError(Open(), "DATA_DIRECTORY_IN_USE",
              absl::StrCat("process ", getpid(), "; stop that server"));
}

TEST_F(OpenTest, TheLockEndsWithItsHolder) {
  { const auto first = MustOpen(options_); }
  EXPECT_TRUE(Open().ok());
}

TEST_F(OpenTest, LeavesAnotherProgramsDatabaseAlone) {
  std::filesystem::create_directory(directory_.data());
  ExecuteOn(directory_.database(),
            "CREATE TABLE music (song TEXT); PRAGMA application_id = 42");
  const std::string before = FileBytes();
  ExpectError(Open(), "FOREIGN_DATABASE", "choose another data directory");
  EXPECT_EQ(FileBytes(), before);
}

TEST_F(OpenTest, LeavesADatabaseWithoutApplicationIdAlone) {
  std::filesystem::create_directory(directory_.data());
  ExecuteOn(directory_.database(), "CREATE TABLE music (song TEXT)");
  const std::string before = FileBytes();
  ExpectError(Open(), "FOREIGN_DATABASE", "choose another data directory");
  EXPECT_EQ(FileBytes(), before);
}

TEST_F(OpenTest, LeavesAFileThatIsNoDatabaseAlone) {
  std::filesystem::create_directory(directory_.data());
  std::ofstream(directory_.database()) << std::string(5000, 'x');
  ExpectError(Open(), "NOT_A_DATABASE", "choose another data directory");
  EXPECT_EQ(FileBytes(), std::string(5000, 'x'));
}

TEST_F(OpenTest, StartsFromAnEmptyFile) {
  // What is left when the disk was full or the server died right at the start.
  std::filesystem::create_directory(directory_.data());
  std::ofstream(directory_.database()).close();
  EXPECT_TRUE(Open().ok());
}

TEST_F(OpenTest, RefusesANewerSchema) {
  Fill();
  ExecuteOn(directory_.database(), "PRAGMA user_version = 1000");
  ExpectError(Open(), "SCHEMA_TOO_NEW", "use the newer faultline");
  ExpectError(OpenReadOnly(), "SCHEMA_TOO_NEW", "use the newer faultline");
}

TEST_F(OpenTest, SaysThatTheDatabaseIsDamaged) {
  Fill();
  std::fstream file(directory_.database(),
                    std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(100);  // the schema's own b-tree, behind the header
  file << std::string(3996, '\xee');
  file.close();
  ExpectError(Open(), "DATABASE_CORRUPT", "restore it from a backup");
}

TEST_F(OpenTest, ATransactionHeldByAShellIsAnErrorAfterAWhile) {
  Fill();
  Database::Options shell_options;
  shell_options.path = directory_.database();
  auto shell = Database::Open(shell_options);
  ASSERT_TRUE((*shell)->Execute("BEGIN IMMEDIATE").ok());
  Database::Options ours = shell_options;
  ours.busy_timeout = absl::Milliseconds(1);
  auto database = Database::Open(ours);
  ExpectError((*database)->Execute("BEGIN IMMEDIATE"), "DATABASE_BUSY",
              "sqlite3 shell");
}

TEST_F(OpenTest, ReadOnlyNeedsADatabase) {
  ExpectError(OpenReadOnly(), "DATA_DIRECTORY_MISSING", "check the path");
}

TEST_F(OpenTest, ReadOnlyReadsBesideARunningServer) {
  Fill();
  auto server = MustOpen(options_);
  options_.access = Store::Access::kReadOnly;
  auto reader = MustOpen(options_);
  EXPECT_EQ(Read(*reader, "a").entries, MakeEntries(1, 3));
  ASSERT_TRUE(Append(*server, "a", MakeEntry(4)).ok());
  EXPECT_EQ(Read(*reader, "a").entries, MakeEntries(1, 4));
}

TEST_F(OpenTest, ReadOnlyRefusesWrites) {
  Fill();
  options_.access = Store::Access::kReadOnly;
  auto store = MustOpen(options_);
  for (const absl::Status& status :
       {Create(*store, "b"), Append(*store, "a", MakeEntry(4)),
        Delete(*store, "a")}) {
    EXPECT_EQ(ReasonOf(status), "STORE_READ_ONLY");
  }
}

TEST_F(OpenTest, ReadOnlyReadsFromADirectoryItMayNotWrite) {
  Fill();
  using std::filesystem::perms;
  std::filesystem::permissions(directory_.database(), perms(0444));
  std::filesystem::permissions(directory_.data(), perms(0555));
  const WithoutRoot without_root;
  if (!without_root.works()) GTEST_SKIP() << "cannot stop being root";
  options_.access = Store::Access::kReadOnly;
  auto store = MustOpen(options_);
  EXPECT_EQ(Read(*store, "a").entries, MakeEntries(1, 3));
}

TEST_F(OpenTest, ReadOnlySaysThatItCannotReadALogItMayNotShare) {
  Fill();
  std::ofstream(directory_.database() + "-wal") << std::string(64, 'w');
  using std::filesystem::perms;
  std::filesystem::permissions(directory_.database(), perms(0444));
  std::filesystem::permissions(directory_.data(), perms(0555));
  const WithoutRoot without_root;
  if (!without_root.works()) GTEST_SKIP() << "cannot stop being root";
  ExpectError(OpenReadOnly(), "DATA_DIRECTORY_READ_ONLY",
              "copy the directory to a writable place");
}

TEST_F(OpenTest, PathsMayContainWhatAUriWouldEscape) {
  options_.path = directory_.path() + "/a ?b#c%20d";
  {
    auto store = MustOpen(options_);
    ASSERT_TRUE(Create(*store, "a").ok());
  }
  EXPECT_TRUE(std::filesystem::exists(options_.path + "/faultline.db"));
  EXPECT_TRUE(MustOpen(options_)->GetSession("a").ok());
}

}  // namespace
}  // namespace faultline::storage
