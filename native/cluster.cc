// Node-API module: a TensorFlow server in this process, and sessions that run on it. tfjs-node has no call for either.
// Links libtensorflow_cc.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "cluster_interfaces.h"

namespace {

struct Session {
  TF_Session* session;
  TF_Graph* graph;
};
// By number; a session that is closed leaves its place empty.
std::vector<Session> sessions;

struct Status {
  TF_Status* status = TF_NewStatus();
  ~Status() { TF_DeleteStatus(status); }
  operator TF_Status*() const { return status; }
  // True, with an error thrown in JavaScript, if the last call failed.
  bool failed(napi_env env) const {
    int code = TF_GetCode(status);
    if (code != 0) napi_throw_error(env, std::to_string(code).c_str(), TF_Message(status));
    return code != 0;
  }
};

struct Bytes {
  void* data = nullptr;
  size_t size = 0;
  TF_DataType type = TF_UINT8;
};

napi_value fail(napi_env env, const std::string& message) {
  napi_throw_error(env, nullptr, message.c_str());
  return nullptr;
}

std::vector<napi_value> argumentsOf(napi_env env, napi_callback_info info) {
  size_t count = 4;
  std::vector<napi_value> values(count);
  napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr);
  return values;
}

std::string textOf(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, &text[0], length + 1, &length);
  return text;
}

Bytes bytesOf(napi_env env, napi_value value) {
  Bytes bytes;
  int kind = 0;
  napi_get_typedarray_info(env, value, &kind, &bytes.size, &bytes.data, nullptr, nullptr);
  bytes.type = kind == FLOAT32_ARRAY ? TF_FLOAT : kind == INT32_ARRAY ? TF_INT32 : TF_UINT8;
  if (bytes.type != TF_UINT8) bytes.size *= 4;
  return bytes;
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value = nullptr;
  napi_get_named_property(env, object, name, &value);
  return value;
}

std::vector<napi_value> elementsOf(napi_env env, napi_value array) {
  uint32_t length = 0;
  napi_get_array_length(env, array, &length);
  std::vector<napi_value> elements(length);
  for (uint32_t i = 0; i < length; i++) napi_get_element(env, array, i, &elements[i]);
  return elements;
}

// Of `node:output`; its operation is null where there is no such node.
TF_Output portOf(TF_Graph* graph, const std::string& name) {
  size_t colon = name.rfind(':');
  int index = colon == std::string::npos ? 0 : std::atoi(name.c_str() + colon + 1);
  return {TF_GraphOperationByName(graph, name.substr(0, colon).c_str()), index};
}

TF_Tensor* tensorOf(napi_env env, napi_value feed) {
  std::vector<int64_t> shape;
  for (napi_value side : elementsOf(env, property(env, feed, "shape"))) {
    int64_t length = 0;
    napi_get_value_int64(env, side, &length);
    shape.push_back(length);
  }
  Bytes bytes = bytesOf(env, property(env, feed, "values"));
  TF_Tensor* tensor = TF_AllocateTensor(bytes.type, shape.data(), static_cast<int>(shape.size()), bytes.size);
  if (bytes.size > 0) std::memcpy(TF_TensorData(tensor), bytes.data, bytes.size);
  return tensor;
}

// `{ values, shape }`, a copy.
napi_value arrayOf(napi_env env, TF_Tensor* tensor) {
  napi_value result, buffer, values, shape;
  size_t size = TF_TensorByteSize(tensor);
  TF_DataType type = TF_TensorType(tensor);
  void* to = nullptr;
  napi_create_arraybuffer(env, size, &to, &buffer);
  if (size > 0) std::memcpy(to, TF_TensorData(tensor), size);
  int kind = type == TF_FLOAT ? FLOAT32_ARRAY : type == TF_INT32 ? INT32_ARRAY : UINT8_ARRAY;
  napi_create_typedarray(env, kind, kind == UINT8_ARRAY ? size : size / 4, buffer, 0, &values);
  napi_create_array(env, &shape);
  for (int i = 0; i < TF_NumDims(tensor); i++) {
    napi_value side;
    napi_create_int64(env, TF_Dim(tensor, i), &side);
    napi_set_element(env, shape, i, side);
  }
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "values", values);
  napi_set_named_property(env, result, "shape", shape);
  return result;
}

