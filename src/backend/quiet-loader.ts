/**
 * C++ source of a Node-API module that loads TensorFlow's library with standard error closed. The library's
 * constructors log ("oneDNN custom operations are on") before it reads `TF_CPP_MIN_LOG_LEVEL`; nothing else is lost,
 * as a failure to load is thrown as an error.
 */
export const quietLoaderSource = (library: string): string => `#include <dlfcn.h>
#include <fcntl.h>
#include <node_api.h>
#include <stdio.h>
#include <unistd.h>

NAPI_MODULE_INIT() {
  fflush(stderr);
  int kept = dup(STDERR_FILENO);
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (kept >= 0 && nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  void* library = dlopen("${library}", RTLD_LAZY | RTLD_LOCAL);
  fflush(stderr);
  if (kept >= 0) {
    dup2(kept, STDERR_FILENO);
    close(kept);
  }
  if (nowhere >= 0) close(nowhere);
  if (library == nullptr) napi_throw_error(env, nullptr, dlerror());
  return exports;
}
`;
