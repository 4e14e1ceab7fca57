// CowArray: a sparse array whose copies share their chunks until one of them
// writes. It makes a machine a value: copying one costs the roots, not the
// contents, and what was never touched costs nothing.
//
// The only atomics in the simulator are the reference counts here and in
// hw/frames: a copy may be read and destroyed on another thread (a snapshot in
// the making) while the original runs on. They never influence a result.
#ifndef FAULTLINE_SERVER_MACHINE_BASE_COW_H_
#define FAULTLINE_SERVER_MACHINE_BASE_COW_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "server/machine/base/archive.h"

namespace faultline {

// An intrusive count of owners, starting at one.
class RefCount {
 public:
  RefCount() = default;
  RefCount(const RefCount&) {}  // a copied object starts with one owner
  RefCount& operator=(const RefCount&) { return *this; }
  void Up() { n_.fetch_add(1, std::memory_order_relaxed); }
  bool Down() { return n_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  bool unique() const { return n_.load(std::memory_order_acquire) == 1; }

 private:
  std::atomic<uint32_t> n_{1};
};

// A shared, copy-on-write heap object that may be absent.
template <class T>
class CowPtr {
 public:
  CowPtr() = default;
  CowPtr(const CowPtr& o) : p_(o.p_) {
    if (p_ != nullptr) p_->refs.Up();
  }
  CowPtr(CowPtr&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  CowPtr& operator=(CowPtr o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~CowPtr() {
    if (p_ != nullptr && p_->refs.Down()) delete p_;
  }
  const T* get() const { return p_ == nullptr ? nullptr : &p_->value; }
  // The object, created if absent and made this owner's own if shared.
  T& Mut() {
    if (p_ == nullptr) {
      p_ = new Node;
    } else if (!p_->refs.unique()) {
      *this = CowPtr(new Node(*p_));
    }
    return p_->value;
  }

 private:
  struct Node {
    RefCount refs;
    T value{};
  };
  explicit CowPtr(Node* p) : p_(p) {}
  Node* p_ = nullptr;
};

// Indices are 0 .. 2^32-1; an item that was never written reads as T{}.
// References returned by the mutable operator[] stay valid until the array is
// copied or destroyed. Copying an array that was written since it was last
// copied is a write to it as far as threads are concerned (it forgets which
// chunks are its own); copying any other is a read.
template <class T, int kChunkBits, int kMidBits = 7>
class CowArray {
 public:
  CowArray() = default;
  CowArray(const CowArray& o) : root_(o.root_) { o.ForgetOwn(); }
  CowArray(CowArray&& o) noexcept : root_(std::move(o.root_)) { o.own_ = {}; }
  CowArray& operator=(CowArray o) noexcept {
    root_.swap(o.root_);
    own_ = {};
    return *this;
  }

  const T& operator[](size_t i) const {
    size_t c = i >> kChunkBits;
    const Own& own = own_[c % kOwn];
    if (own.index == c) [[likely]]
      return (*own.chunk)[i & kMask];
    const Chunk* chunk = Find(c);
    return chunk == nullptr ? kAbsent : (*chunk)[i & kMask];
  }
  T& operator[](size_t i) {
    size_t c = i >> kChunkBits;
    Own& own = own_[c % kOwn];
    if (own.index != c) [[unlikely]]
      own = {c, &MutChunk(c)};
    return (*own.chunk)[i & kMask];
  }

  // Calls f(index, item) for every item of every chunk that exists.
  template <class F>
  void ForEach(F f) const {
    for (size_t m = 0; m < root_.size(); m++) {
      if (root_[m].get() == nullptr) continue;
      for (size_t j = 0; j < kMidSize; j++) {
        const Chunk* chunk = (*root_[m].get())[j].get();
        if (chunk == nullptr) continue;
        size_t base = (m * kMidSize + j) << kChunkBits;
        for (size_t i = 0; i <= kMask; i++) f(base + i, (*chunk)[i]);
      }
    }
  }

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& self) {
    if constexpr (Ar::kReading) {
      uint64_t chunks = ar.CheckCount(ar.Number());
      for (uint64_t n = 0; n < chunks; n++) {
        uint64_t c = ar.Number();
        if (c > (uint64_t{1} << 32 >> kChunkBits)) {
          throw ArchiveError("a chunk of the saved machine is out of range");
        }
        for (T& item : self.MutChunk(c)) ar(item);
      }
    } else {
      uint64_t chunks = 0;
      self.ForEachChunk([&](size_t, const Chunk&) { chunks++; });
      ar.Number(chunks);
      self.ForEachChunk([&](size_t c, const Chunk& chunk) {
        ar.Number(c);
        for (const T& item : chunk) ar(item);
      });
    }
  }

 private:
  static constexpr size_t kMask = (size_t{1} << kChunkBits) - 1;
  static constexpr size_t kMidSize = size_t{1} << kMidBits;
  static constexpr size_t kOwn = 8;
  using Chunk = std::array<T, kMask + 1>;
  using Mid = std::array<CowPtr<Chunk>, kMidSize>;
  // A chunk known to belong to this array alone: a write needs no check.
  struct Own {
    size_t index = ~size_t{0};
    Chunk* chunk = nullptr;
  };
  static inline const T kAbsent{};
  void ForgetOwn() const {
    for (Own& own : own_) {
      if (own.chunk != nullptr) own = {};
    }
  }

  [[gnu::noinline]] const Chunk* Find(size_t c) const {
    size_t m = c / kMidSize;
    if (m >= root_.size()) return nullptr;
    const Mid* mid = root_[m].get();
    return mid == nullptr ? nullptr : (*mid)[c % kMidSize].get();
  }
  [[gnu::noinline]] Chunk& MutChunk(size_t c) {
    size_t m = c / kMidSize;
    if (m >= root_.size()) root_.resize(m + 1);
    return root_[m].Mut()[c % kMidSize].Mut();
  }
  template <class F>
  void ForEachChunk(F f) const {
    for (size_t m = 0; m < root_.size(); m++) {
      if (root_[m].get() == nullptr) continue;
      for (size_t j = 0; j < kMidSize; j++) {
        const Chunk* chunk = (*root_[m].get())[j].get();
        if (chunk != nullptr) f(m * kMidSize + j, *chunk);
      }
    }
  }

  std::vector<CowPtr<Mid>> root_;
  mutable std::array<Own, kOwn> own_{};

 public:
  // Reads items that exist, one after the other, from anywhere: as operator[],
  // but it looks at neither what was written last nor, once it is there, the
  // root. The array must not change meanwhile.
  class Walker {
   public:
    explicit Walker(const CowArray& array) : root_(array.root_.data()) {}
    const T& operator[](size_t i) {
      const size_t c = i >> kChunkBits, m = c / kMidSize;
      if (m != m_) [[unlikely]] {
        m_ = m;
        mid_ = root_[m].get();
      }
      return (*(*mid_)[c % kMidSize].get())[i & kMask];
    }

   private:
    const CowPtr<Mid>* root_;
    const Mid* mid_ = nullptr;
    size_t m_ = ~size_t{0};
  };
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_BASE_COW_H_
