// TensorFlow's C API and Node-API as far as cluster.cc uses them: both are stable C interfaces.
#pragma once
#include <cstddef>
#include <cstdint>

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

struct napi_env__;
struct napi_value__;
struct napi_callback_info__;
typedef napi_env__* napi_env;
typedef napi_value__* napi_value;
typedef napi_callback_info__* napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
int napi_throw_error(napi_env, const char*, const char*);
int napi_get_cb_info(napi_env, napi_callback_info, size_t*, napi_value*, napi_value*, void**);
int napi_create_function(napi_env, const char*, size_t, napi_callback, void*, napi_value*);
int napi_set_named_property(napi_env, napi_value, const char*, napi_value);
int napi_get_named_property(napi_env, napi_value, const char*, napi_value*);
int napi_get_value_string_utf8(napi_env, napi_value, char*, size_t, size_t*);
int napi_get_value_int32(napi_env, napi_value, int32_t*);
int napi_get_value_int64(napi_env, napi_value, int64_t*);
int napi_get_array_length(napi_env, napi_value, uint32_t*);
int napi_get_element(napi_env, napi_value, uint32_t, napi_value*);
int napi_set_element(napi_env, napi_value, uint32_t, napi_value);
int napi_get_typedarray_info(napi_env, napi_value, int*, size_t*, void**, napi_value*, size_t*);
int napi_create_string_utf8(napi_env, const char*, size_t, napi_value*);
int napi_create_int32(napi_env, int32_t, napi_value*);
int napi_create_int64(napi_env, int64_t, napi_value*);
int napi_create_array(napi_env, napi_value*);
int napi_create_object(napi_env, napi_value*);
int napi_create_arraybuffer(napi_env, size_t, void**, napi_value*);
int napi_create_typedarray(napi_env, int, size_t, napi_value, size_t, napi_value*);
}
