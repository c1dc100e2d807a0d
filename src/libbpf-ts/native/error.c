// SPDX-License-Identifier: MIT
/* Errors, and the messages of libbpf that explain them. libbpf itself prints nothing. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

/* libbpf has one print function a process, and environments have threads of their own. */
static __thread struct instance *capturing;

static int collect_message(enum libbpf_print_level level, const char *format, va_list arguments)
{
	struct instance *instance = capturing;
	va_list measured;
	size_t wanted;
	int length;

	if (!instance || level != LIBBPF_WARN)
		return 0;
	va_copy(measured, arguments);
	length = vsnprintf(NULL, 0, format, measured);
	va_end(measured);
	if (length < 0)
		return 0;
	wanted = instance->log_length + (size_t)length + 1;
	if (wanted > instance->log_capacity) {
		char *grown = realloc(instance->log, wanted * 2);

		if (!grown)
			return 0;
		instance->log = grown;
		instance->log_capacity = wanted * 2;
	}
	vsnprintf(instance->log + instance->log_length, (size_t)length + 1, format, arguments);
	instance->log_length += (size_t)length;
	return length;
}

static void set_print_function(void)
{
	libbpf_set_print(collect_message);
}

void silence_libbpf(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_print_function);
}

struct instance *capture_log(struct instance *instance)
{
	instance->log_length = 0;
	capturing = instance;
	return instance;
}

void forget_log(struct instance *instance)
{
	if (capturing == instance)
		capturing = NULL;
}

napi_value throw_errno(napi_env env, int error, const char *operation, const char *subject)
{
	struct instance *instance = capturing;
	napi_value factory = NULL, receiver, argv[4], result = NULL;
	bool pending = false;

	napi_is_exception_pending(env, &pending);
	if (pending)
		return NULL;
	if (instance && instance->error_factory)
		napi_get_reference_value(env, instance->error_factory, &factory);
	if (!factory) {
		napi_throw_error(env, NULL, operation);
		return NULL;
	}
	receiver = undefined(env);
	argv[0] = number(env, error < 0 ? -(double)error : error);
	argv[1] = string(env, operation);
	argv[2] = string(env, subject);
	argv[3] = NULL;
	napi_create_string_utf8(env, instance->log ? instance->log : "", instance->log_length, &argv[3]);
	if (napi_call_function(env, receiver, factory, ARRAY_SIZE(argv), argv, &result) == napi_ok)
		napi_throw(env, result);
	return NULL;
}

napi_value throw_type(napi_env env, const char *argument, const char *wanted)
{
	char message[NAME_MAX_LENGTH * 2];

	snprintf(message, sizeof(message), "%s must be %s", argument, wanted);
	napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
	return NULL;
}

napi_value throw_range(napi_env env, const char *argument, const char *wanted)
{
	char message[NAME_MAX_LENGTH * 2];

	snprintf(message, sizeof(message), "%s must be %s", argument, wanted);
	napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
	return NULL;
}
