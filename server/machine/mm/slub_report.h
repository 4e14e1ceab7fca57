// What the slab allocator writes to the log, in Linux's words.
#ifndef FAULTLINE_SERVER_MACHINE_MM_SLUB_REPORT_H_
#define FAULTLINE_SERVER_MACHINE_MM_SLUB_REPORT_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"

namespace faultline {

enum class ShowObject : uint8_t { kNo, kYes };

// Collects what one call has to say, and says it as one message at its end.
class SlubLog {
 public:
  SlubLog(Kernel& k, const KmemCache& s) : k_(k), s_(s) {}
  SlubLog(const SlubLog&) = delete;
  SlubLog& operator=(const SlubLog&) = delete;
  ~SlubLog();

  // object_err(), slab_fix()
  void ObjectError(const Slab& slab, uint64_t object, const char* reason);
  void Fix(const std::string& what);

  // check_bytes_and_report(): bytes [first, end) are not `value` any more.
  struct Damage {
    const char* what;
    uint64_t first, end;
    uint8_t value;
  };
  void Overwritten(const Slab& slab, uint64_t object, const Damage& damage,
                   ShowObject show);
  // slab_pad_check()
  void SlabPadding(const Slab& slab, uint64_t first, uint64_t end);
  // free_consistency_checks()
  void InvalidObject(const Slab& slab, uint64_t object);
  void NotFreed(uint64_t object);
  // list_slab_objects(), kmem_cache_destroy()
  void ObjectsRemaining(const Slab& slab);
  void StillHasObjects();

 private:
  [[gnu::format(printf, 2, 3)]] void Add(const char* format, ...);
  std::string Hex(uint64_t addr) const;  // 0x and all digits
  void Heading(const std::string& reason);
  void SlabInfo(const Slab& slab);
  void Trailer(const Slab& slab, uint64_t object);
  void Tracking(uint64_t object);
  // print_section()
  void Section(const char* text, uint64_t addr, uint64_t bytes);

  Kernel& k_;
  const KmemCache& s_;
  std::string text_;
};

// slab_out_of_memory(), with what the page allocator says first.
std::string SlabOutOfMemory(const Kernel& k, const KmemCache& s, uint32_t gfp);
// kmalloc_fix_flags()
std::string FixGfpReport(const Kernel& k, uint32_t gfp, uint32_t bad);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_SLUB_REPORT_H_
