// Starts programs the way make and shells do: posix_spawn (clone with CLONE_VM
// and CLONE_VFORK), vfork, and an execve that fails before one that works.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

extern char** environ;

namespace {

void Reap(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
    std::perror("waitpid");
    std::exit(1);
  }
}

void Spawn(const char* program) {
  char* argv[] = {const_cast<char*>("true"), nullptr};
  pid_t pid = 0;
  if (posix_spawnp(&pid, program, nullptr, nullptr, argv, environ) != 0) {
    std::perror("posix_spawnp");
    std::exit(1);
  }
  Reap(pid);
}

}  // namespace

int main() {
  Spawn("true");  // looked for along PATH
  const pid_t child = vfork();
  if (child == 0) {
    execl("/nowhere/true", "true", nullptr);
    execl("/bin/true", "true", nullptr);
    _exit(127);
  }
  Reap(child);
  Spawn("/bin/true");
  return 0;
}
