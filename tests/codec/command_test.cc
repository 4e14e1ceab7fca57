#include "server/codec/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/rpc/error_details.pb.h"
#include "server/codec/batch.h"
#include "server/codec/errors.h"
#include "server/limits.h"
#include "tests/codec/fill.h"

namespace faultline {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::TextFormat;
using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

v1::Command Parse(const std::string& text) {
  v1::Command command;
  EXPECT_TRUE(TextFormat::ParseFromString(text, &command)) << text;
  return command;
}

v1::Command Encoded(const Command& command) {
  v1::Command proto;
  EXPECT_TRUE(CommandToProto(command, &proto).ok());
  return proto;
}

google::rpc::BadRequest BadRequestOf(const absl::Status& status) {
  google::rpc::BadRequest bad;
  const auto payload =
      status.GetPayload("type.googleapis.com/google.rpc.BadRequest");
  EXPECT_TRUE(payload.has_value()) << status;
  if (payload) {
    EXPECT_TRUE(bad.ParseFromString(std::string(*payload)));
  }
  return bad;
}

// --- Every operation there is.

class EveryOperation : public ::testing::TestWithParam<int> {
 protected:
  const FieldDescriptor* op() const {
    return v1::Command::descriptor()->FindOneofByName("op")->field(GetParam());
  }
};

TEST_P(EveryOperation, KeepsEachFieldThroughBothDirections) {
  v1::Command proto;
  proto.set_pid(7);
  testing::FillMember(proto, op());
  // One for each of the two addresses.
  if (proto.has_access_many()) proto.mutable_access_many()->set_value("ab");
  const absl::StatusOr<Command> command = CommandFromProto(proto);
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->pid, 7U);
  EXPECT_EQ(OperationName(command->op), op()->name());
  const v1::Command again = Encoded(*command);
  EXPECT_TRUE(MessageDifferencer::Equals(proto, again))
      << proto.DebugString() << again.DebugString();
}

TEST_P(EveryOperation, TakesTheDefaultsOfCommandH) {
  v1::Command proto;
  proto.set_pid(1);
  auto* arguments = proto.GetReflection()->MutableMessage(&proto, op());
  // These have no default: an access says what it does, a name is not empty.
  if (op()->name() == "access") {
    proto.mutable_access()->set_kind(v1::ACCESS_KIND_READ);
  } else if (op()->name() == "kernel_access") {
    proto.mutable_kernel_access()->set_kind(v1::ACCESS_KIND_READ);
  } else if (op()->name() == "access_many") {
    proto.mutable_access_many()->add_kind(v1::ACCESS_KIND_READ);
    proto.mutable_access_many()->add_addr(1);
  }
  for (const char* text : {"path", "name"}) {
    const auto* field = op()->message_type()->FindFieldByName(text);
    if (field == nullptr) continue;
    arguments->GetReflection()->SetString(arguments, field, "x");
  }
  const absl::StatusOr<Command> command = CommandFromProto(proto);
  ASSERT_TRUE(command.ok()) << command.status();

  Command defaults = *command;
  std::visit(
      [](auto& s) {
        s = {};
        if constexpr (requires { s.path; }) s.path = "x";
        // A descriptor has no presence, but in mmap: left out it is 0.
        if constexpr (
            requires { s.fd; } && !requires { s.prot; })
          s.fd = 0;
        if constexpr (requires { s.name; }) s.name = "x";
        if constexpr (std::is_same_v<decltype(s), AccessMany&>) {
          s.addr = {1};
          s.kind = {AccessKind::kRead};
        }
      },
      defaults.op);
  EXPECT_TRUE(MessageDifferencer::Equals(Encoded(*command), Encoded(defaults)))
      << Encoded(*command).DebugString() << Encoded(defaults).DebugString();
}

std::string OperationParamName(const ::testing::TestParamInfo<int>& info) {
  return v1::Command::descriptor()
      ->FindOneofByName("op")
      ->field(info.param)
      ->camelcase_name();
}

INSTANTIATE_TEST_SUITE_P(
    Command, EveryOperation,
    ::testing::Range(0, static_cast<int>(std::variant_size_v<Operation>)),
    OperationParamName);

TEST(Command, HasAMemberPerOperationAndNoMore) {
  EXPECT_EQ(v1::Command::descriptor()->FindOneofByName("op")->field_count(),
            static_cast<int>(std::variant_size_v<Operation>));
}

// --- What is refused, and what it says.

struct BadCommand {
  const char* name;
  std::string text;
  const char* field;
  const char* says;
  const char* reason = "FIELD_INVALID";
};

class Refused : public ::testing::TestWithParam<BadCommand> {};

