// 3×3 convolution and its gradients by minimal filtering (winograd.h). The 36 products of a tile are matrix products over
// blocks of tiles, small enough for the cache.
#pragma once
#include <cstring>

#include "scratch.h"
#include "threads.h"
#include "winograd.h"

namespace winograd {

// M[out / 16][tile][16] = V[in / 16][tile][16] · U[out / 16][in][16] for B tiles: R tiles and C vectors at a time.
template <int B, int R, int C>
static inline void multiply(const float* v, const float* u, int64_t in, int64_t out, float* m) {
  for (int64_t o = 0; o < out; o += C * LANES)
    for (int64_t t = 0; t < B; t += R) {
      __m512 sums[R][C];
      for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++) sums[r][c] = _mm512_setzero_ps();
      for (int64_t i = 0; i < in; i += LANES) {
        const float* tiles = v + i * B + t * LANES;
        const float* weights = u + o * in + i * LANES;
#pragma GCC unroll 4
        for (int k = 0; k < LANES; k++) {
          __m512 weight[C];
          for (int c = 0; c < C; c++) weight[c] = _mm512_load_ps(weights + c * LANES * in + k * LANES);
#pragma GCC unroll 16
          for (int r = 0; r < R; r++) {
            __m512 value = _mm512_set1_ps(tiles[r * LANES + k]);
            for (int c = 0; c < C; c++) sums[r][c] = _mm512_fmadd_ps(value, weight[c], sums[r][c]);
          }
        }
      }
      for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++) _mm512_store_ps(m + (o + c * LANES) * B + (t + r) * LANES, sums[r][c]);
    }
}

// S[in / 16][out / 16][16 in][16 out] += V[in / 16][tile][16]ᵀ · D[out / 16][tile][16] over B tiles: R inputs and C
// vectors at a time.
template <int B, int R, int C>
static inline void accumulate(const float* v, const float* d, int64_t in, int64_t out, float* s) {
  for (int64_t i = 0; i < in; i += LANES)
    for (int64_t o = 0; o < out; o += C * LANES)
      for (int64_t first = 0; first < LANES; first += R) {
        __m512 sums[R][C];
        for (int r = 0; r < R; r++)
          for (int c = 0; c < C; c++) sums[r][c] = _mm512_setzero_ps();
#pragma GCC unroll 4
        for (int64_t t = 0; t < B; t++) {
          __m512 gradient[C];
          for (int c = 0; c < C; c++) gradient[c] = _mm512_load_ps(d + (o + c * LANES) * B + t * LANES);
#pragma GCC unroll 16
          for (int r = 0; r < R; r++) {
            __m512 value = _mm512_set1_ps(v[i * B + t * LANES + first + r]);
            for (int c = 0; c < C; c++) sums[r][c] = _mm512_fmadd_ps(value, gradient[c], sums[r][c]);
          }
        }
        for (int c = 0; c < C; c++) {
          float* to = s + i * out + ((o + c * LANES) + first) * LANES;
          for (int r = 0; r < R; r++)
            _mm512_store_ps(to + r * LANES, add(_mm512_load_ps(to + r * LANES), sums[r][c]));
        }
      }
}

