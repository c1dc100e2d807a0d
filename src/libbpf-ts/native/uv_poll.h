/* SPDX-License-Identifier: MIT */
/*
 * The little of libuv that watches a descriptor, declared here since Node's packages often come
 * without uv.h. These are unchanged in all of libuv 1.x, which keeps its binary interface.
 */
#ifndef LIBBPF_TS_UV_POLL_H
#define LIBBPF_TS_UV_POLL_H

#include <stddef.h>

enum { UV_POLL = 8 };
enum { UV_READABLE = 1 };

typedef struct uv_poll_s uv_poll_t;
struct uv_loop_s;

extern size_t uv_handle_size(int type);
extern const char *uv_handle_type_name(int type);
extern void uv_handle_set_data(uv_poll_t *handle, void *data);
extern void *uv_handle_get_data(const uv_poll_t *handle);
extern int uv_poll_init(struct uv_loop_s *loop, uv_poll_t *handle, int fd);
extern int uv_poll_start(uv_poll_t *handle, int events, void (*callback)(uv_poll_t *, int status, int events));
extern int uv_poll_stop(uv_poll_t *handle);
extern void uv_close(uv_poll_t *handle, void (*callback)(uv_poll_t *));
extern void uv_ref(uv_poll_t *handle);
extern void uv_unref(uv_poll_t *handle);

#endif
