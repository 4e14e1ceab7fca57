// An SQLite VFS that passes everything on to the default one and fails the
// operation it is told to: a disk that is full or broken, on demand.
#ifndef FAULTLINE_TESTS_STORAGE_FAULT_VFS_H_
#define FAULTLINE_TESTS_STORAGE_FAULT_VFS_H_

#include <cstdint>
#include <string>

namespace faultline::storage {

// One at a time in a process. Everything is reset when it is constructed.
class FaultVfs {
 public:
  enum class Fault { kDiskFull, kIoError };
  enum class Times { kOnce, kForever };

  FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;
  ~FaultVfs();

  // For Store::Options::vfs.
  std::string name() const;

  // Fails the `nth` operation from now on (1 is the next) that changes a file:
  // a write, a sync, a truncation. kForever fails all after it, too.
  void FailChange(int64_t nth, Fault fault, Times times);
  void Heal();

  // Whether an operation was failed since the last FailChange.
  bool failed() const;
  // Syncs of a write-ahead log that succeeded.
  int64_t log_syncs() const;
};

}  // namespace faultline::storage

#endif  // FAULTLINE_TESTS_STORAGE_FAULT_VFS_H_
