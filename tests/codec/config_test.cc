#include "server/codec/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "google/protobuf/util/message_differencer.h"
#include "server/limits.h"

namespace faultline {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

v1::MachineConfig Full() {
  v1::MachineConfig proto;
  proto.set_profile(v1::PROFILE_I386_PAE);
  proto.set_personality(v1::PERSONALITY_LINUX_6_1);
  proto.set_ram_bytes(64 << 20);
  proto.set_swap_bytes(8 << 20);
  proto.set_cpus(4);
  proto.set_thp(v1::THP_MODE_ALWAYS);
  proto.set_seed(99);
  auto* sysctl = proto.add_sysctls();
  sysctl->set_name("vm.overcommit_memory");
  sysctl->set_value(2);
  proto.add_e820()->set_start(1 << 20);
  proto.mutable_e820(0)->set_end(64 << 20);
  proto.add_reserved()->set_zone("DMA");
  proto.mutable_reserved(0)->set_pages(7);
  proto.add_initmem()->set_zone("Normal");
  proto.mutable_initmem(0)->set_pages(8);
  proto.set_lowmem_bytes(512 << 20);
  return proto;
}

TEST(Config, KeepsEachFieldThroughBothDirections) {
  const auto config = ConfigFromProto(Full(), "config");
  ASSERT_TRUE(config.ok()) << config.status();
  v1::MachineConfig again;
  ConfigToProto(*config, &again);
  EXPECT_TRUE(MessageDifferencer::Equals(Full(), again)) << again.DebugString();
}

TEST(Config, FillsInWhatIsLeftOut) {
  const auto config = ConfigFromProto({}, "config");
  ASSERT_TRUE(config.ok());
  v1::MachineConfig ours;
  v1::MachineConfig defaults;
  ConfigToProto(*config, &ours);
  ConfigToProto(MachineConfig{}, &defaults);
  EXPECT_TRUE(MessageDifferencer::Equals(ours, defaults));
  EXPECT_EQ(ours.ram_bytes(), 1U << 30);
  EXPECT_EQ(ours.seed(), 1U);
}

TEST(Config, TakesTheSeedZero) {
  v1::MachineConfig proto;
  proto.set_seed(0);
  EXPECT_EQ(ConfigFromProto(proto, "config")->seed, 0U);
}

std::string Refusal(const v1::MachineConfig& proto) {
  const auto config = ConfigFromProto(proto, "config");
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

TEST(Config, RefusesWhatIsOutOfRange) {
  v1::MachineConfig proto = Full();
  proto.set_ram_bytes(limits::kRamBytesMin - 4096);
  EXPECT_THAT(Refusal(proto), HasSubstr("config.ram_bytes"));
  proto.set_ram_bytes(limits::kRamBytesMax + 4096);
  EXPECT_THAT(Refusal(proto), HasSubstr("1099511627776"));
  proto.set_ram_bytes(limits::kRamBytesMin + 1);
  EXPECT_THAT(Refusal(proto), HasSubstr("multiple of 4096"));

  proto = Full();
  proto.set_swap_bytes(limits::kSwapBytesMax + 4096);
  EXPECT_THAT(Refusal(proto), HasSubstr("config.swap_bytes"));

  proto = Full();
  proto.set_cpus(limits::kCpusMax + 1);
  EXPECT_THAT(Refusal(proto), HasSubstr("config.cpus"));

  proto = Full();
  proto.set_profile(static_cast<v1::Profile>(9));
  EXPECT_THAT(Refusal(proto), HasSubstr("config.profile"));

  proto = Full();
  proto.mutable_sysctls(0)->clear_name();
  EXPECT_THAT(Refusal(proto), HasSubstr("config.sysctls[0].name"));

  proto = Full();
  for (int i = 0; i < limits::kSysctlsMax; ++i)
    *proto.add_sysctls() = proto.sysctls(0);
  EXPECT_THAT(Refusal(proto), HasSubstr("at most 64"));

  proto = Full();
  for (int i = 0; i < limits::kMemoryRangesMax; ++i) proto.add_e820();
  EXPECT_THAT(Refusal(proto), HasSubstr("config.e820: has 129 entries"));

  proto = Full();
  proto.add_reserved();
  EXPECT_THAT(Refusal(proto), HasSubstr("config.reserved[1].zone"));

  proto = Full();
  for (int i = 0; i < limits::kZonePagesMax; ++i) {
    *proto.add_initmem() = proto.initmem(0);
  }
  EXPECT_THAT(Refusal(proto), HasSubstr("config.initmem: has 9 entries"));
}

TEST(Config, FromOurRecordsIsNotHeldToTodaysLimits) {
  v1::MachineConfig proto = Full();
  proto.set_cpus(limits::kCpusMax + 1);
  EXPECT_EQ(ConfigFromJournal(proto)->cpus, limits::kCpusMax + 1);
}

}  // namespace
}  // namespace faultline
