// Random scenarios that both a simulated machine and the real kernel can run:
// calls of every kind, about the same few pages, files and processes, so that
// they collide, split, merge and fail.

#ifndef FAULTLINE_TESTS_NATIVE_SCRIPT_GENERATOR_H_
#define FAULTLINE_TESTS_NATIVE_SCRIPT_GENERATOR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace faultline::native {

// What a script is mostly about.
enum class ScriptProfile {
  kVma,   // layout: mapping, protecting, moving, locking
  kAnon,  // faults of anonymous memory, and fork
  kFile,  // faults of file mappings, and calls on the files
  kFull,  // all of it
  kHuge,  // transparent huge pages, on a kernel that gives them when advised
};

// "vma", "anon", "file", "full", "huge".
const char* NameOf(ScriptProfile profile);
std::optional<ScriptProfile> ScriptProfileOf(const std::string& name);
std::vector<ScriptProfile> AllScriptProfiles();

struct ScriptOptions {
  uint64_t seed = 1;
  int operations = 80;
  ScriptProfile profile = ScriptProfile::kFull;
  int dump_every = 40;   // `dump all` after this many operations and at the end
  bool on_disk = false;  // files of a disk's file system, not of a ramfs
  bool huge_files = true;  // shared memory in profile huge: departure D70
  bool poisons = true;     // MADV_HWPOISON and SOFT_OFFLINE: departure D69
};

// The lines of the script; the same options give the same lines.
std::vector<std::string> GenerateScript(const ScriptOptions& options);

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_SCRIPT_GENERATOR_H_
