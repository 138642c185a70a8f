// Node-API module: programs on the devices of a PJRT plugin (OpenXLA's C interface; NVIDIA, AMD, TPU, Metal, CPU).
// Errors have the plugin's code as text in `code`. The header of the interface comes out of TensorFlow's wheel.
#include "pjrt_open.h"

namespace {

void destroy(const PJRT_Api* api, PJRT_Executable* executable) {
  ARGS(PJRT_Executable_Destroy, args);
  args.executable = executable;
  api->PJRT_Executable_Destroy(&args);
}

napi_value programOf(napi_env env, const PJRT_Api* api, PJRT_LoadedExecutable* loaded) {
  ARGS(PJRT_LoadedExecutable_GetExecutable, get);
  ARGS(PJRT_Executable_NumOutputs, count);
  get.loaded_executable = loaded;
  PJRT_Error* error = api->PJRT_LoadedExecutable_GetExecutable(&get);
  if (error == nullptr) {
    count.executable = get.executable;
    error = api->PJRT_Executable_NumOutputs(&count);
    destroy(api, get.executable);
  }
  Handle handle{Kind::PROGRAM, api, loaded, count.num_outputs};
  if (!failed(env, api, error)) return held(env, handle);
  release(handle);
  return nullptr;
}

// compile(plugin, StableHLO as bytes, CompileOptionsProto): program
napi_value compile(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  Plugin* plugin = pluginOf(env, given[0]);
  if (plugin == nullptr) return nullptr;
  Bytes code = bytesOf(env, given[1]), options = bytesOf(env, given[2]);
  if (options.size == 0) return fail(env, "expected compile options: the plugin would abort the process");
  PJRT_Program program;
  std::memset(&program, 0, sizeof program);
  program.struct_size = PJRT_Program_STRUCT_SIZE;
  program.code = code.data;
  program.code_size = code.size;
  program.format = "mlir";
  program.format_size = 4;
  ARGS(PJRT_Client_Compile, args);
  args.client = plugin->client;
  args.program = &program;
  args.compile_options = options.data;
  args.compile_options_size = options.size;
  CALL(plugin->api, PJRT_Client_Compile(&args));
  return programOf(env, plugin->api, args.executable);
}

// serialize(program): bytes, which the same version of the plugin loads on the same kind of device
napi_value serialize(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  Handle* program = handleOf(env, given[0], Kind::PROGRAM);
  if (program == nullptr) return nullptr;
  OPTIONAL(program->api, PJRT_Executable_Serialize);
  ASK(program->api, PJRT_LoadedExecutable_GetExecutable, get, loaded_executable,
      static_cast<PJRT_LoadedExecutable*>(program->pointer));
  ARGS(PJRT_Executable_Serialize, args);
  args.executable = get.executable;
  napi_value result = nullptr;
  if (!failed(env, program->api, program->api->PJRT_Executable_Serialize(&args))) {
    void* data = nullptr;
    napi_value buffer;
    napi_create_arraybuffer(env, args.serialized_bytes_size, &data, &buffer);
    std::memcpy(data, args.serialized_bytes, args.serialized_bytes_size);
    napi_create_typedarray(env, UINT8_ARRAY, args.serialized_bytes_size, buffer, 0, &result);
    args.serialized_executable_deleter(args.serialized_executable);
  }
  destroy(program->api, get.executable);
  return result;
}

// load(plugin, bytes of serialize): program
napi_value load(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  Plugin* plugin = pluginOf(env, given[0]);
  if (plugin == nullptr) return nullptr;
  OPTIONAL(plugin->api, PJRT_Executable_DeserializeAndLoad);
  Bytes bytes = bytesOf(env, given[1]);
  ARGS(PJRT_Executable_DeserializeAndLoad, args);
  args.client = plugin->client;
  args.serialized_executable = bytes.data;
  args.serialized_executable_size = bytes.size;
  CALL(plugin->api, PJRT_Executable_DeserializeAndLoad(&args));
  return programOf(env, plugin->api, args.loaded_executable);
}

// upload(plugin, array, { type, width, shape, device }): buffer. The array is copied during the call.
napi_value upload(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  Plugin* plugin = pluginOf(env, given[0]);
  if (plugin == nullptr) return nullptr;
  Bytes bytes = bytesOf(env, given[1]);
  auto field = [&](const char* name) {
    napi_value value;
    napi_get_named_property(env, given[2], name, &value);
    return value;
  };
  int32_t type = 0, width = 0, device = 0;
  napi_get_value_int32(env, field("type"), &type);
  napi_get_value_int32(env, field("width"), &width);
  napi_get_value_int32(env, field("device"), &device);
  std::vector<int64_t> shape;
  size_t size = width;
  for (napi_value length : elementsOf(env, field("shape"))) {
    shape.push_back(0);
    napi_get_value_int64(env, length, &shape.back());
    size *= shape.back();
  }
  if (device < 0 || static_cast<size_t>(device) >= plugin->devices.size()) return fail(env, "no such device");
  if (size != bytes.size)
    return fail(env, "expected " + std::to_string(size) + " bytes, got " + std::to_string(bytes.size));
  ARGS(PJRT_Client_BufferFromHostBuffer, args);
  args.client = plugin->client;
  args.data = bytes.data;
  args.type = static_cast<PJRT_Buffer_Type>(type);
  args.dims = shape.data();
  args.num_dims = shape.size();
  args.host_buffer_semantics = PJRT_HostBufferSemantics_kImmutableOnlyDuringCall;
  args.device = plugin->devices[device];
  CALL(plugin->api, PJRT_Client_BufferFromHostBuffer(&args));
  napi_value buffer = held(env, {Kind::BUFFER, plugin->api, args.buffer, 0});
  return failedLater(env, plugin->api, args.done_with_host_buffer) ? nullptr : buffer;
}

// download([buffers], [arrays]): waits until all are copied, row by row, whatever layout a device prefers.
napi_value download(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  auto buffers = elementsOf(env, given[0]), arrays = elementsOf(env, given[1]);
  std::vector<std::pair<const PJRT_Api*, PJRT_Event*>> events;
  auto start = [&](napi_value from, napi_value to) {
    Handle* handle = handleOf(env, from, Kind::BUFFER);
    if (handle == nullptr) return false;
    auto* buffer = static_cast<PJRT_Buffer*>(handle->pointer);
    ARGS(PJRT_Buffer_Dimensions, rank);
    rank.buffer = buffer;
    if (failed(env, handle->api, handle->api->PJRT_Buffer_Dimensions(&rank))) return false;
    std::vector<int64_t> order(rank.num_dims);
    for (size_t i = 0; i < order.size(); i++) order[i] = order.size() - 1 - i;
    PJRT_Buffer_MemoryLayout layout;
    std::memset(&layout, 0, sizeof layout);
    layout.struct_size = PJRT_Buffer_MemoryLayout_STRUCT_SIZE;
    layout.type = PJRT_Buffer_MemoryLayout_Type_Tiled;
    layout.tiled.struct_size = PJRT_Buffer_MemoryLayout_Tiled_STRUCT_SIZE;
    layout.tiled.minor_to_major = order.data();
    layout.tiled.minor_to_major_size = order.size();
    ARGS(PJRT_Buffer_ToHostBuffer, args);
    args.src = buffer;
    args.host_layout = &layout;
    if (failed(env, handle->api, handle->api->PJRT_Buffer_ToHostBuffer(&args))) return false;
    Bytes bytes = bytesOf(env, to);
    if (bytes.size != args.dst_size) {
      fail(env, "expected an array of " + std::to_string(args.dst_size) + " bytes, got " + std::to_string(bytes.size));
      return false;
    }
    args.dst = bytes.data;
    if (failed(env, handle->api, handle->api->PJRT_Buffer_ToHostBuffer(&args))) return false;
    events.emplace_back(handle->api, args.event);
    return true;
  };
  bool good = buffers.size() == arrays.size();
  if (!good) fail(env, "expected as many arrays as buffers");
  for (size_t i = 0; good && i < buffers.size(); i++) good = start(buffers[i], arrays[i]);
  // All are waited for, also after a failure: the arrays must outlive the copies.
  for (auto [api, event] : events)
    if (failedLater(env, api, event, !good)) good = false;
  return good ? given[1] : nullptr;
}

// run(program, [[buffers] of each device]): [[buffers] of each device]; returns before they are computed.
napi_value run(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  Handle* program = handleOf(env, given[0], Kind::PROGRAM);
  if (program == nullptr) return nullptr;
  std::vector<std::vector<PJRT_Buffer*>> inputs, outputs;
  std::vector<PJRT_Buffer* const*> from;
  std::vector<PJRT_Buffer**> to;
  for (napi_value list : elementsOf(env, given[1])) {
    inputs.emplace_back();
    outputs.emplace_back(program->outputs);
    for (napi_value value : elementsOf(env, list)) {
      Handle* buffer = handleOf(env, value, Kind::BUFFER);
      if (buffer == nullptr) return nullptr;
      if (buffer->api != program->api) return fail(env, "a buffer of another plugin");
      inputs.back().push_back(static_cast<PJRT_Buffer*>(buffer->pointer));
    }
    if (inputs.back().size() != inputs[0].size()) return fail(env, "expected as many buffers on each device");
  }
  if (inputs.empty()) return fail(env, "expected the buffers of a device");
  for (size_t i = 0; i < inputs.size(); i++) {
    from.push_back(inputs[i].data());
    to.push_back(outputs[i].data());
  }
  PJRT_ExecuteOptions options;
  std::memset(&options, 0, sizeof options);
  options.struct_size = PJRT_ExecuteOptions_STRUCT_SIZE;
  ARGS(PJRT_LoadedExecutable_Execute, args);
  args.executable = static_cast<PJRT_LoadedExecutable*>(program->pointer);
  args.options = &options;
  args.argument_lists = from.data();
  args.num_devices = inputs.size();
  args.num_args = inputs[0].size();
  args.output_lists = to.data();
  CALL(program->api, PJRT_LoadedExecutable_Execute(&args));
  napi_value results;
  napi_create_array(env, &results);
  for (size_t device = 0; device < outputs.size(); device++) {
    napi_value list;
    napi_create_array(env, &list);
    for (size_t i = 0; i < outputs[device].size(); i++)
      napi_set_element(env, list, i, held(env, {Kind::BUFFER, program->api, outputs[device][i], 0}));
    napi_set_element(env, results, device, list);
  }
  return results;
}

// free(buffer or program): now, and not when the garbage collector comes. A second call does nothing.
napi_value free(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  void* data = nullptr;
  if (napi_get_value_external(env, given[0], &data) == 0) release(*static_cast<Handle*>(data));
  return nullptr;
}

// memory(plugin, device): { used, peak, limit } in bytes, each where the plugin tells
napi_value memory(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  Plugin* plugin = pluginOf(env, given[0]);
  if (plugin == nullptr) return nullptr;
  int32_t device = -1;
  napi_get_value_int32(env, given[1], &device);
  if (device < 0 || static_cast<size_t>(device) >= plugin->devices.size()) return fail(env, "no such device");
  OPTIONAL(plugin->api, PJRT_Device_MemoryStats);
  ASK(plugin->api, PJRT_Device_MemoryStats, stats, device, plugin->devices[device]);
  napi_value result;
  napi_create_object(env, &result);
  setNumber(env, result, "used", stats.bytes_in_use);
  if (stats.peak_bytes_in_use_is_set) setNumber(env, result, "peak", stats.peak_bytes_in_use);
  if (stats.bytes_limit_is_set) setNumber(env, result, "limit", stats.bytes_limit);
  return result;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const std::pair<const char*, napi_callback> functions[] = {
      {"open", open},     {"compile", compile},   {"serialize", serialize}, {"load", load},    {"upload", upload},
      {"run", run},       {"download", download}, {"free", free},           {"memory", memory}};
  for (auto [name, callback] : functions) {
    napi_value function;
    napi_create_function(env, name, std::strlen(name), callback, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  }
  return exports;
}
