// Gradient of softmax over rows of any width: dx = (dy − Σ dy·y) · y, where y may be in bfloat16.
#pragma once
#include "rows.h"

template <class Y>
void softmaxBackward(int64_t rows, int64_t width, const float* dy, const typename Y::Stored* y, float* dx) {
  const int64_t whole = width / WIDTH * WIDTH, rest = width - whole;
  overRows(rows, width, [&](int64_t from, int64_t to, int) {
    for (int64_t row = from; row < to; row++) {
      const float* g = dy + row * width;
      const typename Y::Stored* p = y + row * width;
      float* out = dx + row * width;
      Vector sums[2] = {zero(), mul(loadSome<Float>(g + whole, rest), loadSome<Y>(p + whole, rest))};
      for (int64_t at = 0, odd = 0; at < whole; at += WIDTH, odd ^= 1)
        sums[odd] = addMul(sums[odd], load(g + at), Y::load(p + at));
      const Vector along = all(sumOf(add(sums[0], sums[1])));
      for (int64_t at = 0; at < whole; at += WIDTH)
        store(out + at, mul(sub(load(g + at), along), Y::load(p + at)));
      if (rest > 0)
        storeSome(out + whole, mul(sub(loadSome<Float>(g + whole, rest), along), loadSome<Y>(p + whole, rest)), rest);
    }
  });
}