// y = relu(x ∗ filters + bias + residual). `turned`: the gradient of the input, `in` being the channels of dy then.
static inline void convolve(const Shape& shape, const float* x, const float* filters, bool turned,
                            const Finish& finish, float* y) {
  constexpr int64_t B = 16;
  static thread_local Scratch ownFilters;
  int64_t in = shape.in, out = shape.out;
  float* u = ownFilters.get(PRODUCTS * in * out);
  transformFilters(filters, turned, in, out, u);
  auto& threads = Threads::get();
  threads.run([&](int index) {
    static thread_local Scratch ownV, ownM;
    float *v = ownV.get(PRODUCTS * B * in), *m = ownM.get(PRODUCTS * B * out);
    const float* outside = zeros<float>(in);
    auto [begin, end] = threads.share((shape.tiles() + B - 1) / B, index);
    for (int64_t block = begin; block < end; block++) {
      int64_t first = block * B, count = std::min(B, shape.tiles() - first);
      eachTile(shape, first, count, [&](int64_t t, int64_t image, int64_t row, int64_t column) {
        scatter<PATCH>(shape, x, in, image, row - 1, column - 1, outside, inputRow, v + t * LANES, B * in, B * LANES);
      });
      for (int64_t p = 0; p < PRODUCTS; p++) {
        const float *values = v + p * B * in, *weights = u + p * in * out;
        if (out % (2 * LANES) == 0) multiply<B, 8, 2>(values, weights, in, out, m + p * B * out);
        else multiply<B, 16, 1>(values, weights, in, out, m + p * B * out);
      }
      eachTile(shape, first, count, [&](int64_t t, int64_t image, int64_t row, int64_t column) {
        gather(shape, m + t * LANES, B * out, B * LANES, finish, image, row, column, y);
      });
    }
  });
}

// dw, the gradient of the filters.
static inline void filterGradient(const Shape& shape, const float* x, const float* dy, float* dw) {
  constexpr int64_t B = 32;
  static thread_local Scratch ownSums;
  int64_t in = shape.in, out = shape.out, size = PRODUCTS * in * out;
  auto& threads = Threads::get();
  float* sums = ownSums.get(size * threads.count());
  threads.run([&](int index) {
    static thread_local Scratch ownV, ownD;
    float *v = ownV.get(PRODUCTS * B * in), *d = ownD.get(PRODUCTS * B * out), *sum = sums + index * size;
    const float* outside = zeros<float>(std::max(in, out));
    std::memset(sum, 0, static_cast<size_t>(size) * sizeof(float));
    auto [begin, end] = threads.share((shape.tiles() + B - 1) / B, index);
    for (int64_t block = begin; block < end; block++) {
      int64_t first = block * B, count = std::min(B, shape.tiles() - first);
      if (count < B) {
        std::memset(v, 0, static_cast<size_t>(PRODUCTS * B * in) * sizeof(float));
        std::memset(d, 0, static_cast<size_t>(PRODUCTS * B * out) * sizeof(float));
      }
      eachTile(shape, first, count, [&](int64_t t, int64_t image, int64_t row, int64_t column) {
        scatter<PATCH>(shape, x, in, image, row - 1, column - 1, outside, inputRow, v + t * LANES, B * in, B * LANES);
        scatter<TILE>(shape, dy, out, image, row, column, outside, outputGradientRow, d + t * LANES, B * out, B * LANES);
      });
      for (int64_t p = 0; p < PRODUCTS; p++) {
        const float *values = v + p * B * in, *gradients = d + p * B * out;
        if (out % (2 * LANES) == 0) accumulate<B, 8, 2>(values, gradients, in, out, sum + p * in * out);
        else accumulate<B, 16, 1>(values, gradients, in, out, sum + p * in * out);
      }
    }
  });
  for (int64_t i = 0; i < in; i++)
    for (int64_t o = 0; o < out; o += LANES) {
      __m512 products[PRODUCTS], half[3 * PATCH], taps[TAPS];
      for (int64_t p = 0; p < PRODUCTS; p++) {
        const float* at = sums + p * in * out + i / LANES * LANES * out + (o + i % LANES) * LANES;
        products[p] = _mm512_load_ps(at);
        for (int part = 1; part < threads.count(); part++)
          products[p] = add(products[p], _mm512_load_ps(at + part * size));
      }
      for (int j = 0; j < PATCH; j++) filterGradientRow(products + j, PATCH, half + j, PATCH);
      for (int k = 0; k < 3; k++) filterGradientRow(half + k * PATCH, 1, taps + k * 3, 1);
      for (int64_t tap = 0; tap < TAPS; tap++) _mm512_storeu_ps(dw + (tap * in + i) * out + o, taps[tap]);
    }
}

}  // namespace winograd
