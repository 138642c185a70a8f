// 3×3 convolution with stride 1 and one row and column of zeros around the images, and its gradients, by minimal
// filtering F(4×4, 3×3) (Winograd 1980; Lavin and Gray 2016, arXiv:1509.09308): a quarter of the multiplications.
//
//   y  = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ x B) ] A        per tile of 4×4 results, from 6×6 images, summed over input channels
//   dw = Gᵀ [ Σ (A dy Aᵀ) ⊙ (Bᵀ x B) ] G     over tiles
//
// A, B and G are those of Cook and Toom for the points 0, ±5/8, ±3/2 and ∞, whose rounding errors are a third of those
// of 0, ±1, ±2 and ∞. NHWC, filters [3, 3, in, out], channels in sixteens. The 36 products of a tile are matrix products
// over blocks of tiles, small enough for the cache.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <type_traits>

#include "threads.h"
#include "vector.h"

namespace winograd {

constexpr int64_t TILE = 4, PATCH = 6, PRODUCTS = PATCH * PATCH, TAPS = 9;

struct Shape {
  int64_t batch, height, width, in, out;
  int64_t down() const { return (height + TILE - 1) / TILE; }
  int64_t across() const { return (width + TILE - 1) / TILE; }
  int64_t tiles() const { return batch * down() * across(); }
};

// Memory that a thread keeps between calls, aligned for vectors.
class Scratch {
 public:
  ~Scratch() { std::free(values_); }
  float* get(int64_t count) {
    if (count > count_) {
      std::free(values_);
      values_ = static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(count) * sizeof(float)));
      count_ = count;
    }
    return values_;
  }

 private:
  float* values_ = nullptr;
  int64_t count_ = 0;
};

constexpr float P = 0.625f, Q = 1.5f, P2 = P * P, Q2 = Q * Q, P3 = P2 * P, Q3 = Q2 * Q;
constexpr float SCALE_0 = 1 / (P2 * Q2), SCALE_P = 1 / (2 * P2 * (P2 - Q2)), SCALE_Q = 1 / (2 * Q2 * (Q2 - P2));

#define INLINE static inline __attribute__((always_inline))
INLINE __m512 add(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
INLINE __m512 sub(__m512 a, __m512 b) { return _mm512_sub_ps(a, b); }
INLINE __m512 mul(float k, __m512 a) { return _mm512_mul_ps(_mm512_set1_ps(k), a); }
INLINE __m512 addMul(__m512 a, float k, __m512 b) { return _mm512_fmadd_ps(_mm512_set1_ps(k), b, a); }
INLINE __m512 subMul(__m512 a, float k, __m512 b) { return _mm512_fnmadd_ps(_mm512_set1_ps(k), b, a); }

// The matrices, applied to vectors `from` apart: Bᵀ, G, Gᵀ, Aᵀ and A.
INLINE void inputRow(const __m512* d, int from, __m512* to, int step) {
  __m512 d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from];
  to[0] = addMul(subMul(d4, P2 + Q2, d2), P2 * Q2, d[0]);
  __m512 even = subMul(d4, Q2, d2), odd = subMul(d3, Q2, d1);
  to[step] = addMul(even, P, odd);
  to[2 * step] = subMul(even, P, odd);
  even = subMul(d4, P2, d2), odd = subMul(d3, P2, d1);
  to[3 * step] = addMul(even, Q, odd);
  to[4 * step] = subMul(even, Q, odd);
  to[5 * step] = addMul(subMul(d[5 * from], P2 + Q2, d3), P2 * Q2, d1);
}

INLINE void filterRow(const __m512* g, int from, __m512* to, int step) {
  __m512 g0 = g[0], g1 = g[from], g2 = g[2 * from];
  to[0] = mul(SCALE_0, g0);
  __m512 even = mul(SCALE_P, addMul(g0, P2, g2)), odd = mul(SCALE_P * P, g1);
  to[step] = add(even, odd);
  to[2 * step] = sub(even, odd);
  even = mul(SCALE_Q, addMul(g0, Q2, g2)), odd = mul(SCALE_Q * Q, g1);
  to[3 * step] = add(even, odd);
  to[4 * step] = sub(even, odd);
  to[5 * step] = g2;
}

