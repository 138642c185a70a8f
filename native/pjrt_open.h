// Opening a PJRT plugin: its library, a client, and the devices that the client sees.
#pragma once
#include <dlfcn.h>

#include <list>
#include <utility>

#include "pjrt_values.h"

// What options of a client point to.
struct Kept {
  std::vector<std::string> texts;
  std::list<std::vector<int64_t>> lists;
};

// Options of a client, { name: number | text | boolean | [whole numbers] }.
inline std::vector<PJRT_NamedValue> optionsOf(napi_env env, napi_value object, Kept& kept) {
  auto& texts = kept.texts;
  napi_value names;
  napi_get_property_names(env, object, &names);
  auto keys = elementsOf(env, names);
  texts.reserve(2 * keys.size());
  std::vector<PJRT_NamedValue> options;
  for (napi_value key : keys) {
    PJRT_NamedValue option;
    std::memset(&option, 0, sizeof option);
    option.struct_size = PJRT_NamedValue_STRUCT_SIZE;
    option.value_size = 1;
    texts.push_back(textOf(env, key));
    option.name = texts.back().c_str();
    option.name_size = texts.back().size();
    napi_value value;
    napi_get_property(env, object, key, &value);
    double number = 0;
    uint32_t length = 0;
    if (napi_get_array_length(env, value, &length) == 0) {
      auto& numbers = kept.lists.emplace_back();
      for (napi_value element : elementsOf(env, value)) {
        numbers.push_back(0);
        napi_get_value_int64(env, element, &numbers.back());
      }
      option.type = PJRT_NamedValue_kInt64List;
      option.int64_array_value = numbers.data();
      option.value_size = numbers.size();
    } else if (napi_get_value_bool(env, value, &option.bool_value) == 0) {
      option.type = PJRT_NamedValue_kBool;
    } else if (napi_get_value_double(env, value, &number) == 0) {
      bool whole = number == static_cast<double>(static_cast<int64_t>(number));
      option.type = whole ? PJRT_NamedValue_kInt64 : PJRT_NamedValue_kFloat;
      if (whole) option.int64_value = static_cast<int64_t>(number);
      else option.float_value = static_cast<float>(number);
    } else {
      texts.push_back(textOf(env, value));
      option.type = PJRT_NamedValue_kString;
      option.string_value = texts.back().c_str();
      option.value_size = texts.back().size();
    }
    options.push_back(option);
  }
  return options;
}

// The first function that no run does without and that a plugin's table lacks; null if it has all.
inline const char* lackingIn(const PJRT_Api* api) {
#define FUNCTION(name) {#name, reinterpret_cast<const void*>(api->name)}
  const std::pair<const char*, const void*> functions[] = {
      FUNCTION(PJRT_Error_Destroy), FUNCTION(PJRT_Error_GetCode), FUNCTION(PJRT_Error_Message),
      FUNCTION(PJRT_Event_Await), FUNCTION(PJRT_Event_Destroy),
      FUNCTION(PJRT_Plugin_Initialize), FUNCTION(PJRT_Client_Create), FUNCTION(PJRT_Client_AddressableDevices),
      FUNCTION(PJRT_Client_PlatformName), FUNCTION(PJRT_Client_PlatformVersion),
      FUNCTION(PJRT_Client_BufferFromHostBuffer), FUNCTION(PJRT_Client_Compile),
      FUNCTION(PJRT_Device_GetDescription),
      FUNCTION(PJRT_DeviceDescription_Id), FUNCTION(PJRT_DeviceDescription_Kind),
      FUNCTION(PJRT_Buffer_Destroy), FUNCTION(PJRT_Buffer_Dimensions), FUNCTION(PJRT_Buffer_ToHostBuffer),
      FUNCTION(PJRT_Executable_Destroy), FUNCTION(PJRT_Executable_NumOutputs),
      FUNCTION(PJRT_LoadedExecutable_Destroy), FUNCTION(PJRT_LoadedExecutable_Execute),
      FUNCTION(PJRT_LoadedExecutable_GetExecutable)};
#undef FUNCTION
  for (auto [name, function] : functions)
    if (function == nullptr) return name;
  return nullptr;
}

// open(file, options of the client): { id, apiMinor, platform, platformVersion, devices: [{ id, kind, place }] }
inline napi_value open(napi_env env, napi_callback_info info) {
  auto given = argumentsOf(env, info);
  void* library = dlopen(textOf(env, given[0]).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return fail(env, dlerror(), "DLOPEN");
  auto get = reinterpret_cast<const PJRT_Api* (*)()>(dlsym(library, "GetPjrtApi"));
  if (get == nullptr) return fail(env, "it has no function GetPjrtApi", "DLSYM");
  const PJRT_Api* api = get();
  if (api == nullptr) return fail(env, "its function GetPjrtApi gives no table of functions", "DLSYM");
  auto version = api->pjrt_api_version;
  if (version.major_version != PJRT_API_MAJOR || api->struct_size < offsetof(PJRT_Api, PJRT_Executable_OutputDimensions))
    return fail(env, "version " + std::to_string(version.major_version) + "." + std::to_string(version.minor_version),
                "VERSION");
  if (const char* lacking = lackingIn(api)) return fail(env, std::string("its table lacks ") + lacking, "DLSYM");
  ARGS(PJRT_Plugin_Initialize, initialize);
  CALL(api, PJRT_Plugin_Initialize(&initialize));
  Kept kept;
  auto options = optionsOf(env, given[1], kept);
  ARGS(PJRT_Client_Create, create);
  create.create_options = options.data();
  create.num_options = options.size();
  CALL(api, PJRT_Client_Create(&create));
  auto plugin = std::make_unique<Plugin>(Plugin{api, create.client, {}});
  ASK(api, PJRT_Client_AddressableDevices, found, client, create.client);
  plugin->devices.assign(found.addressable_devices, found.addressable_devices + found.num_addressable_devices);
  ASK(api, PJRT_Client_PlatformName, platform, client, create.client);
  ASK(api, PJRT_Client_PlatformVersion, build, client, create.client);
  napi_value result, devices;
  napi_create_object(env, &result);
  napi_create_array(env, &devices);
  for (size_t i = 0; i < plugin->devices.size(); i++) {
    ASK(api, PJRT_Device_GetDescription, described, device, plugin->devices[i]);
    ASK(api, PJRT_DeviceDescription_Kind, kind, device_description, described.device_description);
    ASK(api, PJRT_DeviceDescription_Id, id, device_description, described.device_description);
    napi_value device;
    napi_create_object(env, &device);
    setText(env, device, "kind", kind.device_kind, kind.device_kind_size);
    setNumber(env, device, "id", id.id);
    setNumber(env, device, "place", i);
    napi_set_element(env, devices, i, device);
  }
  setText(env, result, "platform", platform.platform_name, platform.platform_name_size);
  setText(env, result, "platformVersion", build.platform_version, build.platform_version_size);
  setNumber(env, result, "apiMinor", version.minor_version);
  setNumber(env, result, "id", plugins.size());
  napi_set_named_property(env, result, "devices", devices);
  plugins.push_back(std::move(plugin));
  return result;
}
