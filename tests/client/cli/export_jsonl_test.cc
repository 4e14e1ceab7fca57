#include "client/cli/export_jsonl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/export.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/recorded_machine.h"

namespace faultline::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;

constexpr char kLesson[] =
    "a: mmap 0 4p rw- PRIVATE|ANON\n"
    "write $a 7\n"
    "fork\n"
    "@1 write $a 8\n"
    "@0 munmap $a 4p\n"
    "read $a\n"
    "mmap 0 0 r-- PRIVATE|ANON\n"
    "file 1 2p\n"
    "exit\n";

std::string Exported(Recording& recording, v1::EventLevel level) {
  std::string text;
  ExportRequest request;
  request.level = level;
  const absl::Status status =
      ExportSession(recording, request, [&text](const std::string& bytes) {
        text += bytes;
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  return text;
}

TEST(ExportJsonlTest, IsAsItWas) {
  RecordedMachine machine(kLesson);
  for (v1::Change& change : machine.mutable_changes()) {
    change.set_sender("ipv4:127.0.0.1:40112");
    change.mutable_time()->set_seconds(1800000000 + change.revision());
    change.mutable_time()->set_nanos(123456789);
  }
  const std::string text = Exported(machine, v1::EVENT_LEVEL_FAULTS);
  EXPECT_EQ(text, Golden("lesson.jsonl", text));
}

TEST(ExportJsonlTest, EachLineIsAnObjectAndKeepsEachEvent) {
  RecordedMachine machine(kLesson);
  const std::string text = Exported(machine, v1::EVENT_LEVEL_ALL);
  const std::vector<std::string> lines =
      absl::StrSplit(text, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), machine.changes().size());
  for (size_t i = 0; i < lines.size(); ++i) {
    const v1::Change& change = machine.changes()[i];
    const json object = json::parse(lines[i]);
    EXPECT_EQ(object["revision"], change.revision());
    EXPECT_EQ(object["pid"], change.command().pid());
    EXPECT_EQ(object["outcome"]["value"], change.outcome().value());
    EXPECT_EQ(object["outcome"]["cost_ns"], change.outcome().cost_ns());
    ASSERT_EQ(object["events"].size(),
              static_cast<size_t>(change.events_size()));
    for (int j = 0; j < change.events_size(); ++j) {
      EXPECT_EQ(object["events"][j]["text"], change.events(j).text());
      EXPECT_NE(object["events"][j]["event"], "unknown");
    }
  }
}

TEST(ExportJsonlTest, AddressesAreHexStringsAndTheClockRuns) {
  RecordedMachine machine(kLesson);
  const std::vector<std::string> lines = absl::StrSplit(
      Exported(machine, v1::EVENT_LEVEL_FAULTS), '\n', absl::SkipEmpty());
  const json mmap = json::parse(lines[0]);
  EXPECT_EQ(mmap["clock_ns"], 0);
  EXPECT_EQ(mmap["command"], "mmap");
  EXPECT_EQ(mmap["arguments"]["addr"], "0x0");
  EXPECT_EQ(mmap["arguments"]["length"], 16384);
  EXPECT_EQ(mmap["outcome"]["address"], "0x7ffff7ffb000");
  const json write = json::parse(lines[1]);
  EXPECT_EQ(write["clock_ns"], mmap["outcome"]["cost_ns"]);
  EXPECT_EQ(write["arguments"]["kind"], "write");
  EXPECT_EQ(write["events"][1]["how"], "anon_page");
  const json copy = json::parse(lines[3]);
  EXPECT_EQ(copy["events"][1]["copied_pfn"], write["events"][1]["pfn"]);
  const json segv = json::parse(lines[5]);
  EXPECT_EQ(segv["outcome"]["signal"],
            json::parse(R"({"signal":"SIGSEGV","code":1,
                            "addr":"0x7ffff7ffb000"})"));
  const json refused = json::parse(lines[6]);
  EXPECT_EQ(refused["outcome"]["error"], "EINVAL");
  EXPECT_EQ(refused["outcome"]["value"], -22);
  EXPECT_FALSE(refused["outcome"].contains("address"));
}

TEST(ExportJsonlTest, NumbersOf64BitsAreExact) {
  v1::Change change;
  change.set_revision(1);
  change.mutable_command()->mutable_mmap()->set_addr(~uint64_t{0});
  change.mutable_command()->mutable_mmap()->set_length((uint64_t{1} << 63) + 1);
  change.mutable_outcome()->set_digest(uint64_t{1} << 63);
  const json object = json::parse(JsonlExport().Line(change));
  EXPECT_FALSE(object["arguments"].contains("fd")) << "it is absent";
  EXPECT_EQ(object["arguments"]["addr"], "0xffffffffffffffff");
  EXPECT_EQ(object["arguments"]["length"].get<uint64_t>(),
            (uint64_t{1} << 63) + 1);
  EXPECT_EQ(object["outcome"]["digest"], "0x8000000000000000");
}

TEST(ExportJsonlTest, BytesAreBase64AndTextsAreLists) {
  v1::Change change;
  v1::CreateFile* file = change.mutable_command()->mutable_create_file();
  file->set_path("/a\"b\n");
  file->set_data(std::string("\x00\xff", 2));
  change.mutable_outcome()->set_data("ok!");
  const json created = json::parse(JsonlExport().Line(change));
  EXPECT_EQ(created["arguments"]["path"], "/a\"b\n");
  EXPECT_EQ(created["arguments"]["data"], "AP8=");
  EXPECT_EQ(created["outcome"]["data"], "b2sh");
  v1::Change exec;
  exec.mutable_command()->mutable_execve()->add_argv("ls");
  exec.mutable_command()->mutable_execve()->add_argv("-l");
  EXPECT_THAT(json::parse(JsonlExport().Line(exec))["arguments"]["argv"],
              ElementsAre("ls", "-l"));
}

TEST(ExportJsonlTest, ACommandThatBrokeTheSimulatorHasNoOutcome) {
  v1::Change change;
  change.set_revision(3);
  change.mutable_command()->mutable_fork();
  const json object = json::parse(JsonlExport().Line(change));
  EXPECT_TRUE(object["outcome"].is_null());
  EXPECT_EQ(object["command"], "fork");
}

TEST(ExportJsonlTest, AnEmptySessionIsAnEmptyFile) {
  RecordedMachine machine("");
  EXPECT_EQ(Exported(machine, v1::EVENT_LEVEL_ALL), "");
}

// A session that is made up as it is read.
class LongRecording : public Recording {
 public:
  explicit LongRecording(int64_t revisions) {
    session_.set_name("sessions/long");
    session_.set_revision(revisions);
  }
  const v1::Session& session() const override { return session_; }

  absl::Status ForEachChange(Revisions revisions, v1::EventLevel,
                             const ChangeCallback& callback) override {
    v1::Change change;
    change.mutable_command()->set_pid(1);
    change.mutable_command()->mutable_access()->set_addr(0x10000000);
    change.mutable_outcome()->set_cost_ns(100);
    v1::Event* event = change.add_events();
    event->mutable_fault_resolved()->set_how(v1::FAULT_RESOLUTION_ANON_PAGE);
    for (int64_t i = revisions.first; i <= revisions.last; ++i) {
      change.set_revision(i);
      event->mutable_fault_resolved()->set_pfn(static_cast<uint32_t>(i % 4096));
      absl::Status status = callback(change);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> ReadProc(const std::string& path,
                                       int64_t) override {
    ++looks_;
    if (path == "/proc/1/status") return std::string("Name:\tlong\nTgid:\t1\n");
    return std::string();
  }
  absl::StatusOr<std::string> ReadProcAt(const std::string&, int64_t, uint64_t,
                                         uint64_t) override {
    return std::string();
  }
  int looks() const { return looks_; }

 private:
  v1::Session session_;
  int looks_ = 0;
};

TEST(ExportTest, ALongSessionIsHandedOnInParts) {
  for (const ExportFormat format :
       {ExportFormat::kJsonl, ExportFormat::kPerfetto, ExportFormat::kChrome}) {
    LongRecording recording(20'000);
    size_t largest = 0;
    int64_t read = 0;
    int64_t read_at_first_part = 0;
    ExportRequest request;
    request.format = format;
    const absl::Status status = ExportSession(
        recording, request,
        [&](const std::string& bytes) {
          if (largest == 0) read_at_first_part = read;
          largest = std::max(largest, bytes.size());
          return absl::OkStatus();
        },
        [&read](int64_t done) { read = done; });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(read, 20'000);
    EXPECT_LT(read_at_first_part, 2'000) << "not all is kept until the end";
    EXPECT_LT(largest, 100'000u);
    EXPECT_LE(recording.looks(), 2 * (kCounterLooksMax + 2));
  }
}

TEST(ExportTest, AFullDiskEndsTheExport) {
  LongRecording recording(20'000);
  int64_t read = 0;
  const absl::Status status = ExportSession(
      recording, ExportRequest(),
      [](const std::string&) { return absl::ResourceExhaustedError("full"); },
      [&read](int64_t done) { read = done; });
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_LT(read, 20'000);
}

}  // namespace
}  // namespace faultline::cli