INLINE void filterGradientRow(const __m512* m, int from, __m512* to, int step) {
  __m512 evenP = add(m[from], m[2 * from]), oddP = sub(m[from], m[2 * from]);
  __m512 evenQ = add(m[3 * from], m[4 * from]), oddQ = sub(m[3 * from], m[4 * from]);
  to[0] = addMul(addMul(mul(SCALE_Q, evenQ), SCALE_P, evenP), SCALE_0, m[0]);
  to[step] = addMul(mul(SCALE_Q * Q, oddQ), SCALE_P * P, oddP);
  to[2 * step] = addMul(addMul(m[5 * from], SCALE_Q * Q2, evenQ), SCALE_P * P2, evenP);
}

INLINE void outputRow(const __m512* m, int from, __m512* to, int step) {
  __m512 evenP = add(m[from], m[2 * from]), oddP = sub(m[from], m[2 * from]);
  __m512 evenQ = add(m[3 * from], m[4 * from]), oddQ = sub(m[3 * from], m[4 * from]);
  to[0] = add(m[0], add(evenP, evenQ));
  to[step] = addMul(mul(Q, oddQ), P, oddP);
  to[2 * step] = addMul(mul(Q2, evenQ), P2, evenP);
  to[3 * step] = addMul(addMul(m[5 * from], Q3, oddQ), P3, oddP);
}

INLINE void outputGradientRow(const __m512* y, int from, __m512* to, int step) {
  __m512 y0 = y[0], y1 = y[from], y2 = y[2 * from], y3 = y[3 * from];
  to[0] = y0;
  __m512 even = addMul(y0, P2, y2), odd = addMul(mul(P, y1), P3, y3);
  to[step] = add(even, odd);
  to[2 * step] = sub(even, odd);
  even = addMul(y0, Q2, y2), odd = addMul(mul(Q, y1), Q3, y3);
  to[3 * step] = add(even, odd);
  to[4 * step] = sub(even, odd);
  to[5 * step] = y3;
}

// Visits tiles `first` to `first + count`: work(position in the block, image, row and column of its corner).
template <class Work>
INLINE void eachTile(const Shape& shape, int64_t first, int64_t count, const Work& work) {
  int64_t across = shape.across(), down = shape.down();
  int64_t column = first % across, row = first / across % down, image = first / across / down;
  for (int64_t t = 0; t < count; t++) {
    work(t, image, row * TILE, column * TILE);
    if (++column < across) continue;
    column = 0;
    if (++row == down) row = 0, image++;
  }
}

// Transforms S×S pixels with one corner at (y, x), zeros where the image ends, into 6×6 products: 16 channels each,
// `step` apart from product to product, `block` from 16 channels to the next.
template <int S, class Row>
INLINE void scatter(const Shape& shape, const float* images, int64_t channels, int64_t image, int64_t y, int64_t x,
                    const float* zeros, const Row& row, float* to, int64_t step, int64_t block) {
  const float* corner = images + ((image * shape.height + y) * shape.width + x) * channels;
  int64_t line = shape.width * channels;
  const float* at[S][S];
  auto transform = [&](auto inside) __attribute__((always_inline)) {
    for (int64_t c = 0; c < channels; c += LANES, to += block) {
      __m512 half[PATCH * S];
      for (int j = 0; j < S; j++) {
        __m512 pixels[S];
        for (int i = 0; i < S; i++)
          pixels[i] = _mm512_loadu_ps((inside ? corner + i * line + j * channels : at[i][j]) + c);
        row(pixels, 1, half + j, S);
      }
      for (int i = 0; i < PATCH; i++) {
        __m512 products[PATCH];
        row(half + i * S, 1, products, 1);
        for (int j = 0; j < PATCH; j++) _mm512_store_ps(to + (i * PATCH + j) * step, products[j]);
      }
    }
  };
  if (y >= 0 && x >= 0 && y + S <= shape.height && x + S <= shape.width) return transform(std::true_type());
  for (int i = 0; i < S; i++)
    for (int j = 0; j < S; j++) {
      bool inside = y + i >= 0 && y + i < shape.height && x + j >= 0 && x + j < shape.width;
      at[i][j] = inside ? corner + i * line + j * channels : zeros;
    }
  transform(std::false_type());
}

