#include "tests/bench/run_accesses.h"

#include <chrono>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/access_list.h"
#include "client/cpp/client.h"
#include "tests/bench/or_die.h"
#include "tests/bench/service_process.h"

namespace faultline::bench {
namespace {

constexpr uint32_t kPid = 1;
constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kAreaBytes = 256 * kPageBytes;
constexpr int kAccessesPerCommand = 16384;
constexpr int kCommandsPerBatch = 4;
constexpr int kBatches = 8;  // that differ
constexpr int kBatchesPerRound = 64;

client::RunSettings Settings() {
  client::RunSettings settings;
  settings.event_level = v1::EVENT_LEVEL_NONE;
  return settings;
}

// A session of a server, with its area.
class Lab {
 public:
  explicit Lab(const std::string& address)
      : session_(
            OrDie(OrDie(client::Client::Connect(address)).CreateSession({}))) {
    v1::Mmap mmap;
    mmap.set_length(kAreaBytes);
    mmap.set_prot(3);
    mmap.set_flags(0x22);
    addr_ = static_cast<uint64_t>(OrDie(session_.Mmap(kPid, mmap)).value());
    // Two bytes that differ, so that each page has contents.
    client::AccessList touch;
    touch.Store(addr_, 1, kAreaBytes / kPageBytes);
    touch.Store(addr_ + 1, 2, kAreaBytes / kPageBytes);
    Check(session_.Call(touch.CommandOf(kPid)).status());
  }

  uint64_t addr() const { return addr_; }
  const std::string& name() const { return session_.name(); }
  client::Runner Run() const { return session_.Run(Settings()); }

 private:
  client::Session session_;
  uint64_t addr_ = 0;
};

std::vector<v1::RunRequest> Batches(uint64_t area) {
  std::mt19937_64 random(1);
  std::vector<v1::RunRequest> batches(kBatches);
  for (v1::RunRequest& batch : batches) {
    for (int command = 0; command < kCommandsPerBatch; ++command) {
      client::AccessList accesses;
      for (int i = 0; i < kAccessesPerCommand; ++i) {
        const uint64_t addr = area + random() % kAreaBytes;
        if (random() % 3 == 0) {
          accesses.Store(addr, 1);
        } else {
          accesses.Load(addr);
        }
      }
      *batch.add_commands() = accesses.CommandOf(kPid);
    }
  }
  return batches;
}

void CheckAnswer(const client::RunAnswer& answer) {
  for (const v1::Outcome& outcome : answer.Outcomes()) {
    if (outcome.accesses() != kAccessesPerCommand) {
      Die("an access did not succeed");
    }
  }
}

double Round(client::Runner& runner,
             const std::vector<v1::RunRequest>& batches) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < kBatchesPerRound; ++i) {
    Check(runner.Send(batches[i % kBatches]));
  }
  while (runner.unanswered() > 0) CheckAnswer(OrDie(runner.Next()));
  const std::chrono::duration<double, std::nano> time = Clock::now() - start;
  return time.count() /
         (kBatchesPerRound * kCommandsPerBatch * kAccessesPerCommand);
}

ServerProcess Serve(const std::string& data) {
  return ServerProcess("faultline",
                       {"serve", "--listen", "127.0.0.1:0", "--data", data});
}

// A server that answers every batch as ours has answered one.
ServerProcess Echo(client::Runner& ours, const v1::RunRequest& batch,
                   const std::string& file) {
  Check(ours.Send(batch));
  const client::RunAnswer answer = OrDie(ours.Next());
  std::ofstream out(file, std::ios::binary);
  if (answer.parts.size() != 1 ||
      !answer.parts.front().SerializeToOstream(&out) || !out.flush()) {
    Die(absl::StrCat("cannot write ", file));
  }
  return ServerProcess("bench_run_echo", {file});
}

}  // namespace

const std::vector<RunMeasurement>& RunMeasurements() {
  static const auto& measurements = *new std::vector<RunMeasurement>{
      {"run_accesses", RunReference::kEcho, 2.0},
      {"run_accesses_journal", RunReference::kInMemory, 1.3},
  };
  return measurements;
}

Comparison Compare(const RunMeasurement& measurement,
                   const ComparisonLimits& limits) {
  const ScratchDirectory scratch;
  const ServerProcess ours = Serve(absl::StrCat(scratch.path(), "/data"));
  const Lab lab(ours.address());
  const std::vector<v1::RunRequest> batches = Batches(lab.addr());
  client::Runner runner = lab.Run();
  const bool echo = measurement.reference == RunReference::kEcho;
  const ServerProcess reference =
      echo ? Echo(runner, batches.front(),
                  absl::StrCat(scratch.path(), "/response"))
           : Serve(":memory:");
  client::Runner reference_runner =
      echo ? client::Runner(
                 std::make_shared<client::Connection>(reference.address()),
                 lab.name(), Settings())
           : Lab(reference.address()).Run();
  return Compare(
      measurement.name, "ns/access", measurement.wanted,
      [&] { return Round(runner, batches); },
      [&] { return Round(reference_runner, batches); }, limits);
}

}  // namespace faultline::bench
