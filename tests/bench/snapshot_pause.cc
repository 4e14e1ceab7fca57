#include "tests/bench/snapshot_pause.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "client/cpp/client.h"
#include "google/protobuf/duration.pb.h"
#include "tests/bench/driver.h"
#include "tests/bench/or_die.h"

namespace faultline::bench {
namespace {

constexpr uint64_t kRamBytes = uint64_t{2} << 30;
constexpr uint64_t kPages = (uint64_t{1} << 30) / 4096;
constexpr uint64_t kPagesStoredTo = 512;
constexpr double kWantedUs = 1000;

client::SessionSpec LargeMachine() {
  client::SessionSpec spec;
  spec.config.set_ram_bytes(kRamBytes);
  return spec;
}

class SnapshotPauseBench {
 public:
  SnapshotPauseBench()
      : server_("faultline", {"serve", "--listen", "127.0.0.1:0", "--data",
                              absl::StrCat(scratch_.path(), "/data")}),
        driver_(OrDie(OrDie(client::Client::Connect(server_.address()))
                          .CreateSession(LargeMachine()))),
        other_(OrDie(OrDie(client::Client::Connect(server_.address()))
                         .OpenSession(driver_.session().name()))) {
    driver_.Map(kPages);
  }

  // All in microseconds.
  double Pause() {
    TakeOne();
    return static_cast<double>(pause_.seconds()) * 1e6 +
           static_cast<double>(pause_.nanos()) / 1e3;
  }
  double LongestCallMeanwhile() { return TakeOne() / 1e3; }
  double OneCall() { return Call() / 1e3; }
  double LongestCall() {
    driver_.FillWithContents(++seed_);
    double longest = 0;
    for (int64_t i = 0; i < calls_; ++i) longest = std::max(longest, Call());
    return longest / 1e3;
  }

 private:
  // Returns the longest call that was made meanwhile.
  double TakeOne() {
    driver_.FillWithContents(++seed_);
    absl::Notification done;
    std::thread snapshot([&] {
      pause_ = OrDie(other_.CreateSnapshot()).session_pause();
      done.Notify();
    });
    double longest = 0;
    calls_ = 0;
    while (!done.HasBeenNotified()) {
      longest = std::max(longest, Call());
      ++calls_;
    }
    snapshot.join();
    return longest;
  }
  double Call() { return driver_.StoreTo(next_page_++ % kPagesStoredTo); }

  const ScratchDirectory scratch_;
  const ServerProcess server_;
  Driver driver_;
  client::Session other_;
  uint64_t seed_ = 0;
  uint64_t next_page_ = 0;
  // Of the last round with a snapshot.
  int64_t calls_ = 0;
  google::protobuf::Duration pause_;
};

}  // namespace

Comparison CompareSnapshotPause(const ComparisonLimits& limits) {
  SnapshotPauseBench bench;
  Comparison result = Compare(
      kSnapshotPauseName, "us", kWantedUs, [&] { return bench.Pause(); },
      [&] { return bench.OneCall(); }, limits);
  result.wanted_of = WantedOf::kOurs;
  return result;
}

Comparison CompareSnapshotLongestCall(const ComparisonLimits& limits) {
  SnapshotPauseBench bench;
  return Compare(
      kSnapshotLongestCallName, "us", std::nullopt,
      [&] { return bench.LongestCallMeanwhile(); },
      [&] { return bench.LongestCall(); }, limits);
}

}  // namespace faultline::bench
