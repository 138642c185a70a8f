// Batch norm in training, both ways, over rows of channels ([batch · height · width, channels], channels a multiple of
// 16), together with what a residual network puts around it: the sum with a second branch and ReLU.
//
//   y  = relu(scale · (x − mean) / √(variance + ε) + shift + residual)
//   dx = scale / √(variance + ε) · (g − Σg / m − (x − mean) · Σ(g · (x − mean)) / (m · (variance + ε)))
//
// where g is the gradient of y (a sum of up to two), zero where ReLU cut. Sums are of differences to the first row, in
// double from 512 rows on, so that a large mean costs no digits.
#pragma once
#include <cmath>
#include <vector>

#include "threads.h"
#include "vector.h"

constexpr int64_t ROWS_IN_FLOAT = 512;

// Two sums for each channel, in double.
struct Sums {
  explicit Sums(int64_t channels) : first(channels), second(channels) {}
  std::vector<double> first, second;
  void add(const Sums& other) {
    for (size_t c = 0; c < first.size(); c++) {
      first[c] += other.first[c];
      second[c] += other.second[c];
    }
  }
};

// Pairs of sums that registers hold beside what goes into them.
constexpr int PAIRS = REGISTERS / 4;

// Adds up what `terms(row, channel)` gives, two vectors of channels, over rows and channels. G vectors and U rows at a time
// keep PAIRS pairs of sums in registers.
template <int G, class Terms>
static void addRows(int64_t begin, int64_t end, int64_t channel, const Terms& terms, Sums& sums) {
  constexpr int U = PAIRS / G;
  float lanes[WIDTH];
  for (int64_t block = begin; block < end; block += ROWS_IN_FLOAT) {
    int64_t stop = std::min(end, block + ROWS_IN_FLOAT);
    Vector a[U][G], b[U][G];
    for (int u = 0; u < U; u++)
      for (int g = 0; g < G; g++) a[u][g] = b[u][g] = zero();
    int64_t row = block;
    for (; row + U <= stop; row += U)
      for (int u = 0; u < U; u++)
        for (int g = 0; g < G; g++) terms(row + u, channel + g * WIDTH, g, a[u][g], b[u][g]);
    for (; row < stop; row++)
      for (int g = 0; g < G; g++) terms(row, channel + g * WIDTH, g, a[0][g], b[0][g]);
    for (int g = 0; g < G; g++) {
      for (int u = 1; u < U; u++) {
        a[0][g] = add(a[0][g], a[u][g]);
        b[0][g] = add(b[0][g], b[u][g]);
      }
      store(lanes, a[0][g]);
      for (int i = 0; i < WIDTH; i++) sums.first[channel + g * WIDTH + i] += lanes[i];
      store(lanes, b[0][g]);
      for (int i = 0; i < WIDTH; i++) sums.second[channel + g * WIDTH + i] += lanes[i];
    }
  }
}

// Calls work.run<G>(channel) for groups of G vectors of channels, as many at once as fit.
template <class Work>
static void eachGroup(int64_t channels, const Work& work) {
  int64_t channel = 0;
  if constexpr (PAIRS >= 8)
    for (; channel + 8 * WIDTH <= channels; channel += 8 * WIDTH) work.template run<8>(channel);
  for (; channel + 4 * WIDTH <= channels; channel += 4 * WIDTH) work.template run<4>(channel);
  for (; channel + 2 * WIDTH <= channels; channel += 2 * WIDTH) work.template run<2>(channel);
  for (; channel < channels; channel += WIDTH) work.template run<1>(channel);
}

// All pointers of one call; null where a part is missing.
template <class T>
struct NormForward {
  int64_t rows, channels;
  bool relu;
  float epsilon, momentum;
  const typename T::Stored *x, *residual;
  const float *scale, *shift, *runningMean, *runningVariance;
  typename T::Stored* y;
  float *nextMean, *nextVariance, *mean, *inverse;
};

template <class T>
struct ForwardSums {
  const NormForward<T>& call;
  int64_t begin, end;
  Sums& sums;
  template <int G>
  void run(int64_t channel) const {
    const auto* x = call.x;
    int64_t channels = call.channels;
    Vector pivot[G];
    for (int g = 0; g < G; g++) pivot[g] = T::load(x + channel + g * WIDTH);
    auto terms = [&](int64_t row, int64_t c, int g, Vector& sum, Vector& squares) __attribute__((always_inline)) {
      Vector difference = sub(T::load(x + row * channels + c), pivot[g]);
      sum = add(sum, difference);
      squares = addMul(squares, difference, difference);
    };
    addRows<G>(begin, end, channel, terms, sums);
  }
};

