#include "client/cli/reference_string.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "faultline/v1/command.pb.h"

namespace faultline::cli {
namespace {

constexpr uint64_t kPageSize = 4096;

// The accesses of one process, with its page frame numbers as pages.
class Collector {
 public:
  Collector(uint32_t pid, v1::Profile profile)
      : pid_(pid), addresses_(Is32Bit(profile) ? UINT32_MAX : UINT64_MAX) {}

  absl::Status Add(const v1::Change& change) {
    const v1::Command& command = change.command();
    if (command.pid() != pid_) return absl::OkStatus();
    uint64_t left = change.outcome().accesses();
    if (left > kReferencesMax - references_.size()) {
      return absl::OutOfRangeError(
          absl::StrCat("process ", pid_, " made more than ", kReferencesMax,
                       " accesses up to revision ", change.revision(),
                       ": branch the session earlier, and ask for the branch"));
    }
    if (command.has_access()) {
      const v1::Access& access = command.access();
      Entry(access.kind(), access.addr(),
            access.has_stride() ? access.stride() : kPageSize, left);
    } else if (command.has_access_many()) {
      AddMany(command.access_many(), left);
    }
    return absl::OkStatus();
  }

  std::vector<Reference> Take() { return std::move(references_); }

 private:
  void Entry(v1::AccessKind kind, uint64_t addr, uint64_t stride,
             uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      references_.push_back({((addr + i * stride) & addresses_) / kPageSize,
                             kind == v1::ACCESS_KIND_WRITE});
    }
  }
  void AddMany(const v1::AccessMany& many, uint64_t left) {
    for (int i = 0; i < many.addr_size() && left > 0; ++i) {
      const uint64_t count = std::min(left, Column(many.count(), i, 1));
      Entry(many.kind(many.kind_size() == 1 ? 0 : i),
            many.base() + many.addr(i), Column(many.stride(), i, kPageSize),
            count);
      left -= count;
    }
  }
  // Entry `i` of a column that has one value for all, one for each, or none.
  template <class Values>
  static uint64_t Column(const Values& column, int i, uint64_t otherwise) {
    if (column.empty()) return otherwise;
    return column[column.size() == 1 ? 0 : i];
  }

  static bool Is32Bit(v1::Profile profile) {
    return profile == v1::PROFILE_I386_PAE || profile == v1::PROFILE_I386;
  }

  const uint32_t pid_;
  const uint64_t addresses_;  // they wrap
  std::vector<Reference> references_;
};

// Numbers the pages from 0 up in their order; returns how many there are.
size_t NumberPages(std::vector<Reference>& references) {
  std::vector<uint64_t> pages;
  for (const Reference& one : references) pages.push_back(one.page);
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  for (Reference& one : references) {
    const auto at = std::lower_bound(pages.begin(), pages.end(), one.page);
    one.page = static_cast<uint64_t>(at - pages.begin());
  }
  return pages.size();
}

}  // namespace

absl::StatusOr<std::vector<Reference>> ParseReferences(
    const std::vector<std::string>& words) {
  std::vector<Reference> references;
  for (const std::string& word : words) {
    absl::string_view digits = word;
    Reference one;
    one.write = absl::ConsumeSuffix(&digits, "w");
    if (!absl::SimpleAtoi(digits, &one.page) || one.page >= kPagesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", word, "' is no page: write a number from 0 to ",
                       kPagesMax - 1, ", with a w behind it for a store"));
    }
    references.push_back(one);
  }
  return references;
}

absl::StatusOr<std::vector<Reference>> RecordedReferences(Recording& recording,
                                                          uint32_t pid) {
  const v1::Session& session = recording.session();
  Collector collector(pid, session.config().profile());
  absl::Status status = recording.ForEachChange(
      {1, session.revision()}, v1::EVENT_LEVEL_NONE,
      [&](const v1::Change& change) { return collector.Add(change); });
  if (!status.ok()) return status;
  std::vector<Reference> references = collector.Take();
  if (references.empty()) {
    return absl::NotFoundError(
        absl::StrCat(session.name(), ": process ", pid,
                     " accessed nothing: name another with --pid"));
  }
  const size_t pages = NumberPages(references);
  if (pages > kPagesMax) {
    return absl::OutOfRangeError(
        absl::StrCat(session.name(), ": process ", pid, " accessed ", pages,
                     " pages; the table takes ", kPagesMax));
  }
  return references;
}

}  // namespace faultline::cli
