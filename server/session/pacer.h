// Keeps a kind of work within so many turns and bytes a second.
#ifndef FAULTLINE_SERVER_SESSION_PACER_H_
#define FAULTLINE_SERVER_SESSION_PACER_H_

#include <algorithm>
#include <cstddef>

#include "absl/time/time.h"

namespace faultline {

// Not thread-safe. Each turn takes time on an account that fills by itself; a
// rest is good for some turns at once.
class Pacer {
 public:
  struct Rates {
    double turns_per_second;
    double bytes_per_second;
    double turns_burst;
  };
  explicit Pacer(const Rates& rates)
      : rates_(rates), burst_(Turns(rates.turns_burst)) {}

  bool MayTake(absl::Time now) const {
    // The clock may have been set back.
    return now >= next_ || next_ - now > kDebtMax;
  }
  // The earliest time for a next turn, a little later than it could be: several
  // turns at once cost less than as many wakings.
  absl::Time WakeAt() const { return next_ + kTick; }
  void Take(size_t bytes, absl::Time now) {
    if (next_ - now > kDebtMax) next_ = now;
    next_ = std::max(next_, now - burst_) + Turns(1) +
            absl::Seconds(static_cast<double>(bytes) / rates_.bytes_per_second);
  }

 private:
  static constexpr absl::Duration kTick = absl::Milliseconds(5);
  static constexpr absl::Duration kDebtMax = absl::Seconds(5);
  absl::Duration Turns(double turns) const {
    return absl::Seconds(turns / rates_.turns_per_second);
  }

  const Rates rates_;
  const absl::Duration burst_;
  absl::Time next_ = absl::InfinitePast();
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_PACER_H_
