// Attention layer of the translation model for CPUs: two transitions a step embrace the attention.
//
// As in lstm.h, threads share out the hidden units of the transitions, and the examples of the
// attention. The attention's hidden layer is computed again in the backward pass: it is the largest
// array by far. T steps, B examples, H units, S source positions, C units of an annotation, D units of
// the attention's hidden layer.
#pragma once
#include "cell.h"

struct AttentionSizes { i64 steps, batch, hidden, source, annotation, attention; };

template <class A> struct AttentionInputs {
  const A *h0, *annotations, *keys, *mask, *weight_hh, *weight_query, *score, *weight_nl, *weight_ctx, *bias_nl;
};
// Index 2 t of h and c is the state before step t, 2 t + 1 that between its transitions.
template <class A> struct AttentionStates { A *gates, *h, *c, *query, *weights, *contexts; };
// d_score is one row for each example. d_h: gradient of the first state.
template <class A> struct AttentionGradients { A *delta, *d_contexts, *d_query, *d_keys, *d_score, *d_h; };

template <class A> struct Attention {
  AttentionSizes z;
  Cell<A, A> cell;
  AttentionInputs<A> in;
  AttentionStates<A> s;

  A *gates(i64 t, int k, i64 b) const { return s.gates + ((t * 2 + k) * z.batch + b) * 4 * z.hidden; }
  A *h(i64 index, i64 b = 0) const { return s.h + (index * z.batch + b) * z.hidden; }
  A *c(i64 index, i64 b = 0) const { return s.c + (index * z.batch + b) * z.hidden; }

  static A energy(const A* key, const A* query, const A* score, i64 D) {
    Vec<A> total(0);
    by_vectors(D, [&](i64 k, int m) {
      const auto inner = tanh_of(Vec<A>::loadu(key + k, m) + Vec<A>::loadu(query + k, m));
      total = total + inner * Vec<A>::loadu(score + k, m);
    });
    return sum(total);
  }

  void forward(const A* projected, const Noise<A>& first, const Noise<A>& second) const {
    const i64 H = z.hidden, B = z.batch, C = z.annotation;
    auto hh = Panels<A, A>::of_gates(H, H), nl = Panels<A, A>::of_gates(H, H), ctx = Panels<A, A>::of_gates(H, C);
    auto query = Panels<A, A>::of_rows(z.attention, H);
    const std::vector<A> zero(4 * H);
#pragma omp parallel
    {
      hh.pack_gates(in.weight_hh, H, H, Drop{}), nl.pack_gates(in.weight_nl, H, H, Drop{});
      ctx.pack_gates(in.weight_ctx, H, C, Drop{}), query.pack_plain_rows(in.weight_query, z.attention, H);
      const Share mine(hh.count), examples(B);
      std::vector<A> product(B * N), energies(z.source);
      const auto transition = [&](i64 t, int k, i64 q, const A* input, i64 stride, const A* bias, const Noise<A>& noise) {
        by_units(q * U, std::min(H, q * U + U), [&](i64 u, auto n) {
          for (i64 b = 0; b < B; b++)
            cell.forward(&product[b * N], input + b * stride, bias, noise, t * B + b, gates(t, k, b),
                         c(2 * t + k, b), c(2 * t + k + 1, b), h(2 * t + k + 1, b), u, n);
        });
      };
      for (i64 t = 0; t < z.steps; t++) {
        for (i64 q = mine.lo; q < mine.hi; q++) {
          panel(B, H, h(2 * t), H, hh.at(q), product.data());
          transition(t, 0, q, projected + t * B * 4 * H, 4 * H, zero.data(), first);
        }
#pragma omp barrier
        rows_times(query, h(2 * t + 1), H, s.query + t * B * z.attention, z.attention, nullptr, product);
#pragma omp barrier
        for (i64 b = examples.lo; b < examples.hi; b++) attend(t * B + b, b, energies);
#pragma omp barrier
        for (i64 q = mine.lo; q < mine.hi; q++) {
          panel(B, H, h(2 * t + 1), H, nl.at(q), product.data());
          panel(B, C, s.contexts + t * B * C, C, ctx.at(q), product.data(), true);
          transition(t, 1, q, in.bias_nl, 0, zero.data(), second);
        }
#pragma omp barrier
      }
      release<A>();
    }
  }

  // d_y, d_contexts: gradients of the outputs; g.d_contexts starts as the latter. d_bias is that of
  // the second transition; the gradient of the first is g.delta itself.
  void backward(const A* d_y, const AttentionGradients<A>& g, A* d_bias) const {
    const i64 H = z.hidden, B = z.batch, C = z.annotation, D = z.attention, G = 4 * H;
    auto hh = Panels<A, A>::of_columns(H, G), nl = Panels<A, A>::of_columns(H, G);
    auto ctx = Panels<A, A>::of_columns(C, G), query = Panels<A, A>::of_columns(H, D);
    std::vector<A> d_c(B * H), d_between(B * H), unused(G);
    const auto delta = [&](i64 t, int k, i64 b = 0) { return g.delta + ((t * 2 + k) * B + b) * G; };
#pragma omp parallel
    {
      hh.pack_columns(in.weight_hh, H, Drop{}), nl.pack_columns(in.weight_nl, H, Drop{});
      ctx.pack_columns(in.weight_ctx, C, Drop{}), query.pack_columns(in.weight_query, H, Drop{});
      const Share mine(hh.count), examples(B);
      std::vector<A> product(B * N), d_inner(D);
      const auto transition = [&](i64 t, int k, i64 q, const A* d_out, A* bias) {
        by_units(q * N, std::min(H, q * N + N), [&](i64 u, auto n) {
          for (i64 b = 0; b < B; b++)
            cell.backward(&product[b * N + u - q * N], d_out ? d_out + b * H : nullptr, gates(t, k, b),
                          c(2 * t + k, b), c(2 * t + k + 1, b), &d_c[b * H], delta(t, k, b), bias, u, n);
        });
      };
      for (i64 t = z.steps - 1; t >= 0; t--) {
        for (i64 q = mine.lo; q < mine.hi; q++) {
          if (t + 1 < z.steps) panel(B, G, delta(t + 1, 0), G, hh.at(q), product.data());
          else std::fill(product.begin(), product.end(), A(0));
          transition(t, 1, q, d_y + t * B * H, d_bias);
        }
#pragma omp barrier
        rows_times(nl, delta(t, 1), G, d_between.data(), H, nullptr, product);
        A* d_context = g.d_contexts + t * B * C;
        rows_times(ctx, delta(t, 1), G, d_context, C, d_context, product);
#pragma omp barrier
        for (i64 b = examples.lo; b < examples.hi; b++) attend_backward(t * B + b, b, g, d_inner);
#pragma omp barrier
        for (i64 q = mine.lo; q < mine.hi; q++) {
          panel(B, D, g.d_query + t * B * D, D, query.at(q), product.data());
          transition(t, 0, q, d_between.data(), unused.data());
        }
#pragma omp barrier
      }
      rows_times(hh, delta(0, 0), G, g.d_h, H, nullptr, product);
      release<A>();
    }
  }

 private:
  // Write rows [B][K] times this thread's panels to `out` [B][columns]; `add` is added.
  void rows_times(const Panels<A, A>& p, const A* rows, i64 K, A* out, i64 columns, const A* add,
                  std::vector<A>& product) const {
    const Share mine(p.count);
    for (i64 q = mine.lo; q < mine.hi; q++) {
      panel(z.batch, K, rows, K, p.at(q), product.data());
      const i64 first = q * N, n = std::min<i64>(N, columns - first);
      for (i64 b = 0; b < z.batch; b++)
        for (i64 j = 0; j < n; j++)
          out[b * columns + first + j] = product[b * N + j] + (add ? add[b * columns + first + j] : A(0));
    }
  }

  // Call f(vector position, count) over n numbers.
  template <class F> static void by_vectors(i64 n, F f) {
    for (i64 j = 0; j < n; j += Vec<A>::size()) f(j, (int)std::min<i64>(Vec<A>::size(), n - j));
  }
  static A sum(Vec<A> v) {
    alignas(64) A x[Vec<A>::size()];
    v.store(x);
    A total = 0;
    for (int j = 0; j < Vec<A>::size(); j++) total += x[j];
    return total;
  }
  static A dot(const A* x, const A* y, i64 n) {
    Vec<A> total(0);
    by_vectors(n, [&](i64 j, int m) { total = total + Vec<A>::loadu(x + j, m) * Vec<A>::loadu(y + j, m); });
    return sum(total);
  }

  // Weights and context of one example at one step; r = t * B + b.
  void attend(i64 r, i64 b, std::vector<A>& energies) const {
    const i64 S = z.source, C = z.annotation, D = z.attention;
    const A *mask = in.mask + b * S, *keys = in.keys + b * S * D, *query = s.query + r * D;
    A largest = -std::numeric_limits<A>::infinity(), total = 0;
    for (i64 j = 0; j < S; j++) {
      energies[j] = mask[j];
      if (mask[j] == 0) {  // padding costs nothing
        energies[j] = energy(keys + j * D, query, in.score, D);
      }
      largest = std::max(largest, energies[j]);
    }
    A *weights = s.weights + r * S, *context = s.contexts + r * C;
    for (i64 j = 0; j < S; j++) total += weights[j] = std::exp(energies[j] - largest);
    std::fill_n(context, C, A(0));
    for (i64 j = 0; j < S; j++) {
      weights[j] /= total;
      if (weights[j] == 0) continue;
      const A* annotation = in.annotations + (b * S + j) * C;
      for (i64 k = 0; k < C; k++) context[k] += weights[j] * annotation[k];
    }
  }

  void attend_backward(i64 r, i64 b, const AttentionGradients<A>& g, std::vector<A>& d_weights) const {
    const i64 S = z.source, C = z.annotation, D = z.attention;
    const A *query = s.query + r * D, *weights = s.weights + r * S, *d_context = g.d_contexts + r * C;
    A *d_query = g.d_query + r * D, *d_score = g.d_score + b * D;
    d_weights.resize(S);
    A mean = 0;
    for (i64 j = 0; j < S; j++) {
      d_weights[j] = weights[j] ? dot(in.annotations + (b * S + j) * C, d_context, C) : A(0);
      mean += weights[j] * d_weights[j];
    }
    std::fill_n(d_query, D, A(0));
    for (i64 j = 0; j < S; j++) {
      if (weights[j] == 0) continue;
      const Vec<A> d_energy(weights[j] * (d_weights[j] - mean)), one(1);
      const A* keys = in.keys + (b * S + j) * D;
      A* d_keys = g.d_keys + (b * S + j) * D;
      by_vectors(D, [&](i64 k, int m) {
        const auto at = [&](const A* x) { return Vec<A>::loadu(x + k, m); };
        const auto inner = tanh_of(at(keys) + at(query));
        const auto d = (one - inner * inner) * at(in.score) * d_energy;
        (at(d_score) + inner * d_energy).store(d_score + k, m);
        (at(d_keys) + d).store(d_keys + k, m);
        (at(d_query) + d).store(d_query + k, m);
      });
    }
  }
};
