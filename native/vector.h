// Sixteen numbers at a time: float32 as it is, bfloat16 widened on the way in and rounded to nearest even on the way out.
#pragma once
#include <immintrin.h>

#include <cstdint>

constexpr int64_t LANES = 16;

struct Float {
  using Stored = float;
  static inline __m512 load(const float* from, __mmask16 mask = 0xffff) { return _mm512_maskz_loadu_ps(mask, from); }
  static inline void store(float* to, __m512 value) { _mm512_storeu_ps(to, value); }
};

struct Bfloat16 {
  using Stored = uint16_t;
  static inline __m512 load(const uint16_t* from, __mmask16 mask = 0xffff) {
    __m256i half = _mm256_maskz_loadu_epi16(mask, from);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
  // NaN keeps its sign and becomes quiet, as the hardware's own conversion does.
  static inline void store(uint16_t* to, __m512 value) {
    __m512i bits = _mm512_castps_si512(value);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    __mmask16 isNan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, isNan, bits, _mm512_set1_epi32(0x400000));
    __m256i half = _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half);
  }
};
