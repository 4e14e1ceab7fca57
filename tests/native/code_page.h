// The machine code that runs in an observed process, and the ELF file of one
// page that it is exec'ed from.

#ifndef FAULTLINE_TESTS_NATIVE_CODE_PAGE_H_
#define FAULTLINE_TESTS_NATIVE_CODE_PAGE_H_

#include <array>
#include <cstdint>
#include <string>

namespace faultline::native {

// Where each stub starts in the page. Each ends with int3.
inline constexpr uint64_t kSyscallStub = 0x100;    // As the system call.
inline constexpr uint64_t kLoadStub = 0x110;       // al = [rdi]
inline constexpr uint64_t kStoreStub = 0x120;      // [rdi] = sil
inline constexpr uint64_t kLoadLoopStub = 0x130;   // rcx times, rdi += rdx
inline constexpr uint64_t kStoreLoopStub = 0x140;  // rcx times, rdi += rdx
inline constexpr uint64_t kTrapStub = 0x150;       // int3 alone

// The page with all stubs.
std::array<uint8_t, 4096> CodePage();

inline constexpr uint64_t kElfBase = 0x555555554000;

// A static ELF file: one r-x segment of one page at kElfBase, which holds the
// headers and the stubs; it starts at the trap.
std::string ElfImage();

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_CODE_PAGE_H_
