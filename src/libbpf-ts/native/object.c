// SPDX-License-Identifier: MIT
/* An object file: opened, listed, loaded, closed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

/* All of it is of one environment, and so of one thread. */
struct opened {
	struct bpf_object *bpf;
	size_t holders;
};

static struct opened *open_once(struct bpf_object *bpf)
{
	struct opened *opened = malloc(sizeof(*opened));

	if (opened)
		*opened = (struct opened){ .bpf = bpf, .holders = 1 };
	return opened;
}

struct opened *hold_opened(struct opened *opened)
{
	opened->holders++;
	return opened;
}

void drop_opened(struct opened *opened)
{
	if (--opened->holders)
		return;
	bpf_object__close(opened->bpf);
	free(opened);
}

static void release_object(struct handle *handle)
{
	struct object *object = (struct object *)handle;

	drop_opened(object->opened);
	free(object->programs);
	free(object->maps);
	object->bpf = NULL;
	object->opened = NULL;
	object->programs = NULL;
	object->maps = NULL;
	object->program_count = 0;
	object->map_count = 0;
}

const struct handle_class object_class = { .name = "BPF object", .release = release_object };

struct object *read_object(napi_env env, napi_value value)
{
	return (struct object *)read_handle(env, value, "object", &object_class);
}

static bool index_parts(struct object *object)
{
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_program(program, object->bpf)
		object->program_count++;
	bpf_object__for_each_map(map, object->bpf)
		object->map_count++;
	object->programs = calloc(object->program_count + 1, sizeof(*object->programs));
	object->maps = calloc(object->map_count + 1, sizeof(*object->maps));
	if (!object->programs || !object->maps)
		return false;
	object->program_count = 0;
	object->map_count = 0;
	bpf_object__for_each_program(program, object->bpf)
		object->programs[object->program_count++] = program;
	bpf_object__for_each_map(map, object->bpf)
		object->maps[object->map_count++] = map;
	return true;
}

/* objectOpen(source: string | Uint8Array, name?: string, btfPath?: string): handle */
static napi_value object_open(napi_env env, napi_callback_info info)
{
	char path[PATH_MAX_LENGTH], name[NAME_MAX_LENGTH], btf_path[PATH_MAX_LENGTH];
	LIBBPF_OPTS(bpf_object_open_opts, options);
	bool from_memory = false;
	struct object *object;
	napi_value argv[3];
	struct bytes bytes;
	int error = ENOMEM;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	napi_is_typedarray(env, argv[0], &from_memory);
	if (from_memory ? !read_bytes(env, argv[0], "source", &bytes) :
			  !read_string(env, argv[0], "source", path, sizeof(path)))
		return NULL;
	if (!is_undefined(env, argv[1])) {
		if (!read_string(env, argv[1], "name", name, sizeof(name)))
			return NULL;
		options.object_name = name;
	} else if (from_memory) {
		options.object_name = "memory";
	}
	if (!is_undefined(env, argv[2])) {
		if (!read_string(env, argv[2], "btfPath", btf_path, sizeof(btf_path)))
			return NULL;
		options.btf_custom_path = btf_path;
	}
	if (from_memory && bytes.size == 0)
		return throw_range(env, "source", "the bytes of an ELF object, it is empty");

	object = calloc(1, sizeof(*object));
	if (!object)
		return throw_errno(env, ENOMEM, "open", NULL);
	errno = 0;
	if (from_memory) {
		/* A copy, so that nothing can change the bytes while libelf walks them. */
		void *copy = malloc(bytes.size);

		if (copy) {
			memcpy(copy, bytes.data, bytes.size);
			object->bpf = bpf_object__open_mem(copy, bytes.size, &options);
			error = errno;
			free(copy);
		}
	} else {
		object->bpf = bpf_object__open_file(path, &options);
		error = errno;
	}
	if (!object->bpf) {
		free(object);
		return throw_errno(env, error, "open", from_memory ? options.object_name : path);
	}
	object->opened = open_once(object->bpf);
	if (!object->opened) {
		bpf_object__close(object->bpf);
		free(object);
		return throw_errno(env, ENOMEM, "open", NULL);
	}
	if (!index_parts(object)) {
		release_object(&object->handle);
		free(object);
		return throw_errno(env, ENOMEM, "open", NULL);
	}
	return wrap_handle(env, &object->handle, &object_class);
}

/* objectLoad(object): everything of it that is wanted, into the kernel */
static napi_value object_load(napi_env env, napi_callback_info info)
{
	struct object *object;
	napi_value argv[1];
	int error;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	object = read_object(env, argv[0]);
	if (!object)
		return NULL;
	if (object->load_tried) {
		napi_throw_error(env, "ERR_ALREADY_LOADED", "The BPF object was loaded before, open it anew");
		return NULL;
	}
	object->load_tried = true;
	error = bpf_object__load(object->bpf);
	if (error)
		return throw_errno(env, error, "load", bpf_object__name(object->bpf));
	return undefined(env);
}

/* objectName(object): string */
static napi_value object_name(napi_env env, napi_callback_info info)
{
	struct object *object;
	napi_value argv[1];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	object = read_object(env, argv[0]);
	return object ? string(env, bpf_object__name(object->bpf)) : NULL;
}

/* objectBtf(object): Buffer | undefined, a copy of its type information */
static napi_value object_btf(napi_env env, napi_callback_info info)
{
	struct object *object;
	napi_value argv[1];
	struct btf *btf;
	const void *raw;
	uint32_t size;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	object = read_object(env, argv[0]);
	if (!object)
		return NULL;
	btf = bpf_object__btf(object->bpf);
	raw = btf ? btf__raw_data(btf, &size) : NULL;
	return raw ? copy_bytes(env, raw, size) : undefined(env);
}

/* objectCounts(object): {programs, maps} */
static napi_value object_counts(napi_env env, napi_callback_info info)
{
	napi_value argv[1], result;
	struct object *object;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	object = read_object(env, argv[0]);
	if (!object || napi_create_object(env, &result) != napi_ok)
		return NULL;
	set_property(env, result, "programs", number(env, object->program_count));
	set_property(env, result, "maps", number(env, object->map_count));
	return result;
}

void register_object(napi_env env, napi_value exports)
{
	export_function(env, exports, "objectOpen", object_open);
	export_function(env, exports, "objectLoad", object_load);
	export_function(env, exports, "objectName", object_name);
	export_function(env, exports, "objectBtf", object_btf);
	export_function(env, exports, "objectCounts", object_counts);
}
