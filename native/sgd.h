// Stochastic gradient descent with momentum and weight decay, in PyTorch's form, in one pass over memory:
//   g ← g + decay·w;  v ← momentum·v + g;  w ← w − rate·v, with Nesterov's form w − rate·(g + momentum·v)
// Products are rounded before they are added, as by ops of their own.
#pragma once
#include <algorithm>

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
  const Vector momentum = all(step.momentum), decay = all(step.decay), rate = all(step.rate);
  auto plus = [](Vector a, Vector b, Vector c) { return add(a, mul(b, c)); };
  auto block = [&](const float* w, const float* v, const typename T::Stored* g, float* nextW, float* nextV) {
    Vector weight = load(w);
    Vector gradient = plus(T::load(g), decay, weight);
    Vector velocity = plus(gradient, momentum, load(v));
    Vector direction = step.nesterov ? plus(gradient, momentum, velocity) : velocity;
    store(nextV, velocity);
    store(nextW, sub(weight, mul(rate, direction)));
  };
  auto rest = [&](int64_t at, int64_t count) {
    float weight[WIDTH] = {}, velocity[WIDTH] = {};
    typename T::Stored gradient[WIDTH] = {};
    std::copy_n(step.weight + at, count, weight);
    std::copy_n(step.velocity + at, count, velocity);
    std::copy_n(step.gradient + at, count, gradient);
    block(weight, velocity, gradient, weight, velocity);
    std::copy_n(weight, count, step.nextWeight + at);
    std::copy_n(velocity, count, step.nextVelocity + at);
  };
  auto range = [&](int64_t from, int64_t to) {
    int64_t at = from;
    for (; at + WIDTH <= to; at += WIDTH)
      block(step.weight + at, step.velocity + at, step.gradient + at, step.nextWeight + at, step.nextVelocity + at);
    if (at < to) rest(at, to - at);
  };
  if (step.size < 16384) return range(0, step.size);
  Threads& threads = Threads::get();
  threads.run([&](int index) {
    auto [from, to] = threads.share(step.size, index);
    range(from, to);
  });
}