template <class T>
struct ForwardApply {
  const NormForward<T>& call;
  const float* factor;
  int64_t begin, end;
  template <int G>
  void run(int64_t channel) const {
    if (call.residual != nullptr) return call.relu ? rows<G, true, true>(channel) : rows<G, true, false>(channel);
    return call.relu ? rows<G, false, true>(channel) : rows<G, false, false>(channel);
  }
  template <int G, bool RESIDUAL, bool RELU>
  void rows(int64_t channel) const {
    Vector a[G], b[G], mean[G];
    for (int g = 0; g < G; g++) {
      a[g] = load(factor + channel + g * WIDTH);
      b[g] = load(call.shift + channel + g * WIDTH);
      mean[g] = load(call.mean + channel + g * WIDTH);
    }
    for (int64_t row = begin; row < end; row++) {
      for (int g = 0; g < G; g++) {
        int64_t at = row * call.channels + channel + g * WIDTH;
        Vector y = addMul(b[g], sub(T::load(call.x + at), mean[g]), a[g]);
        if (RESIDUAL) y = add(y, T::load(call.residual + at));
        if (RELU) y = larger(y, zero());
        T::store(call.y + at, y);
      }
    }
  }
};

template <class T>
void normForward(const NormForward<T>& call) {
  auto& threads = Threads::get();
  std::vector<Sums> parts(threads.count(), Sums(call.channels));
  threads.run([&](int index) {
    auto [begin, end] = threads.share(call.rows, index);
    eachGroup(call.channels, ForwardSums<T>{call, begin, end, parts[index]});
  });
  for (int i = 1; i < threads.count(); i++) parts[0].add(parts[i]);
  std::vector<float> factor(call.channels);
  double m = static_cast<double>(call.rows);
  float pivot[WIDTH];
  for (int64_t c = 0; c < call.channels; c++) {
    if (c % WIDTH == 0) store(pivot, T::load(call.x + c));
    double shift = parts[0].first[c] / m;
    double mean = pivot[c % WIDTH] + shift;
    double variance = std::max(0.0, parts[0].second[c] / m - shift * shift);
    double inverse = 1 / std::sqrt(variance + call.epsilon);
    double unbiased = m > 1 ? variance * m / (m - 1) : variance;
    call.mean[c] = static_cast<float>(mean);
    call.inverse[c] = static_cast<float>(inverse);
    call.nextMean[c] = static_cast<float>(call.runningMean[c] + call.momentum * (mean - call.runningMean[c]));
    call.nextVariance[c] =
        static_cast<float>(call.runningVariance[c] + call.momentum * (unbiased - call.runningVariance[c]));
    factor[c] = call.scale[c] * call.inverse[c];
  }
  threads.run([&](int index) {
    auto [begin, end] = threads.share(call.rows, index);
    eachGroup(call.channels, ForwardApply<T>{call, factor.data(), begin, end});
  });
}

// One call of the gradient. `second` is a second gradient of y; `y` tells where ReLU cut, and may be null where it
// can be had from x, that is without a residual; `kept` takes g for the residual branch.
template <class T>
struct NormBackward {
  int64_t rows, channels;
  bool relu;
  const typename T::Stored *dy, *second, *x, *y;
  const float *scale, *shift, *mean, *inverse;
  typename T::Stored *dx, *kept;
  float *dscale, *dshift;
};

// g at one place, `centred` being x − mean. M: whether there is a second gradient; MASK: 0 no ReLU, 1 by y, 2 by x.
template <class T, bool M, int MASK>
static inline Vector gradientAt(const NormBackward<T>& call, int64_t at, Vector centred, Vector a, Vector b) {
  Vector g = T::load(call.dy + at);
  if (M) g = add(g, T::load(call.second + at));
  if (MASK == 0) return g;
  Vector y = MASK == 1 ? T::load(call.y + at) : addMul(b, centred, a);
  return wherePositive(y, g);
}

