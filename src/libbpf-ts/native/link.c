// SPDX-License-Identifier: MIT
/* What holds a program attached: a link of the kernel, or a tc filter. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "addon.h"

struct link {
	struct handle handle;
	struct bpf_link *bpf;
	struct opened *opened; /* of bpf: libbpf's links of USDT probes point into their object */
	struct tc_filter *filter; /* instead of bpf: tc has filters, not links */
};

static void release_link(struct handle *handle)
{
	struct link *link = (struct link *)handle;

	if (link->bpf) {
		bpf_link__destroy(link->bpf);
		drop_opened(link->opened);
	}
	if (link->filter) {
		tc_detach(link->filter);
		tc_free(link->filter);
	}
	link->bpf = NULL;
	link->opened = NULL;
	link->filter = NULL;
}

/* libbpf frees its links whether they detach or not; a filter can be tried again. */
static int detach_filter(struct handle *handle)
{
	struct link *link = (struct link *)handle;

	return link->filter ? tc_detach(link->filter) : 0;
}

const struct handle_class link_class = { .name = "link", .detach = detach_filter, .release = release_link };

static napi_value wrap(napi_env env, struct link fields)
{
	struct link *link = malloc(sizeof(*link));

	if (!link) {
		release_link(&fields.handle);
		return throw_errno(env, ENOMEM, "attach", NULL);
	}
	*link = fields;
	return wrap_handle(env, &link->handle, &link_class);
}

napi_value wrap_link(napi_env env, struct object *object, struct bpf_link *link)
{
	return wrap(env, (struct link){ .bpf = link, .opened = hold_opened(object->opened) });
}

napi_value wrap_tc_link(napi_env env, struct tc_filter *filter)
{
	return wrap(env, (struct link){ .filter = filter });
}

static struct link *read_link(napi_env env, napi_value value)
{
	return (struct link *)read_handle(env, value, "link", &link_class);
}

/* A link the kernel knows as one; a tc filter throws. */
static struct bpf_link *read_kernel_link(napi_env env, napi_value value, const char *operation)
{
	struct link *link = read_link(env, value);

	if (link && !link->bpf)
		throw_errno(env, EOPNOTSUPP, operation, "a tc filter");
	return link ? link->bpf : NULL;
}

/* linkDetach(link): whether the kernel could; where it can't, closing does it */
static napi_value link_detach(napi_env env, napi_callback_info info)
{
	napi_value argv[1];
	struct link *link;
	int error;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	link = read_link(env, argv[0]);
	if (!link)
		return NULL;
	error = link->filter ? tc_detach(link->filter) : bpf_link__detach(link->bpf);
	if (error == -EOPNOTSUPP || error == -EINVAL)
		return boolean(env, false);
	return error ? throw_errno(env, error, "detach", NULL) : boolean(env, true);
}

/* linkPin(link, path: string) */
static napi_value link_pin(napi_env env, napi_callback_info info)
{
	char path[PATH_MAX_LENGTH];
	struct bpf_link *link;
	napi_value argv[2];
	int error;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	link = read_kernel_link(env, argv[0], "pin");
	if (!link || !read_string(env, argv[1], "path", path, sizeof(path)))
		return NULL;
	error = bpf_link__pin(link, path);
	return error ? throw_errno(env, error, "pin", path) : undefined(env);
}

/* linkUnpin(link) */
static napi_value link_unpin(napi_env env, napi_callback_info info)
{
	struct bpf_link *link;
	napi_value argv[1];
	int error;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	link = read_kernel_link(env, argv[0], "unpin");
	if (!link)
		return NULL;
	error = bpf_link__unpin(link);
	return error ? throw_errno(env, error, "unpin", NULL) : undefined(env);
}

/* linkPinPath(link): string | undefined */
static napi_value link_pin_path(napi_env env, napi_callback_info info)
{
	napi_value argv[1];
	struct link *link;
	const char *path;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	link = read_link(env, argv[0]);
	if (!link)
		return NULL;
	path = link->bpf ? bpf_link__pin_path(link->bpf) : NULL;
	return path ? string(env, path) : undefined(env);
}

/* linkInfo(link): {id, type, programId} */
static napi_value link_info(napi_env env, napi_callback_info info)
{
	struct bpf_link *link;
	napi_value argv[1];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	link = read_kernel_link(env, argv[0], "info");
	return link ? describe_link(env, bpf_link__fd(link)) : NULL;
}

static int read_all(int fd, uint8_t **data, size_t *size)
{
	size_t capacity = 0;

	*data = NULL;
	*size = 0;
	for (;;) {
		ssize_t count;

		if (*size == capacity) {
			size_t wanted = capacity ? capacity * 2 : 64 * 1024;
			uint8_t *grown = realloc(*data, wanted);

			if (!grown)
				return -ENOMEM;
			*data = grown;
			capacity = wanted;
		}
		count = read(fd, *data + *size, capacity - *size);
		if (count == 0)
			return 0;
		if (count > 0)
			*size += (size_t)count;
		else if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

/* iterRead(link): Buffer, all that one run of the iterator writes */
static napi_value iter_read(napi_env env, napi_callback_info info)
{
	napi_value argv[1], result = NULL;
	struct bpf_link *link;
	uint8_t *data;
	size_t size;
	int fd, error;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	link = read_kernel_link(env, argv[0], "read");
	if (!link)
		return NULL;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return throw_errno(env, fd, "create iterator", NULL);
	error = read_all(fd, &data, &size);
	close(fd);
	if (!error)
		result = copy_bytes(env, data, size);
	free(data);
	return error ? throw_errno(env, error, "read iterator", NULL) : result;
}

void register_link(napi_env env, napi_value exports)
{
	export_function(env, exports, "linkDetach", link_detach);
	export_function(env, exports, "linkPin", link_pin);
	export_function(env, exports, "linkUnpin", link_unpin);
	export_function(env, exports, "linkPinPath", link_pin_path);
	export_function(env, exports, "linkInfo", link_info);
	export_function(env, exports, "iterRead", iter_read);
}
