// TensorFlow's C API as far as cluster.cc uses it: a stable C interface.
#pragma once
#include <cstddef>
#include <cstdint>

#include "node_api.h"

extern "C" {
struct TF_Status;
struct TF_Buffer;
struct TF_Graph;
struct TF_Operation;
struct TF_Server;
struct TF_Session;
struct TF_SessionOptions;
struct TF_Tensor;
struct TF_Output {
  TF_Operation* operation;
  int index;
};
enum TF_DataType { TF_FLOAT = 1, TF_INT32 = 3, TF_UINT8 = 4 };

TF_Status* TF_NewStatus(void);
void TF_DeleteStatus(TF_Status*);
int TF_GetCode(const TF_Status*);
const char* TF_Message(const TF_Status*);
TF_Buffer* TF_NewBuffer(void);
TF_Buffer* TF_NewBufferFromString(const void*, size_t);
void TF_DeleteBuffer(TF_Buffer*);
TF_Server* TF_NewServer(const void*, size_t, TF_Status*);
void TF_ServerStart(TF_Server*, TF_Status*);
const char* TF_ServerTarget(TF_Server*);
TF_SessionOptions* TF_NewSessionOptions(void);
void TF_DeleteSessionOptions(TF_SessionOptions*);
void TF_SetTarget(TF_SessionOptions*, const char*);
void TF_SetConfig(TF_SessionOptions*, const void*, size_t, TF_Status*);
TF_Graph* TF_NewGraph(void);
void TF_DeleteGraph(TF_Graph*);
TF_Operation* TF_GraphOperationByName(TF_Graph*, const char*);
TF_Session* TF_LoadSessionFromSavedModel(const TF_SessionOptions*, const TF_Buffer*, const char*, const char* const*,
                                         int, TF_Graph*, TF_Buffer*, TF_Status*);
void TF_SessionRun(TF_Session*, const TF_Buffer*, const TF_Output*, TF_Tensor* const*, int, const TF_Output*,
                   TF_Tensor**, int, const TF_Operation* const*, int, TF_Buffer*, TF_Status*);
void TF_CloseSession(TF_Session*, TF_Status*);
void TF_DeleteSession(TF_Session*, TF_Status*);
TF_Tensor* TF_AllocateTensor(TF_DataType, const int64_t*, int, size_t);
void TF_DeleteTensor(TF_Tensor*);
TF_DataType TF_TensorType(const TF_Tensor*);
int TF_NumDims(const TF_Tensor*);
int64_t TF_Dim(const TF_Tensor*, int);
size_t TF_TensorByteSize(const TF_Tensor*);
void* TF_TensorData(const TF_Tensor*);
}
