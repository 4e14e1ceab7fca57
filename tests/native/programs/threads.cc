// Four threads that live at the same time and allocate, map, protect, unmap and
// end. Each waits for its turn, so that their calls hardly overlap. With the
// argument "race" the first one begins while the others are still being made.

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kThreads = 4;
constexpr size_t kPage = 4096;
constexpr size_t kSmall = 16 * kPage;
constexpr size_t kLarge = 700 * kPage;  // more than 2 MiB

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
int turn = -1;

void Require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::_Exit(1);
}

char* Map(size_t length) {
  void* const address = mmap(nullptr, length, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Require(address != MAP_FAILED, "mmap");
  return static_cast<char*>(address);
}

void UseMemory(int number) {
  char* const small = Map(kSmall);
  char* const large = Map(kLarge);
  std::memset(small, number, kSmall);
  large[kLarge / 2] = 1;
  // Holes and read-only pages: the mapping falls into four.
  Require(mprotect(small + kPage, kPage, PROT_READ) == 0, "mprotect");
  Require(munmap(small + 4 * kPage, 2 * kPage) == 0, "munmap");
  void* const heap = std::malloc(100'000);
  void* const big = std::malloc(300'000);
  Require(heap != nullptr && big != nullptr, "malloc");
  std::memset(heap, number, 100'000);
  std::free(big);
  Require(munmap(large, kLarge / 4 / kPage * kPage) == 0, "munmap");
}

void* Run(void* argument) {
  const int number = *static_cast<int*>(argument);
  pthread_mutex_lock(&mutex);
  while (turn != number) pthread_cond_wait(&turn_changed, &mutex);
  UseMemory(number);
  ++turn;
  pthread_cond_broadcast(&turn_changed);
  pthread_mutex_unlock(&mutex);
  return nullptr;
}

void Begin() {
  pthread_mutex_lock(&mutex);
  turn = 0;
  pthread_cond_broadcast(&turn_changed);
  pthread_mutex_unlock(&mutex);
}

}  // namespace

int main(int argc, char** argv) {
  pthread_t threads[kThreads];
  int numbers[kThreads];
  const bool race = argc > 1 && std::strcmp(argv[1], "race") == 0;
  if (race) Begin();
  for (int i = 0; i < kThreads; ++i) {
    numbers[i] = i;
    Require(pthread_create(&threads[i], nullptr, Run, &numbers[i]) == 0,
            "pthread_create");
  }
  if (!race) Begin();
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  return 0;
}
