// The declared files of a scenario, made on a ramfs that only this program and
// its children see, and opened so that the observed process inherits them.

#ifndef FAULTLINE_TESTS_NATIVE_SCENARIO_FILES_H_
#define FAULTLINE_TESTS_NATIVE_SCENARIO_FILES_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "server/scenario/script.h"
#include "tests/native/tracee.h"

namespace faultline::native {

class ScenarioFiles {
 public:
  // Makes a private mount namespace with a ramfs in it, or uses `directory`
  // when that is not empty. Ends the program when either is refused.
  explicit ScenarioFiles(const std::string& directory);
  ~ScenarioFiles();
  ScenarioFiles(const ScenarioFiles&) = delete;
  ScenarioFiles& operator=(const ScenarioFiles&) = delete;

  void Create(const scenario::FileDeclaration& file);

  const std::string& directory() const { return directory_; }
  std::vector<InheritedFd> Inherited() const;
  // The descriptor that stands for file `number` in the observed process;
  // that of an undeclared file is not open there.
  static int TheirFd(int64_t number);
  // Our descriptor of the same mode, or -1.
  int OurFd(int64_t number) const;
  // "f0" for the file that maps shows with this inode number, or empty.
  std::string NameOfInode(uint64_t inode) const;

 private:
  std::string directory_;
  bool mounted_ = false;
  std::map<int64_t, int> fds_;
  std::map<uint64_t, std::string> names_;
};

}  // namespace faultline::native

#endif  // FAULTLINE_TESTS_NATIVE_SCENARIO_FILES_H_
