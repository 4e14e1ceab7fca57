// What a machine needs of an executable file: its size, its program headers
// and the name of its interpreter. The rest of the file is left a hole.

#ifndef FAULTLINE_CLIENT_CLI_ELF_IMAGE_H_
#define FAULTLINE_CLIENT_CLI_ELF_IMAGE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace faultline::cli {

// The files of the recorded system: a directory that stands for "/", and the
// heads of executables that were kept with the recording.
class FileTree {
 public:
  // `root` empty: this system's own "/". `heads` empty: none were kept; else a
  // directory with index.tsv: path as asked for, real path, size in bytes, and
  // the file with the head, separated by tabs.
  FileTree(std::string root, const std::string& heads);

  // A file of the tree.
  struct Place {
    std::string real;     // its path, symbolic links resolved
    std::string on_disk;  // where it is on this system
    uint64_t size = 0;    // of the whole file; 0: not known
  };
  // Of a kept head what was recorded; else what `path` leads to.
  Place Locate(const std::string& path) const;

  // Whether a head of that path was kept.
  bool IsKept(const std::string& path) const { return heads_.count(path) > 0; }
  bool IsOwnRoot() const { return root_.empty(); }

 private:
  // The path that `path` leads to through the tree's symbolic links; the path
  // itself when there is nothing of that name.
  std::string Resolve(const std::string& path) const;

  std::string root_;
  std::map<std::string, Place> heads_;
};

// The head of an executable as a machine gets it.
struct ElfImage {
  // ELF header and program headers, then the interpreter's path. Where that
  // path leads through symbolic links, which a machine's file system does not
  // have, the head says where it leads to.
  std::string head;
  uint64_t size = 0;        // of the whole file
  std::string interpreter;  // resolved; empty: none
};

// An executable that a path names: `path` itself, or the interpreter that its
// first line names ("#!").
struct Executable {
  std::string path;  // resolved
  ElfImage image;
};

// Reads the executable at `path` of the tree. A copy cut short after its head
// will do: its size is then what the headers say. NOT_FOUND when there is no
// file; INVALID_ARGUMENT when it is not an ELF file for x86-64.
absl::StatusOr<Executable> ReadExecutable(const FileTree& tree,
                                          const std::string& path);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_ELF_IMAGE_H_
