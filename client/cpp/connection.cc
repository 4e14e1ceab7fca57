#include "client/cpp/connection.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/cpp/diagnosis.h"
#include "client/cpp/error.h"
#include "client/cpp/stubs.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

namespace faultline::client {
namespace {

// A dead peer is noticed within this, also while no call is in flight. The
// server allows pings this often.
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
constexpr int kConnectBackoffMs = 100;
constexpr int kConnectBackoffMaxMs = 2'000;

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kConnectBackoffMs);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kConnectBackoffMaxMs);
  // A connection of its own: one client's trouble is not another's.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (IsLoopback(address)) args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetUserAgentPrefix("faultline-cpp");
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   args);
}

uint64_t RandomWord() {
  thread_local std::mt19937_64 generator{
      (static_cast<uint64_t>(std::random_device{}()) << 32) ^
      std::random_device{}()};
  return generator();
}

}  // namespace

Connection::Connection(std::string address)
    : address_(std::move(address)),
      stubs_(std::make_unique<Stubs>(MakeChannel(address_))),
      id_prefix_(absl::StrFormat("%016x", RandomWord())) {}

Connection::~Connection() = default;

absl::Status Connection::Call(
    absl::Duration deadline, Repeat repeat,
    const std::function<grpc::Status(grpc::ClientContext&)>& attempt) {
  const absl::Time end = absl::Now() + deadline;
  for (int i = 0;; ++i) {
    grpc::ClientContext context;
    SetDeadline(context, end - absl::Now());
    absl::Status status = FromGrpc(attempt(context), address_);
    if (!absl::IsUnavailable(status) || repeat == Repeat::kNo ||
        i + 1 >= kAttemptsMax) {
      return status;
    }
    const absl::Duration wait = Backoff(i, status);
    if (absl::Now() + wait >= end) return status;
    absl::SleepFor(wait);
  }
}

// Doubled per attempt, varied by a fifth, and not below what the server asked
// for.
absl::Duration Connection::Backoff(int attempt, const absl::Status& status) {
  constexpr int kDoublingsMax = 16;
  const absl::Duration base = std::min(
      kFirstBackoff * (1 << std::min(attempt, kDoublingsMax)), kLastBackoff);
  const double factor =
      0.8 + 0.4 * static_cast<double>(RandomWord() % 1000) / 1000.0;
  absl::Duration wait = base * factor;
  if (const auto details = DetailsOf(status)) {
    wait = std::max(wait, details->retry_delay.value_or(wait));
  }
  return wait;
}

std::string Connection::NewRequestId() {
  return absl::StrFormat("%s-%d", id_prefix_, next_id_.fetch_add(1));
}

void Connection::SetDeadline(grpc::ClientContext& context,
                             absl::Duration deadline) {
  context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
}

}  // namespace faultline::client
