/* SPDX-License-Identifier: MIT */
/* What the files of the addon share: arguments, errors, handles. */
#ifndef LIBBPF_TS_ADDON_H
#define LIBBPF_TS_ADDON_H

#define NAPI_VERSION 8
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if LIBBPF_MAJOR_VERSION < 1
#error "libbpf 1.0 or newer is needed: install libbpf-dev of Debian 12, Ubuntu 23.04 or newer"
#endif

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define NAME_MAX_LENGTH 256
#define PATH_MAX_LENGTH 4096

/* One JavaScript environment (the main thread, or a worker). */
struct instance {
	napi_ref error_factory;
	char *log; /* what libbpf said during the current call */
	size_t log_length;
	size_t log_capacity;
};

/* First member of everything that JavaScript holds by an external value. */
struct handle {
	const struct handle_class *class;
	bool released;
};

struct handle_class {
	const char *name;
	int (*detach)(struct handle *handle); /* where closing can be refused: tried before, a negative errno if so */
	void (*release)(struct handle *handle); /* gives back the resources, once */
};

/* What libbpf has of an object: some links need it until they are closed, which may be later than its handle. */
struct opened;

/* An opened object. Programs and maps are addressed by their index in it. */
struct object {
	struct handle handle;
	struct bpf_object *bpf;
	struct opened *opened; /* owns bpf */
	struct bpf_program **programs;
	struct bpf_map **maps;
	uint32_t program_count;
	uint32_t map_count;
	bool load_tried; /* libbpf takes one try, whether it works or not */
};

extern const struct handle_class object_class;
extern const struct handle_class link_class;

/* call.c: the frame of every call */
struct instance *begin_call(napi_env env, napi_callback_info info, napi_value *argv, size_t count);
napi_value undefined(napi_env env);
napi_value boolean(napi_env env, bool value);
napi_value number(napi_env env, double value);
napi_value bigint(napi_env env, uint64_t value);
napi_value string(napi_env env, const char *value);
napi_value copy_bytes(napi_env env, const void *data, size_t size);
void set_property(napi_env env, napi_value object, const char *name, napi_value value);
void export_function(napi_env env, napi_value exports, const char *name, napi_callback callback);

/* error.c: every function throws and returns NULL, to be returned as it is */
struct instance *capture_log(struct instance *instance);
void forget_log(struct instance *instance);
void silence_libbpf(void);
napi_value throw_errno(napi_env env, int error, const char *operation, const char *subject);
napi_value throw_type(napi_env env, const char *argument, const char *wanted);
napi_value throw_range(napi_env env, const char *argument, const char *wanted);

/* argument.c: each reads one argument, or throws an error that names it and returns false */
struct bytes {
	uint8_t *data;
	size_t size;
};
bool read_u32(napi_env env, napi_value value, const char *argument, uint32_t *result);
bool read_i32(napi_env env, napi_value value, const char *argument, int32_t *result);
bool read_u64(napi_env env, napi_value value, const char *argument, uint64_t *result);
bool read_bool(napi_env env, napi_value value, const char *argument, bool *result);
bool read_string(napi_env env, napi_value value, const char *argument, char *result, size_t size);
bool read_bytes(napi_env env, napi_value value, const char *argument, struct bytes *result);
bool read_exact_bytes(napi_env env, napi_value value, const char *argument, size_t size, struct bytes *result);
bool read_words(napi_env env, napi_value value, const char *argument, uint32_t **result, size_t *length);
bool read_function(napi_env env, napi_value value, const char *argument);
bool is_undefined(napi_env env, napi_value value);

/* handle.c */
napi_value wrap_handle(napi_env env, struct handle *handle, const struct handle_class *class);
struct handle *read_handle(napi_env env, napi_value value, const char *argument, const struct handle_class *class);
void register_handle(napi_env env, napi_value exports);

/* object.c */
struct object *read_object(napi_env env, napi_value value);
struct opened *hold_opened(struct opened *opened);
void drop_opened(struct opened *opened);
void register_object(napi_env env, napi_value exports);

/* program.c */
struct bpf_program *read_program(napi_env env, napi_value object, napi_value index);
struct bpf_program *read_loaded_program(napi_env env, napi_value object, napi_value index);
void register_program(napi_env env, napi_value exports);

/* map.c */
struct bpf_map *read_map(napi_env env, napi_value object, napi_value index);
struct bpf_map *read_loaded_map(napi_env env, napi_value object, napi_value index);
size_t value_stride(const struct bpf_map *map);
void register_map(napi_env env, napi_value exports);

/* tc.c */
struct tc_filter;
int tc_attach(int program_fd, uint32_t ifindex, bool egress, uint32_t priority, uint32_t handle,
	      struct tc_filter **result);
int tc_detach(struct tc_filter *filter);
void tc_free(struct tc_filter *filter);

/* link.c */
napi_value wrap_link(napi_env env, struct object *object, struct bpf_link *link);
napi_value wrap_tc_link(napi_env env, struct tc_filter *filter);

/* kernel.c */
napi_value describe_link(napi_env env, int fd);
void register_kernel(napi_env env, napi_value exports);

void register_attach(napi_env env, napi_value exports);
void register_batch(napi_env env, napi_value exports);
void register_feature(napi_env env, napi_value exports);
void register_link(napi_env env, napi_value exports);
void register_linker(napi_env env, napi_value exports);
void register_ringbuf(napi_env env, napi_value exports);

#endif
