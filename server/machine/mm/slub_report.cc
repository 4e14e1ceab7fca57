// Models mm/slub.c (v6.18): slab_bug(), print_trailer(), print_tracking(),
// check_bytes_and_report(), slab_out_of_memory(); lib/hexdump.c:
// print_hex_dump(); kernel/panic.c: print_tainted(). Until 6.14 the heading
// named what was overwritten. Departures: D31 (no stack trace), D42.
#include "server/machine/mm/slub_report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "server/machine/mm/kernel_report.h"
#include "server/machine/mm/page_alloc.h"
#include "server/machine/mm/show_mem.h"
#include "server/machine/mm/slub.h"
#include "server/machine/mm/slub_debug.h"
#include "server/machine/mm/slub_geometry.h"

namespace faultline {
namespace {

using ull = unsigned long long;

bool Is61(const Kernel& k) {
  return k.config.personality == Personality::kLinux61;
}

// print_tainted(): a letter for each taint flag; B is a bad page.
std::string Tainted(const Kernel& k) {
  if (!k.slub.tainted) return "Not tainted";
  constexpr size_t kFlags61 = 19, kFlags618 = 20;
  std::string letters = "G    B";
  letters.resize(Is61(k) ? kFlags61 : kFlags618, ' ');
  return "Tainted: " + letters;
}

}  // namespace

SlubLog::~SlubLog() {
  if (!text_.empty()) k_.Emit(EventLevel::kFaults, Console{std::move(text_)});
}

void SlubLog::Add(const char* format, ...) {
  char line[256];
  va_list args;
  va_start(args, format);
  const int n = std::vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (n > 0) text_.append(line, std::min<size_t>(n, sizeof line - 1));
}

std::string SlubLog::Hex(uint64_t addr) const {
  return "0x" + PointerText(k_, addr);
}

void SlubLog::Heading(const std::string& reason) {
  constexpr size_t kRule = 77;
  text_ += std::string(kRule, '=') + "\nBUG " + s_.name + " (" + Tainted(k_) +
           "): " + reason + "\n" + std::string(kRule, '-') + "\n\n";
  k_.slub.tainted = true;
}

void SlubLog::Fix(const std::string& what) {
  text_ += "FIX " + s_.name + ": " + what + "\n";
}

void SlubLog::SlabInfo(const Slab& slab) {
  const Kernel& k = k_;
  Add("Slab %s objects=%u used=%u fp=%s flags=%s\n",
      Hex(StructPageOf(k, slab.pfn)).c_str(), slab.objects, slab.inuse,
      Hex(slab.freelist).c_str(),
      PageFlagsText(k, slab.pfn, k.page(slab.pfn)).c_str());
}

void SlubLog::Tracking(uint64_t object) {
  if (!s_.Has(slab_flag::kStoreUser)) return;
  for (TrackOf which : {TrackOf::kAlloc, TrackOf::kFree}) {
    const SlabTrack t = GetTrack(k_, s_, object, which);
    if (t.addr == 0) continue;
    Add("%s in %s age=%llu cpu=%u pid=%u\n",
        which == TrackOf::kAlloc ? "Allocated" : "Freed",
        CallerName(k_, t.addr), ull{Jiffies(k_) - t.when}, t.cpu, t.pid);
  }
}

void SlubLog::Section(const char* text, uint64_t addr, uint64_t bytes) {
  constexpr uint64_t kRow = 16;
  constexpr size_t kAsciiColumn = 49;
  for (uint64_t at = 0; at < bytes; at += kRow) {
    std::string hex, ascii;
    for (uint64_t i = at; i < std::min(bytes, at + kRow); i++) {
      const uint8_t byte = ReadByte(k_, addr + i);
      char two[4];
      std::snprintf(two, sizeof two, "%02x ", byte);
      hex += two;
      ascii += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
    }
    hex.resize(kAsciiColumn, ' ');
    text_ += text + PointerText(k_, addr + at) + ": " + hex + ascii + "\n";
  }
}

void SlubLog::Trailer(const Slab& slab, uint64_t object) {
  const SlabGeometry& g = s_.geometry;
  const uint64_t start = VirtOf(k_, slab.pfn);
  Tracking(object);
  SlabInfo(slab);
  Add("Object %s @offset=%llu fp=%s\n\n", Hex(object).c_str(),
      ull{object - start}, Hex(GetFreePointer(k_, s_, object)).c_str());
  constexpr uint64_t kBefore = 16;
  if (s_.Has(slab_flag::kRedZone)) {
    Section("Redzone  ", object - g.red_left_pad, g.red_left_pad);
  } else if (object > start + kBefore) {
    Section("Bytes b4 ", object - kBefore, kBefore);
  }
  Section("Object   ", object, std::min<uint64_t>(g.object_size, kPageSize));
  if (s_.Has(slab_flag::kRedZone)) {
    Section("Redzone  ", object + g.object_size, g.inuse - g.object_size);
  }
  const uint32_t from = PaddingStart(k_, s_);
  const uint32_t end = g.size - g.red_left_pad;
  if (from < end) Section("Padding  ", object + from, end - from);
}

void SlubLog::ObjectError(const Slab& slab, uint64_t object,
                          const char* reason) {
  Heading(reason);
  Trailer(slab, object);
}

void SlubLog::Overwritten(const Slab& slab, uint64_t object,
                          const Damage& damage, ShowObject show) {
  const std::string what = damage.what;
  if (Is61(k_)) Heading(what + " overwritten");
  if (!Is61(k_)) text_ += "[" + what + " overwritten] ";
  Add("%s-%s @offset=%llu. First byte 0x%x instead of 0x%x\n",
      Hex(damage.first).c_str(), Hex(damage.end - 1).c_str(),
      ull{damage.first - VirtOf(k_, slab.pfn)}, ReadByte(k_, damage.first),
      damage.value);
  if (Is61(k_)) {
    Trailer(slab, object);
  } else if (show == ShowObject::kYes) {
    ObjectError(slab, object, "Object corrupt");
  }
  char value[8];
  std::snprintf(value, sizeof value, "=0x%x", damage.value);
  Fix("Restoring " + what + " " + Hex(damage.first) + "-" +
      Hex(damage.end - 1) + value);
}

void SlubLog::SlabPadding(const Slab& slab, uint64_t first, uint64_t end) {
  Heading("Padding overwritten. " + Hex(first) + "-" + Hex(end - 1) +
          " @offset=" + std::to_string(first - VirtOf(k_, slab.pfn)));
  SlabInfo(slab);
  Section("Padding  ", first, end - first);
  Fix("Restoring slab padding " + Hex(first) + "-" + Hex(end - 1) + "=0x5a");
}

void SlubLog::InvalidObject(const Slab& slab, uint64_t object) {
  Heading("Invalid object pointer " + Hex(object));
  SlabInfo(slab);
}

void SlubLog::NotFreed(uint64_t object) {
  Fix("Object at " + Hex(object) + " not freed");
}

void SlubLog::ObjectsRemaining(const Slab& slab) {
  Heading(Is61(k_) ? "Objects remaining in " + s_.name +
                         " on __kmem_cache_shutdown()"
                   : "Objects remaining on __kmem_cache_shutdown()");
  SlabInfo(slab);
  const uint64_t first = SlabFirstObject(k_, slab);
  for (uint32_t i = 0; i < slab.objects; i++) {
    if (slab.IsFree(i)) continue;
    const uint64_t object = first + uint64_t{i} * s_.geometry.size;
    Add("Object %s @offset=%llu\n", Hex(object).c_str(),
        ull{object - VirtOf(k_, slab.pfn)});
    Tracking(object);
  }
}

void SlubLog::StillHasObjects() {
  text_ += "kmem_cache_destroy " + s_.name +
           ": Slab cache still has objects when called from "
           "kmem_cache_destroy\n";
}

std::string SlabOutOfMemory(const Kernel& k, const KmemCache& s, uint32_t gfp) {
  const SlabGeometry& g = s.geometry;
  std::string text =
      AllocFailureReport(k, gfp, static_cast<uint32_t>(g.min_order));
  char line[256];
  std::snprintf(line, sizeof line,
                "SLUB: Unable to allocate memory on CPU 0 (of node 0) on node "
                "-1, gfp=0x%x(%s)\n",
                gfp, GfpFlagNames(k.config.personality, gfp).c_str());
  text += line;
  std::snprintf(line, sizeof line,
                "  cache: %s, object size: %u, buffer size: %u, default order: "
                "%d, min order: %d\n",
                s.name.c_str(), g.object_size, g.size, g.order, g.min_order);
  text += line;
  if (g.min_order > GetOrder(g.object_size)) {
    text += "  " + s.name +
            " debugging increased min order, use slab_debug=O to disable.\n";
  }
  std::snprintf(
      line, sizeof line, "  node 0: slabs: %llu, objs: %llu, free: %llu\n",
      ull{s.nr_slabs}, ull{s.total_objects}, ull{CountPartialFree(k, s)});
  return text + line;
}

std::string FixGfpReport(const Kernel& k, uint32_t gfp, uint32_t bad) {
  char text[256];
  std::snprintf(
      text, sizeof text,
      "Unexpected gfp: 0x%x (%s). Fixing up to gfp: 0x%x (%s). Fix "
      "your code!\n",
      gfp & bad, GfpFlagNames(k.config.personality, gfp & bad).c_str(),
      gfp & ~bad, GfpFlagNames(k.config.personality, gfp & ~bad).c_str());
  return text;
}

}  // namespace faultline
