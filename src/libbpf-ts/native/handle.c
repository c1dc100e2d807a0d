// SPDX-License-Identifier: MIT
/* What JavaScript holds of ours: tagged external values, released once, by close or by the collector. */
#include <stdio.h>
#include <stdlib.h>

#include "addon.h"

static const napi_type_tag handle_tag = { 0x7b1d2f04c7e94a5eULL, 0x9d3c5a86e0f1b42dULL };

static void release(struct handle *handle)
{
	if (handle->released)
		return;
	handle->released = true;
	handle->class->release(handle);
}

static void collect(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	release(data);
	free(data);
}

/* Takes over a handle; releases it when no external value can be made. */
napi_value wrap_handle(napi_env env, struct handle *handle, const struct handle_class *class)
{
	napi_value result = NULL;

	handle->class = class;
	if (napi_create_external(env, handle, collect, NULL, &result) != napi_ok) {
		collect(env, handle, NULL);
		napi_throw_error(env, NULL, "libbpf-ts: out of memory");
		return NULL;
	}
	napi_type_tag_object(env, result, &handle_tag);
	return result;
}

static struct handle *read_any_handle(napi_env env, napi_value value)
{
	napi_valuetype type = napi_undefined;
	void *handle = NULL;
	bool ours = false;

	napi_typeof(env, value, &type);
	if (type == napi_external)
		napi_check_object_type_tag(env, value, &handle_tag, &ours);
	if (ours)
		napi_get_value_external(env, value, &handle);
	return handle;
}

struct handle *read_handle(napi_env env, napi_value value, const char *argument, const struct handle_class *class)
{
	struct handle *handle = read_any_handle(env, value);
	char text[NAME_MAX_LENGTH];

	if (!handle || handle->class != class) {
		snprintf(text, sizeof(text), "a handle of a %s", class->name);
		throw_type(env, argument, text);
		return NULL;
	}
	if (handle->released) {
		snprintf(text, sizeof(text), "The %s is closed", class->name);
		napi_throw_error(env, "ERR_CLOSED", text);
		return NULL;
	}
	return handle;
}

/* Begins a call whose only argument is a handle, closed or not. */
static struct handle *begin_handle_call(napi_env env, napi_callback_info info)
{
	struct handle *handle;
	napi_value argv[1];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	handle = read_any_handle(env, argv[0]);
	if (!handle)
		throw_type(env, "handle", "a handle");
	return handle;
}

/* closeHandle(handle): any handle, any number of times; one that the kernel refuses to detach stays open. */
static napi_value close_handle(napi_env env, napi_callback_info info)
{
	struct handle *handle = begin_handle_call(env, info);
	int error = 0;

	if (!handle)
		return NULL;
	if (!handle->released && handle->class->detach)
		error = handle->class->detach(handle);
	if (error)
		return throw_errno(env, error, "detach", NULL);
	release(handle);
	return undefined(env);
}

/* isClosed(handle): whether it was closed. */
static napi_value is_closed(napi_env env, napi_callback_info info)
{
	struct handle *handle = begin_handle_call(env, info);

	return handle ? boolean(env, handle->released) : NULL;
}

void register_handle(napi_env env, napi_value exports)
{
	export_function(env, exports, "closeHandle", close_handle);
	export_function(env, exports, "isClosed", is_closed);
}
