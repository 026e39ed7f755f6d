// Types of numbers, vectors of gates, and random numbers by keys (the same as in counter.py).
#pragma once
#include <ATen/cpu/vec/vec.h>
#include <ATen/native/CPUBlas.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

using at::BFloat16;
using i64 = int64_t;
constexpr int U = 16;     // units of a forward panel
constexpr int N = 4 * U;  // columns of a panel, and units of a backward panel
constexpr int LEVELS = 65536;
template <class A> using Vec = at::vec::Vectorized<A>;

// ---- operands and sums ----
inline float value(BFloat16 x) { return c10::detail::f32_from_bits(x.x); }
inline float value(float x) { return x; }
inline double value(double x) { return x; }
template <class W, class A> inline W cast(A x) {
  if constexpr (std::is_same_v<W, BFloat16>) {  // round to nearest even, without a branch for NaN
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return BFloat16((uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16), BFloat16::from_bits());
  } else {
    return x;
  }
}
template <class A, class S, class I> inline void get(A* to, const S* from, I n) {
  for (int j = 0; j < n; j++) to[j] = value(from[j]);
}
template <class A, class S, class I> inline void put(S* to, const A* from, I n) {
  for (int j = 0; j < n; j++) to[j] = cast<S>(from[j]);
}

// ---- random numbers by keys, as in counter.py ----
inline uint32_t mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

// Logarithm of a normal positive number: the polynomial of Cephes, error about 1e-7, no call and no
// division, so that the loop around it becomes vector code.
inline float fast_log(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const int32_t exponent = (int32_t)(bits - 0x3f3504f3u) >> 23;
  bits -= (uint32_t)exponent << 23;
  float m;
  std::memcpy(&m, &bits, 4);
  const float f = m - 1, z = f * f;
  float y = 7.0376836292e-2f;
  for (float c : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                  -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f})
    y = y * f + c;
  return exponent * 0.69314718f + (f + (y * f - .5f) * z);
}
inline double fast_log(double x) { return std::log(x); }

// B * L of U units of input and forget gate; the low half of a word belongs to the input gate. Halves
// are read as signed numbers; the lowest `limit` of them are noisy.
template <class A> struct Noise {
  const uint32_t *rows, *columns;
  A limit, eps;
  void operator()(i64 row, i64 unit, A* __restrict noise) const {
    const uint32_t key = rows[row];
    for (int j = 0; j < U; j++) {
      const uint32_t word = mix(key ^ columns[unit + j]);
      noise[j] = (int16_t)word + LEVELS / 2, noise[U + j] = ((int32_t)word >> 16) + LEVELS / 2;
    }
    for (int j = 0; j < 2 * U; j++) {
      const A u = noise[j] < limit ? (noise[j] + A(.5)) / limit : A(.5);
      const A drawn = fast_log((u + eps) / ((1 + eps) - u));
      noise[j] = noise[j] < limit ? drawn : A(0);
    }
  }
};

// Weight drop of single elements; word k / 2 of a row decides elements k and k + 1.
struct Drop {
  const uint32_t *rows, *columns;
  int32_t limit = 0;
  template <class D, class S> void row(D* to, const S* from, i64 r, i64 first, i64 n) const {
    if (!limit) return put(to, from, n);
    const auto scale = value(S(1)) * LEVELS / (LEVELS - limit);
    alignas(64) uint32_t words[16];
    alignas(64) int16_t halves[32];
    const int16_t lowest = (int16_t)(limit - LEVELS / 2);
    for (i64 k = 0; k < n; k += 32) {
      for (int j = 0; j < 16; j++) words[j] = mix(rows[r] ^ columns[(first + k) / 2 + j]);
      std::memcpy(halves, words, sizeof words);
      const int m = (int)std::min<i64>(32, n - k);
      for (int j = 0; j < m; j++) {
        const auto x = value(from[k + j]) * scale;
        to[k + j] = cast<D>(halves[j] >= lowest ? x : decltype(x)(0));
      }
    }
  }
};

// ---- gates ----
template <class A> inline Vec<A> sigmoid(Vec<A> x) { return Vec<A>(1) / (Vec<A>(1) + x.neg().exp()); }
template <> inline Vec<float> sigmoid(Vec<float> x) {
  return Vec<float>(1) / (Vec<float>(1) + x.neg().exp_u20());
}
template <class A> inline Vec<A> tanh_of(Vec<A> x) { return x.tanh(); }
template <> inline Vec<float> tanh_of(Vec<float> x) {
  return Vec<float>(2) * sigmoid(x + x) - Vec<float>(1);
}
