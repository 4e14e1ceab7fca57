#include "tests/bench/service_access.h"

#include <grpcpp/client_context.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/stubs.h"
#include "tests/bench/or_die.h"
#include "tests/bench/service_process.h"

namespace faultline::bench {
namespace {

constexpr int kCallsPerRound = 4096;  // of all clients together
constexpr uint64_t kPageBytes = 4096;
constexpr uint32_t kPid = 1;
constexpr double kWantedRatio = 1.25;  // 0.8 of the empty service's rate

// A client with a connection of its own, that makes one call after the other.
class Caller {
 public:
  Caller(const std::string& address, const std::string& session)
      : connection_(address) {
    request_.set_session(session);
    request_.set_pid(kPid);
    request_.mutable_options()->set_event_level(v1::EVENT_LEVEL_FAULTS);
    request_.mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
    request_.mutable_access()->set_value(1);
  }

  // `calls` of them from `addr` on, one every `stride` bytes.
  void Start(int calls, uint64_t addr, uint64_t stride,
             absl::BlockingCounter& done) {
    calls_left_ = calls;
    stride_ = stride;
    done_ = &done;
    request_.mutable_access()->set_addr(addr);
    Call();
  }

  const v1::AccessResponse& response() const { return response_; }

 private:
  void Call() {
    context_ = std::make_unique<grpc::ClientContext>();
    client::Connection::SetDeadline(*context_, client::kDefaultDeadline);
    request_.mutable_options()->set_request_id(connection_.NewRequestId());
    connection_.stubs().machines.async()->Access(
        context_.get(), &request_, &response_,
        [this](const grpc::Status& status) { Called(status); });
  }

  void Called(const grpc::Status& status) {
    if (!status.ok()) Die(status.error_message());
    if (response_.outcome().accesses() != 1) Die("an Access did not succeed");
    if (--calls_left_ == 0) {
      done_->DecrementCount();
      return;
    }
    v1::Access& access = *request_.mutable_access();
    access.set_addr(access.addr() + stride_);
    Call();
  }

  client::Connection connection_;
  std::unique_ptr<grpc::ClientContext> context_;
  v1::AccessRequest request_;
  v1::AccessResponse response_;
  int calls_left_ = 0;
  uint64_t stride_ = 0;
  absl::BlockingCounter* done_ = nullptr;
};

// Where a client's pages are.
struct Area {
  client::Session session;
  uint64_t addr = 0;
};

class AccessBench {
 public:
  explicit AccessBench(const AccessMeasurement& measurement)
      : measurement_(measurement),
        calls_(kCallsPerRound / measurement.clients),
        stride_(measurement.fresh_pages ? kPageBytes : 0),
        ours_("faultline", {"serve", "--listen", "127.0.0.1:0", "--data",
                            absl::StrCat(scratch_.path(), "/data")}),
        client_(OrDie(client::Client::Connect(ours_.address()))) {
    for (int i = 0; i < measurement.clients; ++i) {
      if (i == 0 || measurement.own_sessions) {
        areas_.push_back({OrDie(client_.CreateSession({}))});
      } else {
        areas_.push_back({areas_.front().session});
      }
      our_callers_.push_back(std::make_unique<Caller>(
          ours_.address(), areas_.back().session.name()));
    }
    MapAreas();
    TouchAreas();
    Probe();
    echo_.emplace("bench_echo", std::vector<std::string>{ResponseFile()});
    for (const Area& area : areas_) {
      echo_callers_.push_back(
          std::make_unique<Caller>(echo_->address(), area.session.name()));
    }
  }

  double Ours() {
    if (measurement_.fresh_pages) MapAreas();
    const double time = Round(our_callers_);
    if (measurement_.fresh_pages) UnmapAreas();
    return time;
  }
  double Reference() { return Round(echo_callers_); }

 private:
  using Callers = std::vector<std::unique_ptr<Caller>>;

  std::string ResponseFile() const {
    return absl::StrCat(scratch_.path(), "/response");
  }
  uint64_t AreaBytes() const { return kPageBytes * (calls_ + 1); }

  void MapAreas() {
    v1::Mmap mmap;
    mmap.set_length(AreaBytes());
    mmap.set_prot(3);
    mmap.set_flags(0x22);
    for (Area& area : areas_) {
      area.addr = OrDie(area.session.Mmap(kPid, mmap)).value();
    }
  }
  void UnmapAreas() {
    for (Area& area : areas_) {
      Check(area.session.Munmap(kPid, area.addr, AreaBytes()).status());
    }
  }
  void TouchAreas() {
    if (measurement_.fresh_pages) return;
    for (Area& area : areas_) {
      Check(area.session.Store(kPid, area.addr, 1).status());
    }
  }

  // The empty service answers with what ours has answered.
  void Probe() {
    absl::BlockingCounter done(1);
    our_callers_.front()->Start(1, areas_.front().addr, 0, done);
    done.Wait();
    std::ofstream out(ResponseFile(), std::ios::binary);
    if (!our_callers_.front()->response().SerializeToOstream(&out)) {
      Die(absl::StrCat("cannot write ", ResponseFile()));
    }
    if (measurement_.fresh_pages) UnmapAreas();
  }

  double Round(const Callers& callers) {
    using Clock = std::chrono::steady_clock;
    absl::BlockingCounter done(measurement_.clients);
    const Clock::time_point start = Clock::now();
    for (size_t i = 0; i < callers.size(); ++i) {
      callers[i]->Start(calls_, areas_[i].addr, stride_, done);
    }
    done.Wait();
    const std::chrono::duration<double, std::nano> time = Clock::now() - start;
    return time.count() / (calls_ * measurement_.clients);
  }

  const AccessMeasurement& measurement_;
  const int calls_;  // of each client in a round
  const uint64_t stride_;
  const ScratchDirectory scratch_;
  const ServerProcess ours_;
  client::Client client_;
  std::vector<Area> areas_;  // of each client
  Callers our_callers_;
  std::optional<ServerProcess> echo_;
  Callers echo_callers_;
};

}  // namespace

const std::vector<AccessMeasurement>& AccessMeasurements() {
  static const auto& measurements = *new std::vector<AccessMeasurement>{
      {"unary_access_1_client", 1, false, false, kWantedRatio},
      {"unary_access_16_clients", 16, false, false, kWantedRatio},
      {"unary_access_16_sessions", 16, true, false, std::nullopt},
      {"unary_access_fresh_pages", 1, false, true, std::nullopt},
  };
  return measurements;
}

Comparison Compare(const AccessMeasurement& measurement,
                   const ComparisonLimits& limits) {
  AccessBench bench(measurement);
  return Compare(
      measurement.name, "ns/call", measurement.wanted,
      [&] { return bench.Ours(); }, [&] { return bench.Reference(); }, limits);
}

}  // namespace faultline::bench
