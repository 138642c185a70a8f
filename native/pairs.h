// Sums of products of bfloat16 without tiles: AVX-512's `vdpbf16ps` multiplies 16 pairs of numbers and adds each pair's two products
// to a sum in float32. The same operands and sums in the same places as those of tiles.h.
#pragma once
#include "vector.h"

#define WITH_PAIRS __attribute__((target("avx512bf16")))

namespace pairs {

static inline bool available() {
  static const bool supported = __builtin_cpu_supports("avx512bf16");
  return supported;
}

constexpr int64_t ROWS = 8;  // Rows of sums that registers hold.

// sums += a · b for 8 rows and C times 16 columns. `a`: pairs of numbers, rows `stride` apart; `b`: 16 pairs side by side; sums of
// 16 columns are `step` apart.
template <int C>
WITH_PAIRS static inline void addRows(const uint16_t* a, int64_t stride, const uint16_t* const* b, int64_t depth,
                                      float* sums, int64_t step) {
  __m512 total[ROWS][C];
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c < C; c++) total[r][c] = _mm512_loadu_ps(sums + c * step + r * LANES);
#pragma GCC unroll 2
  for (int64_t k = 0; k < depth; k += 2) {
    __m512bh column[C];
    for (int c = 0; c < C; c++) column[c] = (__m512bh)_mm512_loadu_si512(b[c] + k * LANES);
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      int32_t pair;
      std::memcpy(&pair, a + r * stride + k, sizeof pair);
      for (int c = 0; c < C; c++) total[r][c] = _mm512_dpbf16_ps(total[r][c], (__m512bh)_mm512_set1_epi32(pair), column[c]);
    }
  }
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c < C; c++) _mm512_storeu_ps(sums + c * step + r * LANES, total[r][c]);
}

// 32 × 32 sums, as four squares of 16 × 16.
WITH_PAIRS static inline void addFour(const uint16_t* a, int64_t stride, const uint16_t* b, int64_t block,
                                      int64_t depth, float* sums) {
  constexpr int64_t SQUARE = LANES * LANES;
  const uint16_t* const columns[2] = {b, b + block};
  for (int64_t row = 0; row < 2 * LANES; row += ROWS)
    addRows<2>(a + row * stride, stride, columns, depth, sums + row / LANES * 2 * SQUARE + row % LANES * LANES, SQUARE);
}

}  // namespace pairs
