// SPDX-License-Identifier: MIT
/* The way in: sets one environment up and lists what each file exports. */
#include <stdlib.h>

#include "addon.h"

static void free_instance(napi_env env, void *data, void *hint)
{
	struct instance *instance = data;

	(void)env;
	(void)hint;
	forget_log(instance);
	free(instance->log);
	free(instance);
}

static napi_value set_error_factory(napi_env env, napi_callback_info info)
{
	napi_value argv[1];
	struct instance *instance = begin_call(env, info, argv, ARRAY_SIZE(argv));

	if (!instance || !read_function(env, argv[0], "factory"))
		return NULL;
	if (instance->error_factory)
		napi_delete_reference(env, instance->error_factory);
	instance->error_factory = NULL;
	napi_create_reference(env, argv[0], 1, &instance->error_factory);
	return undefined(env);
}

NAPI_MODULE_INIT()
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance || napi_set_instance_data(env, instance, free_instance, NULL) != napi_ok) {
		free(instance);
		napi_throw_error(env, NULL, "libbpf-ts: out of memory");
		return NULL;
	}
	silence_libbpf();
	export_function(env, exports, "setErrorFactory", set_error_factory);
	set_property(env, exports, "libbpfVersion", string(env, libbpf_version_string()));
	register_attach(env, exports);
	register_batch(env, exports);
	register_feature(env, exports);
	register_handle(env, exports);
	register_kernel(env, exports);
	register_link(env, exports);
	register_linker(env, exports);
	register_map(env, exports);
	register_object(env, exports);
	register_program(env, exports);
	register_ringbuf(env, exports);
	return exports;
}
