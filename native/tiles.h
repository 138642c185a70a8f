// AMX: tiles of 16 rows of 64 bytes, whose products are summed in float32. A tile of 16 × 32 numbers in bfloat16 by one of 16
// pairs × 16 gives 16 × 16 sums.
#pragma once
#include <sys/syscall.h>
#include <unistd.h>

#include "pairs.h"
#include "vector.h"

#define WITH_TILES __attribute__((target("amx-tile,amx-bf16,avx512bf16")))

namespace tiles {

constexpr int64_t CHUNK = 32;  // Numbers of a tile's row.
constexpr int64_t TILE = 512;  // Numbers of a tile.
constexpr int64_t SUMS = 256;  // Sums of a tile.

// Asks the kernel, once, for the tiles' registers.
static inline bool available() {
  constexpr int REQUEST = 0x1023, TILE_DATA = 18;
  static const bool granted = __builtin_cpu_supports("amx-bf16") && syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
  return granted;
}

WITH_TILES static inline void configure() {
  alignas(64) struct {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
  } config;
  for (int tile = 0; tile < 8; tile++) config.bytes[tile] = 64, config.rows[tile] = 16;
  _tile_loadconfig(&config);
}

// 16 numbers of both, side by side.
static inline __m512i pairOf(const uint16_t* even, const uint16_t* odd) {
  const __m512i first = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i order = _mm512_or_si512(first, _mm512_slli_epi32(_mm512_add_epi32(first, _mm512_set1_epi32(16)), 16));
  __m512i both = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(even)));
  both = _mm512_inserti64x4(both, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(odd)), 1);
  return _mm512_permutexvar_epi16(order, both);
}

// Transposes 16 × 16 numbers of 32 bits.
static inline void transpose(__m512i r[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 16; j += 8) {
      t[j + i] = _mm512_shuffle_i32x4(r[j + i], r[j + i + 4], 0x88);
      t[j + i + 4] = _mm512_shuffle_i32x4(r[j + i], r[j + i + 4], 0xdd);
    }
  for (int i = 0; i < 8; i++) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
  }
}

// Sums of tiles 0 … N − 1, three or four, `step` apart.
template <int N>
WITH_TILES static inline void loadSums(const float* sums, int64_t step) {
  _tile_loadd(0, sums, 64);
  _tile_loadd(1, sums + step, 64);
  _tile_loadd(2, sums + 2 * step, 64);
  if constexpr (N == 4) _tile_loadd(3, sums + 3 * step, 64);
}
template <int N>
WITH_TILES static inline void storeSums(float* sums, int64_t step) {
  _tile_stored(0, sums, 64);
  _tile_stored(1, sums + step, 64);
  _tile_stored(2, sums + 2 * step, 64);
  if constexpr (N == 4) _tile_stored(3, sums + 3 * step, 64);
}

// Where sixteen sums stand, of row `row` from column `column` on, in a square of tiles of `side` × `side` sums.
static inline int64_t inSquare(int64_t side, int64_t row, int64_t column) {
  return (row / LANES * (side / LANES) + column / LANES) * SUMS + row % LANES * LANES;
}

// sums += a · b, 32 × 32 of them, over `depth` numbers in multiples of 32. `a`: rows `stride` apart; `b`: tiles of pairs, one
// behind the other for 16 columns, `block` from there to the next 16.
template <bool AMX>
WITH_TILES static inline void addFour(const uint16_t* a, int64_t stride, const uint16_t* b, int64_t block,
                                      int64_t depth, float* sums) {
  if constexpr (!AMX) return pairs::addFour(a, stride, b, block, depth, sums);
  const uint16_t *a1 = a + LANES * stride, *b1 = b + block;
  loadSums<4>(sums, SUMS);
  for (int64_t k = 0; k < depth; k += CHUNK) {
    _tile_loadd(4, a + k, stride * 2);
    _tile_loadd(6, b + k * LANES, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b1 + k * LANES, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a1 + k, stride * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  storeSums<4>(sums, SUMS);
}

}  // namespace tiles
