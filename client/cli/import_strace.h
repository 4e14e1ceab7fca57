// Re-enacts a program on a simulated machine from the record that strace made
// of it: every system call that shapes memory, in order, each compared with
// what the real kernel answered.
//
// What a recording does not show is not invented: loads and stores, so
// resident sizes and the merges that depend on them may differ.

#ifndef FAULTLINE_CLIENT_CLI_IMPORT_STRACE_H_
#define FAULTLINE_CLIENT_CLI_IMPORT_STRACE_H_

#include <cstdint>
#include <functional>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/elf_image.h"
#include "client/cli/layout.h"
#include "client/cli/strace/reader.h"
#include "server/scenario/proc_text.h"
#include "server/scenario/target.h"

namespace faultline::cli {

struct ImportOptions {
  // Stands for "/" of the recorded system; empty: this system.
  std::string root;
  // A directory with the heads of the executables (FileTree). Empty: none.
  std::string heads;
  // A directory with the real maps, N.execK.maps and N.exitK.maps: of the N-th
  // task, just after its K-th execve and at the end of that image. Empty: no
  // comparison.
  std::string maps_dir;
  // Which file system the files are taken to be on; UNSPECIFIED: as on this
  // system, or ext4 for files that are not here.
  v1::FsType fs = v1::FS_TYPE_UNSPECIFIED;
  // Is told each call that made events, and the events. Empty: nobody.
  std::function<void(const std::string& text)> tell;
};

// One place where the machine did not do what the real kernel did.
struct Difference {
  int64_t line = 0;
  std::string text;
};

// One pair of maps that was compared.
struct MapsComparison {
  std::string name;                 // "1.exec1"
  std::vector<std::string> ours;    // lines of the simulated maps
  std::vector<std::string> theirs;  // lines of the real maps
  bool equal() const { return ours == theirs; }
};

struct ImportReport {
  int64_t calls = 0;  // re-enacted
  // Mappings of 2 MiB and more that lie elsewhere only because the recorded
  // addresses were randomised.
  int64_t realigned = 0;
  int64_t compared = 0;  // of these, whose result was compared
  int tasks = 0;         // processes and threads
  std::vector<Difference> differences;
  std::map<std::string, int> not_reenacted;  // calls by name
  std::vector<std::string> notes;
  std::vector<MapsComparison> maps;
  std::map<int, int> resolutions;  // faults by v1::FaultResolution
  uint64_t minor_faults = 0;
  uint64_t major_faults = 0;
  // The maps of each process at its end, by its number in the recording.
  std::vector<std::pair<std::string, std::string>> final_maps;

  bool agrees() const;
};

// Re-enacts one recording on one fresh machine.
class Reenactor {
 public:
  Reenactor(scenario::Target& target, ImportOptions options);
  ~Reenactor();

  // Reads to the end. Not OK: the machine could not be asked, or the recording
  // is of no use; `line_done` is told how far it is.
  absl::StatusOr<ImportReport> Run(
      strace::Reader& reader,
      const std::function<void(int64_t line)>& line_done);

 private:
  // Descriptors are shared between tasks made with CLONE_FILES.
  struct OpenFile {
    std::string path;
    std::optional<uint64_t> flags;  // of open, when it was seen
    bool in_machine = false;        // the machine has it at that number
  };
  using FileTable = std::map<int64_t, OpenFile>;

  // What the tasks of one address space share.
  struct Space {
    Layout layout;
    bool break_known = false;
    std::string executable;
  };

  struct Task {
    int number = 0;      // in order of creation, from 1
    uint32_t pid = 0;    // in the machine
    uint32_t group = 0;  // its process's pid there
    // The thread whose execve took this task's place; 0: none.
    uint32_t exec_as = 0;
    int execs = 0;
    bool live = true;
    std::shared_ptr<Space> space;
    std::shared_ptr<FileTable> files;
  };

  absl::Status Take(const strace::Record& record);
  absl::Status TakeCall(const strace::Record& record,
                        const strace::Syscall& call);
  Task* FindTask(strace::Pid pid);

