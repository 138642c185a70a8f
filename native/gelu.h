// GELU, x·Φ(x) with the normal distribution function Φ, and its gradient dy·(Φ(x) + x·φ(x)).
#pragma once
#include "rows.h"

// erf by the rational function of Eigen and XLA, within 3e-7 of it.
INLINE Vector erf(Vector x) {
  x = smaller(all(4), larger(all(-4), x));
  const Vector square = mul(x, x);
  auto polynomial = [&](std::initializer_list<float> coefficients) {
    Vector sum = zero();
    for (float coefficient : coefficients) sum = addMul(all(coefficient), sum, square);
    return sum;
  };
  const Vector above = polynomial({-2.72614225801306e-10f, 2.77068142495902e-08f, -2.10102402082508e-06f,
                                   -5.69250639462346e-05f, -7.34990630326855e-04f, -2.95459980854025e-03f,
                                   -1.60960333262415e-02f});
  const Vector below = polynomial({-1.45660718464996e-05f, -2.13374055278905e-04f, -1.68282697438203e-03f,
                                   -7.37332916720468e-03f, -1.42647390514189e-02f});
  return smaller(all(1), larger(all(-1), div(mul(x, above), below)));
}

// eˣ for x ≤ 0: 2ⁿ·eʳ with |r| ≤ ln 2 / 2, and Taylor's polynomial of degree 7.
INLINE Vector exponential(Vector x) {
  x = larger(all(-87), x);
  const Vector sum = addMul(all(MAGIC), x, all(1.44269504f));
  const Vector n = sub(sum, all(MAGIC));
  const Vector r = subMul(subMul(x, n, all(0.693359375f)), n, all(-2.12194440e-4f));
  Vector value = all(1.0f / 5040);
  for (float coefficient : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    value = addMul(all(coefficient), value, r);
  return mul(value, powerOfTwo(sum));
}

// Φ(x)
INLINE Vector distribution(Vector x) {
  return mul(all(0.5f), add(all(1), erf(mul(x, all(0.707106781f)))));
}

// φ(x)
INLINE Vector density(Vector x) {
  return mul(all(0.398942280f), exponential(mul(all(-0.5f), mul(x, x))));
}

// Writes f(x, dy) for each of `size` numbers.
template <class Function>
static void overNumbers(int64_t size, const float* x, const float* dy, float* out, const Function& f) {
  overRows(size, 1, [&](int64_t from, int64_t to, int) {
    int64_t at = from;
    for (; at + WIDTH <= to; at += WIDTH) store(out + at, f(load(x + at), load(dy + at)));
    if (at < to) storeSome(out + at, f(loadSome<Float>(x + at, to - at), loadSome<Float>(dy + at, to - at)), to - at);
  });
}

inline void gelu(int64_t size, const float* x, float* y) {
  overNumbers(size, x, x, y, [](Vector x, Vector) { return mul(x, distribution(x)); });
}

inline void geluBackward(int64_t size, const float* x, const float* dy, float* dx) {
  overNumbers(size, x, dy, dx,
              [](Vector x, Vector dy) { return mul(dy, addMul(distribution(x), x, density(x))); });
}
