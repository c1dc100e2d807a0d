// SPDX-License-Identifier: MIT
/* Many elements of a map in one call. */
#include <errno.h>
#include <string.h>

#include "addon.h"

#define KERNEL_ENOTSUPP 524 /* of the kernel's own, without a name in errno.h */

enum outcome { MORE, END, TOO_SMALL, UNSUPPORTED };

struct request {
	struct bpf_map *map;
	struct bytes token; /* where to go on from, written by each call */
	struct bytes keys;
	struct bytes values;
	uint32_t capacity; /* elements that keys and values have room for */
	bool first;
};

/* (object, map, first: boolean, token, keys, values: Uint8Array, capacity) */
static bool read_request(napi_env env, napi_callback_info info, struct request *request)
{
	napi_value argv[7];
	size_t stride;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return false;
	request->map = read_loaded_map(env, argv[0], argv[1]);
	if (!request->map || !read_bool(env, argv[2], "first", &request->first) ||
	    !read_bytes(env, argv[3], "token", &request->token) || !read_bytes(env, argv[4], "keys", &request->keys) ||
	    !read_bytes(env, argv[5], "values", &request->values) ||
	    !read_u32(env, argv[6], "capacity", &request->capacity))
		return false;
	stride = value_stride(request->map);
	/* The kernel's position in a hash is a 32-bit bucket, whatever the size of the key. */
	if (request->token.size < bpf_map__key_size(request->map) || request->token.size < sizeof(uint32_t))
		return throw_range(env, "token", "as long as a key, and at least 4 bytes");
	if (request->keys.size / (bpf_map__key_size(request->map) ?: 1) < request->capacity)
		return throw_range(env, "keys", "large enough for the capacity");
	if (request->values.size / (stride ?: 1) < request->capacity)
		return throw_range(env, "values", "large enough for the capacity");
	return true;
}

/* One number: elements read times 4, plus the outcome. */
static napi_value finish_request(napi_env env, uint32_t count, enum outcome outcome)
{
	return number(env, (double)count * 4 + outcome);
}

/* mapLookupBatch(...): by the kernel's batch operation */
static napi_value map_lookup_batch(napi_env env, napi_callback_info info)
{
	struct request request;
	uint32_t count;
	int error;

	if (!read_request(env, info, &request))
		return NULL;
	count = request.capacity;
	error = bpf_map_lookup_batch(bpf_map__fd(request.map), request.first ? NULL : request.token.data,
				     request.token.data, request.keys.data, request.values.data, &count, NULL);
	switch (-error) {
	case 0:
		return finish_request(env, count, MORE);
	case ENOENT:
		return finish_request(env, count, END);
	case ENOSPC: /* one bucket holds more than there is room for */
		return finish_request(env, 0, TOO_SMALL);
	case EINVAL:
	case EOPNOTSUPP:
	case KERNEL_ENOTSUPP:
		return finish_request(env, 0, UNSUPPORTED);
	default:
		return throw_errno(env, error, "read", bpf_map__name(request.map));
	}
}

/* mapLookupEach(...): by key after key */
static napi_value map_lookup_each(napi_env env, napi_callback_info info)
{
	size_t key_size, stride;
	struct request request;
	uint32_t count = 0;
	int fd, error;

	if (!read_request(env, info, &request))
		return NULL;
	fd = bpf_map__fd(request.map);
	key_size = bpf_map__key_size(request.map);
	stride = value_stride(request.map);
	while (count < request.capacity) {
		uint8_t *key = request.keys.data + count * key_size;

		error = bpf_map_get_next_key(fd, request.first ? NULL : request.token.data, key);
		if (error == -ENOENT)
			return finish_request(env, count, END);
		if (error)
			return throw_errno(env, error, "read", bpf_map__name(request.map));
		memcpy(request.token.data, key, key_size);
		request.first = false;
		error = bpf_map_lookup_elem(fd, key, request.values.data + count * stride);
		if (!error)
			count++;
		else if (error != -ENOENT) /* deleted meanwhile, or a hole in an array of files */
			return throw_errno(env, error, "read", bpf_map__name(request.map));
	}
	return finish_request(env, count, MORE);
}

void register_batch(napi_env env, napi_value exports)
{
	export_function(env, exports, "mapLookupBatch", map_lookup_batch);
	export_function(env, exports, "mapLookupEach", map_lookup_each);
}
