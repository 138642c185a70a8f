// Stochastic gradient descent with momentum and weight decay, in PyTorch's form, in one pass over memory:
//   g ← g + decay·w;  v ← momentum·v + g;  w ← w − rate·v, with Nesterov's form w − rate·(g + momentum·v)
// Products are rounded before they are added, as by ops of their own.
#pragma once
#include "threads.h"
#include "vector.h"

template <class T>
struct SgdStep {
  int64_t size;
  float momentum, decay, rate;
  bool nesterov;
  const float *weight = nullptr, *velocity = nullptr;
  const typename T::Stored* gradient = nullptr;
  float *nextWeight = nullptr, *nextVelocity = nullptr;
};

template <class T>
void sgdStep(const SgdStep<T>& step) {
  const __m512 momentum = _mm512_set1_ps(step.momentum), decay = _mm512_set1_ps(step.decay);
  const __m512 rate = _mm512_set1_ps(step.rate);
  auto plus = [](__m512 a, __m512 b, __m512 c) { return _mm512_add_ps(a, _mm512_mul_ps(b, c)); };
  auto block = [&](int64_t at, __mmask16 mask) {
    __m512 weight = Float::load(step.weight + at, mask);
    __m512 gradient = plus(T::load(step.gradient + at, mask), decay, weight);
    __m512 velocity = plus(gradient, momentum, Float::load(step.velocity + at, mask));
    __m512 direction = step.nesterov ? plus(gradient, momentum, velocity) : velocity;
    _mm512_mask_storeu_ps(step.nextVelocity + at, mask, velocity);
    _mm512_mask_storeu_ps(step.nextWeight + at, mask, _mm512_sub_ps(weight, _mm512_mul_ps(rate, direction)));
  };
  auto range = [&](int64_t from, int64_t to) {
    int64_t at = from;
    for (; at + LANES <= to; at += LANES) block(at, 0xffff);
    if (at < to) block(at, static_cast<__mmask16>((1 << (to - at)) - 1));
  };
  if (step.size < 16384) return range(0, step.size);
  Threads& threads = Threads::get();
  threads.run([&](int index) {
    auto [from, to] = threads.share(step.size, index);
    range(from, to);
  });
}
