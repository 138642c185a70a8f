// Gradient of a 3×3 filter in bfloat16 on AMX tiles: dw[tap] = x(tap)ᵀ · dy, summed over pixels in float32. A tile of xᵀ is
// 16 channels × 32 pixels, one of dy 16 pairs of pixels × 16 channels, their product 16 × 16 sums.
//
// The rows of all images stand in one sequence, each with a zero behind it, each image with a row of zeros behind it. So the
// pixels that a tap needs are those of dy, an offset further. The offset is dy's: its tiles begin at any pair of pixels, and
// with two copies, one pixel apart, at any pixel, while those of xᵀ stay on cache lines.
#pragma once
#include <sys/syscall.h>
#include <unistd.h>

#include "scratch.h"
#include "threads.h"
#include "vector.h"

#define WITH_TILES __attribute__((target("amx-tile,amx-bf16")))

namespace tiles {

struct Gradient {
  int64_t batch, height, width, in, out;
  const uint16_t *x, *dy;
  float* dw;
};

constexpr int64_t CHUNK = 32;  // Pixels of a tile.

// Pixels of a block, whose x and dy stay in the first cache.
static inline int64_t blockOf(int64_t in, int64_t out) { return in % CHUNK == 0 && out % CHUNK == 0 ? 256 : 512; }
static inline int64_t chunksOf(int64_t pixels) { return (pixels + CHUNK - 1) / CHUNK; }

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

// A pair of pixels: 16 channels of both, side by side.
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

// Where `length` pixels of the sequence are: `lead` zeros, `rows` rows from row `first`, zeros.
static inline void place(const Gradient& g, const uint16_t* images, int64_t channels, const uint16_t* outside,
                         int64_t first, int64_t rows, int64_t lead, int64_t length, const uint16_t** at) {
  const uint16_t** const end = at + length;
  while (lead-- > 0) *at++ = outside;
  for (int64_t row = first; row < first + rows; row++) {
    int64_t image = row < 0 ? -1 : row / (g.height + 1), y = row - image * (g.height + 1);
    bool inside = image >= 0 && image < g.batch && y < g.height;
    const uint16_t* pixel = images + (image * g.height + y) * g.width * channels;
    for (int64_t x = 0; x < g.width; x++) *at++ = inside ? pixel + x * channels : outside;
    *at++ = outside;
  }
  while (at < end) *at++ = outside;
}

// To [channels / 16][length / 2][16][2].
static inline void pack(const uint16_t* const* at, int64_t length, int64_t channels, uint16_t* to) {
  for (int64_t c = 0; c < channels; c += LANES)
    for (int64_t p = 0; p < length; p += 2, to += 2 * LANES) _mm512_store_si512(to, pairOf(at[p] + c, at[p + 1] + c));
}

// To [channels][stride].
static inline void packTransposed(const uint16_t* const* at, int64_t length, int64_t channels, int64_t stride,
                                  uint16_t* to) {
  for (int64_t c = 0; c < channels; c += LANES)
    for (int64_t p = 0; p < length; p += CHUNK) {
      __m512i block[LANES];
      for (int64_t pair = 0; pair < LANES; pair++) block[pair] = pairOf(at[p + 2 * pair] + c, at[p + 2 * pair + 1] + c);
      transpose(block);
      for (int64_t i = 0; i < LANES; i++) _mm512_store_si512(to + (c + i) * stride + p, block[i]);
    }
}

// Sums of tiles 0 … N − 1, three or four, with rows `line` apart.
template <int N>
WITH_TILES static inline void loadSums(float* const (&sums)[N], int64_t line) {
  _tile_loadd(0, sums[0], line * 4);
  _tile_loadd(1, sums[1], line * 4);
  _tile_loadd(2, sums[2], line * 4);
  if constexpr (N == 4) _tile_loadd(3, sums[3], line * 4);
}
template <int N>
WITH_TILES static inline void storeSums(float* const (&sums)[N], int64_t line) {
  _tile_stored(0, sums[0], line * 4);
  _tile_stored(1, sums[1], line * 4);
  _tile_stored(2, sums[2], line * 4);
  if constexpr (N == 4) _tile_stored(3, sums[3], line * 4);
}

// One tap of 32 × 32 channels over `length` pixels. `stride`: from channel to channel of x; `block`: from 16 channels of dy to
// the next; `line`: from channel to channel of x in the sums.
WITH_TILES static inline void addFour(const uint16_t* x, int64_t stride, int64_t length, const uint16_t* dy,
                                      int64_t block, float* sums, int64_t line) {
  const uint16_t *x1 = x + LANES * stride, *dy1 = dy + block;
  float* const quarters[4] = {sums, sums + LANES, sums + LANES * line, sums + LANES * line + LANES};
  loadSums(quarters, line);
  for (int64_t p = 0; p < length; p += CHUNK) {
    _tile_loadd(4, x + p, stride * 2);
    _tile_loadd(6, dy + p * LANES, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, dy1 + p * LANES, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, x1 + p, stride * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  storeSums(quarters, line);
}

// A row of three taps of 16 × 16 channels; sums of taps are `plane` apart.
WITH_TILES static inline void addThree(const uint16_t* x, int64_t stride, int64_t length, const uint16_t* const dy[3],
                                       float* sums, int64_t line, int64_t plane) {
  const uint16_t *dy0 = dy[0], *dy1 = dy[1], *dy2 = dy[2];
  float* const taps[3] = {sums, sums + plane, sums + 2 * plane};
  loadSums(taps, line);
  for (int64_t p = 0; p < length; p += CHUNK) {
    _tile_loadd(6, x + p, stride * 2);
    _tile_loadd(3, dy0 + p * LANES, 64);
    _tile_dpbf16ps(0, 6, 3);
    _tile_loadd(4, dy1 + p * LANES, 64);
    _tile_dpbf16ps(1, 6, 4);
    _tile_loadd(5, dy2 + p * LANES, 64);
    _tile_dpbf16ps(2, 6, 5);
  }
  storeSums(taps, line);
}

// The part of the gradient that rows begin … end − 1 of the sequence give.
WITH_TILES static inline void add(const Gradient& g, int64_t begin, int64_t end, float* sums) {
  static thread_local Scratch ownX, ownDy, ownAt;
  const int64_t line = g.width + 1, plane = g.in * g.out;
  const int64_t rows = std::min(std::max<int64_t>(1, blockOf(g.in, g.out) / line), g.batch * (g.height + 1));
  const int64_t room = chunksOf(rows * line) * CHUNK, reach = chunksOf(room + 2 * line + 2) * CHUNK;
  const int64_t stride = (room / CHUNK | 1) * CHUNK;  // An odd number of cache lines.
  uint16_t* x = ownX.get<uint16_t>(g.in * stride);
  uint16_t* dy = ownDy.get<uint16_t>(2 * g.out * reach);
  const uint16_t** at = ownAt.get<const uint16_t*>(reach + 1);
  const uint16_t* outside = zeros<uint16_t>(std::max(g.in, g.out));
  configure();
  for (int64_t row = begin; row < end; row += rows) {
    place(g, g.dy, g.out, outside, row - 1, rows + 2, 1, reach + 1, at);
    pack(at, reach, g.out, dy);
    pack(at + 1, reach, g.out, dy + g.out * reach);
    place(g, g.x, g.in, outside, row, std::min(rows, end - row), 0, room, at);
    packTransposed(at, room, g.in, stride, x);
    // dy at x's place + (1 − ky) lines + (1 − kx) pixels; it begins a line and a pixel before.
    auto shifted = [&](int64_t ky, int64_t kx, int64_t o) {
      int64_t offset = (2 - ky) * line + 2 - kx;
      return dy + offset % 2 * g.out * reach + o * reach + (offset - offset % 2) * LANES;
    };
    if (g.in % CHUNK == 0 && g.out % CHUNK == 0) {
      for (int64_t i = 0; i < g.in; i += CHUNK)
        for (int64_t o = 0; o < g.out; o += CHUNK)
          for (int64_t tap = 0; tap < 9; tap++)
            addFour(x + i * stride, stride, room, shifted(tap / 3, tap % 3, o), reach * LANES,
                    sums + tap * plane + i * g.out + o, g.out);
    } else {
      for (int64_t i = 0; i < g.in; i += LANES)
        for (int64_t o = 0; o < g.out; o += LANES)
          for (int64_t ky = 0; ky < 3; ky++) {
            const uint16_t* taps[3] = {shifted(ky, 0, o), shifted(ky, 1, o), shifted(ky, 2, o)};
            addThree(x + i * stride, stride, room, taps, sums + 3 * ky * plane + i * g.out + o, g.out, plane);
          }
    }
  }
  _tile_release();
}

static inline void filterGradient(const Gradient& g) {
  static thread_local Scratch ownSums;
  auto& threads = Threads::get();
  const int64_t size = 9 * g.in * g.out;
  float* sums = ownSums.get<float>(size * threads.count());
  threads.run([&](int index) {
    std::memset(sums + index * size, 0, static_cast<size_t>(size) * sizeof(float));
    auto [begin, end] = threads.share(g.batch * (g.height + 1), index);
    add(g, begin, end, sums + index * size);
  });
  for (int64_t i = 0; i < size; i += LANES) {
    __m512 sum = _mm512_load_ps(sums + i);
    for (int part = 1; part < threads.count(); part++) sum = _mm512_add_ps(sum, _mm512_load_ps(sums + part * size + i));
    _mm512_storeu_ps(g.dw + i, sum);
  }
}

}  // namespace tiles
