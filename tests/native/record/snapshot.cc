#include "tests/native/record/snapshot.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>

namespace faultline::record {
namespace {

std::string ProcPath(pid_t task, const std::string& name) {
  return "/proc/" + std::to_string(task) + "/" + name;
}

std::string FileText(const std::string& path) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[65536];
  ssize_t size = 0;
  while ((size = read(fd, buffer, sizeof(buffer))) > 0) {
    text.append(buffer, static_cast<size_t>(size));
  }
  close(fd);
  return text;
}

// As much of the file as there is within [0, size).
std::string FileHead(int fd, size_t size) {
  std::string bytes(size, '\0');
  const ssize_t got = pread(fd, bytes.data(), size, 0);
  bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return bytes;
}

// `bytes` begins with a complete ELF head of 64 bits.
template <typename T>
T At(const std::string& bytes, size_t offset) {
  T value = {};
  if (offset + sizeof(T) <= bytes.size()) {
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
  }
  return value;
}

struct HeadLayout {
  size_t bytes = 0;
  size_t interpreter_offset = 0;
  size_t interpreter_size = 0;  // with its NUL; 0: none
};

std::optional<HeadLayout> LayoutOf(int fd) {
  const std::string start = FileHead(fd, sizeof(Elf64_Ehdr));
  if (start.size() < sizeof(Elf64_Ehdr) ||
      start.compare(0, SELFMAG, ELFMAG) != 0 || start[EI_CLASS] != ELFCLASS64) {
    return std::nullopt;
  }
  const auto header = At<Elf64_Ehdr>(start, 0);
  HeadLayout layout;
  layout.bytes = header.e_phoff + size_t{header.e_phnum} * sizeof(Elf64_Phdr);
  constexpr size_t kHeadMax = size_t{1} << 20;
  if (header.e_phoff > kHeadMax) return std::nullopt;
  const std::string bytes = FileHead(fd, layout.bytes);
  for (size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment =
        At<Elf64_Phdr>(bytes, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_INTERP || segment.p_filesz > PATH_MAX ||
        segment.p_offset > kHeadMax) {
      continue;
    }
    layout.interpreter_offset = segment.p_offset;
    layout.interpreter_size = segment.p_filesz;
    layout.bytes =
        std::max<size_t>(layout.bytes, segment.p_offset + segment.p_filesz);
  }
  return layout;
}

// Reads the head of the ELF file `opened`; the interpreter's path goes to
// `interpreter`.
std::optional<ElfHead> ReadHead(const std::string& opened,
                                const std::string& path,
                                std::string* interpreter) {
  const int fd = open(opened.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<ElfHead> head;
  struct stat about = {};
  const std::optional<HeadLayout> layout = LayoutOf(fd);
  if (layout.has_value() && fstat(fd, &about) == 0) {
    head.emplace();
    head->path = path;
    head->size = static_cast<uint64_t>(about.st_size);
    head->bytes = FileHead(fd, layout->bytes);
    if (layout->interpreter_size > 0) {
      // Up to the NUL that ends the name.
      *interpreter =
          head->bytes
              .substr(layout->interpreter_offset, layout->interpreter_size)
              .c_str();
    }
  }
  close(fd);
  return head;
}

std::string RealPath(const std::string& path) {
  char buffer[PATH_MAX];
  const char* const real = realpath(path.c_str(), buffer);
  return real == nullptr ? path : real;
}

std::string LinkTarget(const std::string& path) {
  char buffer[PATH_MAX];
  const ssize_t size = readlink(path.c_str(), buffer, sizeof(buffer));
  return size < 0 ? "" : std::string(buffer, static_cast<size_t>(size));
}

}  // namespace

std::string ProcText(pid_t task, const std::string& name) {
  return FileText(ProcPath(task, name));
}

std::optional<uint64_t> StatusField(const std::string& status,
                                    const std::string& label, int base) {
  const size_t at = status.find("\n" + label);
  if (at == std::string::npos) return std::nullopt;
  const char* const text = status.c_str() + at + 1 + label.size();
  char* end = nullptr;
  const uint64_t value = std::strtoull(text, &end, base);
  if (end == text) return std::nullopt;
  return value;
}

std::optional<std::string> StringAt(pid_t task, uint64_t address) {
  const int fd = open(ProcPath(task, "mem").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<std::string> found;
  std::string text;
  constexpr size_t kPage = 4096;
  while (text.size() < PATH_MAX) {
    // To the end of the page, so that one unmapped page does not spoil it.
    char buffer[kPage];
    const uint64_t next = address + text.size();
    const size_t wanted = kPage - next % kPage;
    const ssize_t size = pread(fd, buffer, wanted, static_cast<off_t>(next));
    if (size <= 0) break;
    const void* const end =
        std::memchr(buffer, '\0', static_cast<size_t>(size));
    if (end != nullptr) {
      text.append(buffer, static_cast<const char*>(end) - buffer);
      found = text;
      break;
    }
    text.append(buffer, static_cast<size_t>(size));
  }
  close(fd);
  return found;
}

std::optional<std::string> ExecutedPath(pid_t task) {
  const std::string auxv = ProcText(task, "auxv");
  for (size_t i = 0; i + sizeof(Elf64_auxv_t) <= auxv.size();
       i += sizeof(Elf64_auxv_t)) {
    const auto entry = At<Elf64_auxv_t>(auxv, i);
    if (entry.a_type == AT_EXECFN) return StringAt(task, entry.a_un.a_val);
  }
  return std::nullopt;
}

std::vector<ElfHead> ElfHeadsOf(pid_t task, const std::string& executed_path) {
  std::vector<ElfHead> heads;
  std::string interpreter;
  const std::string exe = ProcPath(task, "exe");
  if (auto program = ReadHead(exe, executed_path, &interpreter)) {
    program->real = LinkTarget(exe);
    heads.push_back(std::move(*program));
  }
  if (interpreter.empty()) return heads;
  std::string none;
  if (auto loader = ReadHead(interpreter, interpreter, &none)) {
    loader->real = RealPath(interpreter);
    heads.push_back(std::move(*loader));
  }
  return heads;
}

}  // namespace faultline::record
