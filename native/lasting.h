// Memory for tensors that outlive a step. TensorFlow's allocator never gives back what it once took, and weights that
// move about in it with each step leave gaps that no activation fits in.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <vector>
#ifdef __linux__
#include <sys/mman.h>
#endif

class Lasting {
 public:
  static Lasting& get() {
    static Lasting* lasting = new Lasting;  // Outlives TensorFlow's own threads.
    return *lasting;
  }

  // Bytes from which that allocator serves; smaller tensors come from the system.
  static constexpr size_t LARGE = 1 << 18;

  // Aligned for vectors; null if there is none.
  void* take(size_t bytes) {
    std::lock_guard<std::mutex> guard(mutex_);
    auto& blocks = spares_[bytes];
    if (blocks.empty()) return fresh(bytes);
    void* block = blocks.back();
    blocks.pop_back();
    waiting_ -= bytes;
    return block;
  }

  // Keeps some for the next weights of that size.
  static void giveBack(void* block, size_t bytes, void*) { get().keep(block, bytes); }

 private:
  static constexpr size_t SPARE = 64 << 20;
  static constexpr size_t PAGE = 2 << 20;

  // In large pages where the system has some: memory that is written for the first time comes page by page.
  static void* fresh(size_t bytes) {
    const size_t rounded = (bytes + 63) / 64 * 64;
#ifdef __linux__
    if (bytes >= PAGE) {
      void* block = std::aligned_alloc(PAGE, rounded);
      if (block) madvise(block, bytes / PAGE * PAGE, MADV_HUGEPAGE);
      return block;
    }
#endif
    return std::aligned_alloc(64, rounded);
  }

  void keep(void* block, size_t bytes) {
    std::lock_guard<std::mutex> guard(mutex_);
    if (waiting_ + bytes > SPARE) return std::free(block);
    spares_[bytes].push_back(block);
    waiting_ += bytes;
  }

  std::mutex mutex_;
  std::unordered_map<size_t, std::vector<void*>> spares_;
  size_t waiting_ = 0;
};
