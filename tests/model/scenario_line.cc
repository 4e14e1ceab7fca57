#include <sstream>

#include "server/machine/mm/mmap.h"
#include "tests/model/lockstep.h"

namespace faultline::model {
namespace {

std::ostream& Put(std::ostream& out, const Mmap& call) {
  out << "mmap " << call.addr << " " << call.length << " " << call.prot << " "
      << call.flags;
  if ((call.flags & mman::kAnonymous) != 0) return out;
  return out << " " << call.fd - kReadWriteFd << " " << call.offset / kPageSize;
}
std::ostream& Put(std::ostream& out, const Munmap& call) {
  return out << "munmap " << call.addr << " " << call.length;
}
std::ostream& Put(std::ostream& out, const Mprotect& call) {
  return out << "mprotect " << call.addr << " " << call.length << " "
             << call.prot;
}
std::ostream& Put(std::ostream& out, const Mremap& call) {
  return out << "mremap " << call.addr << " " << call.old_length << " "
             << call.new_length << " " << call.flags << " " << call.new_addr;
}
std::ostream& Put(std::ostream& out, const Brk& call) {
  return out << "brk " << call.addr;
}
std::ostream& Put(std::ostream& out, const Madvise& call) {
  return out << "madvise " << call.addr << " " << call.length << " "
             << call.advice;
}
std::ostream& Put(std::ostream& out, const Mlock& call) {
  return out << "mlock2 " << call.addr << " " << call.length << " "
             << call.flags;
}
std::ostream& Put(std::ostream& out, const Munlock& call) {
  return out << "munlock " << call.addr << " " << call.length;
}
std::ostream& Put(std::ostream& out, const Mbind& call) {
  return out << "mbind " << call.addr << " " << call.length << " " << call.mode
             << (call.nodes.empty() ? " - " : " 0 ") << call.flags;
}
std::ostream& Put(std::ostream& out, const Access& call) {
  switch (call.kind) {
    case AccessKind::kRead:
      return out << "readr " << call.addr << " " << call.count << " "
                 << call.stride;
    case AccessKind::kWrite:
      return out << "writer " << call.addr << " " << call.count << " "
                 << call.stride << " " << unsigned{call.value};
    case AccessKind::kFetch:
      return out << "fetch " << call.addr;
  }
  return out;
}
std::ostream& Put(std::ostream& out, const Truncate& call) {
  return out << "ftruncate " << call.fd - kReadWriteFd << " " << call.size;
}
std::ostream& Put(std::ostream& out, const Write& call) {
  return out << "pwrite " << call.fd - kReadWriteFd << " " << call.offset << " "
             << unsigned{static_cast<uint8_t>(call.data[0])};
}
std::ostream& Put(std::ostream& out, const Fork&) { return out << "fork"; }
std::ostream& Put(std::ostream& out, const Exit&) { return out << "exit"; }
// The model does nothing else.
template <typename Call>
std::ostream& Put(std::ostream& out, const Call&) {
  return out << "?";
}

}  // namespace

std::string ScenarioLine(const Command& command) {
  std::ostringstream out;
  // Pids are given in order, as the numbers of a scenario's processes are.
  out << "@" << command.pid - 1 << " ";
  std::visit([&](const auto& call) { Put(out, call); }, command.op);
  return out.str();
}

std::string ScenarioText(const std::vector<Command>& commands) {
  std::ostringstream out;
  for (int file = 0; file < 3; ++file) {
    out << "file " << file << " " << kFilePages << "p"
        << (file == kReadOnlyFd - kReadWriteFd ? " r" : "") << "\n";
  }
  for (const Command& command : commands) {
    out << ScenarioLine(command) << "\n";
  }
  return out.str() + "dump all\n";
}

}  // namespace faultline::model
