#include "tests/storage/fault_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>

namespace faultline::storage {
namespace {

constexpr char kName[] = "faultline-fault";

// What the running test wants. SQLite calls from several threads.
struct Plan {
  std::atomic<int64_t> changes_left{0};  // until the fault; 0 is never
  std::atomic<bool> forever{false};
  std::atomic<bool> failed{false};
  std::atomic<int> write_result{SQLITE_FULL};
  std::atomic<int64_t> log_syncs{0};
};

Plan& ThePlan() {
  static Plan plan;
  return plan;
}

// Whether the change that is about to happen must fail.
bool FailNow() {
  Plan& plan = ThePlan();
  if (plan.failed && plan.forever) return true;
  if (plan.changes_left == 0 || --plan.changes_left != 0) return false;
  plan.failed = true;
  return true;
}

// A file of ours, in front of the default VFS's own.
struct File {
  sqlite3_file base;
  bool is_log;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* Ours(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* Real(sqlite3_file* file) { return Ours(file)->real(); }
sqlite3_vfs* RealVfs(sqlite3_vfs* vfs) {
  return static_cast<sqlite3_vfs*>(vfs->pAppData);
}

int Close(sqlite3_file* file) {
  return Real(file)->pMethods->xClose(Real(file));
}
int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  return Real(file)->pMethods->xRead(Real(file), to, size, offset);
}
int Write(sqlite3_file* file, const void* from, int size,
          sqlite3_int64 offset) {
  if (FailNow()) return ThePlan().write_result;
  return Real(file)->pMethods->xWrite(Real(file), from, size, offset);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (FailNow()) return SQLITE_IOERR_TRUNCATE;
  return Real(file)->pMethods->xTruncate(Real(file), size);
}
int Sync(sqlite3_file* file, int flags) {
  if (FailNow()) return SQLITE_IOERR_FSYNC;
  const int result = Real(file)->pMethods->xSync(Real(file), flags);
  if (result == SQLITE_OK && Ours(file)->is_log) ++ThePlan().log_syncs;
  return result;
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Real(file)->pMethods->xFileSize(Real(file), size);
}
int Lock(sqlite3_file* file, int level) {
  return Real(file)->pMethods->xLock(Real(file), level);
}
int Unlock(sqlite3_file* file, int level) {
  return Real(file)->pMethods->xUnlock(Real(file), level);
}
int CheckReservedLock(sqlite3_file* file, int* result) {
  return Real(file)->pMethods->xCheckReservedLock(Real(file), result);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
  return Real(file)->pMethods->xFileControl(Real(file), operation, argument);
}
int SectorSize(sqlite3_file* file) {
  return Real(file)->pMethods->xSectorSize(Real(file));
}
int DeviceCharacteristics(sqlite3_file* file) {
  return Real(file)->pMethods->xDeviceCharacteristics(Real(file));
}
int ShmMap(sqlite3_file* file, int page, int size, int extend,
           void volatile** memory) {
  return Real(file)->pMethods->xShmMap(Real(file), page, size, extend, memory);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return Real(file)->pMethods->xShmLock(Real(file), offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) {
  Real(file)->pMethods->xShmBarrier(Real(file));
}
int ShmUnmap(sqlite3_file* file, int remove) {
  return Real(file)->pMethods->xShmUnmap(Real(file), remove);
}

constexpr sqlite3_io_methods kMethods = {2,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         FileSize,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         FileControl,
                                         SectorSize,
                                         DeviceCharacteristics,
                                         ShmMap,
                                         ShmLock,
                                         ShmBarrier,
                                         ShmUnmap,
                                         nullptr,
                                         nullptr};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
         int* out_flags) {
  Ours(file)->is_log = (flags & SQLITE_OPEN_WAL) != 0;
  const int result =
      RealVfs(vfs)->xOpen(RealVfs(vfs), name, Real(file), flags, out_flags);
  // SQLite closes a file exactly when it has methods.
  file->pMethods = Real(file)->pMethods == nullptr ? nullptr : &kMethods;
  return result;
}

}  // namespace

FaultVfs::FaultVfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs* real = sqlite3_vfs_find(nullptr);
    sqlite3_vfs ours = *real;  // all but opening files is the default's
    ours.zName = kName;
    ours.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
    ours.pAppData = real;
    ours.pNext = nullptr;
    ours.xOpen = Open;
    return ours;
  }();
  sqlite3_vfs_register(&vfs, /*makeDflt=*/0);
  Heal();
  ThePlan().log_syncs = 0;
}

FaultVfs::~FaultVfs() { Heal(); }

std::string FaultVfs::name() const { return kName; }

void FaultVfs::FailChange(int64_t nth, Fault fault, Times times) {
  Heal();
  ThePlan().write_result =
      fault == Fault::kDiskFull ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  ThePlan().forever = times == Times::kForever;
  ThePlan().changes_left = nth;
}

void FaultVfs::Heal() {
  ThePlan().changes_left = 0;
  ThePlan().forever = false;
  ThePlan().failed = false;
}

bool FaultVfs::failed() const { return ThePlan().failed; }

int64_t FaultVfs::log_syncs() const { return ThePlan().log_syncs; }

}  // namespace faultline::storage
