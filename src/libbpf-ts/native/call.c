// SPDX-License-Identifier: MIT
/* The frame of every call: arguments in, values out. */
#include <string.h>

#include "addon.h"

struct instance *begin_call(napi_env env, napi_callback_info info, napi_value *argv, size_t count)
{
	void *data = NULL;

	/* Missing arguments arrive as undefined. */
	if (napi_get_cb_info(env, info, &count, argv, NULL, NULL) != napi_ok)
		return NULL;
	if (napi_get_instance_data(env, &data) != napi_ok || !data) {
		napi_throw_error(env, NULL, "libbpf-ts is being shut down");
		return NULL;
	}
	return capture_log(data);
}

napi_value undefined(napi_env env)
{
	napi_value result = NULL;

	napi_get_undefined(env, &result);
	return result;
}

napi_value boolean(napi_env env, bool value)
{
	napi_value result = NULL;

	napi_get_boolean(env, value, &result);
	return result;
}

napi_value number(napi_env env, double value)
{
	napi_value result = NULL;

	napi_create_double(env, value, &result);
	return result;
}

napi_value bigint(napi_env env, uint64_t value)
{
	napi_value result = NULL;

	napi_create_bigint_uint64(env, value, &result);
	return result;
}

napi_value string(napi_env env, const char *value)
{
	napi_value result = NULL;

	napi_create_string_utf8(env, value ? value : "", NAPI_AUTO_LENGTH, &result);
	return result;
}

/* A Uint8Array and not a Buffer, whose slice would be a view. */
napi_value copy_bytes(napi_env env, const void *data, size_t size)
{
	napi_value buffer = NULL, result = NULL;
	void *copy = NULL;

	if (napi_create_arraybuffer(env, size, &copy, &buffer) != napi_ok)
		return NULL;
	if (size)
		memcpy(copy, data, size);
	napi_create_typedarray(env, napi_uint8_array, size, buffer, 0, &result);
	return result;
}

void set_property(napi_env env, napi_value object, const char *name, napi_value value)
{
	if (object && value)
		napi_set_named_property(env, object, name, value);
}

void export_function(napi_env env, napi_value exports, const char *name, napi_callback callback)
{
	napi_value function = NULL;

	napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function);
	set_property(env, exports, name, function);
}
