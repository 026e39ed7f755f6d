// Gates and cell state of one step, 16 units at a time, and their derivatives.
#pragma once
#include "panels.h"

// Group variables of one example, each null where there is none: factors of what comes into the gates
// [4][H], bias excepted, and of the output [H]. The factors' gradients are added to; `products` keeps
// what the gates' factors multiply.
template <class A> struct Groups {
  const A *gates = nullptr, *hidden = nullptr;
  A *products = nullptr, *d_gates = nullptr, *d_hidden = nullptr;
};

template <class W, class A> struct Cell {
  i64 H;
  A slope;  // 1 / tau of input and forget gate

  // product: rows of a panel [4][16]; projected, gates [4][H]; the rest [H]. `row` names the noise.
  template <class I>
  void forward(const A* product, const W* projected, const A* bias, const Noise<A>& noise, i64 row, A* gates,
               const A* c_old, A* c_new, W* h_new, i64 u, I n, const Groups<A>& z = {}) const {
    alignas(64) A v[4][U] = {}, drawn[2][U], c[U] = {}, h[U];
    for (int g = 0; g < 4; g++) {
      get(v[g], projected + g * H + u, n);
      if (z.gates) {
        for (int j = 0; j < n; j++) v[g][j] += product[g * U + j];
        put(z.products + g * H + u, v[g], n);
        for (int j = 0; j < n; j++) v[g][j] = v[g][j] * z.gates[g * H + u + j] + bias[g * H + u + j];
      } else {
        for (int j = 0; j < n; j++) v[g][j] += product[g * U + j] + bias[g * H + u + j];
      }
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
    if (z.hidden)
      for (int j = 0; j < n; j++) h[j] *= z.hidden[u + j];
    for (int g = 0; g < 4; g++) put(gates + g * H + u, v[g], n);
    put(c_new + u, c, n);
    put(h_new + u, h, n);
  }

  // d_h: gradient of the new state from unit u on; d_y is added to it where it is not null. d_c:
  // gradient of the new cell state, afterwards of the old one. d_bias is added to.
  template <class I>
  void backward(const A* d_h, const A* d_y, const A* gates, const A* c_old, const A* c_new, A* d_c, W* delta,
                A* d_bias, i64 u, I n, const Groups<A>& z = {}) const {
    alignas(64) A v[4][U] = {}, d[4][U] = {}, dh[U] = {}, dc[U] = {}, dy[U] = {}, old[U] = {}, cell[U] = {};
    for (int g = 0; g < 4; g++) get(v[g], gates + g * H + u, n);
    get(dh, d_h, n), get(dc, d_c + u, n), get(old, c_old + u, n), get(cell, c_new + u, n);
    if (d_y) get(dy, d_y + u, n);
    if (z.hidden) {
      alignas(64) A tanh_c[U];
      for (int j = 0; j < U; j += Vec<A>::size()) tanh_of(Vec<A>::loadu(cell + j)).store(tanh_c + j);
      for (int j = 0; j < n; j++) {
        const A whole = dh[j] + dy[j];
        z.d_hidden[u + j] += whole * v[3][j] * tanh_c[j];
        dh[j] = whole * z.hidden[u + j], dy[j] = 0;
      }
    }
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
      for (int j = 0; j < n; j++) d_bias[g * H + u + j] += d[g][j];
      if (z.gates)
        for (int j = 0; j < n; j++) {
          const i64 k = g * H + u + j;
          z.d_gates[k] += d[g][j] * z.products[k];
          d[g][j] *= z.gates[k];
        }
      put(delta + g * H + u, d[g], n);
    }
  }
};
