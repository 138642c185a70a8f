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

// Numbers from one of the 36 products to the next: not a multiple of a page, whose lines would share one place in the cache.
constexpr int64_t apart(int64_t count) { return count + LANES; }

// M[out / 16][tile][16] = V[in / 16][tile][16] · U[out / 16][in][16] for `count` tiles: R tiles and C vectors at a time.
template <int R, int C>
static inline void multiply(const float* v, const float* u, int64_t count, int64_t in, int64_t out, float* m) {
  for (int64_t o = 0; o < out; o += C * WIDTH)
    for (int64_t t = 0; t < count; t += R) {
      Vector sums[R][C];
      for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++) sums[r][c] = zero();
      for (int64_t i = 0; i < in; i += LANES) {
        const float* tiles = v + i * count + t * LANES;
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
        for (int c = 0; c < C; c++) store(m + placeOf(o + c * WIDTH, count) + (t + r) * LANES, sums[r][c]);
    }
}

// S[in / 16][out / 16][16 in][16 out] += V[in / 16][tile][16]ᵀ · D[out / 16][tile][16] over `count` tiles: R inputs and C
// vectors at a time.
template <int R, int C>
static inline void accumulateBy(const float* v, const float* d, int64_t count, int64_t in, int64_t out, float* s) {
  for (int64_t i = 0; i < in; i += LANES)
    for (int64_t o = 0; o < out; o += C * WIDTH)
      for (int64_t first = 0; first < LANES; first += R) {
        Vector sums[R][C];
        for (int r = 0; r < R; r++)
          for (int c = 0; c < C; c++) sums[r][c] = zero();
#pragma GCC unroll 4
        for (int64_t t = 0; t < count; t++) {
          Vector gradient[C];
          for (int c = 0; c < C; c++) gradient[c] = load(d + placeOf(o + c * WIDTH, count) + t * LANES);
#pragma GCC unroll 16
          for (int r = 0; r < R; r++) {
            Vector value = all(v[i * count + t * LANES + first + r]);
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

static inline void accumulate(const float* v, const float* d, int64_t count, int64_t in, int64_t out, float* s) {
  if (WIDTH == LANES && out % (2 * LANES) == 0) return accumulateBy<8, 2>(v, d, count, in, out, s);
  accumulateBy<Blocks::INPUTS, LANES / WIDTH>(v, d, count, in, out, s);
}

// So many channels and fewer: the results of a block are fetched before they are written. With more they are in the way.
constexpr int64_t FEW_CHANNELS = 64;

// Whether the transformed filters are far larger than the second cache, so that they are not to be read for each few tiles.
inline bool isLarge(const Shape& shape) { return shape.in * shape.out > 65536; }

// y = relu(x ∗ filters + bias + residual). `turned`: the gradient of the input, `in` being the channels of dy then.
template <class T>
static inline void convolve(const Shape& shape, const typename T::Stored* x, const typename T::Stored* filters,
                            bool turned, const Finish<T>& finish, typename T::Stored* y) {
  static thread_local Scratch ownFilters;
  auto& threads = Threads::get();
  const int64_t in = shape.in, out = shape.out;
  const int64_t groups = (shape.tiles() + Blocks::TILES - 1) / Blocks::TILES;
  const int64_t block = Blocks::TILES * (isLarge(shape) ? std::min<int64_t>(8, groups / threads.count() + 1) : 1);
  const int64_t uStep = apart(in * out), vStep = apart(block * in), mStep = apart(block * out);
  float* u = ownFilters.get(PRODUCTS * uStep);
  threads.run([&](int index) {
    auto [begin, end] = threads.share(out / LANES, index);
    transformFilters<T>(filters, turned, in, out, begin, end, u, uStep);
  });
  threads.run([&](int index) {
    static thread_local Scratch ownV, ownM;
    float *v = ownV.get(PRODUCTS * vStep), *m = ownM.get(PRODUCTS * mStep);
    const auto* outside = zeros<typename T::Stored>(in);
    auto [begin, end] = threads.share(groups, index);
    const int64_t last = std::min(end * Blocks::TILES, shape.tiles());
    for (int64_t first = begin * Blocks::TILES; first < last; first += block) {
      int64_t count = std::min(block, last - first);
      int64_t size = (count + Blocks::TILES - 1) / Blocks::TILES * Blocks::TILES;
      eachTile(shape, first, count, [&](int64_t t, int64_t image, int64_t row, int64_t column) {
        scatter<PATCH, T>(shape, x, in, image, row - 1, column - 1, outside, inputRow, v + t * LANES, vStep, size);
        if (out > FEW_CHANNELS) return;
        fetch<1>(y + ((image * shape.height + row) * shape.width + column) * out, shape.width * out, out);
      });
      for (int64_t p = 0; p < PRODUCTS; p++) {
        const float *values = v + p * vStep, *weights = u + p * uStep;
        if (WIDTH == LANES && out % (2 * LANES) == 0) multiply<8, 2>(values, weights, size, in, out, m + p * mStep);
        else multiply<Blocks::ROWS, LANES / WIDTH>(values, weights, size, in, out, m + p * mStep);
      }
      eachTile(shape, first, count, [&](int64_t t, int64_t image, int64_t row, int64_t column) {
        gather(shape, m + t * LANES, mStep, size, finish, image, row, column, y);
      });
    }
  });
}

// The gradient of the filters from channel i of x to a vector of channels from o on: `product(p)` transformed back, added to what
// is there if `more`.
template <class Product>
INLINE void toTaps(const Shape& shape, int64_t i, int64_t o, const Product& product, bool more, float* dw) {
  Vector products[PRODUCTS], half[3 * PATCH], taps[TAPS];
  for (int64_t p = 0; p < PRODUCTS; p++) products[p] = product(p);
  for (int j = 0; j < PATCH; j++) filterGradientRow(products + j, PATCH, half + j, PATCH);
  for (int k = 0; k < 3; k++) filterGradientRow(half + k * PATCH, 1, taps + k * 3, 1);
  for (int64_t tap = 0; tap < TAPS; tap++) {
    float* to = dw + (tap * shape.in + i) * shape.out + o;
    store(to, more ? add(load(to), taps[tap]) : taps[tap]);
  }
}

// Transforms x and dy of `count` tiles into V and D.
template <class T>
static inline void scatterBoth(const Shape& shape, const typename T::Stored* x, const typename T::Stored* dy,
                               int64_t first, int64_t count, int64_t at, int64_t size, float* v, float* d) {
  const auto* outside = zeros<typename T::Stored>(std::max(shape.in, shape.out));
  const int64_t vStep = apart(size * shape.in), dStep = apart(size * shape.out);
  eachTile(shape, first, count, [&](int64_t t, int64_t image, int64_t row, int64_t column) {
    const int64_t to = (at + t) * LANES;
    scatter<PATCH, T>(shape, x, shape.in, image, row - 1, column - 1, outside, inputRow, v + to, vStep, size);
    scatter<TILE, T>(shape, dy, shape.out, image, row, column, outside, outputGradientRow, d + to, dStep, size);
  });
}

// dw, the gradient of the filters. Each thread adds up the products of its tiles.
template <class T>
static inline void filterGradientByTiles(const Shape& shape, const typename T::Stored* x, const typename T::Stored* dy,
                                         float* dw) {
  constexpr int64_t B = 32;
  static thread_local Scratch ownSums;
  const int64_t in = shape.in, out = shape.out, step = apart(in * out), size = PRODUCTS * step;
  const int64_t vStep = apart(B * in), dStep = apart(B * out);
  auto& threads = Threads::get();
  float* sums = ownSums.get(size * threads.count());
  threads.run([&](int index) {
    static thread_local Scratch ownV, ownD;
    float *v = ownV.get(PRODUCTS * vStep), *d = ownD.get(PRODUCTS * dStep), *sum = sums + index * size;
    std::memset(sum, 0, static_cast<size_t>(size) * sizeof(float));
    auto [begin, end] = threads.share((shape.tiles() + B - 1) / B, index);
    for (int64_t block = begin; block < end; block++) {
      int64_t first = block * B, count = std::min(B, shape.tiles() - first);
      if (count < B) {
        std::memset(v, 0, static_cast<size_t>(PRODUCTS * vStep) * sizeof(float));
        std::memset(d, 0, static_cast<size_t>(PRODUCTS * dStep) * sizeof(float));
      }
      scatterBoth<T>(shape, x, dy, first, count, 0, B, v, d);
      for (int64_t p = 0; p < PRODUCTS; p++) accumulate(v + p * vStep, d + p * dStep, B, in, out, sum + p * step);
    }
  });
  threads.run([&](int index) {
    auto [begin, end] = threads.share(in, index);
    for (int64_t i = begin; i < end; i++)
      for (int64_t o = 0; o < out; o += WIDTH) {
        const float* at = sums + i / LANES * LANES * out + placeOf(o, LANES) + i % LANES * LANES;
        auto product = [&](int64_t p) {
          Vector sum = load(at + p * step);
          for (int part = 1; part < threads.count(); part++) sum = add(sum, load(at + p * step + part * size));
          return sum;
        };
        toTaps(shape, i, o, product, false, dw);
      }
  });
}

// The same where the sums of products do not fit into the caches: each thread has some of the channels, whose sums over many
// tiles are transformed back at once.
template <class T>
static inline void filterGradientByChannels(const Shape& shape, const typename T::Stored* x,
                                            const typename T::Stored* dy, float* dw) {
  constexpr int64_t MANY = 256;
  static thread_local Scratch ownV, ownD;
  const int64_t in = shape.in, out = shape.out, wide = out % (2 * LANES) == 0 ? 2 * LANES : LANES;
  auto& threads = Threads::get();
  for (int64_t first = 0; first < shape.tiles(); first += MANY) {
    const int64_t size = std::min(MANY, shape.tiles() - first);
    const int64_t vStep = apart(size * in), dStep = apart(size * out);
    float *v = ownV.get(PRODUCTS * vStep), *d = ownD.get(PRODUCTS * dStep);
    threads.run([&](int index) {
      auto [begin, end] = threads.share(size, index);
      scatterBoth<T>(shape, x, dy, first + begin, end - begin, begin, size, v, d);
    });
    threads.run([&](int index) {
      static thread_local Scratch ownSums;
      float* sums = ownSums.get(PRODUCTS * LANES * wide);
      auto [begin, end] = threads.share(out / wide, index);
      for (int64_t o = begin * wide; o < end * wide; o += wide)
        for (int64_t i = 0; i < in; i += LANES) {
          std::memset(sums, 0, static_cast<size_t>(PRODUCTS * LANES * wide) * sizeof(float));
          for (int64_t p = 0; p < PRODUCTS; p++)
            accumulate(v + p * vStep + i * size, d + p * dStep + o * size, size, LANES, wide, sums + p * LANES * wide);
          for (int64_t row = 0; row < LANES; row++)
            for (int64_t column = 0; column < wide; column += WIDTH) {
              const float* at = sums + placeOf(column, LANES) + row * LANES;
              auto product = [&](int64_t p) { return load(at + p * LANES * wide); };
              toTaps(shape, i + row, o + column, product, first > 0, dw);
            }
        }
    });
  }
}

template <class T>
static inline void filterGradient(const Shape& shape, const typename T::Stored* x, const typename T::Stored* dy,
                                  float* dw) {
  return isLarge(shape) ? filterGradientByChannels<T>(shape, x, dy, dw) : filterGradientByTiles<T>(shape, x, dy, dw);
}

}  // namespace winograd
