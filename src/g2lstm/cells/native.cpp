// LSTM layer with gate noise and weight drop for CPUs: one parallel region for a whole sequence.
//
// Each thread owns a range of hidden units. Their part of the recurrent matrix is packed once a call
// (weight drop and change of type on the way) into panels of 16 units x 4 gates. A step is, panel by
// panel, one small product (the micro-kernel that PyTorch exports) whose result is still in the L1
// cache when gates, noise and cell state are computed from it. Noise and mask are functions of keys
// (see counter.py): they are never stored, and results do not depend on the number of threads.
//
// Types: W of the operands of products (float, bfloat16 or double), A of state and sums (float for
// bfloat16). Arrays are dense and row by row; H hidden units, B examples, T steps, gates in the order
// input, forget, candidate, output.
#include <ATen/cpu/vec/vec.h>
#include <ATen/native/CPUBlas.h>
#include <omp.h>

#include <algorithm>
#include <cstring>
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
  int32_t limit;
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

// ---- products: C[M, N] = A[M, K] P[K, N]; a bfloat16 panel holds pairs of k side by side ----
// A block of a panel is read once for every six rows or so of A, so it must stay in the L2 cache.
constexpr i64 BLOCK = 256;
template <class W> void panel(i64 M, i64 K, const W* a, i64 lda, const W* p, float* c) {
  for (i64 k = 0; k < K; k += BLOCK) {
    const i64 n = std::min(BLOCK, K - k);
    at::native::cpublas::brgemm(M, N, n, lda, N, N, k > 0, a + k, p + k * N, c, sizeof(W) == 2);
  }
}
inline void panel(i64 M, i64 K, const double* a, i64 lda, const double* p, double* c) {
  std::fill_n(c, M * N, 0.);
  for (i64 m = 0; m < M; m++)
    for (i64 k = 0; k < K; k++)
      for (int n = 0; n < N; n++) c[m * N + n] += a[m * lda + k] * p[k * N + n];
}
template <class W> void release() {
  if constexpr (!std::is_same_v<W, double>) at::native::cpublas::brgemm_release(sizeof(W) == 2);
}

// rows [N][K] -> panel; a pair of bfloat16 moves as one word
template <class W> void pack_rows(const W* rows, W* to, i64 K) {
  using T = std::conditional_t<sizeof(W) == 2, uint32_t, W>;
  const i64 words = K * sizeof(W) / sizeof(T);
  const T* from = (const T*)rows;
  T* p = (T*)to;
  for (i64 k = 0; k < words; k++)
    for (int n = 0; n < N; n++) p[k * N + n] = from[n * words + k];
}
// rows k and k + 1 of N columns -> panel
template <class W> void pack_pair(const W (*rows)[N], W* to) {
  for (int n = 0; n < N; n++)
    for (int j = 0; j < 2; j++) to[sizeof(W) == 2 ? 2 * n + j : j * N + n] = rows[j][n];
}

// ---- gates ----
template <class A> inline Vec<A> sigmoid(Vec<A> x) { return Vec<A>(1) / (Vec<A>(1) + x.neg().exp()); }
template <> inline Vec<float> sigmoid(Vec<float> x) {
  return Vec<float>(1) / (Vec<float>(1) + x.neg().exp_u20());
}
template <class A> inline Vec<A> tanh_of(Vec<A> x) { return x.tanh(); }
template <> inline Vec<float> tanh_of(Vec<float> x) {
  return Vec<float>(2) * sigmoid(x + x) - Vec<float>(1);
}

// Call f(first unit, count); the count is a compile-time 16 wherever it can be.
template <class F> inline void by_units(i64 lo, i64 hi, F f) {
  for (; lo + U <= hi; lo += U) f(lo, std::integral_constant<int, U>());
  if (lo < hi) f(lo, (int)(hi - lo));
}
// This thread's share of n panels.
struct Share {
  i64 lo, hi;
  explicit Share(i64 n) {
    const i64 thread = omp_get_thread_num(), threads = omp_get_num_threads();
    lo = n * thread / threads, hi = n * (thread + 1) / threads;
  }
};

struct Sizes { i64 steps, batch, hidden, padded; };

