// C = A B, or C += A B, of matrices stored row by row, with float sums; operands are float or bfloat16.
//
// B is packed once in panels of 64 columns; then each thread takes its own rows of A, 64 at a time,
// so that a block of C stays in the L1 cache while the sums over K are formed. The order of a sum
// does not depend on the number of threads.
#pragma once
#include "panels.h"

constexpr i64 ROWS = 64;

template <class W> struct Product {
  i64 M, K, columns;

  i64 panels() const { return (columns + N - 1) / N; }
  i64 even() const { return K + K % 2; }

  // Packed: [panel][k][64]; two rows of bfloat16 side by side.
  void pack(const W* b, W* packed) const {
#pragma omp parallel
    {
      const Share rows(even() / 2);
      for (i64 q = 0; q < panels(); q++)
        for (i64 k = rows.lo; k < rows.hi; k++) pack_two(b, 2 * k, q * N, packed + (q * even() + 2 * k) * N);
    }
  }
  void run(const W* a, const W* packed, float* c, bool add) const {
#pragma omp parallel
    {
      const Share mine((M + ROWS - 1) / ROWS);
      std::vector<W> padded(K % 2 && sizeof(W) == 2 ? ROWS * even() : 0);
      const i64 lda = padded.empty() ? K : even();
      for (i64 m = mine.lo * ROWS; m < std::min(M, mine.hi * ROWS); m += ROWS) {
        const i64 n = std::min(ROWS, M - m);
        const W* block = a + m * K;
        if (!padded.empty()) {  // bfloat16 goes in pairs: an odd row gets one more zero
          for (i64 r = 0; r < n; r++) {
            std::copy_n(block + r * K, K, &padded[r * lda]);
            padded[r * lda + K] = W(0);
          }
          block = padded.data();
        }
        for (i64 q = 0; q < panels(); q++)
          multiply(n, block, lda, packed + q * even() * N, c + m * columns + q * N,
                   std::min<i64>(N, columns - q * N), add);
      }
      release<W>();
    }
  }

 private:
  // Two rows of a panel: for bfloat16 the elements of both side by side.
  void pack_two(const W* b, i64 k, i64 first, W* to) const {
    const i64 n = std::min<i64>(N, columns - first);
    for (i64 j = 0; j < 2; j++) {
      const W* from = b + (k + j) * columns + first;
      for (i64 i = 0; i < N; i++) {
        const W x = i < n && k + j < K ? from[i] : W(0);
        to[sizeof(W) == 2 ? 2 * i + j : j * N + i] = x;
      }
    }
  }
  void multiply(i64 m, const W* a, i64 lda, const W* p, float* c, i64 n, bool add) const {
    for (i64 k = 0; k < lda; k += BLOCK)
      at::native::cpublas::brgemm(m, n, std::min(BLOCK, lda - k), lda, N, columns, add || k > 0, a + k,
                                  p + k * N, c, sizeof(W) == 2);
  }
};
