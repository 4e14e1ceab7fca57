#include "server/service/drain.h"

namespace faultline {

void DrainList::Add(Drainable* one) {
  absl::MutexLock lock(&mutex_);
  all_.insert(one);
  if (started_) one->Drain();
}

void DrainList::Remove(Drainable* one) {
  absl::MutexLock lock(&mutex_);
  all_.erase(one);
}

void DrainList::Start() {
  absl::MutexLock lock(&mutex_);
  if (started_) return;
  started_ = true;
  for (Drainable* one : all_) one->Drain();
}

bool DrainList::started() const {
  absl::MutexLock lock(&mutex_);
  return started_;
}

}  // namespace faultline