template <class W, class A> struct Layer {
  i64 T, B, H, K;  // K: units of a row of hidden states, even for bfloat16
  const A* weight;
  Drop drop;
  A slope;  // 1 / tau
  i64 row(i64 panel, int n) const { return n / U * H + panel * U + n % U; }

  void pack_forward(i64 q, std::vector<W>& rows, W* to) const {
    for (int n = 0; n < N; n++) {
      W* at = &rows[n * K];
      if (q * U + n % U < H) drop.row(at, weight + row(q, n) * H, row(q, n), 0, H);
      else std::fill_n(at, K, W(0));
    }
    pack_rows(rows.data(), to, K);
  }
  void pack_backward(i64 q, W* to) const {
    W rows[2][N] = {};
    const i64 first = q * N, n = std::min<i64>(N, H - first);
    for (i64 k = 0; k < 4 * H; k += 2) {
      for (int j = 0; j < 2; j++) drop.row(rows[j], weight + (k + j) * H + first, k + j, first, n);
      pack_pair(rows, to + k * N);
    }
  }

  template <class I>
  void forward_units(const A* product, const W* projected, const A* bias, const Noise<A>& noise, A* gates,
                     const A* c_old, A* c_new, W* h_new, i64 row, i64 u, I n) const {
    alignas(64) A v[4][U] = {}, drawn[2][U], c[U] = {}, h[U];
    for (int g = 0; g < 4; g++) {
      get(v[g], projected + g * H + u, n);
      for (int j = 0; j < n; j++) v[g][j] += product[g * U + j] + bias[g * H + u + j];
    }
    if (noise.limit > 0) {
      noise(row, u, drawn[0]);
      for (int g = 0; g < 2; g++)
        for (int j = 0; j < U; j++) v[g][j] += drawn[g][j];
    }
    get(c, c_old + u, n);
    const Vec<A> s(slope);
    for (int j = 0; j < U; j += Vec<A>::size()) {
      auto at = [&](const A* x) { return Vec<A>::loadu(x + j); };
      const auto i = sigmoid(at(v[0]) * s), f = sigmoid(at(v[1]) * s);
      const auto g = tanh_of(at(v[2])), o = sigmoid(at(v[3])), cell = f * at(c) + i * g;
      i.store(v[0] + j), f.store(v[1] + j), g.store(v[2] + j), o.store(v[3] + j), cell.store(c + j);
      (o * tanh_of(cell)).store(h + j);
    }
    for (int g = 0; g < 4; g++) put(gates + g * H + u, v[g], n);
    put(c_new + u, c, n);
    put(h_new + u, h, n);
  }

  void forward(const W* projected, const A* bias, const Noise<A>& noise, A* gates, A* cs, W* hs) const {
    const i64 panels = (H + U - 1) / U;
    std::unique_ptr<W[]> packed(new W[panels * K * N]);
#pragma omp parallel
    {
      const Share mine(panels);
      std::vector<W> rows(N * K);
      for (i64 q = mine.lo; q < mine.hi; q++) pack_forward(q, rows, &packed[q * K * N]);
      std::vector<A> product(B * N);
      for (i64 t = 0; t < T; t++) {
        for (i64 q = mine.lo; q < mine.hi; q++) {
          panel(B, K, hs + t * B * K, K, &packed[q * K * N], product.data());
          by_units(q * U, std::min(H, q * U + U), [&](i64 u, auto n) {
            for (i64 b = 0; b < B; b++) {
              const i64 r = t * B + b;
              forward_units(&product[b * N], projected + r * 4 * H, bias, noise, gates + r * 4 * H,
                            cs + r * H, cs + (r + B) * H, hs + (r + B) * K, r, u, n);
            }
          });
        }
#pragma omp barrier
      }
      release<W>();
    }
  }

  template <class I>
  void backward_units(const A* d_h, const A* d_y, const A* gates, const A* c_old, const A* c_new, A* d_c,
                      W* delta, A* d_bias, i64 u, I n) const {
    alignas(64) A v[4][U] = {}, d[4][U] = {}, dh[U] = {}, dc[U] = {}, dy[U] = {}, old[U] = {}, cell[U] = {};
    for (int g = 0; g < 4; g++) get(v[g], gates + g * H + u, n);
    get(dh, d_h, n), get(dy, d_y + u, n), get(dc, d_c + u, n);
    get(old, c_old + u, n), get(cell, c_new + u, n);
    const Vec<A> one(1), s(slope);
    for (int j = 0; j < U; j += Vec<A>::size()) {
      auto at = [&](const A* x) { return Vec<A>::loadu(x + j); };
      const auto i = at(v[0]), f = at(v[1]), g = at(v[2]), o = at(v[3]), tanh_c = tanh_of(at(cell));
      const auto to_h = at(dh) + at(dy), to_c = at(dc) + to_h * o * (one - tanh_c * tanh_c);
      (to_c * g * i * (one - i) * s).store(d[0] + j);
      (to_c * at(old) * f * (one - f) * s).store(d[1] + j);
      (to_c * i * (one - g * g)).store(d[2] + j);
      (to_h * tanh_c * o * (one - o)).store(d[3] + j);
      (to_c * f).store(dc + j);
    }
    put(d_c + u, dc, n);
    for (int g = 0; g < 4; g++) {
      put(delta + g * H + u, d[g], n);
      for (int j = 0; j < n; j++) d_bias[g * H + u + j] += d[g][j];
    }
  }

  // d_h and d_c: gradients of the last state; afterwards those of the first. d_bias is added to.
  void backward(const A* d_y, const A* gates, const A* cs, A* d_h, A* d_c, W* delta, A* d_bias) const {
    const i64 panels = (H + N - 1) / N, G = 4 * H;
    std::unique_ptr<W[]> packed(new W[panels * G * N]);
#pragma omp parallel
    {
      const Share mine(panels);
      for (i64 q = mine.lo; q < mine.hi; q++) pack_backward(q, &packed[q * G * N]);
      std::vector<A> product(B * N);
      for (i64 t = T - 1; t >= -1; t--) {
        for (i64 q = mine.lo; q < mine.hi; q++) {
          if (t < T - 1) panel(B, G, delta + (t + 1) * B * G, G, &packed[q * G * N], product.data());
          by_units(q * N, std::min(H, q * N + N), [&](i64 u, auto n) {
            for (i64 b = 0; b < B; b++) {
              const i64 r = t * B + b;
              A* last = d_h + b * H + u;
              const A* to_h = t < T - 1 ? &product[b * N + u - q * N] : last;
              if (t < 0) put(last, to_h, n);
              else
                backward_units(to_h, d_y + r * H, gates + r * G, cs + r * H, cs + (r + B) * H,
                               d_c + b * H, delta + r * G, d_bias, u, n);
            }
          });
        }
#pragma omp barrier
      }
      release<W>();
    }
  }
};

