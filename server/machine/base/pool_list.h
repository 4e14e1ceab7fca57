// Lists threaded through objects of a pool, as Linux threads them with struct
// list_head.
#ifndef FAULTLINE_SERVER_MACHINE_BASE_POOL_LIST_H_
#define FAULTLINE_SERVER_MACHINE_BASE_POOL_LIST_H_

#include <cstdint>

#include "server/machine/base/bug.h"
#include "server/machine/base/pool.h"

namespace faultline {

// A list; what was added first is at its head.
template <class T>
struct ListHead {
  Id<T> head, tail;
  uint64_t count = 0;
};
// What an object that can be on a list has for it.
template <class T>
struct ListNode {
  Id<T> prev, next;
  bool listed = false;
};

// The list `head` of objects of `pool`, through their member `node`.
template <class T, class PoolOfT>
class PoolList {
 public:
  PoolList(PoolOfT& pool, ListHead<T>& head, ListNode<T> T::*node)
      : pool_(pool), head_(head), node_(node) {}

  // list_add_tail(). REQUIRES: it is on no list through this member.
  void AddTail(Id<T> id) {
    ListNode<T>& at = pool_[id].*node_;
    VM_BUG_ON(at.listed);
    at = {head_.tail, Id<T>(), true};
    (head_.tail ? (pool_[head_.tail].*node_).next : head_.head) = id;
    head_.tail = id;
    head_.count++;
  }
  // list_del_init(). REQUIRES: it is on the list.
  void Delete(Id<T> id) {
    ListNode<T>& at = pool_[id].*node_;
    VM_BUG_ON(!at.listed);
    (at.prev ? (pool_[at.prev].*node_).next : head_.head) = at.next;
    (at.next ? (pool_[at.next].*node_).prev : head_.tail) = at.prev;
    at = {};
    head_.count--;
  }
  // list_move_tail()
  void MoveTail(Id<T> id) {
    Delete(id);
    AddTail(id);
  }

 private:
  PoolOfT& pool_;
  ListHead<T>& head_;
  ListNode<T> T::*const node_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_BASE_POOL_LIST_H_
