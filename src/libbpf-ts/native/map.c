// SPDX-License-Identifier: MIT
/* One map of an object: its shape, its elements one by one, its memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "addon.h"

static struct object *read_map_index(napi_env env, napi_value object_value, napi_value index_value, uint32_t *index)
{
	struct object *object = read_object(env, object_value);

	if (!object || !read_u32(env, index_value, "map", index))
		return NULL;
	if (*index < object->map_count)
		return object;
	throw_range(env, "map", "the index of a map of this object");
	return NULL;
}

struct bpf_map *read_map(napi_env env, napi_value object_value, napi_value index_value)
{
	uint32_t index;
	struct object *object = read_map_index(env, object_value, index_value, &index);

	return object ? object->maps[index] : NULL;
}

struct bpf_map *read_loaded_map(napi_env env, napi_value object, napi_value index)
{
	struct bpf_map *map = read_map(env, object, index);
	char text[NAME_MAX_LENGTH];

	if (!map || bpf_map__fd(map) >= 0)
		return map;
	snprintf(text, sizeof(text), "The map %s is not loaded", bpf_map__name(map));
	napi_throw_error(env, "ERR_NOT_LOADED", text);
	return NULL;
}

/* What one look-up writes: a value, or one of 8-byte rounded size for every possible CPU. */
size_t value_stride(const struct bpf_map *map)
{
	size_t value_size = bpf_map__value_size(map);

	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
		return (value_size + 7) / 8 * 8 * (size_t)libbpf_num_possible_cpus();
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		return sizeof(uint32_t);
	default:
		return value_size;
	}
}

/* Begins a call whose arguments start with (object, map), loaded or not. */
static struct bpf_map *begin_map_call(napi_env env, napi_callback_info info, napi_value *argv, size_t count)
{
	return begin_call(env, info, argv, count) ? read_map(env, argv[0], argv[1]) : NULL;
}

/* mapDescribe(object, map) */
static napi_value map_describe(napi_env env, napi_callback_info info)
{
	napi_value argv[2], result;
	struct bpf_map *map;

	map = begin_map_call(env, info, argv, ARRAY_SIZE(argv));
	if (!map || napi_create_object(env, &result) != napi_ok)
		return NULL;
	set_property(env, result, "name", string(env, bpf_map__name(map)));
	set_property(env, result, "type", string(env, libbpf_bpf_map_type_str(bpf_map__type(map))));
	set_property(env, result, "keySize", number(env, bpf_map__key_size(map)));
	set_property(env, result, "valueSize", number(env, bpf_map__value_size(map)));
	set_property(env, result, "valueStride",
		     number(env, (double)value_stride(map)));
	set_property(env, result, "maxEntries", number(env, bpf_map__max_entries(map)));
	set_property(env, result, "flags", number(env, bpf_map__map_flags(map)));
	set_property(env, result, "mmapable", boolean(env, bpf_map__map_flags(map) & BPF_F_MMAPABLE));
	set_property(env, result, "internal", boolean(env, bpf_map__is_internal(map)));
	set_property(env, result, "keyTypeId", number(env, bpf_map__btf_key_type_id(map)));
	set_property(env, result, "valueTypeId", number(env, bpf_map__btf_value_type_id(map)));
	return result;
}

/* mapSetMaxEntries(object, map, maxEntries) */
static napi_value map_set_max_entries(napi_env env, napi_callback_info info)
{
	char text[NAME_MAX_LENGTH];
	uint32_t max_entries;
	struct bpf_map *map;
	napi_value argv[3];
	int error;

	map = begin_map_call(env, info, argv, ARRAY_SIZE(argv));
	if (!map || !read_u32(env, argv[2], "maxEntries", &max_entries))
		return NULL;
	/* libbpf has mapped it already, and unmaps or maps over as much as the new count says: memory of others. */
	if (bpf_map__is_internal(map)) {
		snprintf(text, sizeof(text), "The map %s holds global data: its room is fixed", bpf_map__name(map));
		napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", text);
		return NULL;
	}
	error = bpf_map__set_max_entries(map, max_entries);
	return error ? throw_errno(env, error, "set max entries", bpf_map__name(map)) : undefined(env);
}

/* Begins a call for one element, whose arguments start with (object, map, key). */
static struct bpf_map *begin_element_call(napi_env env, napi_callback_info info, napi_value *argv, size_t count,
					  struct bytes *key)
{
	struct bpf_map *map;

	if (!begin_call(env, info, argv, count))
		return NULL;
	map = read_loaded_map(env, argv[0], argv[1]);
	return map && read_exact_bytes(env, argv[2], "key", bpf_map__key_size(map), key) ? map : NULL;
}

