// Layer norm over rows of channels (a multiple of 16), each row by itself, and its gradients:
//
//   y  = scale · x̂ + shift,  x̂ = (x − mean) / √(variance + ε)
//   dx = (g − Σg / channels − x̂ · Σ(g · x̂) / channels) / √(variance + ε),  g = dy · scale
//   dscale = Σ dy · x̂,  dshift = Σ dy over the rows, in double from 512 rows on
#pragma once
#include <cmath>
#include <vector>

#include "rows.h"

struct LayerNorm {
  int64_t rows, channels;
  const float *x = nullptr, *scale = nullptr;
};

inline void layerNormForward(const LayerNorm& norm, const float* shift, float epsilon, float* y, float* mean,
                             float* inverse) {
  const int64_t channels = norm.channels;
  overRows(norm.rows, channels, [&](int64_t from, int64_t to, int) {
    for (int64_t row = from; row < to; row++) {
      const float* x = norm.x + row * channels;
      float* out = y + row * channels;
      mean[row] = sumOfRow(channels, [&](int64_t c) { return load(x + c); }) / channels;
      const Vector centre = all(mean[row]);
      float squares = sumOfRow(channels, [&](int64_t c) {
        Vector difference = sub(load(x + c), centre);
        return mul(difference, difference);
      });
      inverse[row] = 1 / std::sqrt(squares / channels + epsilon);
      const Vector factor = all(inverse[row]);
      for (int64_t c = 0; c < channels; c += WIDTH)
        store(out + c, addMul(load(shift + c), mul(sub(load(x + c), centre), factor), load(norm.scale + c)));
    }
  });
}

inline void layerNormBackward(const LayerNorm& norm, const float* dy, const float* mean, const float* inverse,
                              float* dx) {
  const int64_t channels = norm.channels;
  overRows(norm.rows, channels, [&](int64_t from, int64_t to, int) {
    for (int64_t row = from; row < to; row++) {
      const float *x = norm.x + row * channels, *in = dy + row * channels;
      float* out = dx + row * channels;
      const Vector centre = all(mean[row]), factor = all(inverse[row]);
      auto normalised = [&](int64_t c) { return mul(sub(load(x + c), centre), factor); };
      auto slope = [&](int64_t c) { return mul(load(in + c), load(norm.scale + c)); };
      const Vector level = all(sumOfRow(channels, slope) / channels);
      const Vector along =
          all(sumOfRow(channels, [&](int64_t c) { return mul(slope(c), normalised(c)); }) / channels);
      for (int64_t c = 0; c < channels; c += WIDTH)
        store(out + c, mul(subMul(sub(slope(c), level), normalised(c), along), factor));
    }
  });
}

inline void layerNormSums(const LayerNorm& norm, const float* dy, const float* mean, const float* inverse,
                          float* dscale, float* dshift) {
  constexpr int64_t ROWS = 512;
  const int64_t channels = norm.channels;
  std::vector<std::vector<double>> parts(Threads::get().count());
  overRows(norm.rows, channels, [&](int64_t from, int64_t to, int index) {
    std::vector<double> total(2 * channels);
    std::vector<float> sums(2 * channels);
    for (int64_t block = from; block < to; block += ROWS) {
      std::fill(sums.begin(), sums.end(), 0.0f);
      float *a = sums.data(), *b = a + channels;
      for (int64_t row = block; row < std::min(to, block + ROWS); row++) {
        const float *x = norm.x + row * channels, *in = dy + row * channels;
        const Vector centre = all(mean[row]), factor = all(inverse[row]);
        for (int64_t c = 0; c < channels; c += WIDTH) {
          Vector gradient = load(in + c);
          store(a + c, addMul(load(a + c), gradient, mul(sub(load(x + c), centre), factor)));
          store(b + c, add(load(b + c), gradient));
        }
      }
      for (int64_t i = 0; i < 2 * channels; i++) total[i] += sums[i];
    }
    parts[index] = std::move(total);
  });
  for (int64_t c = 0; c < channels; c++) {
    double a = 0, b = 0;
    for (const auto& part : parts)
      if (!part.empty()) a += part[c], b += part[channels + c];
    dscale[c] = static_cast<float>(a);
    dshift[c] = static_cast<float>(b);
  }
}
