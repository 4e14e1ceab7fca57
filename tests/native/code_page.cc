#include "tests/native/code_page.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>

namespace faultline::native {
namespace {

void Put(std::array<uint8_t, 4096>* page, uint64_t offset,
         std::initializer_list<uint8_t> code) {
  std::copy(code.begin(), code.end(), page->begin() + offset);
}

}  // namespace

std::array<uint8_t, 4096> CodePage() {
  std::array<uint8_t, 4096> page{};
  // syscall; int3
  Put(&page, kSyscallStub, {0x0f, 0x05, 0xcc});
  // mov al, [rdi]; int3
  Put(&page, kLoadStub, {0x8a, 0x07, 0xcc});
  // mov [rdi], sil; int3
  Put(&page, kStoreStub, {0x40, 0x88, 0x37, 0xcc});
  // 1: mov al, [rdi]; add rdi, rdx; dec rcx; jnz 1b; int3
  Put(&page, kLoadLoopStub,
      {0x8a, 0x07, 0x48, 0x01, 0xd7, 0x48, 0xff, 0xc9, 0x75, 0xf6, 0xcc});
  // 1: mov [rdi], sil; add rdi, rdx; dec rcx; jnz 1b; int3
  Put(&page, kStoreLoopStub,
      {0x40, 0x88, 0x37, 0x48, 0x01, 0xd7, 0x48, 0xff, 0xc9, 0x75, 0xf5, 0xcc});
  Put(&page, kTrapStub, {0xcc});
  return page;
}

std::string ElfImage() {
  std::array<uint8_t, 4096> page = CodePage();
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_entry = kElfBase + kTrapStub;
  header.e_phoff = sizeof(header);
  header.e_ehsize = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 3;
  Elf64_Phdr segments[3] = {};
  segments[0].p_type = PT_LOAD;
  segments[0].p_flags = PF_R | PF_X;
  segments[0].p_vaddr = segments[0].p_paddr = kElfBase;
  segments[0].p_filesz = segments[0].p_memsz = page.size();
  segments[0].p_align = 4096;
  // No data: RLIMIT_DATA counts end_data - start_data.
  segments[1].p_type = PT_LOAD;
  segments[1].p_flags = PF_R | PF_W;
  segments[1].p_offset = page.size();
  segments[1].p_vaddr = segments[1].p_paddr = kElfBase + page.size();
  segments[1].p_align = 4096;
  segments[2].p_type = PT_GNU_STACK;
  segments[2].p_flags = PF_R | PF_W;
  std::memcpy(page.data(), &header, sizeof(header));
  std::memcpy(page.data() + sizeof(header), segments, sizeof(segments));
  static_assert(sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr) <= kSyscallStub);
  return std::string(page.begin(), page.end());
}

}  // namespace faultline::native