// ---- what Python calls: type 0 float, 1 bfloat16, 2 double ----
template <class F> void by_type(int type, F f) {
  if (type == 0) f(0.f, 0.f);
  else if (type == 1) f(BFloat16(), 0.f);
  else f(0., 0.);
}
template <class W, class A> Layer<W, A> make(const Sizes& z, const void* weight, const Drop& drop, double tau) {
  return {z.steps, z.batch, z.hidden, z.padded, (const A*)weight, drop, A(1 / tau)};
}

extern "C" {
// The reason why a type cannot be used on this machine, or an empty string.
const char* unusable(int type) {
  static thread_local std::string why;
  why.clear();
  try {
    by_type(type, [](auto w, auto a) {
      using W = decltype(w);
      std::vector<W> x(N * N, W(0));
      std::vector<decltype(a)> c(N * N);
      panel(2, N, x.data(), N, x.data(), c.data());
      release<W>();
    });
  } catch (const std::exception& e) {
    why = e.what();
  }
  return why.c_str();
}
void lstm_forward(int type, const Sizes* z, const void* projected, const void* bias, Noise<double> noise,
                  const void* weight, Drop drop, double tau, void* gates, void* cs, void* hs) {
  by_type(type, [&](auto w, auto a) {
    using W = decltype(w);
    using A = decltype(a);
    const Noise<A> drawn{noise.rows, noise.columns, A(noise.limit), A(noise.eps)};
    make<W, A>(*z, weight, drop, tau)
        .forward((const W*)projected, (const A*)bias, drawn, (A*)gates, (A*)cs, (W*)hs);
  });
}
void lstm_backward(int type, const Sizes* z, const void* d_y, const void* gates, const void* cs,
                   const void* weight, Drop drop, double tau, void* d_h, void* d_c, void* delta, void* d_bias) {
  by_type(type, [&](auto w, auto a) {
    using W = decltype(w);
    using A = decltype(a);
    make<W, A>(*z, weight, drop, tau)
        .backward((const A*)d_y, (const A*)gates, (const A*)cs, (A*)d_h, (A*)d_c, (W*)delta, (A*)d_bias);
  });
}
// Weight drop of a matrix, in place.
void drop_weights(int type, i64 rows, i64 columns, void* weight, Drop drop) {
  by_type(type, [&](auto, auto a) {
    auto* w = (decltype(a)*)weight;
#pragma omp parallel for
    for (i64 r = 0; r < rows; r++) drop.row(w + r * columns, w + r * columns, r, 0, columns);
  });
}
}