/* mapGet(object, map, key: Uint8Array, into: Uint8Array): whether the key is there, its value put into `into` */
static napi_value map_get(napi_env env, napi_callback_info info)
{
	struct bytes key, into;
	struct bpf_map *map;
	napi_value argv[4];
	int error;

	map = begin_element_call(env, info, argv, ARRAY_SIZE(argv), &key);
	if (!map || !read_exact_bytes(env, argv[3], "into", value_stride(map), &into))
		return NULL;
	error = bpf_map_lookup_elem(bpf_map__fd(map), key.data, into.data);
	if (!error || error == -ENOENT)
		return boolean(env, !error);
	return throw_errno(env, error, "get", bpf_map__name(map));
}

/* mapSet(object, map, key: Uint8Array, value: Uint8Array, flags) */
static napi_value map_set(napi_env env, napi_callback_info info)
{
	struct bytes key, value;
	struct bpf_map *map;
	napi_value argv[5];
	uint32_t flags;
	int error;

	map = begin_element_call(env, info, argv, ARRAY_SIZE(argv), &key);
	if (!map || !read_exact_bytes(env, argv[3], "value", value_stride(map), &value) ||
	    !read_u32(env, argv[4], "flags", &flags))
		return NULL;
	error = bpf_map_update_elem(bpf_map__fd(map), key.data, value.data, flags);
	return error ? throw_errno(env, error, "set", bpf_map__name(map)) : undefined(env);
}

/* mapDelete(object, map, key: Uint8Array): whether the key was there */
static napi_value map_delete(napi_env env, napi_callback_info info)
{
	struct bpf_map *map;
	napi_value argv[3];
	struct bytes key;
	int error;

	map = begin_element_call(env, info, argv, ARRAY_SIZE(argv), &key);
	if (!map)
		return NULL;
	error = bpf_map_delete_elem(bpf_map__fd(map), key.data);
	if (!error || error == -ENOENT)
		return boolean(env, !error);
	return throw_errno(env, error, "delete", bpf_map__name(map));
}

/* mapInitialValue(object, map): Buffer | undefined, a copy of what global data starts with */
static napi_value map_initial_value(napi_env env, napi_callback_info info)
{
	struct bpf_map *map;
	const void *data;
	napi_value argv[2];
	size_t size = 0;

	map = begin_map_call(env, info, argv, ARRAY_SIZE(argv));
	if (!map)
		return NULL;
	data = bpf_map__initial_value(map, &size);
	return data ? copy_bytes(env, data, size) : undefined(env);
}

/* mapWriteInitialValue(object, map, offset, bytes: Uint8Array): before the load */
static napi_value map_write_initial_value(napi_env env, napi_callback_info info)
{
	uint32_t index, offset;
	struct object *object;
	struct bytes bytes;
	napi_value argv[4];
	size_t size = 0;
	const void *data;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	object = read_map_index(env, argv[0], argv[1], &index);
	if (!object || !read_u32(env, argv[2], "offset", &offset) || !read_bytes(env, argv[3], "bytes", &bytes))
		return NULL;
	if (object->load_tried) {
		napi_throw_error(env, "ERR_ALREADY_LOADED", "The initial value can only be set before the load");
		return NULL;
	}
	data = bpf_map__initial_value(object->maps[index], &size);
	if (!data || offset > size || bytes.size > size - offset)
		return throw_range(env, "bytes", "within the initial value of the map");
	/* libbpf hands its private memory out as const, and writes the kernel's copy from it at the load. */
	memcpy((uint8_t *)(uintptr_t)data + offset, bytes.data, bytes.size);
	return undefined(env);
}

static void unmap(napi_env env, void *data, void *hint)
{
	(void)env;
	munmap(data, (size_t)(uintptr_t)hint);
}

/*
 * mapMmap(object, map): ArrayBuffer over the map's own memory. It stays mapped for as long as the
 * ArrayBuffer lives, whatever happens to the object.
 */
static napi_value map_mmap(napi_env env, napi_callback_info info)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size, mapped;
	napi_value argv[2], result;
	struct bpf_map *map;
	void *data;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	map = read_loaded_map(env, argv[0], argv[1]);
	if (!map)
		return NULL;
	size = ((size_t)bpf_map__value_size(map) + 7) / 8 * 8 * bpf_map__max_entries(map);
	mapped = (size + page - 1) / page * page;
	data = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (data == MAP_FAILED)
		return throw_errno(env, errno, "mmap", bpf_map__name(map));
	if (napi_create_external_arraybuffer(env, data, size, unmap, (void *)(uintptr_t)mapped, &result) != napi_ok) {
		munmap(data, mapped);
		return throw_errno(env, ENOMEM, "mmap", bpf_map__name(map));
	}
	return result;
}

void register_map(napi_env env, napi_value exports)
{
	export_function(env, exports, "mapDescribe", map_describe);
	export_function(env, exports, "mapSetMaxEntries", map_set_max_entries);
	export_function(env, exports, "mapGet", map_get);
	export_function(env, exports, "mapSet", map_set);
	export_function(env, exports, "mapDelete", map_delete);
	export_function(env, exports, "mapInitialValue", map_initial_value);
	export_function(env, exports, "mapWriteInitialValue", map_write_initial_value);
	export_function(env, exports, "mapMmap", map_mmap);
}
