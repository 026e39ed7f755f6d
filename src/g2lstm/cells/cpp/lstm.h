// LSTM layer with gate noise and weight drop for CPUs: one parallel region for a whole sequence.
//
// Each thread owns a range of hidden units. Their part of the recurrent matrix is packed once a call
// (weight drop and change of type on the way) into panels of 16 units x 4 gates. A step is, panel by
// panel, one small product (the micro-kernel that PyTorch exports) whose result is still in the L1
// cache when gates, noise and cell state are computed from it. Noise and mask are functions of keys:
// they are never stored, and results do not depend on the number of threads.
//
// Types: W of the operands of products (float, bfloat16 or double), A of state and sums (float for
// bfloat16). Arrays are dense and row by row; H hidden units, B examples, T steps, gates in the order
// input, forget, candidate, output.
#pragma once
#include "cell.h"

struct Sizes { i64 steps, batch, hidden, padded; };

// Group variables of a chunk, one value a sequence: [B][4][H] and [B][H]; products [T][B][4][H].
struct GroupArrays { const void *gates, *hidden; void *products, *d_gates, *d_hidden; };

template <class W, class A> struct Layer {
  i64 T, B, H, K;  // K: units of a row of hidden states, even for bfloat16
  const A* weight;
  Drop drop;
  Cell<W, A> cell;
  GroupArrays z;

  Groups<A> groups(i64 t, i64 b) const {
    Groups<A> one;
    if (z.gates) {
      one.gates = (const A*)z.gates + b * 4 * H, one.products = (A*)z.products + (t * B + b) * 4 * H;
      if (z.d_gates) one.d_gates = (A*)z.d_gates + b * 4 * H;
    }
    if (z.hidden) {
      one.hidden = (const A*)z.hidden + b * H;
      if (z.d_hidden) one.d_hidden = (A*)z.d_hidden + b * H;
    }
    return one;
  }

  void forward(const W* projected, const A* bias, const Noise<A>& noise, A* gates, A* cs, W* hs) const {
    auto recurrent = Panels<W, A>::of_gates(H, K);
#pragma omp parallel
    {
      recurrent.pack_gates(weight, H, H, drop);
      const Share mine(recurrent.count);
      std::vector<A> product(B * N);
      for (i64 t = 0; t < T; t++) {
        for (i64 q = mine.lo; q < mine.hi; q++) {
          panel(B, K, hs + t * B * K, K, recurrent.at(q), product.data());
          by_units(q * U, std::min(H, q * U + U), [&](i64 u, auto n) {
            for (i64 b = 0; b < B; b++) {
              const i64 r = t * B + b;
              cell.forward(&product[b * N], projected + r * 4 * H, bias, noise, r, gates + r * 4 * H,
                           cs + r * H, cs + (r + B) * H, hs + (r + B) * K, u, n, groups(t, b));
            }
          });
        }
#pragma omp barrier
      }
      release<W>();
    }
  }

  // d_h and d_c: gradients of the last state; afterwards those of the first. d_bias is added to.
  void backward(const A* d_y, const A* gates, const A* cs, A* d_h, A* d_c, W* delta, A* d_bias) const {
    const i64 G = 4 * H;
    auto recurrent = Panels<W, A>::of_columns(H, G);
#pragma omp parallel
    {
      recurrent.pack_columns(weight, H, drop);
      const Share mine(recurrent.count);
      std::vector<A> product(B * N);
      for (i64 t = T - 1; t >= -1; t--) {
        for (i64 q = mine.lo; q < mine.hi; q++) {
          if (t < T - 1) panel(B, G, delta + (t + 1) * B * G, G, recurrent.at(q), product.data());
          by_units(q * N, std::min(H, q * N + N), [&](i64 u, auto n) {
            for (i64 b = 0; b < B; b++) {
              const i64 r = t * B + b;
              A* last = d_h + b * H + u;
              const A* to_h = t < T - 1 ? &product[b * N + u - q * N] : last;
              if (t < 0) put(last, to_h, n);
              else
                cell.backward(to_h, d_y + r * H, gates + r * G, cs + r * H, cs + (r + B) * H, d_c + b * H,
                              delta + r * G, d_bias, u, n, groups(t, b));
            }
          });
        }
#pragma omp barrier
      }
      release<W>();
    }
  }
};