TEST_P(Refused, NamesTheFieldAndWhatWouldDo) {
  const BadCommand& bad = GetParam();
  const absl::StatusOr<Command> command = CommandFromProto(Parse(bad.text));
  ASSERT_FALSE(command.ok());
  EXPECT_EQ(command.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(errors::ReasonOf(command.status()), bad.reason);
  const google::rpc::BadRequest details = BadRequestOf(command.status());
  ASSERT_EQ(details.field_violations_size(), 1);
  EXPECT_EQ(details.field_violations(0).field(), bad.field);
  EXPECT_THAT(details.field_violations(0).description(), HasSubstr(bad.says));
  EXPECT_THAT(std::string(command.status().message()), HasSubstr(bad.says));
}

std::string Long(size_t size) { return std::string(size, 'x'); }

const BadCommand kBad[] = {
    {"NoOperation", "pid: 1", "op", "set one call", "FIELD_MISSING"},
    {"NoPid", "munmap { addr: 4096 length: 4096 }", "pid", "the first is 1",
     "FIELD_MISSING"},
    {"NoAccessKind", "pid: 1 access { addr: 1 }", "access.kind", "required",
     "FIELD_MISSING"},
    {"UnknownEnum", "pid: 1 access { kind: 9 }", "access.kind",
     "9 is no value of the enum: 1 to 3"},
    {"TooManyAccesses", "pid: 1 access { kind: 1 count: 16777217 }",
     "access.count", "at most 16777216"},
    {"NoByte", "pid: 1 access { kind: 2 value: 256 }", "access.value",
     "at most 255"},
    {"NoEntries", "pid: 1 access_many { kind: 1 }", "access_many.addr",
     "the address of each entry", "FIELD_MISSING"},
    {"NoKinds", "pid: 1 access_many { addr: 1 }", "access_many.kind",
     "one for all entries", "FIELD_MISSING"},
    {"ManyUnknownKind",
     "pid: 1 access_many { addr: [1, 2, 3] kind: [1, 2, 4] }",
     "access_many.kind[2]", "4 is no value of the enum: 1 to 3"},
    {"ManyNegativeKind", "pid: 1 access_many { addr: 1 kind: -1 }",
     "access_many.kind[0]", "-1 is no value of the enum: 1 to 3"},
    {"ManyUnspecifiedKind", "pid: 1 access_many { addr: [1, 2] kind: [1, 0] }",
     "access_many.kind[1]", "say which", "FIELD_MISSING"},
    {"FewKinds", "pid: 1 access_many { addr: [1, 2, 3] kind: [1, 2] }",
     "access_many.kind", "2 values and addr 3: give one for all or one for"},
    {"ManyCounts",
     "pid: 1 access_many { addr: [1, 2] kind: 1 count: [1, 2, 3] }",
     "access_many.count", "3 values and addr 2"},
    {"ManyStrides", "pid: 1 access_many { addr: 1 kind: 1 stride: [1, 2] }",
     "access_many.stride", "2 values and addr 1"},
    {"ManyValues", "pid: 1 access_many { addr: 1 kind: 2 value: 'ab' }",
     "access_many.value", "2 values and addr 1"},
    {"ManyAccesses",
     "pid: 1 access_many { addr: [1, 2] kind: 1 count: [16777216, 1] }",
     "access_many.count", "more than 16777216 accesses together"},
    {"EndlessAccesses",
     "pid: 1 access_many { addr: [1, 2] kind: 1 count: "
     "[18446744073709551615, 18446744073709551615] }",
     "access_many.count", "more than 16777216 accesses together"},
    {"ManyBytes",
     "pid: 1 access_many { addr: [1, 2] kind: 1 count: 1048577 data: true }",
     "access_many.count", "2097152 accesses together, which is the most with"},
    {"NoPath", "pid: 1 open { }", "open.path", "must not be empty"},
    {"LongPath", "pid: 1 open { path: '" + Long(4096) + "' }", "open.path",
     "has 4096 bytes: at most 4095"},
    {"LongName", "pid: 1 set_vma_name { name: '" + Long(256) + "' }",
     "set_vma_name.name", "at most 255"},
    {"MuchData",
     "pid: 1 write { data: '" + Long(limits::kDataBytesMax + 1) + "' }",
     "write.data", "at most 2097152"},
    {"LongRead", "pid: 1 read { length: 2097153 }", "read.length",
     "at most 2097152"},
    {"LongMincore", "pid: 1 mincore { length: 8589938688 }", "mincore.length",
     "one part after the other"},
    {"Mode", "create_file { path: '/a' mode: 4096 }", "create_file.mode",
     "at most 4095"},
    {"Device", "create_file { path: '/a' dev_major: 4096 }",
     "create_file.dev_major", "at most 4095"},
    {"NoSysctl", "sysctl { value: 1 }", "sysctl.name", "must not be empty"},
    {"MuchExec",
     "pid: 1 execve { path: '/a' argv: '" + Long(limits::kExecBytesMax) + "' }",
     "execve.argv", "at most 65536 and 2097152"},
};

INSTANTIATE_TEST_SUITE_P(Command, Refused, ::testing::ValuesIn(kBad),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

TEST(Command, ListsEveryViolationAtOnce) {
  const absl::Status status =
      CommandFromProto(Parse("access { count: 99999999 value: 300 }")).status();
  EXPECT_EQ(BadRequestOf(status).field_violations_size(), 4) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("(and 3 more)"));
}

TEST(Command, LeavesNonsenseThatLinuxAnswersToLinux) {
  for (const char* text :
       {"pid: 99 mmap { addr: 1 length: 18446744073709551615 prot: 999 }",
        "pid: 1 kill { target: 0 signal: -5 }",
        "pid: 1 mincore { length: 18446744073709551615 }",
        "pid: 1 setrlimit { resource: 4000000000 }",
        "alloc_pages { order: 4000000000 }"}) {
    EXPECT_TRUE(CommandFromProto(Parse(text)).ok()) << text;
  }
}

TEST(Command, AFileIsAtLeastAsLongAsItsBytes) {
  const auto command =
      CommandFromProto(Parse("create_file { path: '/a' data: 'abc' }"));
  ASSERT_TRUE(command.ok());
  const auto& file = std::get<CreateFile>(command->op);
  EXPECT_EQ(file.content, FileContent::kBytes);
  EXPECT_EQ(file.size, 3U);
}

TEST(Command, FromTheJournalIsNotHeldToTodaysLimits) {
  const v1::Command proto =
      Parse("pid: 1 access { kind: 1 count: 99999999999 }");
  EXPECT_FALSE(CommandFromProto(proto).ok());
  const absl::StatusOr<Command> command = CommandFromJournal(proto);
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(std::get<Access>(command->op).count, 99999999999U);
  EXPECT_FALSE(CommandFromJournal(Parse("pid: 1")).ok());
}

TEST(Command, OfManyAccessesHasABound) {
  v1::Command proto;
  proto.set_pid(1);
  v1::AccessMany& many = *proto.mutable_access_many();
  many.add_kind(v1::ACCESS_KIND_READ);
  many.mutable_addr()->Resize(limits::kManyEntriesMax, 0x1000);
  EXPECT_TRUE(CommandFromProto(proto).ok());
  many.add_addr(1);
  const absl::Status status = CommandFromProto(proto).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("at most 65536"));
  EXPECT_TRUE(CommandFromJournal(proto).ok());
}