template <class T, bool M, int MASK, bool STORE>
struct BackwardSums {
  const NormBackward<T>& call;
  const float* factor;
  typename T::Stored* stored;
  int64_t begin, end;
  Sums& sums;
  template <int G>
  void run(int64_t channel) const {
    Vector a[G], b[G], mean[G];
    for (int g = 0; g < G; g++) {
      a[g] = load(factor + channel + g * WIDTH);
      b[g] = load(call.shift + channel + g * WIDTH);
      mean[g] = load(call.mean + channel + g * WIDTH);
    }
    auto terms = [&](int64_t row, int64_t c, int g, Vector& sum, Vector& products) __attribute__((always_inline)) {
      int64_t at = row * call.channels + c;
      Vector centred = sub(T::load(call.x + at), mean[g]);
      Vector gradient = gradientAt<T, M, MASK>(call, at, centred, a[g], b[g]);
      if (STORE) T::store(stored + at, gradient);
      sum = add(sum, gradient);
      products = addMul(products, gradient, centred);
    };
    addRows<G>(begin, end, channel, terms, sums);
  }
};

template <class T, bool M, int MASK, bool STORE>
struct BackwardApply {
  const NormBackward<T>& call;
  const float *factor, *slope, *constant;
  const typename T::Stored* stored;
  int64_t begin, end;
  template <int G>
  void run(int64_t channel) const {
    Vector a[G], b[G], s[G], d[G], mean[G];
    for (int g = 0; g < G; g++) {
      a[g] = load(factor + channel + g * WIDTH);
      b[g] = load(call.shift + channel + g * WIDTH);
      s[g] = load(slope + channel + g * WIDTH);
      d[g] = load(constant + channel + g * WIDTH);
      mean[g] = load(call.mean + channel + g * WIDTH);
    }
    for (int64_t row = begin; row < end; row++) {
      for (int g = 0; g < G; g++) {
        int64_t at = row * call.channels + channel + g * WIDTH;
        Vector centred = sub(T::load(call.x + at), mean[g]);
        Vector gradient = STORE ? T::load(stored + at) : gradientAt<T, M, MASK>(call, at, centred, a[g], b[g]);
        T::store(call.dx + at, addMul(addMul(d[g], s[g], centred), a[g], gradient));
      }
    }
  }
};

template <class T, bool M, int MASK, bool STORE>
void normBackwardAs(const NormBackward<T>& call) {
  auto& threads = Threads::get();
  int64_t channels = call.channels;
  auto* stored = call.kept != nullptr ? call.kept : call.dx;
  std::vector<float> factor(channels), slope(channels), constant(channels);
  for (int64_t c = 0; c < channels; c++) factor[c] = call.scale[c] * call.inverse[c];
  std::vector<Sums> parts(threads.count(), Sums(channels));
  threads.run([&](int index) {
    auto [begin, end] = threads.share(call.rows, index);
    eachGroup(channels, BackwardSums<T, M, MASK, STORE>{call, factor.data(), stored, begin, end, parts[index]});
  });
  for (int i = 1; i < threads.count(); i++) parts[0].add(parts[i]);
  double m = static_cast<double>(call.rows);
  for (int64_t c = 0; c < channels; c++) {
    double sum = parts[0].first[c], products = parts[0].second[c], inverse = call.inverse[c];
    call.dscale[c] = static_cast<float>(products * inverse);
    call.dshift[c] = static_cast<float>(sum);
    slope[c] = static_cast<float>(-factor[c] * inverse * inverse * products / m);
    constant[c] = static_cast<float>(-factor[c] * sum / m);
  }
  threads.run([&](int index) {
    auto [begin, end] = threads.share(call.rows, index);
    eachGroup(channels, BackwardApply<T, M, MASK, STORE>{call, factor.data(), slope.data(), constant.data(), stored,
                                                         begin, end});
  });
}

template <class T>
void normBackward(const NormBackward<T>& call) {
  bool two = call.second != nullptr;
  if (!call.relu) return two ? normBackwardAs<T, true, 0, true>(call) : normBackwardAs<T, false, 0, false>(call);
  if (call.y != nullptr) return two ? normBackwardAs<T, true, 1, true>(call) : normBackwardAs<T, false, 1, true>(call);
  if (two) return normBackwardAs<T, true, 2, true>(call);
  return call.kept != nullptr ? normBackwardAs<T, false, 2, true>(call) : normBackwardAs<T, false, 2, false>(call);
}
