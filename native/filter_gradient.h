// Gradient of a filter in bfloat16: dw[tap] = x(tap)ᵀ · dy, summed over pixels in float32, on AMX tiles or without (`AMX`). A tile
// of xᵀ is 16 channels × 32 pixels, one of dy 16 pairs of pixels × 16 channels, their product 16 × 16 sums.
//
// The pixels of all images stand in one sequence. For 3×3 with stride 1 each row has a zero behind it, each image a row of
// zeros, so that what a tap needs is dy an offset further. The offset is dy's: its tiles begin at any pair of pixels, and with
// two copies, one pixel apart, at any pixel, while those of xᵀ stay on cache lines. Other filters gather x for each tap.
#pragma once
#include "scratch.h"
#include "threads.h"
#include "tiles.h"

namespace tiles {

// x is [batch, xHeight, xWidth, in], dy [batch, height, width, out]. Size 3 and stride 1: one row and column of zeros around x,
// channels in 16s; else none, and channels in 32s.
struct Gradient {
  int64_t batch, height, width, in, out, size, stride, xHeight, xWidth;
  const uint16_t *x, *dy;
  float* dw;
  int64_t taps() const { return size * size; }
  bool around() const { return size == 3 && stride == 1; }
  int64_t gap() const { return around() ? 1 : 0; }  // Zeros behind a row, and rows of them behind an image.
  int64_t line() const { return width + gap(); }
  int64_t rows() const { return batch * (height + gap()); }
};

// Whether channels are taken 32 at a time.
static inline bool isWide(const Gradient& g) { return g.in % CHUNK == 0 && g.out % CHUNK == 0; }
// Pixels of a block, whose x and dy stay in the first cache.
static inline int64_t blockOf(const Gradient& g) { return isWide(g) ? 256 : 512; }
static inline int64_t chunksOf(int64_t pixels) { return (pixels + CHUNK - 1) / CHUNK; }

// Images whose pixels are a stride apart, from row `down` and column `across` on.
struct Images {
  const uint16_t* pixels;
  int64_t height, width, channels, stride = 1, down = 0, across = 0;
};

// Where `length` pixels of the sequence are: `lead` zeros, `rows` rows from row `first`, zeros.
static inline void place(const Gradient& g, const Images& of, const uint16_t* outside, int64_t first, int64_t rows,
                         int64_t lead, int64_t length, const uint16_t** at) {
  const uint16_t** const end = at + length;
  const int64_t tall = g.height + g.gap(), step = of.stride * of.channels;
  while (lead-- > 0) *at++ = outside;
  for (int64_t row = first; row < first + rows; row++) {
    int64_t image = row < 0 ? -1 : row / tall, y = row - image * tall;
    bool inside = image >= 0 && image < g.batch && y < g.height;
    int64_t corner = (image * of.height + y * of.stride + of.down) * of.width + of.across;
    const uint16_t* pixel = of.pixels + corner * of.channels;
    for (int64_t x = 0; x < g.width; x++) *at++ = inside ? pixel + x * step : outside;
    for (int64_t x = 0; x < g.gap(); x++) *at++ = outside;
  }
  while (at < end) *at++ = outside;
}

// To [channels / 16][length / 2][16][2].
static inline void pack(const uint16_t* const* at, int64_t length, int64_t channels, uint16_t* to) {
  for (int64_t c = 0; c < channels; c += LANES)
    for (int64_t p = 0; p < length; p += 2, to += 2 * LANES) _mm512_store_si512(to, pairOf(at[p] + c, at[p + 1] + c));
}

// Channels from … to − 1, to [channels][stride].
static inline void packTransposed(const uint16_t* const* at, int64_t length, int64_t from, int64_t until,
                                  int64_t stride, uint16_t* to) {
  for (int64_t c = from; c < until; c += LANES, to += LANES * stride)
    for (int64_t p = 0; p < length; p += CHUNK) {
      __m512i block[LANES];
      for (int64_t pair = 0; pair < LANES; pair++) block[pair] = pairOf(at[p + 2 * pair] + c, at[p + 2 * pair + 1] + c);
      transpose(block);
      for (int64_t i = 0; i < LANES; i++) _mm512_store_si512(to + i * stride + p, block[i]);
    }
}

// A row of three taps of 16 × 16 channels; sums of taps are `step` apart.
WITH_TILES static inline void addThree(const uint16_t* x, int64_t stride, int64_t length, const uint16_t* const dy[3],
                                       float* sums, int64_t step) {
  const uint16_t *dy0 = dy[0], *dy1 = dy[1], *dy2 = dy[2];
  loadSums<3>(sums, step);
  for (int64_t p = 0; p < length; p += CHUNK) {
    _tile_loadd(6, x + p, stride * 2);
    _tile_loadd(3, dy0 + p * LANES, 64);
    _tile_dpbf16ps(0, 6, 3);
    _tile_loadd(4, dy1 + p * LANES, 64);
    _tile_dpbf16ps(1, 6, 4);
    _tile_loadd(5, dy2 + p * LANES, 64);
    _tile_dpbf16ps(2, 6, 5);
  }
  storeSums<3>(sums, step);
}

// Sums stand as [in / side][out / side][tap][side / 16 in][side / 16 out][16][16], side being 32, or 16 where not wide.
static inline int64_t sideOf(const Gradient& g) { return isWide(g) ? CHUNK : LANES; }
static inline int64_t sumsAt(const Gradient& g, int64_t tap, int64_t i, int64_t o) {
  return i * g.out * g.taps() + o * sideOf(g) * g.taps() + tap * sideOf(g) * sideOf(g);
}

// Adds what rows begin … end − 1 of the sequence give of the gradient of x's channels from … until − 1.
template <bool AMX>
WITH_TILES static inline void add(const Gradient& g, int64_t begin, int64_t end, int64_t from, int64_t until,
                                  float* sums) {
  static thread_local Scratch ownX, ownDy, ownAt;
  const int64_t line = g.line(), before = g.gap() * (line + 1);
  const int64_t rows = std::min(std::max<int64_t>(1, blockOf(g) / line), end - begin);
  const int64_t room = chunksOf(rows * line) * CHUNK, reach = chunksOf(room + 2 * before) * CHUNK;
  const int64_t stride = (room / CHUNK | 1) * CHUNK;  // An odd number of cache lines.
  uint16_t* x = ownX.get<uint16_t>((until - from) * stride);
  uint16_t* dy = ownDy.get<uint16_t>((1 + g.gap()) * g.out * reach);
  const uint16_t** at = ownAt.get<const uint16_t*>(reach + 1);
  const uint16_t* outside = zeros<uint16_t>(std::max(g.in, g.out));
  if constexpr (AMX) configure();
  for (int64_t row = begin; row < end; row += rows) {
    place(g, {g.dy, g.height, g.width, g.out}, outside, row - g.gap(), rows + 2 * g.gap(), g.gap(), reach + 1, at);
    for (int64_t copy = 0; copy <= g.gap(); copy++) pack(at + copy, reach, g.out, dy + copy * g.out * reach);
    auto gatherX = [&](int64_t ky, int64_t kx) {
      Images images{g.x, g.xHeight, g.xWidth, g.in, g.stride, ky, kx};
      place(g, images, outside, row, std::min(rows, end - row), 0, room, at);
      packTransposed(at, room, from, until, stride, x);
    };
    auto each = [&](const auto& work) {
      for (int64_t i = from; i < until; i += sideOf(g))
        for (int64_t o = 0; o < g.out; o += sideOf(g)) work(x + (i - from) * stride, i, o);
    };
    if (!g.around()) {
      for (int64_t tap = 0; tap < g.taps(); tap++) {
        gatherX(tap / g.size, tap % g.size);
        each([&](const uint16_t* channels, int64_t i, int64_t o) WITH_TILES {
          addFour<AMX>(channels, stride, dy + o * reach, reach * LANES, room, sums + sumsAt(g, tap, i, o));
        });
      }
      continue;
    }
    gatherX(0, 0);
    // dy at x's place + (1 − ky) lines + (1 − kx) pixels; it begins a line and a pixel before.
    auto shifted = [&](int64_t tap, int64_t o) {
      int64_t offset = 2 * before - tap / 3 * line - tap % 3;
      return dy + offset % 2 * g.out * reach + o * reach + (offset - offset % 2) * LANES;
    };
    each([&](const uint16_t* channels, int64_t i, int64_t o) WITH_TILES {
      for (int64_t tap = 0; tap < 9; tap += isWide(g) ? 1 : 3) {
        float* to = sums + sumsAt(g, tap, i, o);
        if (isWide(g)) {
          addFour<AMX>(channels, stride, shifted(tap, o), reach * LANES, room, to);
        } else {
          const uint16_t* taps[3] = {shifted(tap, o), shifted(tap + 1, o), shifted(tap + 2, o)};
          addThree(channels, stride, room, taps, to, SUMS);
        }
      }
    });
  }
  if constexpr (AMX) _tile_release();
}

// The gradient of x's channels from … until − 1: `parts` sums, `size` apart, added.
static inline void gather(const Gradient& g, const float* sums, int parts, int64_t size, int64_t from, int64_t until) {
  const int64_t side = sideOf(g);
  for (int64_t i = from; i < until; i += side)
    for (int64_t o = 0; o < g.out; o += side)
      for (int64_t tap = 0; tap < g.taps(); tap++) {
        const float* square = sums + sumsAt(g, tap, i, o);
        float* to = g.dw + (tap * g.in + i) * g.out + o;
        for (int64_t row = 0; row < side; row++)
          for (int64_t column = 0; column < side; column += LANES) {
            const float* at = square + inSquare(side, row, column);
            Vector sum = load(at);
            for (int part = 1; part < parts; part++) sum = ::add(sum, load(at + part * size));
            store(to + row * g.out + column, sum);
          }
      }
}

// Threads share pixels, or x's channels where there are few pixels and many sums.
static inline void filterGradient(const Gradient& g) {
  static thread_local Scratch ownSums;
  auto& threads = Threads::get();
  const int64_t size = g.taps() * g.in * g.out, each = g.taps() * g.out;
  const bool byChannels = isWide(g) && g.in / CHUNK >= threads.count() && g.rows() * g.line() < 4 * g.taps() * g.in;
  const int parts = byChannels ? 1 : threads.count();
  float* sums = ownSums.get<float>(size * parts);
  auto work = [&](int64_t begin, int64_t end, int64_t from, int64_t until, float* to) {
    std::memset(to + from * each, 0, static_cast<size_t>((until - from) * each) * sizeof(float));
    if (begin < end) (available() ? add<true> : add<false>)(g, begin, end, from, until, to);
  };
  threads.run([&](int index) {
    if (byChannels) {
      auto [first, last] = threads.share(g.in / CHUNK, index);
      work(0, g.rows(), first * CHUNK, last * CHUNK, sums);
      gather(g, sums, parts, size, first * CHUNK, last * CHUNK);
    } else {
      auto [begin, end] = threads.share(g.rows(), index);
      work(begin, end, 0, g.in, sums + index * size);
    }
  });
  if (!byChannels) gather(g, sums, parts, size, 0, g.in);
}

}  // namespace tiles