  // One for each call that is re-enacted.
  absl::Status On(const strace::Execve& call);
  absl::Status On(const strace::Brk& call);
  absl::Status On(const strace::Mmap& call);
  absl::Status On(const strace::Munmap& call);
  absl::Status On(const strace::Mprotect& call);
  absl::Status On(const strace::Mremap& call);
  absl::Status On(const strace::Madvise& call);
  absl::Status On(const strace::Mlock& call);
  absl::Status On(const strace::Munlock& call);
  absl::Status On(const strace::Mlockall& call);
  absl::Status On(const strace::Munlockall& call);
  absl::Status On(const strace::Msync& call);
  absl::Status On(const strace::Mincore& call);
  absl::Status On(const strace::SetVmaName& call);
  absl::Status On(const strace::Clone& call);
  absl::Status On(const strace::Exit& call);
  absl::Status On(const strace::Wait& call);
  absl::Status On(const strace::Rlimit& call);
  absl::Status On(const strace::Open& call);
  absl::Status On(const strace::Close& call);
  absl::Status On(const strace::Dup& call);
  absl::Status On(const strace::Ftruncate& call);
  absl::Status On(const strace::RemapFilePages& call);
  absl::Status On(const strace::Mseal& call);
  absl::Status On(const strace::ProcessMadvise& call);
  absl::Status On(const strace::Mbind& call);
  absl::Status On(const strace::SetMempolicy& call);
  absl::Status On(const strace::SetMempolicyHomeNode& call);
  absl::Status On(const strace::Prctl& call);
  absl::Status On(const strace::Fallocate& call);
  // Calls that shape memory and that machines do not have.
  absl::Status On(const strace::Shmat&);
  absl::Status On(const strace::Shmdt&);
  // Calls that do not shape memory.
  template <typename Other>
  absl::Status On(const Other&) {
    return absl::OkStatus();
  }

  void NotReenacted();
  absl::Status Supersede(strace::Pid leader, strace::Pid by);
  std::string ExecutedPath(const strace::Execve& call) const;
  absl::Status CreateImage(const Executable& executable);
  // The end of a process, by exit or by a signal (0: none).
  absl::Status End(Task& task, bool group, int status, int signal);
  Task* LeaderOf(const Task& task);
  bool IsAlone(const Task& task) const;

  // Applies a command of the task at hand.
  absl::StatusOr<v1::Outcome> Apply(v1::Command command);
  // Applies it and compares its result with the recorded one: a number that
  // must be the same, or an address that must be at the same place.
  enum class Answer { kNumber, kAddress };
  absl::StatusOr<v1::Outcome> Compare(const v1::Command& command,
                                      Answer answer);
  absl::Status Plain(const v1::Command& command);
  bool Agrees(const v1::Outcome& outcome, Answer answer) const;
  void Differ(const v1::Outcome& outcome);
  // Whether the two addresses differ only because the kernel aligned a large
  // mapping to 2 MiB in a randomised address space.
  bool IsRealigned(uint64_t length, const v1::Outcome& outcome) const;
  void Tell(const v1::Outcome& outcome);
  void Note(absl::string_view text);

  uint64_t ToOurs(uint64_t address);
  absl::Status LearnExecutable(uint64_t real);
  absl::Status RepairMmap(const strace::Mmap& call, const v1::Outcome& outcome);
  absl::Status RepairMremap(const strace::Mremap& call,
                            const v1::Outcome& outcome);

  // Makes the file known to the machine and open at that number.
  absl::StatusOr<int32_t> Descriptor(const strace::Mmap& call);
  absl::Status EnsureFile(const std::string& path, uint64_t least_size);
  absl::Status CreateFile(v1::CreateFile file);
  void SetIdentity(v1::CreateFile* file) const;
  v1::FsType FsTypeOf(const std::string& path) const;

  absl::Status CompareMaps(const Task& task, const std::string& name);
  absl::StatusOr<std::string> Maps(const Task& task);
  void LoadIdentities();

  scenario::Target& target_;
  ImportOptions options_;
  FileTree tree_;
  ImportReport report_;

  std::map<strace::Pid, Task> tasks_;
  std::set<std::string> files_;   // in the machine
  std::set<std::string> images_;  // of these, those with an ELF head
  std::set<strace::Pid> orphans_;
  struct Identity {
    uint32_t dev_major = 0;
    uint32_t dev_minor = 0;
    uint64_t inode = 0;
  };
  std::map<std::string, Identity> identities_;  // from the real maps

  // The call at hand.
  const strace::Record* record_ = nullptr;
  const strace::Syscall* call_ = nullptr;
  Task* task_ = nullptr;
};

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_IMPORT_STRACE_H_
