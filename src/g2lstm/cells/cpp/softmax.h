// Cross-entropy of a softmax and its gradient: logits [V][n], a column for each of n tokens.
//
// Threads share out chunks of columns. What is summed over columns is summed chunk by chunk, so that
// the order does not depend on the number of threads.
#pragma once
#include "numbers.h"

constexpr i64 CHUNK = 64;

template <class W> struct SoftmaxLoss {
  i64 V, n;
  const float* bias;
  const i64* targets;

  // Overwrites logits, in which the exponentials are kept; delta is softmax minus one-hot, d_bias its
  // sums over columns, added. Returns the sum of the losses in nats; NaN and infinity stay such.
  double run(float* logits, W* delta, float* d_bias) const {
    const i64 chunks = (n + CHUNK - 1) / CHUNK;
    std::vector<double> losses(chunks);
    std::vector<float> sums(chunks * V);
#pragma omp parallel for
    for (i64 c = 0; c < chunks; c++) losses[c] = columns(logits, delta, &sums[c * V], c * CHUNK);
    double loss = 0;
    for (i64 c = 0; c < chunks; c++) {
      loss += losses[c];
      for (i64 v = 0; v < V; v++) d_bias[v] += sums[c * V + v];
    }
    return loss;
  }

 private:
  static constexpr int S = Vec<float>::size(), L = CHUNK / S;

  double columns(float* logits, W* delta, float* sums, i64 first) const {
    const i64 count = std::min(CHUNK, n - first);
    Vec<float> largest[L], total[L];
    for (int k = 0; k < L; k++) largest[k] = Vec<float>(-std::numeric_limits<float>::infinity()), total[k] = Vec<float>(0);
    by_vectors(logits, first, count, [&](i64 v, int k, float* at, int m) {
      largest[k] = at::vec::maximum(largest[k], Vec<float>::loadu(at, m) + Vec<float>(bias[v]));
    });
    double loss = 0;
    for (i64 j = 0; j < count; j++) loss -= logits[targets[first + j] * n + first + j] + bias[targets[first + j]];
    by_vectors(logits, first, count, [&](i64 v, int k, float* at, int m) {
      const auto e = (Vec<float>::loadu(at, m) + Vec<float>(bias[v]) - largest[k]).exp_u20();
      total[k] = total[k] + e;
      e.store(at, m);
    });
    alignas(64) float top[CHUNK], sum[CHUNK], x[S];
    for (int k = 0; k < L; k++) {
      largest[k].store(top + k * S), total[k].store(sum + k * S);
      total[k] = Vec<float>(1) / total[k];
    }
    for (i64 v = 0; v < V; v++) {
      float* row = logits + v * n + first;
      W* to = delta + v * n + first;
      Vec<float> sum_of_row(0);
      i64 j = 0;
      for (; j + S <= count; j += S) {
        const auto p = Vec<float>::loadu(row + j) * total[j / S];
        sum_of_row = sum_of_row + p;
        p.store(x);
        put(to + j, x, std::integral_constant<int, S>());
      }
      sum_of_row.store(x);
      for (int i = 0; i < S; i++) sums[v] += x[i];
      for (; j < count; j++) {
        const float p = row[j] / sum[j];
        sums[v] += p;
        to[j] = cast<W>(p);
      }
    }
    for (i64 j = 0; j < count; j++) {
      const i64 t = targets[first + j];
      W& at = delta[t * n + first + j];
      at = cast<W>(value(at) - 1.f), sums[t] -= 1;
      loss += top[j] + std::log(sum[j]);
    }
    return loss;
  }
  // Call f(row, number of the vector, its place, count) for all vectors of some columns.
  template <class F> void by_vectors(float* logits, i64 first, i64 count, F f) const {
    for (i64 v = 0; v < V; v++)
      for (int k = 0; k * S < count; k++)
        f(v, k, logits + v * n + first + k * S, (int)std::min<i64>(S, count - k * S));
  }
};
