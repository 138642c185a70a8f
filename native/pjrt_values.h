// What pjrt.cc is written with: the plugins that are open, calls of their C interface, and what JavaScript holds of them.
#pragma once
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "node_api.h"
#include "pjrt_c_api.h"

struct Plugin {
  const PJRT_Api* api;
  PJRT_Client* client;
  std::vector<PJRT_Device*> devices;
};
// By number. A client lives as long as the process: what it made may be freed by the garbage collector at any time.
inline std::vector<std::unique_ptr<Plugin>> plugins;

enum class Kind { BUFFER, PROGRAM };

// What JavaScript holds of a buffer or program; `pointer` is null once it is freed.
struct Handle {
  Kind kind;
  const PJRT_Api* api;
  void* pointer;
  size_t outputs;
};

template <class Args>
Args argsOf(size_t size) {
  Args args;
  std::memset(&args, 0, sizeof args);
  args.struct_size = size;
  return args;
}
#define ARGS(Type, name) auto name = argsOf<Type##_Args>(Type##_Args_STRUCT_SIZE)

inline napi_value fail(napi_env env, const std::string& message, const char* code = nullptr) {
  napi_throw_error(env, code, message.c_str());
  return nullptr;
}

// True, with the plugin's words thrown in JavaScript, if there is an error.
inline bool failed(napi_env env, const PJRT_Api* api, PJRT_Error* error) {
  if (error == nullptr) return false;
  ARGS(PJRT_Error_Message, message);
  message.error = error;
  api->PJRT_Error_Message(&message);
  std::string text(message.message, message.message_size);
  ARGS(PJRT_Error_GetCode, code);
  code.error = error;
  PJRT_Error* second = api->PJRT_Error_GetCode(&code);
  ARGS(PJRT_Error_Destroy, destroy);
  for (PJRT_Error* done : {error, second}) {
    destroy.error = done;
    if (done != nullptr) api->PJRT_Error_Destroy(&destroy);
  }
  fail(env, text, std::to_string(code.code).c_str());
  return true;
}
#define CALL(api, call) \
  if (failed(env, api, (api)->call)) return nullptr

// Ends with an error where a plugin has not what a run can do without.
#define OPTIONAL(api, Function) \
  if ((api)->Function == nullptr) return fail(env, "it has no " #Function, "12")

// A call of one argument; what it tells is in `name`.
#define ASK(api, Function, name, argument, value) \
  ARGS(Function, name);                           \
  name.argument = value;                          \
  CALL(api, Function(&name))

// Waits for an event and frees it; true, thrown, if what it stands for failed.
inline bool failedLater(napi_env env, const PJRT_Api* api, PJRT_Event* event, bool silent = false) {
  if (event == nullptr) return false;
  ARGS(PJRT_Event_Await, await);
  await.event = event;
  PJRT_Error* error = api->PJRT_Event_Await(&await);
  ARGS(PJRT_Event_Destroy, destroy);
  destroy.event = event;
  api->PJRT_Event_Destroy(&destroy);
  if (!silent || error == nullptr) return failed(env, api, error);
  ARGS(PJRT_Error_Destroy, drop);
  drop.error = error;
  api->PJRT_Error_Destroy(&drop);
  return true;
}

inline std::vector<napi_value> argumentsOf(napi_env env, napi_callback_info info) {
  size_t count = 4;
  std::vector<napi_value> values(count);
  napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr);
  return values;
}

inline std::string textOf(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, &text[0], length + 1, &length);
  return text;
}

inline std::vector<napi_value> elementsOf(napi_env env, napi_value array) {
  uint32_t length = 0;
  napi_get_array_length(env, array, &length);
  std::vector<napi_value> elements(length);
  for (uint32_t i = 0; i < length; i++) napi_get_element(env, array, i, &elements[i]);
  return elements;
}

struct Bytes {
  char* data = nullptr;
  size_t size = 0;
};

// Of a typed array, by Node-API's kinds: int8, uint8, clamped, int16, uint16, int32, uint32, float32, float64, bigint.
inline Bytes bytesOf(napi_env env, napi_value value) {
  static const size_t sizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  int kind = 0;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &kind, &length, &data, nullptr, nullptr) != 0) return {};
  return {static_cast<char*>(data), length * sizes[kind]};
}

inline void setText(napi_env env, napi_value object, const char* name, const char* text, size_t size) {
  napi_value value;
  napi_create_string_utf8(env, text, size, &value);
  napi_set_named_property(env, object, name, value);
}

inline void setNumber(napi_env env, napi_value object, const char* name, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  napi_set_named_property(env, object, name, value);
}

inline Plugin* pluginOf(napi_env env, napi_value value) {
  int32_t number = -1;
  napi_get_value_int32(env, value, &number);
  if (number >= 0 && static_cast<size_t>(number) < plugins.size()) return plugins[number].get();
  fail(env, "no such plugin");
  return nullptr;
}

// The live buffer or program behind a value; null, thrown, where there is none.
inline Handle* handleOf(napi_env env, napi_value value, Kind kind) {
  void* data = nullptr;
  const char* name = kind == Kind::BUFFER ? "buffer" : "program";
  if (napi_get_value_external(env, value, &data) == 0) {
    auto* handle = static_cast<Handle*>(data);
    if (handle->kind == kind && handle->pointer != nullptr) return handle;
    fail(env, std::string("the ") + name + (handle->kind == kind ? " was freed" : " is of another kind"));
  } else {
    fail(env, std::string("expected a ") + name);
  }
  return nullptr;
}

inline void release(Handle& handle) {
  if (handle.pointer == nullptr) return;
  if (handle.kind == Kind::BUFFER) {
    ARGS(PJRT_Buffer_Destroy, destroy);
    destroy.buffer = static_cast<PJRT_Buffer*>(handle.pointer);
    handle.api->PJRT_Buffer_Destroy(&destroy);
  } else {
    ARGS(PJRT_LoadedExecutable_Destroy, destroy);
    destroy.executable = static_cast<PJRT_LoadedExecutable*>(handle.pointer);
    handle.api->PJRT_LoadedExecutable_Destroy(&destroy);
  }
  handle.pointer = nullptr;
}

inline napi_value held(napi_env env, Handle handle) {
  napi_value value;
  auto finalize = [](napi_env, void* data, void*) {
    auto* handle = static_cast<Handle*>(data);
    release(*handle);
    delete handle;
  };
  napi_create_external(env, new Handle(handle), finalize, nullptr, &value);
  return value;
}
