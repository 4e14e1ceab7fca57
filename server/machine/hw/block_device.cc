#include "server/machine/hw/block_device.h"

#include <algorithm>
#include <utility>

#include "server/machine/hw/cost.h"

namespace faultline {
namespace {

bool Holds(const BlockRequest& request, uint32_t owner, uint64_t index) {
  return std::any_of(request.bios.begin(), request.bios.end(),
                     [&](const Bio& bio) { return bio.Has(owner, index); });
}

}  // namespace

BlockRequest RequestQueue::Pop() {
  BlockRequest request = std::move(requests[first++]);
  if (first * 2 > requests.size()) {
    requests.erase(requests.begin(),
                   requests.begin() + static_cast<ptrdiff_t>(first));
    first = 0;
  }
  return request;
}

BlockRequest* BlockDevice::Mergeable(BlockOp op, uint64_t sector,
                                     uint64_t max_sectors) {
  RequestQueue& queue = queues_[static_cast<size_t>(op)];
  const uint64_t window = std::min<uint64_t>(queue.size(), kMergeWindow);
  for (uint64_t i = 1; i <= window; i++) {
    BlockRequest& request = queue.requests[queue.requests.size() - i];
    if (request.end() == sector && request.sectors < max_sectors) {
      return &request;
    }
  }
  return nullptr;
}

void BlockDevice::Submit(BlockOp op, uint64_t sector, const Bio& bio,
                         uint64_t now, uint64_t max_sectors) {
  Bio rest = bio;
  while (rest.pages > 0) {
    BlockRequest* request = Mergeable(op, sector, max_sectors);
    if (request != nullptr) {
      stats_[static_cast<size_t>(op)].merges++;
    } else {
      auto& requests = queues_[static_cast<size_t>(op)].requests;
      requests.push_back({.op = op,
                          .sector = sector,
                          .sectors = 0,
                          .queued_ns = now,
                          .issued_ns = 0,
                          .bios = {}});
      request = &requests.back();
    }
    const uint64_t room = (max_sectors - request->sectors) / kSectorsPerPage;
    const uint64_t pages = std::min(rest.pages, room);
    request->sectors += pages * kSectorsPerPage;
    request->bios.push_back({rest.owner, rest.page, pages});
    sector += pages * kSectorsPerPage;
    rest.page += pages;
    rest.pages -= pages;
  }
}

void BlockDevice::Issue(uint64_t now, std::vector<Step>* steps) {
  for (auto& queue : queues_) {
    if (queue.empty()) continue;
    current_ = queue.Pop();
    current_.issued_ns = now;
    const uint64_t seek = current_.sector == head_ ? 0 : cost::kDiskSeek;
    const uint64_t transfer =
        current_.sectors / kSectorsPerPage * cost::kDiskPage;
    complete_ns_ = now + seek + transfer;
    busy_ns_ += seek + transfer;
    head_ = current_.end();
    busy_ = true;
    steps->push_back({false, now, current_});
    return;
  }
}

void BlockDevice::Start(uint64_t now, std::vector<Step>* steps) {
  if (!busy_) Issue(now, steps);
}

void BlockDevice::RunTo(uint64_t now, std::vector<Step>* steps) {
  while (busy_ && complete_ns_ <= now) {
    DiskStats& stats = stats_[static_cast<size_t>(current_.op)];
    stats.ios++;
    stats.sectors += current_.sectors;
    stats.wait_ns += complete_ns_ - current_.queued_ns;
    busy_ = false;
    steps->push_back({true, complete_ns_, std::exchange(current_, {})});
    Issue(complete_ns_, steps);
  }
}

bool BlockDevice::Pending(BlockOp op, uint32_t owner, uint64_t index) const {
  if (busy_ && current_.op == op && Holds(current_, owner, index)) return true;
  const RequestQueue& queue = queues_[static_cast<size_t>(op)];
  return std::any_of(
      queue.requests.begin() + static_cast<ptrdiff_t>(queue.first),
      queue.requests.end(),
      [&](const BlockRequest& r) { return Holds(r, owner, index); });
}

}  // namespace faultline
