// SPDX-License-Identifier: MIT
/* One program of an object: chosen before the load, looked at after it. */
#include <errno.h>
#include <stdio.h>

#include "addon.h"

struct bpf_program *read_program(napi_env env, napi_value object_value, napi_value index_value)
{
	struct object *object = read_object(env, object_value);
	uint32_t index;

	if (!object || !read_u32(env, index_value, "program", &index))
		return NULL;
	if (index >= object->program_count) {
		throw_range(env, "program", "the index of a program of this object");
		return NULL;
	}
	return object->programs[index];
}

struct bpf_program *read_loaded_program(napi_env env, napi_value object, napi_value index)
{
	struct bpf_program *program = read_program(env, object, index);
	char text[NAME_MAX_LENGTH];

	if (!program || bpf_program__fd(program) >= 0)
		return program;
	snprintf(text, sizeof(text), "The program %s is not loaded", bpf_program__name(program));
	napi_throw_error(env, "ERR_NOT_LOADED", text);
	return NULL;
}

/* programDescribe(object, program): {name, sectionName, type} */
static napi_value program_describe(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	napi_value argv[2], result;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_program(env, argv[0], argv[1]);
	if (!program || napi_create_object(env, &result) != napi_ok)
		return NULL;
	set_property(env, result, "name", string(env, bpf_program__name(program)));
	set_property(env, result, "sectionName", string(env, bpf_program__section_name(program)));
	set_property(env, result, "type", string(env, libbpf_bpf_prog_type_str(bpf_program__type(program))));
	return result;
}

/* programAutoload(object, program): boolean */
static napi_value program_autoload(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	napi_value argv[2];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_program(env, argv[0], argv[1]);
	return program ? boolean(env, bpf_program__autoload(program)) : NULL;
}

/* programSetAutoload(object, program, autoload: boolean) */
static napi_value program_set_autoload(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	napi_value argv[3];
	bool autoload;
	int error;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_program(env, argv[0], argv[1]);
	if (!program || !read_bool(env, argv[2], "autoload", &autoload))
		return NULL;
	error = bpf_program__set_autoload(program, autoload);
	return error ? throw_errno(env, error, "set autoload", bpf_program__name(program)) : undefined(env);
}

/* programFd(object, program): number, below 0 while not loaded */
static napi_value program_fd(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	napi_value argv[2];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	program = read_program(env, argv[0], argv[1]);
	return program ? number(env, bpf_program__fd(program)) : NULL;
}

void register_program(napi_env env, napi_value exports)
{
	export_function(env, exports, "programDescribe", program_describe);
	export_function(env, exports, "programAutoload", program_autoload);
	export_function(env, exports, "programSetAutoload", program_set_autoload);
	export_function(env, exports, "programFd", program_fd);
}
