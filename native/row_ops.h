// The ops of transformers, float32:
//
//   TailmixLayerNorm      layer norm over the last axis, a multiple of 16
//   TailmixLayerNormGrad  its gradient for x; TailmixLayerNormSums, those for scale and shift
//   TailmixGelu           x·Φ(x), and TailmixGeluGrad
//   TailmixSoftmaxGrad    the gradient of softmax over the last axis
#pragma once
#include "gelu.h"
#include "layer_norm.h"
#include "op.h"
#include "softmax.h"

// Rows and channels of x, the input at that position; no rows, with the call failed, if they do not fit.
inline LayerNorm layerNormOf(Context& call, int position) {
  auto shape = shapeOf(call.input(position));
  if (!call.check(!shape.empty() && shape.back() % LANES == 0, "x: expected a last axis of a multiple of 16"))
    return {0, 0};
  return {shape.back() == 0 ? 0 : countOf(shape) / shape.back(), shape.back(), call.values<float>(position)};
}

inline void layerNorm(void* options, TF_OpKernelContext* context) {
  Context call(context);
  LayerNorm norm = layerNormOf(call, 0);
  if (norm.channels == 0) return;
  auto shape = shapeOf(call.input(0));
  std::vector<int64_t> rows(shape.begin(), shape.end() - 1);
  norm.scale = call.values<float>(1);
  const float* shift = call.values<float>(2);
  float* y = call.output<float>(0, TF_FLOAT, shape);
  float* mean = call.output<float>(1, TF_FLOAT, rows);
  float* inverse = call.output<float>(2, TF_FLOAT, rows);
  if (call.check(true, "")) layerNormForward(norm, shift, static_cast<Options*>(options)->epsilon, y, mean, inverse);
}

inline void layerNormGrad(void*, TF_OpKernelContext* context) {
  Context call(context);
  LayerNorm norm = layerNormOf(call, 1);
  if (norm.channels == 0) return;
  norm.scale = call.values<float>(2);
  const float *dy = call.values<float>(0), *mean = call.values<float>(3), *inverse = call.values<float>(4);
  float* dx = call.output<float>(0, TF_FLOAT, shapeOf(call.input(1)));
  if (call.check(true, "")) layerNormBackward(norm, dy, mean, inverse, dx);
}

inline void layerNormSumsOp(void*, TF_OpKernelContext* context) {
  Context call(context);
  LayerNorm norm = layerNormOf(call, 1);
  if (norm.channels == 0) return;
  const float *dy = call.values<float>(0), *mean = call.values<float>(2), *inverse = call.values<float>(3);
  float* dscale = call.output<float>(0, TF_FLOAT, {norm.channels});
  float* dshift = call.output<float>(1, TF_FLOAT, {norm.channels});
  if (call.check(true, "")) layerNormSums(norm, dy, mean, inverse, dscale, dshift);
}

inline void geluOp(void*, TF_OpKernelContext* context) {
  Context call(context);
  auto shape = shapeOf(call.input(0));
  const float* x = call.values<float>(0);
  float* y = call.output<float>(0, TF_FLOAT, shape);
  if (call.check(true, "")) gelu(countOf(shape), x, y);
}

inline void geluGrad(void*, TF_OpKernelContext* context) {
  Context call(context);
  auto shape = shapeOf(call.input(1));
  const float *dy = call.values<float>(0), *x = call.values<float>(1);
  float* dx = call.output<float>(0, TF_FLOAT, shape);
  if (call.check(shapeOf(call.input(0)) == shape, "dy: expected the shape of x")) geluBackward(countOf(shape), x, dy, dx);
}

template <class Y>
void softmaxGrad(void*, TF_OpKernelContext* context) {
  Context call(context);
  auto shape = shapeOf(call.input(1));
  const float* dy = call.values<float>(0);
  const auto* y = call.values<typename Y::Stored>(1);
  float* dx = call.output<float>(0, TF_FLOAT, shape);
  if (!call.check(!shape.empty() && shapeOf(call.input(0)) == shape, "dy: expected the shape of y")) return;
  if (countOf(shape) > 0) softmaxBackward<Y>(countOf(shape) / shape.back(), shape.back(), dy, y, dx);
}

inline void* constructLayerNorm(TF_OpKernelConstruction* from) {
  return construct(from, [&](Options& o, TF_Status* status) {
    TF_OpKernelConstruction_GetAttrFloat(from, "epsilon", &o.epsilon, status);
  });
}

inline void* constructPlain(TF_OpKernelConstruction* from) {
  return construct(from, [](Options&, TF_Status*) {});
}

inline void registerRowOps() {
  define("TailmixLayerNorm", {"T: {float}", "epsilon: float"}, {"x: T", "scale: T", "shift: T"},
         {"y: T", "mean: T", "inverse: T"});
  define("TailmixLayerNormGrad", {"T: {float}"}, {"dy: T", "x: T", "scale: T", "mean: T", "inverse: T"}, {"dx: T"});
  define("TailmixLayerNormSums", {"T: {float}"}, {"dy: T", "x: T", "mean: T", "inverse: T"},
         {"dscale: T", "dshift: T"});
  define("TailmixGelu", {"T: {float}"}, {"x: T"}, {"y: T"});
  define("TailmixGeluGrad", {"T: {float}"}, {"dy: T", "x: T"}, {"dx: T"});
  define("TailmixSoftmaxGrad", {"T: {float, bfloat16}"}, {"dy: float", "y: T"}, {"dx: float"});
  implement("TailmixLayerNorm", TF_FLOAT, constructLayerNorm, layerNorm);
  implement("TailmixLayerNormGrad", TF_FLOAT, constructPlain, layerNormGrad);
  implement("TailmixLayerNormSums", TF_FLOAT, constructPlain, layerNormSumsOp);
  implement("TailmixGelu", TF_FLOAT, constructPlain, geluOp);
  implement("TailmixGeluGrad", TF_FLOAT, constructPlain, geluGrad);
  implement("TailmixSoftmaxGrad", TF_FLOAT, constructPlain, softmaxGrad<Float>);
  implement("TailmixSoftmaxGrad", TF_BFLOAT16, constructPlain, softmaxGrad<Bfloat16>);
}
