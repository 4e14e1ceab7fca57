#include "client/cli/elf_image.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/client/cli/process.h"

namespace faultline::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr char kInterpreter[] = "/lib64/ld.so";

// A head with one segment and an interpreter; a copy cut short of a file of
// 9000 bytes.
std::string SmallElf() {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  Elf64_Phdr segments[2] = {};
  segments[0].p_type = PT_INTERP;
  segments[0].p_offset = sizeof(header) + sizeof(segments);
  segments[0].p_filesz = sizeof(kInterpreter);
  segments[1].p_type = PT_LOAD;
  segments[1].p_filesz = 9000;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  bytes.append(reinterpret_cast<const char*>(segments), sizeof(segments));
  bytes.append(kInterpreter, sizeof(kInterpreter));
  return bytes;
}

class ElfImageTest : public testing::Test {
 protected:
  ElfImageTest() : root_(TemporaryDirectory() + "/root") {
    fs::remove_all(root_);
    fs::create_directories(root_ + "/usr/bin");
    fs::create_directories(root_ + "/usr/lib");
    fs::create_symlink("usr/lib", root_ + "/lib64");
    Write("/usr/bin/tool-1.0", SmallElf());
    Write("/usr/lib/ld-1.so", SmallElf());
    fs::create_symlink("/usr/lib/ld-1.so", root_ + "/usr/lib/ld.so");
    fs::create_symlink("tool-1.0", root_ + "/usr/bin/tool");
  }
  void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(root_ + path, std::ios::binary) << bytes;
  }
  absl::StatusOr<Executable> Read(const std::string& path) {
    return ReadExecutable(FileTree(root_, ""), path);
  }

  std::string root_;
};

TEST_F(ElfImageTest, FollowsLinksWithinTheTree) {
  const auto tool = Read("/usr/bin/../bin/tool");
  ASSERT_TRUE(tool.ok()) << tool.status();
  EXPECT_EQ(tool->path, "/usr/bin/tool-1.0");
  EXPECT_EQ(tool->image.interpreter, "/usr/lib/ld-1.so");
}

TEST_F(ElfImageTest, TheHeadNamesTheResolvedInterpreter) {
  const auto tool = Read("/usr/bin/tool");
  ASSERT_TRUE(tool.ok()) << tool.status();
  Elf64_Phdr interpreter;
  std::memcpy(&interpreter, tool->image.head.data() + sizeof(Elf64_Ehdr),
              sizeof(interpreter));
  ASSERT_EQ(interpreter.p_type, static_cast<uint32_t>(PT_INTERP));
  EXPECT_EQ(std::string(tool->image.head.data() + interpreter.p_offset),
            "/usr/lib/ld-1.so");
  EXPECT_EQ(interpreter.p_offset + interpreter.p_filesz,
            tool->image.head.size());
}

TEST_F(ElfImageTest, ACopyCutShortHasTheSizeOfItsHeaders) {
  EXPECT_EQ(Read("/usr/bin/tool")->image.size, 9000u);
}

TEST_F(ElfImageTest, AScriptRunsItsInterpreter) {
  Write("/usr/bin/script", "#! /usr/bin/tool -x\necho\n");
  const auto script = Read("/usr/bin/script");
  ASSERT_TRUE(script.ok()) << script.status();
  EXPECT_EQ(script->path, "/usr/bin/tool-1.0");
}

TEST_F(ElfImageTest, KeptHeadsNeedNoFiles) {
  const std::string heads = TemporaryDirectory();
  WriteTemporary("tool.head", SmallElf());
  WriteTemporary("index.tsv",
                 "./tool\t/opt/tool\t12345\ttool.head\n"
                 "/lib64/ld.so\t/opt/ld.so\t777\ttool.head\n"
                 "a line that is none\n");
  const FileTree tree("/nowhere", heads);
  EXPECT_TRUE(tree.IsKept("./tool"));
  const auto tool = ReadExecutable(tree, "./tool");
  ASSERT_TRUE(tool.ok()) << tool.status();
  EXPECT_EQ(tool->path, "/opt/tool");
  EXPECT_EQ(tool->image.size, 12345u);
  EXPECT_EQ(tool->image.interpreter, "/opt/ld.so");
}

TEST_F(ElfImageTest, SaysWhatIsWrongWithAFile) {
  EXPECT_EQ(Read("/usr/bin/none").status().code(), absl::StatusCode::kNotFound);
  Write("/usr/bin/text", "hello");
  EXPECT_THAT(std::string(Read("/usr/bin/text").status().message()),
              HasSubstr("it is not an ELF file"));
  std::string foreign = SmallElf();
  foreign[EI_CLASS] = ELFCLASS32;
  Write("/usr/bin/foreign", foreign);
  EXPECT_THAT(std::string(Read("/usr/bin/foreign").status().message()),
              HasSubstr("it is not for x86-64"));
  Write("/usr/bin/short", SmallElf().substr(0, 100));
  EXPECT_THAT(std::string(Read("/usr/bin/short").status().message()),
              HasSubstr("it is cut short"));
}

TEST_F(ElfImageTest, LinksThatGoRoundEnd) {
  fs::create_symlink("b", root_ + "/usr/bin/a");
  fs::create_symlink("a", root_ + "/usr/bin/b");
  EXPECT_EQ(Read("/usr/bin/a").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace faultline::cli
