#include "server/session/session.h"

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "server/codec/errors.h"
#include "server/limits.h"
#include "server/session/record.h"
#include "server/session/short_command.h"

namespace faultline {
namespace {

// What one turn executes before other sessions get theirs.
constexpr size_t kTurnCommands = 256;
// The same of a caller, who has something else to do.
constexpr size_t kCallersTurnCommands = 16;

size_t CommandsIn(const Session::Request& request) {
  const auto* run = std::get_if<Session::Run>(&request);
  return run == nullptr ? 1 : run->commands.size();
}

bool NeedsMachine(const Session::Request& request) {
  return std::holds_alternative<Session::Run>(request) ||
         std::holds_alternative<Session::Look>(request);
}

bool WantsThisThread(const Session::Request& request) {
  const auto* run = std::get_if<Session::Run>(&request);
  return run != nullptr && run->options.on_this_thread;
}

void Fail(Session::Request& request, absl::Status error) {
  std::visit([&](auto& r) { r.answer(std::move(error)); }, request);
}

}  // namespace

thread_local std::vector<std::shared_ptr<Session::InFlight>>*
    Session::answers_later_ = nullptr;

Session::Session(SessionContext& context, std::string id)
    : token_(context.outstanding),
      context_(context),
      id_(std::move(id)),
      name_(ResourceName(id_)) {}

bool Session::Enqueue(Request& request) {
  const size_t commands = CommandsIn(request);
  const bool on_this_thread = WantsThisThread(request);
  bool turn = false;
  {
    absl::MutexLock lock(&mutex_);
    if (retired_) return false;
    if (queued_commands_ == 0 ||
        queued_commands_ + commands <= limits::kQueuedCommandsPerSessionMax) {
      queued_commands_ += commands;
      queue_.push_back(std::move(request));
      if (!TakeTurn()) return true;
      turn = true;
    }
  }
  if (turn && on_this_thread) {
    WorkAsCaller();
  } else if (turn) {
    GiveTurn();
  } else {
    Fail(request,
         errors::QueueLimit(name_, static_cast<int64_t>(
                                       limits::kQueuedCommandsPerSessionMax)));
  }
  return true;
}

bool Session::TryRetire() {
  absl::MutexLock lock(&mutex_);
  if (turn_ || changing_ || !queue_.empty() || !in_flight_.empty()) {
    return false;
  }
  retired_ = true;
  return true;
}

void Session::Sleep() { live_.reset(); }

bool Session::MustSettle() const {
  return settling_ || append_failed_ || life_ == Life::kAsleep;
}

// True when there is something to do and nobody at it; the caller then gives
// the turn.
bool Session::TakeTurn() {
  if (turn_ || changing_) return false;
  if (!in_flight_.empty() && (queue_.empty() || MustSettle())) return false;
  if (queue_.empty() && !append_failed_ && (life_ == Life::kLive || retired_)) {
    return false;
  }
  turn_ = true;
  return true;
}

void Session::GiveTurn() {
  context_.workers.Submit(
      [self = shared_from_this()] { self->Work(Worker::kOurs); });
}

void Session::WorkAsCaller() {
  std::vector<std::shared_ptr<InFlight>> answers;
  answers_later_ = &answers;
  const absl::Cleanup answer = [&] {
    answers_later_ = nullptr;
    for (const std::shared_ptr<InFlight>& record : answers) {
      AnswerAppended(*record, absl::OkStatus());
    }
  };
  Work(Worker::kCaller);
}

void Session::Work(Worker worker) {
  size_t budget =
      worker == Worker::kCaller ? kCallersTurnCommands : kTurnCommands;
  while (true) {
    absl::optional<Request> request;
    std::unique_ptr<Live> stale;
    switch (ChooseNext(worker, budget, request, stale)) {
      case Next::kRequest:
        budget -= std::min(budget, CommandsIn(*request));
        std::visit([this](auto& r) { Do(std::move(r)); }, *request);
        break;
      case Next::kWake:
        context_.wakers.Submit(
            [self = shared_from_this()] { self->WakeSome(); });
        return;
      case Next::kYield:
        GiveTurn();
        return;
      case Next::kPark:
        return;
      case Next::kRetire:
        context_.sessions.Remove(*this);
        return;
    }
  }
}

Session::Next Session::ChooseNext(Worker worker, size_t budget,
                                  absl::optional<Request>& request,
                                  std::unique_ptr<Live>& stale) {
  absl::MutexLock lock(&mutex_);
  if (append_failed_ && in_flight_.empty()) {
    append_failed_ = false;
    stale = std::move(live_);
    if (life_ == Life::kLive) life_ = Life::kAsleep;
  }
  if (queue_.empty()) {
    turn_ = false;
    if (life_ == Life::kLive || changing_ || retired_ || !in_flight_.empty()) {
      return Next::kPark;
    }
    retired_ = true;  // it would only wait here for work
    return Next::kRetire;
  }
  if (changing_ || (MustSettle() && !in_flight_.empty())) {
    turn_ = false;
    return Next::kPark;
  }
  settling_ = false;
  if (budget == 0) return Next::kYield;
  if (life_ == Life::kAsleep && NeedsMachine(queue_.front())) {
    return Next::kWake;
  }
  if (worker == Worker::kCaller && !IsForCaller(queue_.front())) {
    return Next::kYield;
  }
  request = std::move(queue_.front());
  queue_.pop_front();
  queued_commands_ -= CommandsIn(*request);
  return Next::kRequest;
}

bool Session::IsForCaller(const Request& request) const {
  const auto* run = std::get_if<Run>(&request);
  if (run == nullptr || live_ == nullptr) return false;
  const std::string& sender = run->options.participant;
  return run->commands.size() == 1 && IsShort(run->commands.front()) &&
         (sender.empty() || live_->roles.contains(sender)) &&
         !MayBeRepeated(*run);
}

void Session::PutBack(Request request) {
  absl::MutexLock lock(&mutex_);
  queued_commands_ += CommandsIn(request);
  queue_.push_front(std::move(request));
  settling_ = true;
}

void Session::SetLife(Life life, std::string panic) {
  absl::MutexLock lock(&mutex_);
  life_ = life;
  panic_ = std::move(panic);
}

// There may be another session of this id by now: its are the rows.
bool Session::IsGone() const {
  absl::MutexLock lock(&mutex_);
  return life_ == Life::kGone;
}

// Closing and deleting need no machine and stay in the queue.
void Session::FailWaiting(const absl::Status& error) {
  std::vector<Request> failed;
  {
    absl::MutexLock lock(&mutex_);
    std::deque<Request> kept;
    for (Request& request : queue_) {
      if (NeedsMachine(request)) {
        queued_commands_ -= CommandsIn(request);
        failed.push_back(std::move(request));
      } else {
        kept.push_back(std::move(request));
      }
    }
    queue_ = std::move(kept);
  }
  for (Request& request : failed) Fail(request, CopyOf(error));
}

}  // namespace faultline
