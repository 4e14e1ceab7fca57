#include "client/cpp/runner.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "client/cpp/error.h"
#include "client/cpp/stubs.h"

namespace faultline::client {
namespace {

constexpr int kBatchesInFlightMax = 8;

// Item i of a column; a column of zeros is left out.
template <class Column>
auto At(const Column& column, int i) {
  return i < column.size() ? column[i] : typename Column::value_type{};
}

v1::Outcome Unpacked(const v1::PackedOutcomes& packed, int i) {
  const auto whole = packed.whole().find(i);
  if (whole != packed.whole().end()) return whole->second;
  v1::Outcome outcome;
  outcome.set_value(At(packed.value(), i));
  outcome.set_error(static_cast<v1::Errno>(At(packed.error(), i)));
  outcome.set_min_flt(At(packed.min_flt(), i));
  outcome.set_maj_flt(At(packed.maj_flt(), i));
  outcome.set_accesses(At(packed.accesses(), i));
  outcome.set_cost_ns(At(packed.cost_ns(), i));
  return outcome;
}

}  // namespace

std::vector<v1::Outcome> RunAnswer::Outcomes() const {
  std::vector<v1::Outcome> outcomes;
  for (const v1::RunResponse& part : parts) {
    outcomes.insert(outcomes.end(), part.outcomes().begin(),
                    part.outcomes().end());
    for (int i = 0; i < part.packed().count(); ++i) {
      outcomes.push_back(Unpacked(part.packed(), i));
    }
  }
  return outcomes;
}

Runner::Runner(std::shared_ptr<Connection> connection, std::string session,
               const RunSettings& settings)
    : connection_(std::move(connection)),
      session_(std::move(session)),
      settings_(settings) {
  settings_.batches_in_flight =
      std::clamp(settings_.batches_in_flight, 1, kBatchesInFlightMax);
}

Runner::~Runner() {
  if (stream_ == nullptr) return;
  context_->TryCancel();
  stream_->Finish().error_code();  // whatever it says comes too late
}

absl::Status Runner::Send(v1::RunRequest batch) {
  while (status_.ok() &&
         sent_.size() >= static_cast<size_t>(settings_.batches_in_flight)) {
    ReadAnswer();
  }
  if (!status_.ok()) return status_;
  batch.set_session(session_);
  batch.set_packed(settings_.packed);
  batch.mutable_options()->set_event_level(settings_.event_level);
  if (batch.options().request_id().empty()) {
    batch.mutable_options()->set_request_id(connection_->NewRequestId());
  }
  if (stream_ == nullptr) Open();
  sent_.push_back(std::move(batch));
  // When the stream is over, reading tells why and goes on with another.
  stream_->Write(sent_.back());
  return absl::OkStatus();
}

absl::StatusOr<RunAnswer> Runner::Next() {
  if (answers_.empty() && sent_.empty()) {
    if (!status_.ok()) return status_;
    return absl::OutOfRangeError("every batch that was sent has its answer");
  }
  if (answers_.empty() && status_.ok()) ReadAnswer();
  if (answers_.empty()) return status_;
  RunAnswer answer = std::move(answers_.front());
  answers_.pop_front();
  return answer;
}

void Runner::Open() {
  context_ = std::make_unique<grpc::ClientContext>();
  Connection::SetDeadline(*context_, settings_.deadline);
  stream_ = connection_->stubs().machines.Run(context_.get());
}

void Runner::Recover() {
  status_ = FromGrpc(stream_->Finish(), connection_->address());
  stream_.reset();
  if (!absl::IsUnavailable(status_) || attempts_ + 1 >= kAttemptsMax) return;
  absl::SleepFor(Connection::Backoff(attempts_++, status_));
  status_ = absl::OkStatus();
  Open();
  for (const v1::RunRequest& batch : sent_) {
    if (!stream_->Write(batch)) break;
  }
}

void Runner::ReadAnswer() {
  RunAnswer answer;
  do {
    v1::RunResponse response;
    if (stream_->Read(&response)) {
      answer.parts.push_back(std::move(response));
      continue;
    }
    answer.parts.clear();
    Recover();
    if (!status_.ok()) return;
  } while (answer.parts.empty() || !answer.parts.back().last());
  attempts_ = 0;
  answer.revision = answer.parts.back().revision();
  answers_.push_back(std::move(answer));
  sent_.pop_front();
}

}  // namespace faultline::client
