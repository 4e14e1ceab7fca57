// The simulated kernel's errors. An Errno is data: it is what a system call
// returned to the simulated program, never a failure of the service.
#ifndef FAULTLINE_SERVER_MACHINE_BASE_ERRNO_H_
#define FAULTLINE_SERVER_MACHINE_BASE_ERRNO_H_

#include <cstdint>
#include <string_view>
#include <utility>

namespace faultline {

// The values are Linux's (asm-generic/errno-base.h, errno.h).
enum class Errno : uint16_t {
  kOk = 0,
  kEPERM = 1,
  kENOENT = 2,
  kESRCH = 3,
  kEINTR = 4,
  kEIO = 5,
  kENXIO = 6,
  kE2BIG = 7,
  kENOEXEC = 8,
  kEBADF = 9,
  kECHILD = 10,
  kEAGAIN = 11,
  kENOMEM = 12,
  kEACCES = 13,
  kEFAULT = 14,
  kEBUSY = 16,
  kEEXIST = 17,
  kENODEV = 19,
  kENOTDIR = 20,
  kEISDIR = 21,
  kEINVAL = 22,
  kENFILE = 23,
  kEMFILE = 24,
  kENOTTY = 25,
  kETXTBSY = 26,
  kEFBIG = 27,
  kENOSPC = 28,
  kESPIPE = 29,
  kEROFS = 30,
  kENOSYS = 38,
  kELIBBAD = 80,
  kEOVERFLOW = 75,
  kEOPNOTSUPP = 95,
};

// "ENOMEM", or "" for kOk and for numbers this kernel never returns.
std::string_view ErrnoName(Errno e);

// A value or the errno that stands in its place. g++ 12 has no std::expected
// in C++20; this is the part of it that a kernel needs. T has a default value.
template <class T>
class [[nodiscard]] ErrnoOr {
 public:
  ErrnoOr(Errno e) : error_(e) {}                 // NOLINT: implicit by design
  ErrnoOr(T value) : value_(std::move(value)) {}  // NOLINT: implicit by design
  bool ok() const { return error_ == Errno::kOk; }
  Errno error() const { return error_; }
  T& value() { return value_; }
  const T& value() const { return value_; }

 private:
  T value_{};
  Errno error_ = Errno::kOk;
};

// Returns from the enclosing function when `expr` (an Errno) is an error.
#define FL_TRY(expr)                                                       \
  do {                                                                     \
    if (::faultline::Errno fl_e = (expr); fl_e != ::faultline::Errno::kOk) \
      return fl_e;                                                         \
  } while (0)

// The value of `expr` (an ErrnoOr<T>), or a return of its errno.
#define FL_TRY_VALUE(expr)               \
  __extension__({                        \
    auto fl_r = (expr);                  \
    if (!fl_r.ok()) return fl_r.error(); \
    std::move(fl_r.value());             \
  })

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_BASE_ERRNO_H_
