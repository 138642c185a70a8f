// 3×3 convolution with stride 1 and one row and column of zeros around the images, and its gradients, by minimal
// filtering F(4×4, 3×3) (Winograd 1980; Lavin and Gray 2016, arXiv:1509.09308): a quarter of the multiplications.
//
//   y  = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ x B) ] A        per tile of 4×4 results, from 6×6 images, summed over input channels
//   dw = Gᵀ [ Σ (A dy Aᵀ) ⊙ (Bᵀ x B) ] G     over tiles
//
// A, B and G are those of Cook and Toom for the points 0, ±5/8, ±3/2 and ∞, whose rounding errors are half of those of
// 0, ±1, ±2 and ∞. NHWC, filters [3, 3, in, out], channels in sixteens. Only the transforms are here: convolution.h
// multiplies.
#pragma once
#include <algorithm>
#include <type_traits>

#include "vector.h"

namespace winograd {

constexpr int64_t TILE = 4, PATCH = 6, PRODUCTS = PATCH * PATCH, TAPS = 9;

struct Shape {
  int64_t batch, height, width, in, out;
  int64_t down() const { return (height + TILE - 1) / TILE; }
  int64_t across() const { return (width + TILE - 1) / TILE; }
  int64_t tiles() const { return batch * down() * across(); }
};

constexpr float P = 0.625f, Q = 1.5f, P2 = P * P, Q2 = Q * Q, P3 = P2 * P, Q3 = Q2 * Q;
constexpr float SCALE_0 = 1 / (P2 * Q2), SCALE_P = 1 / (2 * P2 * (P2 - Q2)), SCALE_Q = 1 / (2 * Q2 * (Q2 - P2));

INLINE Vector mul(float k, Vector a) { return ::mul(all(k), a); }
INLINE Vector addMul(Vector a, float k, Vector b) { return ::addMul(a, all(k), b); }
INLINE Vector subMul(Vector a, float k, Vector b) { return ::subMul(a, all(k), b); }

// Where a channel stands in [channels / 16][count][16].
INLINE int64_t placeOf(int64_t channel, int64_t count) { return channel / LANES * LANES * count + channel % LANES; }

// The matrices, applied to vectors `from` apart: Bᵀ, G, Gᵀ, Aᵀ and A.
INLINE void inputRow(const Vector* d, int from, Vector* to, int step) {
  Vector d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from];
  to[0] = addMul(subMul(d4, P2 + Q2, d2), P2 * Q2, d[0]);
  Vector even = subMul(d4, Q2, d2), odd = subMul(d3, Q2, d1);
  to[step] = addMul(even, P, odd);
  to[2 * step] = subMul(even, P, odd);
  even = subMul(d4, P2, d2), odd = subMul(d3, P2, d1);
  to[3 * step] = addMul(even, Q, odd);
  to[4 * step] = subMul(even, Q, odd);
  to[5 * step] = addMul(subMul(d[5 * from], P2 + Q2, d3), P2 * Q2, d1);
}

INLINE void filterRow(const Vector* g, int from, Vector* to, int step) {
  Vector g0 = g[0], g1 = g[from], g2 = g[2 * from];
  to[0] = mul(SCALE_0, g0);
  Vector even = mul(SCALE_P, addMul(g0, P2, g2)), odd = mul(SCALE_P * P, g1);
  to[step] = add(even, odd);
  to[2 * step] = sub(even, odd);
  even = mul(SCALE_Q, addMul(g0, Q2, g2)), odd = mul(SCALE_Q * Q, g1);
  to[3 * step] = add(even, odd);
  to[4 * step] = sub(even, odd);
  to[5 * step] = g2;
}

INLINE void filterGradientRow(const Vector* m, int from, Vector* to, int step) {
  Vector evenP = add(m[from], m[2 * from]), oddP = sub(m[from], m[2 * from]);
  Vector evenQ = add(m[3 * from], m[4 * from]), oddQ = sub(m[3 * from], m[4 * from]);
  to[0] = addMul(addMul(mul(SCALE_Q, evenQ), SCALE_P, evenP), SCALE_0, m[0]);
  to[step] = addMul(mul(SCALE_Q * Q, oddQ), SCALE_P * P, oddP);
  to[2 * step] = addMul(addMul(m[5 * from], SCALE_Q * Q2, evenQ), SCALE_P * P2, evenP);
}

INLINE void outputRow(const Vector* m, int from, Vector* to, int step) {
  Vector evenP = add(m[from], m[2 * from]), oddP = sub(m[from], m[2 * from]);
  Vector evenQ = add(m[3 * from], m[4 * from]), oddQ = sub(m[3 * from], m[4 * from]);
  to[0] = add(m[0], add(evenP, evenQ));
  to[step] = addMul(mul(Q, oddQ), P, oddP);
  to[2 * step] = addMul(mul(Q2, evenQ), P2, evenP);
  to[3 * step] = addMul(addMul(m[5 * from], Q3, oddQ), P3, oddP);
}

