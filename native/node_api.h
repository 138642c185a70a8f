// Node-API, a stable C interface, as far as cluster.cc and pjrt.cc use it.
#pragma once
#include <cstddef>
#include <cstdint>

// Of its kinds of typed arrays.
enum { UINT8_ARRAY = 1, INT32_ARRAY = 5, FLOAT32_ARRAY = 7 };

extern "C" {
struct napi_env__;
struct napi_value__;
struct napi_callback_info__;
typedef napi_env__* napi_env;
typedef napi_value__* napi_value;
typedef napi_callback_info__* napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
typedef void (*napi_finalize)(napi_env, void*, void*);
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
int napi_get_property_names(napi_env, napi_value, napi_value*);
int napi_get_property(napi_env, napi_value, napi_value, napi_value*);
int napi_typeof(napi_env, napi_value, int*);
int napi_get_value_double(napi_env, napi_value, double*);
int napi_get_value_bool(napi_env, napi_value, bool*);
int napi_get_value_external(napi_env, napi_value, void**);
int napi_create_double(napi_env, double, napi_value*);
int napi_create_external(napi_env, void*, napi_finalize, void*, napi_value*);
}
