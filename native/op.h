// What an op of native/ops.cc needs of TensorFlow: one call's inputs and outputs, attributes, registration.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "lasting.h"
#include "tensorflow.h"

inline int64_t countOf(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (int64_t side : shape) count *= side;
  return count;
}

// Inputs, outputs and failure of one call.
class Context {
 public:
  explicit Context(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {}
  ~Context() {
    for (TF_Tensor* tensor : tensors_) TF_DeleteTensor(tensor);
    TF_DeleteStatus(status_);
  }

  TF_Tensor* input(int index) {
    TF_Tensor* tensor = nullptr;
    TF_GetInput(context_, index, &tensor, status_);
    return keep(tensor);
  }
  template <class Value>
  const Value* values(int index) {
    TF_Tensor* tensor = input(index);
    return tensor == nullptr ? nullptr : static_cast<const Value*>(TF_TensorData(tensor));
  }
  template <class Value>
  Value* output(int index, TF_DataType type, const std::vector<int64_t>& shape) {
    size_t bytes = countOf(shape) * sizeof(Value);
    TF_Tensor* tensor =
        keep(TF_AllocateOutput(context_, index, type, shape.data(), static_cast<int>(shape.size()), bytes, status_));
    return tensor == nullptr ? nullptr : static_cast<Value*>(TF_TensorData(tensor));
  }
  // An output of float32 that outlives the step.
  float* lastingOutput(int index, const std::vector<int64_t>& shape) {
    size_t bytes = countOf(shape) * sizeof(float);
    void* values = bytes < Lasting::LARGE ? nullptr : Lasting::get().take(bytes);
    if (values == nullptr) return output<float>(index, TF_FLOAT, shape);
    TF_SetOutput(context_, index,
                 keep(TF_NewTensor(TF_FLOAT, shape.data(), static_cast<int>(shape.size()), values, bytes,
                                   Lasting::giveBack, nullptr)),
                 status_);
    return static_cast<float*>(values);
  }
  // False, with the call failed, if anything has gone wrong so far or `right` is false.
  bool check(bool right, const char* message) {
    if (TF_GetCode(status_) == TF_OK && !right) TF_SetStatus(status_, TF_INVALID_ARGUMENT, message);
    if (TF_GetCode(status_) == TF_OK) return true;
    TF_OpKernelContext_Failure(context_, status_);
    return false;
  }

 private:
  TF_Tensor* keep(TF_Tensor* tensor) {
    if (tensor != nullptr) tensors_.push_back(tensor);
    return tensor;
  }
  TF_OpKernelContext* context_;
  TF_Status* status_;
  std::vector<TF_Tensor*> tensors_;
};

inline std::vector<int64_t> shapeOf(const TF_Tensor* tensor) {
  std::vector<int64_t> shape(tensor == nullptr ? 0 : TF_NumDims(tensor));
  for (size_t axis = 0; axis < shape.size(); axis++) shape[axis] = TF_Dim(tensor, static_cast<int>(axis));
  return shape;
}

template <class T>
constexpr TF_DataType typeOf() {
  return sizeof(typename T::Stored) == 4 ? TF_FLOAT : TF_BFLOAT16;
}

// Attributes of an op, as far as it has them.
struct Options {
  int32_t summands = 0, residuals = 0, outputs = 0, kept = 0, biases = 0, size = 3, stride = 1;
  unsigned char relu = 0, nesterov = 0;
  float epsilon = 0, momentum = 0, decay = 0;
};

template <class Read>
void* construct(TF_OpKernelConstruction* construction, const Read& read) {
  auto* options = new Options;
  TF_Status* status = TF_NewStatus();
  read(*options, status);
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return options;
}

inline void destroy(void* options) { delete static_cast<Options*>(options); }

// The first thing that went wrong with registering; empty if nothing did.
inline std::string& problem() {
  static std::string first;
  return first;
}

inline void note(TF_Status* status) {
  if (TF_GetCode(status) != TF_OK && problem().empty()) problem() = TF_Message(status);
}

inline void define(const char* name, std::initializer_list<const char*> attributes,
                   std::initializer_list<const char*> inputs, std::initializer_list<const char*> outputs) {
  TF_Status* status = TF_NewStatus();
  TF_OpDefinitionBuilder* builder = TF_NewOpDefinitionBuilder(name);
  for (const char* attribute : attributes) TF_OpDefinitionBuilderAddAttr(builder, attribute);
  for (const char* input : inputs) TF_OpDefinitionBuilderAddInput(builder, input);
  for (const char* output : outputs) TF_OpDefinitionBuilderAddOutput(builder, output);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, &TF_ShapeInferenceContextSetUnknownShape);
  TF_RegisterOpDefinition(builder, status);
  note(status);
  TF_DeleteStatus(status);
}

inline void implement(const char* name, TF_DataType type, void* (*create)(TF_OpKernelConstruction*),
                      void (*compute)(void*, TF_OpKernelContext*)) {
  TF_Status* status = TF_NewStatus();
  TF_KernelBuilder* builder = TF_NewKernelBuilder(name, "CPU", create, compute, destroy);
  TF_KernelBuilder_TypeConstraint(builder, "T", type, status);
  note(status);
  TF_RegisterKernelBuilder(name, builder, status);
  note(status);
  TF_DeleteStatus(status);
}