// What becomes of a result before it is stored: relu(y + bias + residual), each where there is one.
struct Finish {
  const float *bias, *residual;
  bool relu;
};

// Transforms 6×6 products back into the results of the tile with its corner at (y, x).
INLINE void gather(const Shape& shape, const float* from, int64_t step, int64_t block, const Finish& finish,
                   int64_t image, int64_t y, int64_t x, float* results) {
  int64_t corner = ((image * shape.height + y) * shape.width + x) * shape.out, line = shape.width * shape.out;
  int64_t rows = std::min(TILE, shape.height - y), columns = std::min(TILE, shape.width - x);
  for (int64_t c = 0; c < shape.out; c += LANES, from += block) {
    __m512 half[TILE * PATCH];
    for (int j = 0; j < PATCH; j++) {
      __m512 products[PATCH];
      for (int i = 0; i < PATCH; i++) products[i] = _mm512_load_ps(from + (i * PATCH + j) * step);
      outputRow(products, 1, half + j, PATCH);
    }
    __m512 bias = finish.bias == nullptr ? _mm512_setzero_ps() : _mm512_loadu_ps(finish.bias + c);
    for (int64_t i = 0; i < rows; i++) {
      __m512 result[TILE];
      outputRow(half + i * PATCH, 1, result, 1);
      for (int64_t j = 0; j < columns; j++) {
        int64_t at = corner + i * line + j * shape.out + c;
        __m512 value = result[j];
        if (finish.bias != nullptr) value = add(value, bias);
        if (finish.residual != nullptr) value = add(value, _mm512_loadu_ps(finish.residual + at));
        if (finish.relu) value = _mm512_max_ps(value, _mm512_setzero_ps());
        _mm512_storeu_ps(results + at, value);
      }
    }
  }
}

// Filters [3, 3, in, out], or for the gradient of the input turned by half and transposed, as U[product][out / 16][in][16].
static inline void transformFilters(const float* filters, bool turned, int64_t in, int64_t out, float* to) {
  int64_t step = in * out;
  alignas(64) float lanes[LANES];
  for (int64_t i = 0; i < in; i++)
    for (int64_t o = 0; o < out; o += LANES) {
      __m512 taps[TAPS], half[PATCH * 3];
      for (int64_t tap = 0; tap < TAPS; tap++) {
        if (!turned) {
          taps[tap] = _mm512_loadu_ps(filters + (tap * in + i) * out + o);
          continue;
        }
        for (int64_t l = 0; l < LANES; l++) lanes[l] = filters[((TAPS - 1 - tap) * out + o + l) * in + i];
        taps[tap] = _mm512_load_ps(lanes);
      }
      for (int j = 0; j < 3; j++) filterRow(taps + j, 3, half + j, 3);
      for (int k = 0; k < PATCH; k++) {
        __m512 products[PATCH];
        filterRow(half + k * 3, 1, products, 1);
        for (int j = 0; j < PATCH; j++)
          _mm512_store_ps(to + (k * PATCH + j) * step + o * in + i * LANES, products[j]);
      }
    }
}

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

static inline const float* zeros(int64_t count) {
  static thread_local Scratch scratch;
  float* values = scratch.get(count);
  std::memset(values, 0, static_cast<size_t>(count) * sizeof(float));
  return values;
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
    const float* outside = zeros(in);
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
    const float* outside = zeros(std::max(in, out));
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

#undef INLINE
}  // namespace winograd
