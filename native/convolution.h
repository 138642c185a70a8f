// 3×3 convolution and its gradients by minimal filtering (winograd.h). The 36 products of a tile are matrix products over
// blocks of tiles, small enough for the cache.
#pragma once
#include <cstring>

#include "scratch.h"
#include "threads.h"
#include "winograd.h"

namespace winograd {

// What registers hold at a time of one 16 of channels: products of ROWS tiles, or of INPUTS channels for the gradient.
struct Blocks {
  static constexpr int ROWS = WIDTH == LANES ? 16 : 6, INPUTS = WIDTH == LANES ? 16 : 4;
  static constexpr int64_t TILES = WIDTH == LANES ? 16 : 18;
};

// M[out / 16][tile][16] = V[in / 16][tile][16] · U[out / 16][in][16] for B tiles: R tiles and C vectors at a time.
template <int B, int R, int C>
static inline void multiply(const float* v, const float* u, int64_t in, int64_t out, float* m) {
  for (int64_t o = 0; o < out; o += C * WIDTH)
    for (int64_t t = 0; t < B; t += R) {
      Vector sums[R][C];
      for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++) sums[r][c] = zero();
      for (int64_t i = 0; i < in; i += LANES) {
        const float* tiles = v + i * B + t * LANES;
#pragma GCC unroll 4
        for (int k = 0; k < LANES; k++) {
          Vector weight[C];
          for (int c = 0; c < C; c++) weight[c] = load(u + placeOf(o + c * WIDTH, in) + (i + k) * LANES);
#pragma GCC unroll 16
          for (int r = 0; r < R; r++) {
            Vector value = all(tiles[r * LANES + k]);
            for (int c = 0; c < C; c++) sums[r][c] = ::addMul(sums[r][c], value, weight[c]);
          }
        }
      }
      for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++) store(m + placeOf(o + c * WIDTH, B) + (t + r) * LANES, sums[r][c]);
    }
}

// S[in / 16][out / 16][16 in][16 out] += V[in / 16][tile][16]ᵀ · D[out / 16][tile][16] over B tiles: R inputs and C
// vectors at a time.
template <int B, int R, int C>
static inline void accumulate(const float* v, const float* d, int64_t in, int64_t out, float* s) {
  for (int64_t i = 0; i < in; i += LANES)
    for (int64_t o = 0; o < out; o += C * WIDTH)
      for (int64_t first = 0; first < LANES; first += R) {
        Vector sums[R][C];
        for (int r = 0; r < R; r++)
          for (int c = 0; c < C; c++) sums[r][c] = zero();
#pragma GCC unroll 4
        for (int64_t t = 0; t < B; t++) {
          Vector gradient[C];
          for (int c = 0; c < C; c++) gradient[c] = load(d + placeOf(o + c * WIDTH, B) + t * LANES);
#pragma GCC unroll 16
          for (int r = 0; r < R; r++) {
            Vector value = all(v[i * B + t * LANES + first + r]);
            for (int c = 0; c < C; c++) sums[r][c] = ::addMul(sums[r][c], value, gradient[c]);
          }
        }
        for (int c = 0; c < C; c++) {
          float* to = s + i * out + placeOf(o + c * WIDTH, LANES) + first * LANES;
          for (int r = 0; r < R; r++)
            store(to + r * LANES, add(load(to + r * LANES), sums[r][c]));
        }
      }
}

// y = relu(x ∗ filters + bias + residual). `turned`: the gradient of the input, `in` being the channels of dy then.
static inline void convolve(const Shape& shape, const float* x, const float* filters, bool turned,
                            const Finish& finish, float* y) {
  constexpr int64_t B = Blocks::TILES;
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
        scatter<PATCH>(shape, x, in, image, row - 1, column - 1, outside, inputRow, v + t * LANES, B * in, B);
      });
      for (int64_t p = 0; p < PRODUCTS; p++) {
        const float *values = v + p * B * in, *weights = u + p * in * out;
        if (WIDTH == LANES && out % (2 * LANES) == 0) multiply<B, 8, 2>(values, weights, in, out, m + p * B * out);
        else multiply<B, Blocks::ROWS, LANES / WIDTH>(values, weights, in, out, m + p * B * out);
      }
      eachTile(shape, first, count, [&](int64_t t, int64_t image, int64_t row, int64_t column) {
        gather(shape, m + t * LANES, B * out, B, finish, image, row, column, y);
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
        scatter<PATCH>(shape, x, in, image, row - 1, column - 1, outside, inputRow, v + t * LANES, B * in, B);
        scatter<TILE>(shape, dy, out, image, row, column, outside, outputGradientRow, d + t * LANES, B * out, B);
      });
      for (int64_t p = 0; p < PRODUCTS; p++) {
        const float *values = v + p * B * in, *gradients = d + p * B * out;
        if (WIDTH == LANES && out % (2 * LANES) == 0)
          accumulate<B, 8, 2>(values, gradients, in, out, sum + p * in * out);
        else accumulate<B, Blocks::INPUTS, LANES / WIDTH>(values, gradients, in, out, sum + p * in * out);
      }
    }
  });
  for (int64_t i = 0; i < in; i++)
    for (int64_t o = 0; o < out; o += WIDTH) {
      Vector products[PRODUCTS], half[3 * PATCH], taps[TAPS];
      for (int64_t p = 0; p < PRODUCTS; p++) {
        const float* at = sums + p * in * out + i / LANES * LANES * out + placeOf(o, LANES) + i % LANES * LANES;
        products[p] = load(at);
        for (int part = 1; part < threads.count(); part++)
          products[p] = add(products[p], load(at + part * size));
      }
      for (int j = 0; j < PATCH; j++) filterGradientRow(products + j, PATCH, half + j, PATCH);
      for (int k = 0; k < 3; k++) filterGradientRow(half + k * PATCH, 1, taps + k * 3, 1);
      for (int64_t tap = 0; tap < TAPS; tap++) store(dw + (tap * in + i) * out + o, taps[tap]);
    }
}

}  // namespace winograd
