// Work on rows of numbers that lie one after the other, shared among the threads.
#pragma once
#include <algorithm>

#include "threads.h"
#include "vector.h"

// Numbers below which one thread does all.
constexpr int64_t SHARED_FROM = 16384;

// Calls work(first, one past the last, index of the chunk) for all rows.
template <class Work>
static void overRows(int64_t rows, int64_t width, const Work& work) {
  if (rows * width < SHARED_FROM) return work(0, rows, 0);
  Threads& threads = Threads::get();
  threads.run([&](int index) {
    auto [from, to] = threads.share(rows, index);
    work(from, to, index);
  });
}

// Sum of a vector's numbers, in order.
INLINE float sumOf(Vector vector) {
  float lanes[WIDTH], sum = 0;
  store(lanes, vector);
  for (float lane : lanes) sum += lane;
  return sum;
}

// The sum of what `term(at)` gives, a vector, over a row of a multiple of LANES.
template <class Term>
INLINE float sumOfRow(int64_t width, const Term& term) {
  Vector sums[LANES / WIDTH];
  for (Vector& sum : sums) sum = zero();
  for (int64_t at = 0; at < width; at += LANES)
    for (int64_t i = 0; i < LANES / WIDTH; i++) sums[i] = add(sums[i], term(at + i * WIDTH));
  for (int64_t i = 1; i < LANES / WIDTH; i++) sums[0] = add(sums[0], sums[i]);
  return sumOf(sums[0]);
}

// The first `count` numbers of a vector, zeros after them.
template <class T>
INLINE Vector loadSome(const typename T::Stored* from, int64_t count) {
  typename T::Stored lanes[WIDTH] = {};
  std::copy_n(from, count, lanes);
  return T::load(lanes);
}

INLINE void storeSome(float* to, Vector value, int64_t count) {
  float lanes[WIDTH];
  store(lanes, value);
  std::copy_n(lanes, count, to);
}