INLINE void outputGradientRow(const Vector* y, int from, Vector* to, int step) {
  Vector y0 = y[0], y1 = y[from], y2 = y[2 * from], y3 = y[3 * from];
  to[0] = y0;
  Vector even = addMul(y0, P2, y2), odd = addMul(mul(P, y1), P3, y3);
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

// Asks for a tile of pixels before it is needed, to read (0) or to write (1).
template <int write, class Stored>
INLINE void fetch(const Stored* corner, int64_t line, int64_t channels) {
  for (int i = 0; i < TILE; i++)
    for (int64_t c = 0; c < TILE * channels; c += 64 / static_cast<int64_t>(sizeof(Stored)))
      __builtin_prefetch(corner + i * line + c, write);
}

// Transforms S×S pixels with one corner at (y, x), zeros where the image ends, into 6×6 products, `step` apart from product to
// product, in [channels / 16][count][16] each.
template <int S, class T, class Row>
INLINE void scatter(const Shape& shape, const typename T::Stored* images, int64_t channels, int64_t image, int64_t y,
                    int64_t x, const typename T::Stored* zeros, const Row& row, float* to, int64_t step, int64_t count) {
  using Stored = typename T::Stored;
  const Stored* corner = images + ((image * shape.height + y) * shape.width + x) * channels;
  int64_t line = shape.width * channels;
  const Stored* at[S][S];
  auto transform = [&](auto inside) __attribute__((always_inline)) {
    for (int64_t c = 0; c < channels; c += WIDTH) {
      float* place = to + placeOf(c, count);
      Vector half[PATCH * S];
      for (int j = 0; j < S; j++) {
        Vector pixels[S];
        for (int i = 0; i < S; i++)
          pixels[i] = T::load((inside ? corner + i * line + j * channels : at[i][j]) + c);
        row(pixels, 1, half + j, S);
      }
      for (int i = 0; i < PATCH; i++) {
        Vector products[PATCH];
        row(half + i * S, 1, products, 1);
        for (int j = 0; j < PATCH; j++) store(place + (i * PATCH + j) * step, products[j]);
      }
    }
  };
  // The rows that the tiles below have and these have not: the processor follows no streams of so few lines by itself.
  fetch<0>(corner + S * line + (S - TILE) / 2 * channels, line, channels);
  if (y >= 0 && x >= 0 && y + S <= shape.height && x + S <= shape.width) return transform(std::true_type());
  for (int i = 0; i < S; i++)
    for (int j = 0; j < S; j++) {
      bool inside = y + i >= 0 && y + i < shape.height && x + j >= 0 && x + j < shape.width;
      at[i][j] = inside ? corner + i * line + j * channels : zeros;
    }
  transform(std::false_type());
}

// What becomes of a result before it is stored: relu(y + bias + residual), each where there is one.
template <class T>
struct Finish {
  const float* bias;
  const typename T::Stored* residual;
  bool relu;
};

// Transforms 6×6 products back into the results of the tile with its corner at (y, x).
template <class T>
INLINE void gather(const Shape& shape, const float* from, int64_t step, int64_t count, const Finish<T>& finish,
                   int64_t image, int64_t y, int64_t x, typename T::Stored* results) {
  int64_t corner = ((image * shape.height + y) * shape.width + x) * shape.out, line = shape.width * shape.out;
  int64_t rows = std::min(TILE, shape.height - y), columns = std::min(TILE, shape.width - x);
  for (int64_t c = 0; c < shape.out; c += WIDTH) {
    const float* place = from + placeOf(c, count);
    Vector half[TILE * PATCH];
    for (int j = 0; j < PATCH; j++) {
      Vector products[PATCH];
      for (int i = 0; i < PATCH; i++) products[i] = load(place + (i * PATCH + j) * step);
      outputRow(products, 1, half + j, PATCH);
    }
    Vector bias = finish.bias == nullptr ? zero() : load(finish.bias + c);
    for (int64_t i = 0; i < rows; i++) {
      Vector result[TILE];
      outputRow(half + i * PATCH, 1, result, 1);
      for (int64_t j = 0; j < columns; j++) {
        int64_t at = corner + i * line + j * shape.out + c;
        Vector value = result[j];
        if (finish.bias != nullptr) value = add(value, bias);
        if (finish.residual != nullptr) value = add(value, T::load(finish.residual + at));
        if (finish.relu) value = larger(value, zero());
        T::store(results + at, value);
      }
    }
  }
}

// Filters [3, 3, in, out], or for the gradient of the input turned by half and transposed, as U[product][out / 16][in][16],
// products `step` apart. Sixteens of `out` from begin to end − 1.
template <class T>
static inline void transformFilters(const typename T::Stored* filters, bool turned, int64_t in, int64_t out, int64_t begin,
                                    int64_t end, float* to, int64_t step) {
  typename T::Stored block[TAPS][LANES][LANES];
  for (int64_t first = begin * LANES; first < end * LANES; first += LANES)
    for (int64_t i = 0; i < in; i++) {
      if (turned && i % LANES == 0) {
        for (int64_t tap = 0; tap < TAPS; tap++)
          for (int64_t o = 0; o < LANES; o++) {
            const auto* from = filters + ((TAPS - 1 - tap) * out + first + o) * in + i;
            for (int64_t l = 0; l < LANES; l++) block[tap][l][o] = from[l];
          }
      }
      for (int64_t o = 0; o < LANES; o += WIDTH) {
        Vector taps[TAPS], half[PATCH * 3];
        for (int64_t tap = 0; tap < TAPS; tap++)
          taps[tap] = T::load(turned ? block[tap][i % LANES] + o : filters + (tap * in + i) * out + first + o);
        for (int j = 0; j < 3; j++) filterRow(taps + j, 3, half + j, 3);
        for (int k = 0; k < PATCH; k++) {
          Vector products[PATCH];
          filterRow(half + k * 3, 1, products, 1);
          for (int j = 0; j < PATCH; j++)
            store(to + (k * PATCH + j) * step + first * in + i * LANES + o, products[j]);
        }
      }
    }
}

}  // namespace winograd
