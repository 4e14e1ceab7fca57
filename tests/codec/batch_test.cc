#include "server/codec/batch.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <variant>

#include "faultline/v1/machine.pb.h"
#include "server/codec/access_many.h"
#include "server/codec/command.h"
#include "server/codec/errors.h"
#include "server/limits.h"

namespace faultline {
namespace {

v1::Command ManyCommand() {
  v1::Command command;
  command.set_pid(7);
  v1::AccessMany& many = *command.mutable_access_many();
  many.set_base(0x7fff00000000);
  for (const uint64_t addr : {uint64_t{0}, uint64_t{127}, uint64_t{128},
                              uint64_t{1} << 40, ~uint64_t{0}}) {
    many.add_addr(addr);
    many.add_kind(v1::ACCESS_KIND_WRITE);
    many.add_count(addr % 3);
  }
  many.add_stride(4096);
  many.set_value(
      "a\xff"
      "b\0d",
      5);
  many.set_data(true);
  return command;
}

// What protobuf and the codec make of it.
absl::StatusOr<Command> ByWayOfMessage(const std::string& bytes) {
  v1::Command message;
  if (!message.ParseFromString(bytes)) return absl::InvalidArgumentError("no");
  return CommandFromProto(message);
}

std::string BytesOf(const Command& command) {
  v1::Command message;
  EXPECT_TRUE(CommandToProto(command, &message).ok());
  return message.SerializeAsString();
}

TEST(TakeBatchApart, KeepsTheCommandsAsTheyCame) {
  v1::RunRequest request;
  request.set_session("sessions/lab");
  request.mutable_options()->set_request_id("r1");
  request.set_packed(true);
  *request.add_commands() = ManyCommand();
  request.add_commands()->mutable_tick()->set_nanoseconds(5);
  request.add_commands();  // of no bytes
  const std::string bytes = request.SerializeAsString();
  const absl::StatusOr<BatchParts> parts = TakeBatchApart(bytes);
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_EQ(parts->commands.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(parts->commands[static_cast<size_t>(i)],
              request.commands(i).SerializeAsString());
  }
  v1::RunRequest head = request;
  head.clear_commands();
  EXPECT_EQ(parts->head.SerializeAsString(), head.SerializeAsString());
}

TEST(TakeBatchApart, RefusesWhatIsNoRequest) {
  v1::RunRequest request;
  request.set_session("sessions/lab");
  *request.add_commands() = ManyCommand();
  const std::string bytes = request.SerializeAsString();
  EXPECT_TRUE(TakeBatchApart("").ok());
  for (size_t size = 1; size < bytes.size(); ++size) {
    // Between two fields it is a shorter request.
    if (v1::RunRequest().ParseFromArray(bytes.data(), static_cast<int>(size))) {
      continue;
    }
    const absl::Status status = TakeBatchApart(bytes.substr(0, size)).status();
    EXPECT_EQ(errors::ReasonOf(status), "FIELD_INVALID") << size;
  }
  // A session that is not UTF-8, the end of a group, a tag of field 0.
  for (const char* wrong : {"\x0a\x01\xff", "\x0c", "\x02\x01"}) {
    EXPECT_FALSE(TakeBatchApart(wrong).ok());
  }
}

TEST(CommandsFromBytes, NamesACommandThatIsNone) {
  const std::string good = ManyCommand().SerializeAsString();
  const absl::Status status = CommandsFromBytes({good, "\x08"}).status();
  EXPECT_EQ(errors::ReasonOf(status), "FIELD_INVALID");
  EXPECT_NE(status.message().find("commands[1]: "), std::string::npos)
      << status;
}

TEST(AccessManyFromBytes, IsWhatTheMessageSays) {
  const std::string bytes = ManyCommand().SerializeAsString();
  Command command;
  ASSERT_TRUE(AccessManyFromBytes(bytes, command));
  EXPECT_EQ(BytesOf(command), bytes);
}

TEST(AccessManyFromBytes, LeavesTheUnusualToProtobuf) {
  const std::string plain = ManyCommand().SerializeAsString();
  v1::Command access;
  access.set_pid(1);
  access.mutable_access()->set_addr(1);
  v1::Command bad_kind = ManyCommand();
  bad_kind.mutable_access_many()->set_kind(0, v1::ACCESS_KIND_UNSPECIFIED);
  for (const std::string& bytes :
       {std::string(), access.SerializeAsString(), plain + plain,
        plain + std::string("\xf8\x7f\x01"), bad_kind.SerializeAsString(),
        plain.substr(0, plain.size() - 1)}) {
    Command command;
    EXPECT_FALSE(AccessManyFromBytes(bytes, command));
  }
}

// Protobuf refuses numbers that are longer than they can be, and what one of
// the two takes must be read by the other for ever.
TEST(AccessManyFromBytes, LeavesLongNumbersToProtobuf) {
  const std::string many = ManyCommand().access_many().SerializeAsString();
  const auto size = static_cast<char>(many.size());
  ASSERT_GT(size, 0);
  const std::string tag = "\x82\x03";  // of access_many
  const std::string pid("\x08\x07");
  Command command;
  EXPECT_TRUE(AccessManyFromBytes(pid + tag + size + many, command));
  const std::string more(4, '\x80');
  const auto with_more = static_cast<char>(size | 0x80);
  EXPECT_FALSE(AccessManyFromBytes(
      std::string("\x88\x80\x80\x80\x80\x00\x07", 7) + tag + size + many,
      command));
  EXPECT_FALSE(AccessManyFromBytes(
      pid + tag + with_more + more + std::string(1, '\0') + many, command));
  EXPECT_FALSE(AccessManyFromBytes(
      pid + tag + with_more + more.substr(1) + '\x10' + many, command));
  EXPECT_FALSE(
      TakeBatchApart(std::string("\x9a\x80\x80\x80\x80\x00\x00", 7)).ok());
  EXPECT_FALSE(
      TakeBatchApart(std::string("\x1a\x80\x80\x80\x80\x80\x00", 7)).ok());
}

TEST(TakeBatchApart, StopsAtTooManyCommands) {
  std::string bytes;
  for (int i = 0; i < 2 * limits::kBatchCommandsMax; ++i) {
    bytes += std::string("\x1a\x00", 2);
  }
  const absl::StatusOr<BatchParts> parts = TakeBatchApart(bytes);
  ASSERT_TRUE(parts.ok());
  EXPECT_EQ(parts->commands.size(), size_t{limits::kBatchCommandsMax} + 1);
  EXPECT_FALSE(CommandsFromBytes(parts->commands).ok());
}

// Whatever it takes, the message would have said the same.
TEST(AccessManyFromBytes, AgreesWithTheMessageOnDamagedBytes) {
  const std::string plain = ManyCommand().SerializeAsString();
  std::mt19937_64 random(1);
  int taken = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = plain;
    for (uint64_t n = random() % 3 + 1; n > 0; --n) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    Command command;
    if (!AccessManyFromBytes(bytes, command)) continue;
    v1::Command message;
    ASSERT_TRUE(message.ParseFromString(bytes)) << round;
    ++taken;
    // Whatever the columns are together, of which nothing is said here.
    const absl::StatusOr<Command> expected = ByWayOfMessage(bytes);
    if (!expected.ok()) continue;
    ASSERT_EQ(BytesOf(command), BytesOf(*expected)) << round;
  }
  EXPECT_GT(taken, 1000);
}

}  // namespace
}  // namespace faultline