TEST(Command, OfManyAccessesHasItsShapeInTheJournalToo) {
  EXPECT_FALSE(CommandFromJournal(
                   Parse("pid: 1 access_many { addr: [1, 2, 3] kind: [1, 2] }"))
                   .ok());
}

TEST(Command, RefusesATextThatCouldNotBeReadAgain) {
  v1::Command proto;
  const absl::Status status =
      CommandToProto({1, Open{.path = "/caf\xe9"}}, &proto);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("open.path"));
  EXPECT_TRUE(CommandToProto({1, Write{.data = "\xff\xfe"}}, &proto).ok())
      << "bytes may be any";
  EXPECT_TRUE(CommandToProto({1, Open{.path = "/café"}}, &proto).ok());
  EXPECT_FALSE(
      CommandToProto({1, Execve{"/a", {"a", "\xff"}, {}}}, &proto).ok());
}

// --- Batches.

absl::StatusOr<std::vector<Command>> BatchFromProto(
    const v1::RunRequest& request) {
  const std::string bytes = request.SerializeAsString();
  const absl::StatusOr<BatchParts> parts = TakeBatchApart(bytes);
  if (!parts.ok()) return parts.status();
  return CommandsFromBytes(parts->commands);
}

TEST(Batch, NamesTheCommandAtFault) {
  v1::RunRequest request;
  *request.add_commands() = Parse("pid: 1 fork { }");
  *request.add_commands() = Parse("pid: 1 access { kind: 7 }");
  const absl::Status status = BatchFromProto(request).status();
  EXPECT_EQ(BadRequestOf(status).field_violations(0).field(),
            "commands[1].access.kind");
}

TEST(Batch, HasFromOneCommandToTheLimit) {
  v1::RunRequest request;
  EXPECT_EQ(errors::ReasonOf(BatchFromProto(request).status()),
            "FIELD_MISSING");
  for (int i = 0; i < limits::kBatchCommandsMax; ++i) {
    *request.add_commands() = Parse("pid: 1 fork { }");
  }
  const auto batch = BatchFromProto(request);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->size(), static_cast<size_t>(limits::kBatchCommandsMax));
  *request.add_commands() = Parse("pid: 1 fork { }");
  EXPECT_THAT(std::string(BatchFromProto(request).status().message()),
              HasSubstr("at most 4096"));
}

// --- Unary requests.

TEST(Arguments, AreRequiredWhereTheCallHasAny) {
  const absl::Status status =
      CommandFromArguments(1, static_cast<const v1::Munmap*>(nullptr)).status();
  EXPECT_EQ(errors::ReasonOf(status), "FIELD_MISSING");
  EXPECT_EQ(BadRequestOf(status).field_violations(0).field(), "munmap");
  EXPECT_TRUE(
      CommandFromArguments(1, static_cast<const v1::Fork*>(nullptr)).ok());
}

TEST(Arguments, AreNamedAsInTheRequest) {
  v1::Access access;
  access.set_kind(v1::ACCESS_KIND_READ);
  access.set_count(limits::kAccessCountMax + 1);
  EXPECT_EQ(BadRequestOf(CommandFromArguments(1, &access).status())
                .field_violations(0)
                .field(),
            "access.count");
}

}  // namespace
}  // namespace faultline
