#include "client/cpp/access_list.h"

#include <algorithm>
#include <string>

#include "absl/types/optional.h"

namespace faultline::client {
namespace {

template <class Column>
bool AllAre(const Column& column, typename Column::value_type value) {
  return std::all_of(column.begin(), column.end(),
                     [value](auto one) { return one == value; });
}

// One item, where all are alike.
template <class Column>
void Shorten(Column* column) {
  if (column->empty() || !AllAre(*column, *column->begin())) return;
  column->erase(column->begin() + 1, column->end());
}

// What a load would store does not matter.
void ShortenValues(v1::AccessMany* many) {
  absl::optional<char> only;
  for (int i = 0; i < many->addr_size(); ++i) {
    if (many->kind(i) != v1::ACCESS_KIND_WRITE) continue;
    if (only.value_or(many->value()[i]) != many->value()[i]) return;
    only = many->value()[i];
  }
  many->set_value(std::string(1, only.value_or('\0')));
}

}  // namespace

AccessList& AccessList::Add(v1::AccessKind kind, uint64_t addr, uint8_t value,
                            uint64_t count, uint64_t stride) {
  many_.add_addr(addr);
  many_.add_kind(kind);
  many_.add_count(count);
  many_.add_stride(stride);
  many_.mutable_value()->push_back(static_cast<char>(value));
  return *this;
}

AccessList& AccessList::Load(uint64_t addr, uint64_t count, uint64_t stride) {
  return Add(v1::ACCESS_KIND_READ, addr, 0, count, stride);
}

AccessList& AccessList::Store(uint64_t addr, uint8_t value, uint64_t count,
                              uint64_t stride) {
  return Add(v1::ACCESS_KIND_WRITE, addr, value, count, stride);
}

AccessList& AccessList::Fetch(uint64_t addr) {
  return Add(v1::ACCESS_KIND_FETCH, addr, 0, 1, kPageBytes);
}

AccessList& AccessList::WithData() {
  many_.set_data(true);
  return *this;
}

v1::Command AccessList::CommandOf(uint32_t pid) const {
  v1::Command command;
  command.set_pid(pid);
  v1::AccessMany& many = *command.mutable_access_many();
  many = many_;
  if (many.addr().empty()) return command;
  many.set_base(*std::min_element(many.addr().begin(), many.addr().end()));
  for (uint64_t& addr : *many.mutable_addr()) addr -= many.base();
  Shorten(many.mutable_count());
  Shorten(many.mutable_stride());
  ShortenValues(&many);
  Shorten(many.mutable_kind());
  // What an empty column stands for.
  if (AllAre(many.count(), 1)) many.clear_count();
  if (AllAre(many.stride(), kPageBytes)) many.clear_stride();
  if (AllAre(many.value(), '\0')) many.clear_value();
  return command;
}

}  // namespace faultline::client
