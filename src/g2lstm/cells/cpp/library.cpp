// What Python calls; type 0 is float, 1 bfloat16, 2 double.
#include "attention.h"
#include "lstm.h"
#include "product.h"
#include "softmax.h"
#include "variables.h"

template <class F> void by_type(int type, F f) {
  if (type == 0) f(0.f, 0.f);
  else if (type == 1) f(BFloat16(), 0.f);
  else f(0., 0.);
}
template <class F> void by_state_type(int type, F f) {
  if (type == 0) f(0.f);
  else f(0.);
}
template <class A> Noise<A> convert(const Noise<double>& n) { return {n.rows, n.columns, A(n.limit), A(n.eps)}; }
template <class W, class A> Layer<W, A> layer(const Sizes& z, const void* weight, const Drop& drop, double tau, const GroupArrays& groups) {
  return {z.steps, z.batch, z.hidden, z.padded, (const A*)weight, drop, {z.hidden, A(1 / tau)}, groups};
}
template <class A> Attention<A> attention(const AttentionSizes& z, double tau, const void* inputs, const void* states) {
  return {z, {z.hidden, A(1 / tau)}, *(const AttentionInputs<A>*)inputs, *(const AttentionStates<A>*)states};
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
                  const void* weight, Drop drop, double tau, GroupArrays groups, void* gates, void* cs, void* hs) {
  by_type(type, [&](auto w, auto a) {
    using W = decltype(w);
    using A = decltype(a);
    layer<W, A>(*z, weight, drop, tau, groups)
        .forward((const W*)projected, (const A*)bias, convert<A>(noise), (A*)gates, (A*)cs, (W*)hs);
  });
}
void lstm_backward(int type, const Sizes* z, const void* d_y, const void* gates, const void* cs,
                   const void* weight, Drop drop, double tau, GroupArrays groups, void* d_h, void* d_c, void* delta,
                   void* d_bias) {
  by_type(type, [&](auto w, auto a) {
    using W = decltype(w);
    using A = decltype(a);
    layer<W, A>(*z, weight, drop, tau, groups)
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
void pack(int type, i64 k, i64 columns, const void* b, void* packed) {
  if (type == 0) Product<float>{0, k, columns}.pack((const float*)b, (float*)packed);
  else Product<BFloat16>{0, k, columns}.pack((const BFloat16*)b, (BFloat16*)packed);
}
void product(int type, i64 m, i64 k, i64 columns, const void* a, const void* packed, float* c, int add) {
  if (type == 0) Product<float>{m, k, columns}.run((const float*)a, (const float*)packed, c, add);
  else Product<BFloat16>{m, k, columns}.run((const BFloat16*)a, (const BFloat16*)packed, c, add);
}
double softmax_loss(int type, i64 words, i64 tokens, const float* bias, const i64* targets, float* logits, void* delta,
                    float* d_bias) {
  if (type == 0) return SoftmaxLoss<float>{words, tokens, bias, targets}.run(logits, (float*)delta, d_bias);
  return SoftmaxLoss<BFloat16>{words, tokens, bias, targets}.run(logits, (BFloat16*)delta, d_bias);
}
void draw(i64 n, const float* mean, const float* log_sigma, float* noise, float* value) {
  variables::draw(n, mean, log_sigma, noise, value);
}
void surrogate_gradient(i64 n, const float* mean, const float* log_sigma, const variables::Surrogate* constants,
                        float* d_mean, float* d_log_sigma) {
  variables::surrogate_gradient(n, mean, log_sigma, *constants, d_mean, d_log_sigma);
}
// inputs, states, gradients: arrays of pointers in the order of the structures in attention.h.
void attention_forward(int type, const AttentionSizes* z, double tau, const void* projected, Noise<double> first,
                       Noise<double> second, const void* inputs, const void* states) {
  by_state_type(type, [&](auto a) {
    using A = decltype(a);
    attention<A>(*z, tau, inputs, states).forward((const A*)projected, convert<A>(first), convert<A>(second));
  });
}
void attention_backward(int type, const AttentionSizes* z, double tau, const void* d_y, void* d_bias,
                        const void* inputs, const void* states, const void* gradients) {
  by_state_type(type, [&](auto a) {
    using A = decltype(a);
    attention<A>(*z, tau, inputs, states).backward((const A*)d_y, *(const AttentionGradients<A>*)gradients, (A*)d_bias);
  });
}
// Of n sentences with S words each: query [n][k][D] against keys [n][S][D], to out [n][k][S].
void energies(int type, i64 n, i64 k, i64 S, i64 D, const void* query, const void* keys, const void* score, void* out) {
  by_state_type(type, [&](auto a) {
    using A = decltype(a);
#pragma omp parallel for
    for (i64 r = 0; r < n * k; r++)
      for (i64 j = 0; j < S; j++)
        ((A*)out)[r * S + j] = Attention<A>::energy((const A*)keys + (r / k * S + j) * D, (const A*)query + r * D,
                                                    (const A*)score, D);
  });
}
}