// startServer(serverDef) → target. The server lives as long as the process: TensorFlow cannot stop one.
napi_value startServer(napi_env env, napi_callback_info info) {
  Bytes definition = bytesOf(env, argumentsOf(env, info)[0]);
  Status status;
  TF_Server* server = TF_NewServer(definition.data, definition.size, status);
  if (status.failed(env)) return nullptr;
  TF_ServerStart(server, status);
  if (status.failed(env)) return nullptr;
  const char* target = TF_ServerTarget(server);
  napi_value result;
  napi_create_string_utf8(env, target, std::strlen(target), &result);
  return result;
}

// openSession(folder, tag, target, configProto) → number
napi_value openSession(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  std::string folder = textOf(env, given[0]), tag = textOf(env, given[1]), target = textOf(env, given[2]);
  Bytes config = bytesOf(env, given[3]);
  Status status;
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_SetTarget(options, target.c_str());
  TF_SetConfig(options, config.data, config.size, status);
  TF_Graph* graph = TF_NewGraph();
  TF_Buffer* described = TF_NewBuffer();
  const char* tags[] = {tag.c_str()};
  TF_Session* session = nullptr;
  if (TF_GetCode(status) == 0) {
    session = TF_LoadSessionFromSavedModel(options, nullptr, folder.c_str(), tags, 1, graph, described, status);
  }
  TF_DeleteBuffer(described);
  TF_DeleteSessionOptions(options);
  if (status.failed(env)) {
    TF_DeleteGraph(graph);
    return nullptr;
  }
  sessions.push_back({session, graph});
  napi_value result;
  napi_create_int32(env, static_cast<int32_t>(sessions.size() - 1), &result);
  return result;
}

Session* sessionOf(napi_env env, napi_value number) {
  int32_t index = -1;
  napi_get_value_int32(env, number, &index);
  bool open = index >= 0 && index < static_cast<int32_t>(sessions.size()) && sessions[index].session != nullptr;
  if (!open) fail(env, "no open session " + std::to_string(index));
  return open ? &sessions[index] : nullptr;
}

// run(session, runOptions, [{ name, shape, values }], [name]) → [{ values, shape }]
napi_value run(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  Session* open = sessionOf(env, given[0]);
  if (open == nullptr) return nullptr;
  auto feeds = elementsOf(env, given[2]), fetches = elementsOf(env, given[3]);
  std::vector<TF_Output> inputs, outputs;
  for (napi_value feed : feeds) {
    std::string name = textOf(env, property(env, feed, "name"));
    inputs.push_back(portOf(open->graph, name));
    if (inputs.back().operation == nullptr) return fail(env, "no node " + name);
  }
  for (napi_value fetch : fetches) {
    std::string name = textOf(env, fetch);
    outputs.push_back(portOf(open->graph, name));
    if (outputs.back().operation == nullptr) return fail(env, "no node " + name);
  }
  std::vector<TF_Tensor*> fed, fetched(fetches.size(), nullptr);
  for (napi_value feed : feeds) fed.push_back(tensorOf(env, feed));
  Bytes described = bytesOf(env, given[1]);
  TF_Buffer* options = TF_NewBufferFromString(described.data, described.size);
  Status status;
  TF_SessionRun(open->session, options, inputs.data(), fed.data(), static_cast<int>(fed.size()), outputs.data(),
                fetched.data(), static_cast<int>(fetched.size()), nullptr, 0, nullptr, status);
  TF_DeleteBuffer(options);
  for (TF_Tensor* tensor : fed) TF_DeleteTensor(tensor);
  if (status.failed(env)) return nullptr;
  napi_value results;
  napi_create_array(env, &results);
  for (size_t i = 0; i < fetched.size(); i++) {
    napi_set_element(env, results, static_cast<uint32_t>(i), arrayOf(env, fetched[i]));
    TF_DeleteTensor(fetched[i]);
  }
  return results;
}

// closeSession(session)
napi_value closeSession(napi_env env, napi_callback_info info) {
  Session* open = sessionOf(env, argumentsOf(env, info)[0]);
  if (open == nullptr) return nullptr;
  Status status;
  TF_CloseSession(open->session, status);
  TF_DeleteSession(open->session, status);
  TF_DeleteGraph(open->graph);
  *open = {nullptr, nullptr};
  return nullptr;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const struct {
    const char* name;
    napi_callback function;
  } all[] = {
      {"startServer", startServer}, {"openSession", openSession}, {"run", run}, {"closeSession", closeSession}};
  for (auto& one : all) {
    napi_value function;
    napi_create_function(env, one.name, std::strlen(one.name), one.function, nullptr, &function);
    napi_set_named_property(env, exports, one.name, function);
  }
  return exports;
}
