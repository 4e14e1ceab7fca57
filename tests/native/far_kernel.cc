// A kernel in a virtual machine. Both ends share a folder, of which the guest
// has a 9p mount; the words "ask ID DISK NAME" and "answered ID" go through a
// serial port, whose other end is a socket in the folder. Who asked before and
// went away may have left an answer.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/scenario/parser.h"
#include "tests/native/proc_pid.h"
#include "tests/native/real_kernel.h"

namespace faultline::native {
namespace {

constexpr char kSocket[] = "/kernel.sock";
constexpr char kFacts[] = "/facts";
constexpr char kScript[] = "/script";
constexpr char kLines[] = "/lines";
constexpr char kFailure[] = "/failure";
constexpr char kProblem[] = "/problem";
constexpr char kAsk[] = "ask";
constexpr char kAnswered[] = "answered";

void Put(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file.fail()) {
    std::cerr << "conformance: cannot write " << path << "\n";
    std::exit(2);
  }
}

// release, thp mode, has_disk, poisons, then a sysctl a line.
std::string ToText(const RealKernel::Facts& facts) {
  std::string text =
      absl::StrCat(facts.release, "\n", facts.thp, "\n", facts.has_disk ? 1 : 0,
                   "\n", facts.poisons ? 1 : 0, "\n");
  for (const auto& [name, value] : facts.machine.sysctls) {
    absl::StrAppend(&text, name, " ", value, "\n");
  }
  return text;
}

RealKernel::Facts FromText(const std::string& text) {
  const std::vector<std::string> lines =
      absl::StrSplit(text, '\n', absl::SkipEmpty());
  RealKernel::Facts facts;
  if (lines.size() < 4) return facts;
  facts.release = lines[0];
  facts.thp = lines[1];
  facts.has_disk = lines[2] == "1";
  facts.poisons = lines[3] == "1";
  facts.machine.personality = PersonalityOf(facts.release);
  for (size_t i = 4; i < lines.size(); ++i) {
    const std::pair<std::string, std::string> row =
        absl::StrSplit(lines[i], absl::MaxSplits(' ', 1));
    facts.machine.sysctls.emplace_back(
        row.first, std::strtoull(row.second.c_str(), nullptr, 10));
  }
  return facts;
}

class FarKernel final : public RealKernel {
 public:
  FarKernel(Facts facts, std::string folder, int socket)
      : RealKernel(std::move(facts)),
        folder_(std::move(folder)),
        socket_(socket) {}
  ~FarKernel() override { close(socket_); }
  FarKernel(const FarKernel&) = delete;
  FarKernel& operator=(const FarKernel&) = delete;

  Answer Ask(const std::string& name, const std::string& script,
             bool on_disk) override {
    Put(folder_ + kScript, script);
    const std::string id = absl::StrCat(getpid(), ".", ++asked_);
    const std::string line =
        absl::StrCat(kAsk, " ", id, " ", on_disk ? 1 : 0, " ", name, "\n");
    if (write(socket_, line.data(), line.size()) !=
            static_cast<ssize_t>(line.size()) ||
        !Answered(id)) {
      return {.problem = "the virtual machine has ended",
              .failure = {},
              .lines = {}};
    }
    return {.problem = ReadWholeFile(folder_ + kProblem),
            .failure = ReadWholeFile(folder_ + kFailure),
            .lines = ReadWholeFile(folder_ + kLines)};
  }

 private:
  bool Answered(const std::string& id) const {
    const std::string wanted = absl::StrCat(kAnswered, " ", id);
    std::string line;
    for (char c = 0; read(socket_, &c, 1) == 1;) {
      if (c != '\n') {
        line += c;
      } else if (line == wanted) {
        return true;
      } else {
        line.clear();
      }
    }
    return false;
  }

  const std::string folder_;
  const int socket_;
  uint64_t asked_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RealKernel>> KernelAt(
    const std::string& folder) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = folder + kSocket;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is too long for the name of a socket"));
  }
  path.copy(address.sun_path, path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address),
                        sizeof(address)) != 0) {
    if (fd >= 0) close(fd);
    return absl::UnavailableError(absl::StrCat(
        "no virtual machine at ", folder, ": tests/native/linux61/run.sh"));
  }
  return std::make_unique<FarKernel>(FromText(ReadWholeFile(folder + kFacts)),
                                     folder, fd);
}

void Serve(RealKernel& kernel, const std::string& folder) {
  // Whole when it is there.
  const std::string facts = folder + kFacts;
  Put(facts + ".new", ToText(kernel.facts()));
  rename((facts + ".new").c_str(), facts.c_str());
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::MaxSplits(' ', 3));
    if (words.size() != 4 || words[0] != kAsk) continue;
    const Answer answer =
        kernel.Ask(words[3], ReadWholeFile(folder + kScript), words[2] == "1");
    Put(folder + kLines, answer.lines);
    Put(folder + kFailure, answer.failure);
    Put(folder + kProblem, answer.problem);
    std::cout << kAnswered << " " << words[1] << std::endl;
  }
}

}  // namespace faultline::native
