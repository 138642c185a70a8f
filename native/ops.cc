// TensorFlow ops for the training step, compiled for one kind of processor (vector.h), registered with TensorFlow when Node loads this module:
//
//   TailmixBatchNorm             batch norm of a batch, with a residual and ReLU where asked for
//   TailmixBatchNormGrad         its gradient, with ReLU's
//   TailmixConv2D                3×3 convolution, stride 1, zeros around; with bias, residual and ReLU where asked for
//   TailmixConv2DBackpropInput   its gradients; all three also in bfloat16 where the processor has it: on AMX's tiles for channels
//   TailmixConv2DBackpropFilter  as tile_convolution.h says; the latter also for other sizes and strides (filter_gradient.h)
//   TailmixSgd                   a weight's update: momentum and weight decay; what it gives outlives the step
//   TailmixLastingCopy           a copy that does so too
//
// and those of row_ops.h.
//
// Link against libtensorflow_framework.
#include <tuple>

#include "batch_norm.h"
#include "convolution.h"
#include "op.h"
#include "row_ops.h"
#include "sgd.h"
#if defined(__AVX512F__)
#include "filter_gradient.h"
#include "tile_convolution.h"
#else
#include "without_tiles.h"
#endif

namespace {

template <class T>
void batchNorm(void* options, TF_OpKernelContext* context) {
  using Stored = typename T::Stored;
  const auto& o = *static_cast<Options*>(options);
  Context call(context);
  auto shape = shapeOf(call.input(0));
  if (!call.check(shape.size() == 4 && shape[3] % LANES == 0, "x: expected 4 dimensions, channels a multiple of 16"))
    return;
  int64_t channels = shape[3], rows = shape[0] * shape[1] * shape[2];
  NormForward<T> norm{rows, channels, o.relu != 0, o.epsilon, o.momentum};
  norm.x = call.values<Stored>(0);
  norm.scale = call.values<float>(1);
  norm.shift = call.values<float>(2);
  norm.runningMean = call.values<float>(3);
  norm.runningVariance = call.values<float>(4);
  norm.residual = o.residuals > 0 ? call.values<Stored>(5) : nullptr;
  norm.y = call.output<Stored>(0, typeOf<T>(), shape);
  norm.nextMean = call.output<float>(1, TF_FLOAT, {channels});
  norm.nextVariance = call.output<float>(2, TF_FLOAT, {channels});
  norm.mean = call.output<float>(3, TF_FLOAT, {channels});
  norm.inverse = call.output<float>(4, TF_FLOAT, {channels});
  if (call.check(true, "") && rows > 0) normForward(norm);
}

template <class T>
void batchNormGrad(void* options, TF_OpKernelContext* context) {
  using Stored = typename T::Stored;
  const auto& o = *static_cast<Options*>(options);
  Context call(context);
  int x = o.summands, y = x + 1, vectors = y + o.outputs;
  auto shape = shapeOf(call.input(x));
  if (!call.check(shape.size() == 4 && shape[3] % LANES == 0, "x: expected 4 dimensions, channels a multiple of 16"))
    return;
  int64_t channels = shape[3], rows = shape[0] * shape[1] * shape[2];
  NormBackward<T> norm{rows, channels, o.relu != 0};
  norm.dy = call.values<Stored>(0);
  norm.second = o.summands > 1 ? call.values<Stored>(1) : nullptr;
  norm.x = call.values<Stored>(x);
  norm.y = o.outputs > 0 ? call.values<Stored>(y) : nullptr;
  norm.scale = call.values<float>(vectors);
  norm.shift = call.values<float>(vectors + 1);
  norm.mean = call.values<float>(vectors + 2);
  norm.inverse = call.values<float>(vectors + 3);
  norm.dx = call.output<Stored>(0, typeOf<T>(), shape);
  norm.dscale = call.output<float>(1, TF_FLOAT, {channels});
  norm.dshift = call.output<float>(2, TF_FLOAT, {channels});
  norm.kept = o.kept > 0 ? call.output<Stored>(3, typeOf<T>(), shape) : nullptr;
  if (call.check(true, "") && rows > 0) normBackward(norm);
}

// Shapes and addresses of a convolution's or gradient's two operands; false, with the call failed, if they do not fit.
template <class Value>
struct Operands {
  std::vector<int64_t> first, second;
  const Value *a = nullptr, *b = nullptr;
  bool read(Context& call) {
    first = shapeOf(call.input(0)), second = shapeOf(call.input(1));
    if (!call.check(first.size() == 4 && second.size() == 4, "expected 4 dimensions")) return false;
    if (!call.check(first[3] % LANES == 0 && second[3] % LANES == 0, "expected channels in multiples of 16"))
      return false;
    a = call.values<Value>(0), b = call.values<Value>(1);
    return true;
  }
};

template <class T>
bool onTiles() {
  return typeOf<T>() == TF_BFLOAT16 && tiles::available();
}

// Whether a filter is [3, 3, in, out], with channels that its kernel takes, for images of `in` channels.
template <class T>
bool isFilter(const std::vector<int64_t>& shape, int64_t in, int64_t out, int64_t channels) {
  bool suits = !onTiles<T>() || (in % tiles::DEPTH == 0 && out % tiles::CHUNK == 0);
  return shape[0] == 3 && shape[1] == 3 && shape[2] % LANES == 0 && channels == in && suits;
}

template <class T>
void convolution(void* options, TF_OpKernelContext* context) {
  using Stored = typename T::Stored;
  const auto& o = *static_cast<Options*>(options);
  Context call(context);
  Operands<Stored> of;
  if (!of.read(call)) return;
  auto [x, filter] = std::tie(of.first, of.second);
  bool suits = isFilter<T>(filter, filter[2], filter[3], x[3]);
  if (!call.check(suits, "filter: expected [3, 3, channels of x, channels]")) return;
  const float* bias = o.biases > 0 ? call.values<float>(2) : nullptr;
  const Stored* residual = o.residuals > 0 ? call.values<Stored>(2 + o.biases) : nullptr;
  Stored* y = call.output<Stored>(0, typeOf<T>(), {x[0], x[1], x[2], filter[3]});
  if (!call.check(true, "")) return;
  bool relu = o.relu != 0;
  if constexpr (typeOf<T>() == TF_BFLOAT16)
    if (tiles::available())
      return tiles::convolve({x[0], x[1], x[2], x[3], filter[3], of.a, of.b, false, bias, residual, relu, y});
  winograd::convolve<T>({x[0], x[1], x[2], x[3], filter[3]}, of.a, of.b, false, {bias, residual, relu}, y);
}

template <class T>
void convolutionInputGrad(void*, TF_OpKernelContext* context) {
  using Stored = typename T::Stored;
  Context call(context);
  Operands<Stored> of;
  if (!of.read(call)) return;
  auto [filter, dy] = std::tie(of.first, of.second);
  bool suits = isFilter<T>(filter, filter[3], filter[2], dy[3]);
  if (!call.check(suits, "filter: expected [3, 3, channels, channels of dy]")) return;
  Stored* dx = call.output<Stored>(0, typeOf<T>(), {dy[0], dy[1], dy[2], filter[2]});
  if (!call.check(true, "")) return;
  if constexpr (typeOf<T>() == TF_BFLOAT16)
    if (tiles::available())
      return tiles::convolve({dy[0], dy[1], dy[2], dy[3], filter[2], of.b, of.a, true, nullptr, nullptr, false, dx});
  winograd::convolve<T>({dy[0], dy[1], dy[2], dy[3], filter[2]}, of.b, of.a, true, {nullptr, nullptr, false}, dx);
}

template <class T>
void convolutionFilterGrad(void* options, TF_OpKernelContext* context) {
  const auto& o = *static_cast<Options*>(options);
  constexpr bool half = typeOf<T>() == TF_BFLOAT16;
  Context call(context);
  Operands<typename T::Stored> of;
  if (!of.read(call)) return;
  auto [x, dy] = std::tie(of.first, of.second);
  bool around = o.size == 3 && o.stride == 1, wide = x[3] % tiles::CHUNK == 0 && dy[3] % tiles::CHUNK == 0;
  if (!call.check(around || (half && wide), "expected size 3 and stride 1, or bfloat16 and channels in multiples of 32"))
    return;
  auto results = [&](int64_t side) { return around ? side : side < o.size ? 0 : (side - o.size) / o.stride + 1; };
  bool fits = dy[0] == x[0] && dy[1] == results(x[1]) && dy[2] == results(x[2]);
  if (!call.check(fits, "dy: expected batch, height and width of a convolution of x")) return;
  float* dw = call.output<float>(0, TF_FLOAT, {o.size, o.size, x[3], dy[3]});
  if (!call.check(true, "")) return;
  if constexpr (half)
    if (!around || tiles::available())
      return tiles::filterGradient({dy[0], dy[1], dy[2], x[3], dy[3], o.size, o.stride, x[1], x[2], of.a, of.b, dw});
  winograd::filterGradient<T>({x[0], x[1], x[2], x[3], dy[3]}, of.a, of.b, dw);
}

void lastingCopy(void*, TF_OpKernelContext* context) {
  Context call(context);
  auto shape = shapeOf(call.input(0));
  const float* x = call.values<float>(0);
  float* y = call.lastingOutput(0, shape);
  if (call.check(true, "")) std::copy(x, x + countOf(shape), y);
}

template <class T>
void sgd(void* options, TF_OpKernelContext* context) {
  const auto& o = *static_cast<Options*>(options);
  Context call(context);
  auto shape = shapeOf(call.input(0));
  bool fits = shapeOf(call.input(1)) == shape && shapeOf(call.input(2)) == shape;
  if (!call.check(fits, "velocity and gradient: expected the shape of weight")) return;
  const float* rate = call.values<float>(3);
  if (!call.check(rate != nullptr && shapeOf(call.input(3)).empty(), "rate: expected a scalar")) return;
  SgdStep<T> step{countOf(shape), o.momentum, o.decay, *rate, o.nesterov != 0};
  step.weight = call.values<float>(0);
  step.velocity = call.values<float>(1);
  step.gradient = call.values<typename T::Stored>(2);
  step.nextWeight = call.lastingOutput(0, shape);
  step.nextVelocity = call.lastingOutput(1, shape);
  if (call.check(true, "")) sgdStep(step);
}

void* constructNorm(TF_OpKernelConstruction* from) {
  return construct(from, [&](Options& o, TF_Status* status) {
    TF_OpKernelConstruction_GetAttrInt32(from, "residuals", &o.residuals, status);
    TF_OpKernelConstruction_GetAttrBool(from, "relu", &o.relu, status);
    TF_OpKernelConstruction_GetAttrFloat(from, "epsilon", &o.epsilon, status);
    TF_OpKernelConstruction_GetAttrFloat(from, "momentum", &o.momentum, status);
  });
}

void* constructNormGrad(TF_OpKernelConstruction* from) {
  return construct(from, [&](Options& o, TF_Status* status) {
    TF_OpKernelConstruction_GetAttrInt32(from, "summands", &o.summands, status);
    TF_OpKernelConstruction_GetAttrInt32(from, "outputs", &o.outputs, status);
    TF_OpKernelConstruction_GetAttrInt32(from, "kept", &o.kept, status);
    TF_OpKernelConstruction_GetAttrBool(from, "relu", &o.relu, status);
  });
}

void* constructConvolution(TF_OpKernelConstruction* from) {
  return construct(from, [&](Options& o, TF_Status* status) {
    TF_OpKernelConstruction_GetAttrInt32(from, "biases", &o.biases, status);
    TF_OpKernelConstruction_GetAttrInt32(from, "residuals", &o.residuals, status);
    TF_OpKernelConstruction_GetAttrBool(from, "relu", &o.relu, status);
  });
}

void* constructFilterGrad(TF_OpKernelConstruction* from) {
  return construct(from, [&](Options& o, TF_Status* status) {
    TF_OpKernelConstruction_GetAttrInt32(from, "size", &o.size, status);
    TF_OpKernelConstruction_GetAttrInt32(from, "stride", &o.stride, status);
  });
}

void* constructSgd(TF_OpKernelConstruction* from) {
  return construct(from, [&](Options& o, TF_Status* status) {
    TF_OpKernelConstruction_GetAttrFloat(from, "momentum", &o.momentum, status);
    TF_OpKernelConstruction_GetAttrFloat(from, "decay", &o.decay, status);
    TF_OpKernelConstruction_GetAttrBool(from, "nesterov", &o.nesterov, status);
  });
}

void registerOps() {
  define("TailmixBatchNorm",
         {"T: {float, bfloat16}", "residuals: int >= 0 = 0", "relu: bool = false", "epsilon: float", "momentum: float"},
         {"x: T", "scale: float", "shift: float", "running_mean: float", "running_variance: float",
          "residual: residuals * T"},
         {"y: T", "next_mean: float", "next_variance: float", "mean: float", "inverse: float"});
  define("TailmixBatchNormGrad",
         {"T: {float, bfloat16}", "summands: int >= 1 = 1", "outputs: int >= 0 = 0", "kept: int >= 0 = 0",
          "relu: bool = false"},
         {"dy: summands * T", "x: T", "y: outputs * T", "scale: float", "shift: float", "mean: float",
          "inverse: float"},
         {"dx: T", "dscale: float", "dshift: float", "g: kept * T"});
  define("TailmixConv2D",
         {"T: {float, bfloat16}", "biases: int >= 0 = 0", "residuals: int >= 0 = 0", "relu: bool = false"},
         {"x: T", "filter: T", "bias: biases * float", "residual: residuals * T"}, {"y: T"});
  define("TailmixConv2DBackpropInput", {"T: {float, bfloat16}"}, {"filter: T", "dy: T"}, {"dx: T"});
  define("TailmixConv2DBackpropFilter", {"T: {float, bfloat16}", "size: int >= 1 = 3", "stride: int >= 1 = 1"},
         {"x: T", "dy: T"}, {"dfilter: float"});
  define("TailmixLastingCopy", {"T: {float}"}, {"x: T"}, {"y: T"});
  define("TailmixSgd", {"T: {float, bfloat16}", "momentum: float", "decay: float", "nesterov: bool"},
         {"weight: float", "velocity: float", "gradient: T", "rate: float"},
         {"next_weight: float", "next_velocity: float"});
  implement("TailmixBatchNorm", TF_FLOAT, constructNorm, batchNorm<Float>);
  implement("TailmixBatchNorm", TF_BFLOAT16, constructNorm, batchNorm<Bfloat16>);
  implement("TailmixBatchNormGrad", TF_FLOAT, constructNormGrad, batchNormGrad<Float>);
  implement("TailmixBatchNormGrad", TF_BFLOAT16, constructNormGrad, batchNormGrad<Bfloat16>);
  implement("TailmixConv2D", TF_FLOAT, constructConvolution, convolution<Float>);
  implement("TailmixConv2DBackpropInput", TF_FLOAT, constructPlain, convolutionInputGrad<Float>);
  implement("TailmixConv2DBackpropFilter", TF_FLOAT, constructFilterGrad, convolutionFilterGrad<Float>);
  if (tiles::available() || pairs::available()) {
    implement("TailmixConv2D", TF_BFLOAT16, constructConvolution, convolution<Bfloat16>);
    implement("TailmixConv2DBackpropInput", TF_BFLOAT16, constructPlain, convolutionInputGrad<Bfloat16>);
    implement("TailmixConv2DBackpropFilter", TF_BFLOAT16, constructFilterGrad, convolutionFilterGrad<Bfloat16>);
  }
  implement("TailmixLastingCopy", TF_FLOAT, constructPlain, lastingCopy);
  implement("TailmixSgd", TF_FLOAT, constructSgd, sgd<Float>);
  implement("TailmixSgd", TF_BFLOAT16, constructSgd, sgd<Bfloat16>);
  registerRowOps();
}

}  // namespace

extern "C" __attribute__((visibility("default"))) napi_value__* napi_register_module_v1(napi_env__* env,
                                                                                        napi_value__* exports) {
  static const bool registered = (registerOps(), true);
  if (registered && !problem().empty()) napi_throw_error(env, nullptr, problem().c_str());
  return exports;
}
