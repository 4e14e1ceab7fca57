#include "client/cli/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace faultline::cli {
namespace {

namespace fs = std::filesystem;

// fs/namei.c: MAXSYMLINKS; fs/binfmt_script.c nests at most this deep.
constexpr int kLinksMax = 40;
constexpr int kScriptsMax = 5;
// fs/binfmt_elf.c reads no more program headers than fit in 64 KiB.
constexpr size_t kHeadersMax = size_t{64} << 10;
constexpr size_t kLineMax = 256;

absl::Status NotElf(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is not a program that a machine can run: ", why));
}

absl::StatusOr<std::string> ReadPart(const std::string& file, uint64_t offset,
                                     size_t length) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", file));
  in.seekg(static_cast<std::streamoff>(offset));
  std::string bytes(length, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(length));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return bytes;
}

// The size that the headers speak of: a copy may be cut short.
uint64_t SizeByHeaders(const Elf64_Ehdr& header,
                       const std::vector<Elf64_Phdr>& segments) {
  uint64_t size =
      header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize;
  for (const Elf64_Phdr& segment : segments) {
    size = std::max(size, segment.p_offset + segment.p_filesz);
  }
  return size;
}

absl::Status CheckHeader(const std::string& path, const Elf64_Ehdr& header) {
  if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64) {
    return NotElf(path, "it is not for x86-64");
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return NotElf(path, "it is neither an executable nor a shared object");
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum * sizeof(Elf64_Phdr) > kHeadersMax) {
    return NotElf(path, "its program headers are of no use");
  }
  return absl::OkStatus();
}

// The head with the program headers right behind the ELF header, and the
// interpreter's resolved path behind them.
std::string BuildHead(Elf64_Ehdr header, std::vector<Elf64_Phdr> segments,
                      const std::string& interpreter) {
  header.e_phoff = sizeof(header);
  const size_t end = sizeof(header) + segments.size() * sizeof(Elf64_Phdr);
  for (Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_INTERP) continue;
    segment.p_offset = end;
    segment.p_filesz = segment.p_memsz = interpreter.size() + 1;
  }
  std::string head(reinterpret_cast<const char*>(&header), sizeof(header));
  head.append(reinterpret_cast<const char*>(segments.data()),
              segments.size() * sizeof(Elf64_Phdr));
  if (!interpreter.empty())
    head.append(interpreter.c_str(), interpreter.size() + 1);
  return head;
}

absl::StatusOr<ElfImage> ReadImage(const FileTree& tree,
                                   const FileTree::Place& place) {
  const std::string& path = place.real;
  const std::string& file = place.on_disk;
  auto bytes = ReadPart(file, 0, sizeof(Elf64_Ehdr));
  if (!bytes.ok()) return bytes.status();
  Elf64_Ehdr header;
  if (bytes->size() < sizeof(header) ||
      std::memcmp(bytes->data(), ELFMAG, SELFMAG) != 0) {
    return NotElf(path, "it is not an ELF file");
  }
  std::memcpy(&header, bytes->data(), sizeof(header));
  absl::Status usable = CheckHeader(path, header);
  if (!usable.ok()) return usable;
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  const size_t length = segments.size() * sizeof(Elf64_Phdr);
  bytes = ReadPart(file, header.e_phoff, length);
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() < length) return NotElf(path, "it is cut short");
  std::memcpy(segments.data(), bytes->data(), length);
  ElfImage image;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_INTERP) continue;
    bytes = ReadPart(file, segment.p_offset,
                     std::min<size_t>(segment.p_filesz, kHeadersMax));
    if (!bytes.ok()) return bytes.status();
    image.interpreter = tree.Locate(bytes->c_str()).real;
  }
  image.size = std::max(place.size, SizeByHeaders(header, segments));
  image.head = BuildHead(header, std::move(segments), image.interpreter);
  return image;
}

// "#!/bin/sh -e" -> "/bin/sh"; empty when it is no script.
absl::StatusOr<std::string> ScriptInterpreter(const FileTree::Place& place) {
  auto start = ReadPart(place.on_disk, 0, kLineMax);
  if (!start.ok()) return start.status();
  if (!absl::StartsWith(*start, "#!")) return std::string();
  const std::vector<std::string> words =
      absl::StrSplit(start->substr(2, start->find('\n') - 2),
                     absl::ByAnyChar(" \t"), absl::SkipEmpty());
  return words.empty() ? std::string() : words.front();
}

}  // namespace

FileTree::FileTree(std::string root, const std::string& heads)
    : root_(std::move(root)) {
  while (absl::EndsWith(root_, "/")) root_.pop_back();
  if (heads.empty()) return;
  std::ifstream index(heads + "/index.tsv");
  std::string line;
  while (std::getline(index, line)) {
    const std::vector<std::string> cells = absl::StrSplit(line, '\t');
    uint64_t size = 0;
    if (cells.size() != 4 || !absl::SimpleAtoi(cells[2], &size)) continue;
    const Place place{cells[1], absl::StrCat(heads, "/", cells[3]), size};
    heads_[cells[0]] = place;
    heads_[cells[1]] = place;
  }
}

FileTree::Place FileTree::Locate(const std::string& path) const {
  const auto kept = heads_.find(path);
  if (kept != heads_.end()) return kept->second;
  Place place;
  place.real = Resolve(path);
  place.on_disk = root_ + place.real;
  std::error_code error;
  const uint64_t size = fs::file_size(place.on_disk, error);
  if (!error) place.size = size;
  return place;
}

std::string FileTree::Resolve(const std::string& path) const {
  std::vector<std::string> left = absl::StrSplit(path, '/', absl::SkipEmpty());
  std::reverse(left.begin(), left.end());
  std::string done;
  int links = 0;
  while (!left.empty()) {
    const std::string part = left.back();
    left.pop_back();
    if (part == ".") continue;
    if (part == "..") {
      done.resize(std::min(done.rfind('/'), done.size()));
      continue;
    }
    const std::string next = absl::StrCat(done, "/", part);
    std::error_code error;
    const fs::path target = fs::read_symlink(root_ + next, error);
    if (error) {
      done = next;
      continue;
    }
    if (++links > kLinksMax) return path;
    if (target.is_absolute()) done.clear();
    std::vector<std::string> parts =
        absl::StrSplit(target.string(), '/', absl::SkipEmpty());
    left.insert(left.end(), parts.rbegin(), parts.rend());
  }
  return done.empty() ? "/" : done;
}

absl::StatusOr<Executable> ReadExecutable(const FileTree& tree,
                                          const std::string& path) {
  FileTree::Place place = tree.Locate(path);
  for (int i = 0; i < kScriptsMax; ++i) {
    auto interpreter = ScriptInterpreter(place);
    if (!interpreter.ok()) return interpreter.status();
    if (interpreter->empty()) break;
    place = tree.Locate(*interpreter);
  }
  auto image = ReadImage(tree, place);
  if (!image.ok()) return image.status();
  return Executable{place.real, *std::move(image)};
}

}  // namespace faultline::cli
