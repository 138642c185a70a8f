// 3×3 convolution in bfloat16 on AMX tiles, stride 1, one row and column of zeros around, summed in float32 and rounded once.
// For filters that do not fit into the second cache: all pixels of a block meet a part of the filter before the next is read.
#pragma once
#include <cstring>

#include "scratch.h"
#include "threads.h"
#include "tiles.h"

namespace tiles {

constexpr int64_t TAPS = 9;
constexpr int64_t PIXELS = 512;  // Of a block.
constexpr int64_t DEPTH = 256;   // Channels of x in a part of the filter.

// Channels of x in multiples of 256, of y of 32.
struct Convolution {
  int64_t batch, height, width, in, out;
  const uint16_t *x, *filter;
  bool turned;  // The gradient of the input: x is dy then, and the filter [3, 3, out, in].
  const float* bias;
  const uint16_t* residual;
  bool relu;
  uint16_t* y;
  int64_t pixels() const { return batch * height * width; }
  int64_t parts() const { return TAPS * in / DEPTH; }
};

// Part of the filter, one tap of 256 inputs, as [out / 16][256 / 32] tiles of 16 pairs of inputs × 16 outputs.
static inline void packFilter(const Convolution& c, int64_t part, uint16_t* to) {
  const int64_t tap = part * DEPTH / c.in, first = part * DEPTH % c.in;
  const uint16_t* from = c.filter + (c.turned ? TAPS - 1 - tap : tap) * c.in * c.out;
  for (int64_t o = 0; o < c.out; o += LANES)
    for (int64_t i = first; i < first + DEPTH; i += CHUNK, to += TILE) {
      __m512i rows[LANES];
      for (int64_t j = 0; j < LANES; j++) {
        if (c.turned) rows[j] = _mm512_loadu_si512(from + (o + j) * c.in + i);
        else rows[j] = pairOf(from + (i + 2 * j) * c.out + o, from + (i + 2 * j + 1) * c.out + o);
      }
      if (c.turned) transpose(rows);
      for (int64_t j = 0; j < LANES; j++) _mm512_store_si512(to + j * CHUNK, rows[j]);
    }
}

// What a part of the filter meets for `count` pixels from pixel `begin` on: 256 channels of a neighbour each.
static inline void gatherPixels(const Convolution& c, int64_t part, int64_t begin, int64_t count, int64_t stride,
                                uint16_t* to) {
  const int64_t tap = part * DEPTH / c.in, first = part * DEPTH % c.in, down = tap / 3 - 1, across = tap % 3 - 1;
  for (int64_t p = begin; p < begin + count; p++, to += stride) {
    int64_t column = p % c.width + across, row = p / c.width % c.height + down;
    bool inside = p < c.pixels() && column >= 0 && column < c.width && row >= 0 && row < c.height;
    if (inside) std::memcpy(to, c.x + (p + down * c.width + across) * c.in + first, DEPTH * sizeof(uint16_t));
    else std::memset(to, 0, DEPTH * sizeof(uint16_t));
  }
}

// relu(sums + bias + residual), rounded, for `count` pixels from pixel `begin` on.
static inline void finish(const Convolution& c, const float* sums, int64_t begin, int64_t count) {
  for (int64_t p = 0; p < count; p++)
    for (int64_t o = 0; o < c.out; o += LANES) {
      const float* square = sums + (p / CHUNK * (c.out / CHUNK) + o / CHUNK) * 4 * SUMS;
      Vector value = load(square + inSquare(CHUNK, p % CHUNK, o % CHUNK));
      const int64_t at = (begin + p) * c.out + o;
      if (c.bias != nullptr) value = ::add(value, load(c.bias + o));
      if (c.residual != nullptr) value = ::add(value, Bfloat16::load(c.residual + at));
      if (c.relu) value = larger(value, zero());
      Bfloat16::store(c.y + at, value);
    }
}

WITH_TILES static inline void convolveBlock(const Convolution& c, int64_t begin, int64_t count, const uint16_t* filter) {
  static thread_local Scratch ownX, ownSums;
  const int64_t stride = DEPTH + CHUNK;  // An odd number of cache lines.
  const int64_t groups = (count + CHUNK - 1) / CHUNK;
  uint16_t* x = ownX.get<uint16_t>(groups * CHUNK * stride);
  float* sums = ownSums.get<float>(groups * CHUNK * c.out);
  std::memset(sums, 0, static_cast<size_t>(groups * CHUNK * c.out) * sizeof(float));
  for (int64_t part = 0; part < c.parts(); part++) {
    gatherPixels(c, part, begin, groups * CHUNK, stride, x);
    for (int64_t o = 0; o < c.out / CHUNK; o++)
      for (int64_t group = 0; group < groups; group++)
        addFour<true>(x + group * CHUNK * stride, stride, filter + (part * c.out + o * CHUNK) * DEPTH, LANES * DEPTH, DEPTH,
                sums + (group * (c.out / CHUNK) + o) * 4 * SUMS);
  }
  finish(c, sums, begin, count);
}

static inline void convolve(const Convolution& c) {
  static thread_local Scratch ownFilter;
  auto& threads = Threads::get();
  uint16_t* filter = ownFilter.get<uint16_t>(TAPS * c.in * c.out);
  threads.run([&](int index) {
    auto [begin, end] = threads.share(c.parts(), index);
    for (int64_t part = begin; part < end; part++) packFilter(c, part, filter + part * DEPTH * c.out);
  });
  threads.run([&](int index) WITH_TILES {
    configure();
    auto [begin, end] = threads.share((c.pixels() + CHUNK - 1) / CHUNK, index);
    for (int64_t group = begin; group < end; group += PIXELS / CHUNK) {
      int64_t until = std::min(std::min(group + PIXELS / CHUNK, end) * CHUNK, c.pixels());
      convolveBlock(c, group * CHUNK, until - group * CHUNK, filter);
    }
    _tile_release();
  });
}

}  // namespace tiles
