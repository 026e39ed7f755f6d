// Products of a few rows with a packed matrix, and how the work is cut among threads.
#pragma once
#include "numbers.h"

// C[M, N] = A[M, K] P[K, N], or added to C; a bfloat16 panel holds pairs of k side by side.
// A block of a panel is read once for every six rows or so of A, so it must stay in the L2 cache.
constexpr i64 BLOCK = 256;
template <class W> void panel(i64 M, i64 K, const W* a, i64 lda, const W* p, float* c, bool add = false) {
  for (i64 k = 0; k < K; k += BLOCK) {
    const i64 n = std::min(BLOCK, K - k);
    at::native::cpublas::brgemm(M, N, n, lda, N, N, add || k > 0, a + k, p + k * N, c, sizeof(W) == 2);
  }
}
inline void panel(i64 M, i64 K, const double* a, i64 lda, const double* p, double* c, bool add = false) {
  if (!add) std::fill_n(c, M * N, 0.);
  for (i64 m = 0; m < M; m++)
    for (i64 k = 0; k < K; k++)
      for (int n = 0; n < N; n++) c[m * N + n] += a[m * lda + k] * p[k * N + n];
}
template <class W> void release() {
  if constexpr (!std::is_same_v<W, double>) at::native::cpublas::brgemm_release(sizeof(W) == 2);
}

// Call f(first unit, count); the count is a compile-time 16 wherever it can be.
template <class F> inline void by_units(i64 lo, i64 hi, F f) {
  for (; lo + U <= hi; lo += U) f(lo, std::integral_constant<int, U>());
  if (lo < hi) f(lo, (int)(hi - lo));
}
// This thread's share of n things.
struct Share {
  i64 lo, hi;
  explicit Share(i64 n) {
    const i64 thread = omp_get_thread_num(), threads = omp_get_num_threads();
    lo = n * thread / threads, hi = n * (thread + 1) / threads;
  }
};

// A matrix [R][C] in panels, so that rows times it or its transpose are products of panels. Each
// thread packs and uses its own share of the panels.
template <class W, class A> struct Panels {
  i64 K, count;  // length of the sums, even for bfloat16; number of panels
  std::unique_ptr<W[]> packed;

  Panels(i64 length, i64 panels)
      : K(length), count(panels), packed(new W[panels * (length + length % 2) * N]) {}
  W* at(i64 q) const { return &packed[q * (K + K % 2) * N]; }

  // Column n of panel q is row n / U * (R / 4) + q * U + n % U of the matrix: 16 units x 4 gates.
  static Panels of_gates(i64 hidden, i64 K) { return Panels(K, (hidden + U - 1) / U); }
  void pack_gates(const A* matrix, i64 hidden, i64 columns, const Drop& drop) {
    const auto row = [&](i64 q, int n) { return n / U * hidden + q * U + n % U; };
    const auto inside = [&](i64 q, int n) { return q * U + n % U < hidden; };
    pack_rows(matrix, columns, drop, row, inside);
  }
  // Column n of panel q is row q * 64 + n.
  static Panels of_rows(i64 rows, i64 K) { return Panels(K, (rows + N - 1) / N); }
  void pack_plain_rows(const A* matrix, i64 rows, i64 columns) {
    const auto row = [&](i64 q, int n) { return q * N + n; };
    pack_rows(matrix, columns, Drop{}, row, [&](i64 q, int n) { return row(q, n) < rows; });
  }
  // Column n of panel q is column q * 64 + n.
  static Panels of_columns(i64 columns, i64 rows) { return Panels(rows, (columns + N - 1) / N); }
  void pack_columns(const A* matrix, i64 columns, const Drop& drop) {
    const Share share(count);
    for (i64 q = share.lo; q < share.hi; q++) {
      W rows[2][N] = {};
      const i64 first = q * N, n = std::min<i64>(N, columns - first);
      for (i64 k = 0; k < K; k += 2) {
        for (i64 j = 0; j < std::min<i64>(2, K - k); j++)
          drop.row(rows[j], matrix + (k + j) * columns + first, k + j, first, n);
        W* to = at(q) + k * N;
        for (int n = 0; n < N; n++)
          for (int j = 0; j < 2; j++) to[sizeof(W) == 2 ? 2 * n + j : j * N + n] = rows[j][n];
      }
    }
  }

 private:
  template <class R, class I>
  void pack_rows(const A* matrix, i64 columns, const Drop& drop, R row, I inside) {
    using T = std::conditional_t<sizeof(W) == 2, uint32_t, W>;  // a pair of bfloat16 moves as one word
    std::vector<W> rows(N * K);
    const i64 words = K * sizeof(W) / sizeof(T);
    const Share share(count);
    for (i64 q = share.lo; q < share.hi; q++) {
      for (int n = 0; n < N; n++) {
        if (inside(q, n)) drop.row(&rows[n * K], matrix + row(q, n) * columns, row(q, n), 0, columns);
        else std::fill_n(&rows[n * K], K, W(0));
      }
      const T* from = (const T*)rows.data();
      T* to = (T*)at(q);
      for (i64 k = 0; k < words; k++)
        for (int n = 0; n < N; n++) to[k * N + n] = from[n * words + k];
    }
  }
};
