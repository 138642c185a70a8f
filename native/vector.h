// The processor's vectors: as many numbers at a time as one register holds. float32 as it is, bfloat16 widened on the way in
// and rounded to nearest even on the way out. Everything that the kernels do with numbers is named here, once for each kind
// of processor; this file is compiled for one of them.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

// Channels that the kernels take at a time, whatever a register holds.
constexpr int64_t LANES = 16;

#define INLINE static inline __attribute__((always_inline))

// `addMul` is a + b · c and `subMul` a − b · c, rounded once. `larger` is the second operand where one is NaN.
// `smaller` likewise. `wherePositive` is `value` where `sign` > 0, and 0 elsewhere. `powerOfTwo` is 2ⁿ of MAGIC + n, n ≥ −126.
constexpr float MAGIC = 12582912;  // 1.5 · 2²³: what is added to it is rounded to an integer.

#if defined(__AVX512F__)

using Vector = __m512;
constexpr int64_t WIDTH = 16;
constexpr int REGISTERS = 32;

INLINE Vector zero() { return _mm512_setzero_ps(); }
INLINE Vector all(float value) { return _mm512_set1_ps(value); }
INLINE Vector load(const float* from) { return _mm512_loadu_ps(from); }
INLINE void store(float* to, Vector value) { _mm512_storeu_ps(to, value); }
INLINE Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
INLINE Vector sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
INLINE Vector mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
INLINE Vector addMul(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(b, c, a); }
INLINE Vector subMul(Vector a, Vector b, Vector c) { return _mm512_fnmadd_ps(b, c, a); }
INLINE Vector larger(Vector a, Vector b) { return _mm512_max_ps(a, b); }
INLINE Vector smaller(Vector a, Vector b) { return _mm512_min_ps(a, b); }
INLINE Vector div(Vector a, Vector b) { return _mm512_div_ps(a, b); }
INLINE Vector powerOfTwo(Vector sum) {
  __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(sum), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_set1_epi32(127 << 23)));
}
INLINE Vector wherePositive(Vector sign, Vector value) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(sign, zero(), _CMP_GT_OQ), value);
}
INLINE Vector widen(const uint16_t* from) {
  __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
INLINE void narrow(uint16_t* to, Vector value) {
  __m512i bits = _mm512_castps_si512(value);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
  __mmask16 isNan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
  rounded = _mm512_mask_or_epi32(rounded, isNan, bits, _mm512_set1_epi32(0x400000));
  __m256i half = _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half);
}

#elif defined(__AVX2__)

using Vector = __m256;
constexpr int64_t WIDTH = 8;
constexpr int REGISTERS = 16;

INLINE Vector zero() { return _mm256_setzero_ps(); }
INLINE Vector all(float value) { return _mm256_set1_ps(value); }
INLINE Vector load(const float* from) { return _mm256_loadu_ps(from); }
INLINE void store(float* to, Vector value) { _mm256_storeu_ps(to, value); }
INLINE Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
INLINE Vector sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
INLINE Vector mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
INLINE Vector addMul(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(b, c, a); }
INLINE Vector subMul(Vector a, Vector b, Vector c) { return _mm256_fnmadd_ps(b, c, a); }
INLINE Vector larger(Vector a, Vector b) { return _mm256_max_ps(a, b); }
INLINE Vector smaller(Vector a, Vector b) { return _mm256_min_ps(a, b); }
INLINE Vector div(Vector a, Vector b) { return _mm256_div_ps(a, b); }
INLINE Vector powerOfTwo(Vector sum) {
  __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(sum), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(exponent, _mm256_set1_epi32(127 << 23)));
}
INLINE Vector wherePositive(Vector sign, Vector value) {
  return _mm256_and_ps(_mm256_cmp_ps(sign, zero(), _CMP_GT_OQ), value);
}
INLINE Vector widen(const uint16_t* from) {
  __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
INLINE void narrow(uint16_t* to, Vector value) {
  __m256i bits = _mm256_castps_si256(value);
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
  __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  __m256i isNan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
  rounded = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, isNan), 16);
  __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(rounded, rounded), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(packed));
}

#elif defined(__ARM_NEON)

using Vector = float32x4_t;
constexpr int64_t WIDTH = 4;
constexpr int REGISTERS = 32;

INLINE Vector zero() { return vdupq_n_f32(0); }
INLINE Vector all(float value) { return vdupq_n_f32(value); }
INLINE Vector load(const float* from) { return vld1q_f32(from); }
INLINE void store(float* to, Vector value) { vst1q_f32(to, value); }
INLINE Vector add(Vector a, Vector b) { return vaddq_f32(a, b); }
INLINE Vector sub(Vector a, Vector b) { return vsubq_f32(a, b); }
INLINE Vector mul(Vector a, Vector b) { return vmulq_f32(a, b); }
INLINE Vector addMul(Vector a, Vector b, Vector c) { return vfmaq_f32(a, b, c); }
INLINE Vector subMul(Vector a, Vector b, Vector c) { return vfmsq_f32(a, b, c); }
INLINE Vector larger(Vector a, Vector b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
INLINE Vector smaller(Vector a, Vector b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
INLINE Vector div(Vector a, Vector b) { return vdivq_f32(a, b); }
INLINE Vector powerOfTwo(Vector sum) {
  uint32x4_t exponent = vshlq_n_u32(vreinterpretq_u32_f32(sum), 23);
  return vreinterpretq_f32_u32(vaddq_u32(exponent, vdupq_n_u32(127 << 23)));
}
INLINE Vector wherePositive(Vector sign, Vector value) { return vbslq_f32(vcgtq_f32(sign, zero()), value, zero()); }
INLINE Vector widen(const uint16_t* from) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(from), 16)); }
INLINE void narrow(uint16_t* to, Vector value) {
  uint32x4_t bits = vreinterpretq_u32_f32(value);
  uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd);
  uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  vst1_u16(to, vshrn_n_u32(vbslq_u32(vceqq_f32(value, value), rounded, quiet), 16));
}

#else
#error "tailmix's ops need AVX2, AVX-512 or NEON"
#endif

// How numbers lie in memory. NaN in bfloat16 keeps its sign and becomes quiet, as the hardware's own conversion does.
struct Float {
  using Stored = float;
  INLINE Vector load(const float* from) { return ::load(from); }
  INLINE void store(float* to, Vector value) { ::store(to, value); }
};

struct Bfloat16 {
  using Stored = uint16_t;
  INLINE Vector load(const uint16_t* from) { return widen(from); }
  INLINE void store(uint16_t* to, Vector value) { narrow(to, value); }
};
