// A disk with one queue. Requests wait for their turn in simulated time; those
// that touch each other on the disk merge while they wait. Reads go first: the
// one who reads waits, the one who writes seldom does.
//
// The time of a request is a seek, unless it begins where the one before it
// ended, and the transfer (hw/cost.h). What has to happen when it is through
// is told by its bios; the device knows no file.
#ifndef FAULTLINE_SERVER_MACHINE_HW_BLOCK_DEVICE_H_
#define FAULTLINE_SERVER_MACHINE_HW_BLOCK_DEVICE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/machine/base/units.h"

namespace faultline {

inline constexpr uint64_t kSectorsPerPage = kPageSize / 512;

enum class BlockOp : uint8_t { kRead = 0, kWrite = 1 };

// struct bio: consecutive pages of one owner.
struct Bio {
  uint32_t owner = 0;
  uint64_t page = 0;
  uint64_t pages = 0;

  bool Has(uint32_t who, uint64_t index) const {
    return owner == who && index >= page && index - page < pages;
  }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.owner, s.page, s.pages);
  }
};

// struct request.
struct BlockRequest {
  BlockOp op = BlockOp::kRead;
  uint64_t sector = 0;
  uint64_t sectors = 0;
  uint64_t queued_ns = 0;
  uint64_t issued_ns = 0;
  std::vector<Bio> bios;

  uint64_t end() const { return sector + sectors; }
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.op, s.sector, s.sectors, s.queued_ns, s.issued_ns, s.bios);
  }
};

// The requests of one direction that wait, oldest first.
struct RequestQueue {
  std::vector<BlockRequest> requests;
  uint64_t first = 0;

  bool empty() const { return first == requests.size(); }
  uint64_t size() const { return requests.size() - first; }
  BlockRequest Pop();
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.requests, s.first);
  }
};

// struct disk_stats of one direction.
struct DiskStats {
  uint64_t ios = 0;
  uint64_t merges = 0;
  uint64_t sectors = 0;
  uint64_t wait_ns = 0;  // from queueing to completion, of all requests

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.ios, s.merges, s.sectors, s.wait_ns);
  }
};

class BlockDevice {
 public:
  // What the device did: a request was handed to it, or is through.
  struct Step {
    bool complete = false;
    uint64_t at_ns = 0;
    BlockRequest request;
  };

  // Queues a transfer; it waits until Start(). Merges it with a waiting
  // request that it goes on with (a back merge), within `max_sectors`; of the
  // youngest kMergeWindow requests.
  static constexpr int kMergeWindow = 32;
  void Submit(BlockOp op, uint64_t sector, const Bio& bio, uint64_t now,
              uint64_t max_sectors);
  // blk_finish_plug(): an idle device takes up its work.
  void Start(uint64_t now, std::vector<Step>* steps);
  // Does what is done by `now`; appends it to *steps.
  void RunTo(uint64_t now, std::vector<Step>* steps);
  // When the request on the device will be through. REQUIRES: busy().
  uint64_t busy_until() const { return complete_ns_; }
  bool busy() const { return busy_; }
  bool idle() const {
    return !busy_ && queues_[0].empty() && queues_[1].empty();
  }
  // Is this page on its way?
  bool Pending(BlockOp op, uint32_t owner, uint64_t index) const;
  bool Reading() const {
    return !queues_[0].empty() || (busy_ && current_.op == BlockOp::kRead);
  }

  const DiskStats& stats(BlockOp op) const {
    return stats_[static_cast<size_t>(op)];
  }
  uint64_t in_flight() const {
    return queues_[0].size() + queues_[1].size() + (busy_ ? 1 : 0);
  }
  uint64_t busy_ns() const { return busy_ns_; }

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.queues_, s.busy_, s.current_, s.complete_ns_, s.head_, s.stats_,
       s.busy_ns_);
  }

 private:
  // The waiting request that ends at `sector` and has room, or nullptr.
  BlockRequest* Mergeable(BlockOp op, uint64_t sector, uint64_t max_sectors);
  void Issue(uint64_t now, std::vector<Step>* steps);

  std::array<RequestQueue, 2> queues_;  // by BlockOp
  bool busy_ = false;
  BlockRequest current_;  // on the device, while it is busy
  uint64_t complete_ns_ = 0;
  uint64_t head_ = 0;  // the sector after the last transfer
  std::array<DiskStats, 2> stats_{};
  uint64_t busy_ns_ = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_HW_BLOCK_DEVICE_H_
