// Bayesian variables with mean and log sigma, see sparsify/bayes.py: a draw, and the gradient of the
// approximate divergence. Element by element, so that threads change nothing.
#pragma once
#include "numbers.h"

namespace variables {
using V = Vec<float>;

// What the Python module says of the approximation; scale: factor of the gradient.
struct Surrogate { float scale, k, peak, far, low, high; };

template <class F> void by_vectors(i64 n, F f) {
#pragma omp parallel for
  for (i64 j = 0; j < n; j += V::size()) f(j, (int)std::min<i64>(V::size(), n - j));
}

// noise: standard normal numbers, afterwards times sigma; value = mean + noise.
inline void draw(i64 n, const float* mean, const float* log_sigma, float* noise, float* value) {
  by_vectors(n, [&](i64 j, int m) {
    const V drawn = V::loadu(noise + j, m) * V::loadu(log_sigma + j, m).exp();
    drawn.store(noise + j, m);
    (V::loadu(mean + j, m) + drawn).store(value + j, m);
  });
}

// With v = mean / sigma, adds v g / sigma to d_mean and takes v^2 g from d_log_sigma.
inline void surrogate_gradient(i64 n, const float* mean, const float* log_sigma, const Surrogate& s, float* d_mean,
                               float* d_log_sigma) {
  const V one(1), far(s.far), k(s.k), peak(s.peak), scale(s.scale), low(s.low), high(s.high), zero(0);
  by_vectors(n, [&](i64 j, int m) {
    const V inverse = V::loadu(log_sigma + j, m).neg().exp();
    const V v = at::vec::clamp(V::loadu(mean + j, m) * inverse, far.neg(), far);
    const V square = v * v, size = v.abs(), logistic = one + k * size * square;
    V g = peak * size / (logistic * logistic) + one / (one + square);
    g = V::blendv(zero, g * scale, (square > low) & (square < high));
    (V::loadu(d_mean + j, m) + v * inverse * g).store(d_mean + j, m);
    (V::loadu(d_log_sigma + j, m) - square * g).store(d_log_sigma + j, m);
  });
}
}  // namespace variables
