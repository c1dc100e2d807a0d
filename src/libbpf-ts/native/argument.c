// SPDX-License-Identifier: MIT
/* Arguments from JavaScript: checked, named in the error when wrong. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "addon.h"

static napi_valuetype type_of(napi_env env, napi_value value)
{
	napi_valuetype type = napi_undefined;

	napi_typeof(env, value, &type);
	return type;
}

bool is_undefined(napi_env env, napi_value value)
{
	return type_of(env, value) == napi_undefined;
}

static bool read_integer(napi_env env, napi_value value, const char *argument, double low, double high,
			 double *result)
{
	bool is_number = type_of(env, value) == napi_number;
	char wanted[NAME_MAX_LENGTH];

	*result = 0;
	if (is_number)
		napi_get_value_double(env, value, result);
	if (is_number && *result >= low && *result <= high && trunc(*result) == *result)
		return true;
	snprintf(wanted, sizeof(wanted), "an integer from %.0f to %.0f", low, high);
	return is_number ? throw_range(env, argument, wanted) : throw_type(env, argument, wanted);
}

bool read_u32(napi_env env, napi_value value, const char *argument, uint32_t *result)
{
	double integer;

	if (!read_integer(env, value, argument, 0, UINT32_MAX, &integer))
		return false;
	*result = (uint32_t)integer;
	return true;
}

bool read_i32(napi_env env, napi_value value, const char *argument, int32_t *result)
{
	double integer;

	if (!read_integer(env, value, argument, INT32_MIN, INT32_MAX, &integer))
		return false;
	*result = (int32_t)integer;
	return true;
}

bool read_u64(napi_env env, napi_value value, const char *argument, uint64_t *result)
{
	bool lossless = false;

	if (type_of(env, value) != napi_bigint)
		return throw_type(env, argument, "a bigint from 0 to 2**64 - 1");
	napi_get_value_bigint_uint64(env, value, result, &lossless);
	if (!lossless)
		return throw_range(env, argument, "a bigint from 0 to 2**64 - 1");
	return true;
}

bool read_bool(napi_env env, napi_value value, const char *argument, bool *result)
{
	if (type_of(env, value) != napi_boolean)
		return throw_type(env, argument, "a boolean");
	napi_get_value_bool(env, value, result);
	return true;
}

bool read_string(napi_env env, napi_value value, const char *argument, char *result, size_t size)
{
	size_t length = 0, copied = 0;

	if (type_of(env, value) != napi_string)
		return throw_type(env, argument, "a string");
	napi_get_value_string_utf8(env, value, NULL, 0, &length);
	if (length == 0 || length >= size) {
		char wanted[NAME_MAX_LENGTH];

		snprintf(wanted, sizeof(wanted), "a string of 1 to %zu bytes", size - 1);
		return throw_range(env, argument, wanted);
	}
	napi_get_value_string_utf8(env, value, result, size, &copied);
	/* A NUL inside would silently name something else. */
	if (memchr(result, '\0', copied))
		return throw_range(env, argument, "a string without NUL characters");
	return true;
}

bool read_bytes(napi_env env, napi_value value, const char *argument, struct bytes *result)
{
	napi_typedarray_type type = napi_int8_array;
	bool is_array = false;
	void *data = NULL;
	size_t size = 0;

	napi_is_typedarray(env, value, &is_array);
	if (is_array)
		napi_get_typedarray_info(env, value, &type, &size, &data, NULL, NULL);
	if (type != napi_uint8_array)
		return throw_type(env, argument, "a Uint8Array");
	*result = (struct bytes){ .data = data, .size = data ? size : 0 };
	return true;
}

bool read_exact_bytes(napi_env env, napi_value value, const char *argument, size_t size, struct bytes *result)
{
	char wanted[NAME_MAX_LENGTH];

	if (!read_bytes(env, value, argument, result))
		return false;
	if (result->size == size)
		return true;
	snprintf(wanted, sizeof(wanted), "%zu bytes long, it is %zu", size, result->size);
	return throw_range(env, argument, wanted);
}

bool read_words(napi_env env, napi_value value, const char *argument, uint32_t **result, size_t *length)
{
	napi_typedarray_type type = napi_int8_array;
	bool is_array = false;
	void *data = NULL;

	napi_is_typedarray(env, value, &is_array);
	if (is_array)
		napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL);
	if (type != napi_uint32_array)
		return throw_type(env, argument, "a Uint32Array");
	*result = data;
	if (!data)
		*length = 0;
	return true;
}

bool read_function(napi_env env, napi_value value, const char *argument)
{
	return type_of(env, value) == napi_function || throw_type(env, argument, "a function");
}
