// Memory that a thread keeps between calls, aligned for vectors.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>

class Scratch {
 public:
  ~Scratch() { std::free(bytes_); }
  // Room for `count` values; what was in it is lost when it grows.
  template <class Value = float>
  Value* get(int64_t count) {
    size_t wanted = (static_cast<size_t>(count) * sizeof(Value) + 63) / 64 * 64;
    if (wanted > size_) {
      std::free(bytes_);
      bytes_ = std::aligned_alloc(64, wanted);
      size_ = wanted;
    }
    return static_cast<Value*>(bytes_);
  }

 private:
  void* bytes_ = nullptr;
  size_t size_ = 0;
};

// `count` zeros; valid until the thread asks again.
template <class Value>
const Value* zeros(int64_t count) {
  static thread_local Scratch scratch;
  Value* values = scratch.get<Value>(count);
  std::memset(values, 0, static_cast<size_t>(count) * sizeof(Value));
  return values;
}
