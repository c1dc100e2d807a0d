// SPDX-License-Identifier: MIT
/*
 * Ring buffers: their pages mapped, watched in the event loop, and copied out in batches.
 *
 * libbpf's ring_buffer__consume calls back for every record. Here a batch of them is copied, in
 * frames as the kernel has them: a 32-bit length, 32 bits of the kernel's own, the record, padding
 * to 8 bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "addon.h"
#include "uv_poll.h"

/* More than anyone has, and few enough that their sizes add up without overflow. */
#define MOST_RINGS 1024

struct ring {
	int fd;
	size_t size; /* a power of two */
	unsigned long *consumer_position;
	const unsigned long *producer_position;
	const uint8_t *data; /* mapped twice in a row, so that nothing wraps */
};

struct ring_handle;

struct watch {
	struct ring_handle *owner; /* NULL once JavaScript has let go */
	napi_env env;
	napi_ref callback;
	napi_async_cleanup_hook_handle hook;
	uv_poll_t *poll; /* NULL until it is in the loop */
	int epoll_fd;
	bool closing;
	uint32_t count;
	struct ring rings[];
};

/* The watch outlives the handle: the event loop takes a turn to let go of it. */
struct ring_handle {
	struct handle handle;
	struct watch *watch;
};

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void free_watch(struct watch *watch)
{
	for (uint32_t i = 0; i < watch->count; i++) {
		struct ring *ring = &watch->rings[i];

		if (ring->consumer_position)
			munmap(ring->consumer_position, page_size());
		if (ring->producer_position)
			munmap((void *)(uintptr_t)ring->producer_position, page_size() + 2 * ring->size);
		if (ring->fd >= 0)
			close(ring->fd);
	}
	if (watch->epoll_fd >= 0)
		close(watch->epoll_fd);
	if (watch->owner)
		watch->owner->watch = NULL;
	free(watch->poll);
	free(watch);
}

static void finish_close(uv_poll_t *poll)
{
	struct watch *watch = uv_handle_get_data(poll);
	napi_async_cleanup_hook_handle hook = watch->hook;

	free_watch(watch);
	if (hook)
		napi_remove_async_cleanup_hook(hook);
}

static void close_watch(struct watch *watch)
{
	if (watch->closing)
		return;
	watch->closing = true;
	if (watch->callback)
		napi_delete_reference(watch->env, watch->callback);
	watch->callback = NULL;
	uv_close(watch->poll, finish_close);
}

/* The environment ends, and waits until finish_close has removed this hook. */
static void end_environment(napi_async_cleanup_hook_handle hook, void *data)
{
	(void)hook;
	close_watch(data);
}

static void release_ring(struct handle *handle)
{
	struct ring_handle *owner = (struct ring_handle *)handle;

	if (!owner->watch)
		return;
	owner->watch->owner = NULL;
	close_watch(owner->watch);
	owner->watch = NULL;
}

static const struct handle_class ring_class = { .name = "ring buffer", .release = release_ring };

static struct watch *read_watch(napi_env env, napi_value value)
{
	struct ring_handle *owner = (struct ring_handle *)read_handle(env, value, "ring", &ring_class);

	if (!owner)
		return NULL;
	if (!owner->watch || owner->watch->closing) {
		napi_throw_error(env, "ERR_CLOSED", "The ring buffer is closed");
		return NULL;
	}
	return owner->watch;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = uv_handle_get_data(poll);
	napi_value callback = NULL, receiver = NULL, error = NULL;
	napi_env env = watch->env;
	napi_handle_scope scope;
	bool pending = false;

	(void)status; /* what is wrong with the descriptor shows when the callback drains it */
	(void)events;
	if (watch->closing || napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	napi_get_reference_value(env, watch->callback, &callback);
	napi_get_global(env, &receiver);
	/* The callback may close the watch: it is not touched any more. */
	if (callback && napi_make_callback(env, NULL, receiver, callback, 0, NULL, NULL) != napi_ok) {
		napi_is_exception_pending(env, &pending);
		if (pending && napi_get_and_clear_last_exception(env, &error) == napi_ok)
			napi_fatal_exception(env, error);
	}
	napi_close_handle_scope(env, scope);
}

static int map_ring(struct ring *ring, const struct bpf_map *map)
{
	size_t page = page_size();
	void *pages;

	ring->size = bpf_map__max_entries(map);
	ring->fd = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0);
	if (ring->fd < 0)
		return -errno;
	pages = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	if (pages == MAP_FAILED)
		return -errno;
	ring->consumer_position = pages;
	pages = mmap(NULL, page + 2 * ring->size, PROT_READ, MAP_SHARED, ring->fd, (off_t)page);
	if (pages == MAP_FAILED)
		return -errno;
	ring->producer_position = pages;
	ring->data = (const uint8_t *)pages + page;
	return 0;
}

static int watch_ring(struct watch *watch, const struct bpf_map *map)
{
	struct ring *ring = &watch->rings[watch->count];
	struct epoll_event event = { .events = EPOLLIN };
	int error;

	ring->fd = -1;
	watch->count++;
	error = map_ring(ring, map);
	if (!error && epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, ring->fd, &event))
		error = -errno;
	return error;
}

/* Enters the event loop, from where only uv_close leads out. */
static int enter_loop(napi_env env, struct watch *watch)
{
	struct uv_loop_s *loop;
	const char *type = uv_handle_type_name(UV_POLL);

	if (!type || strcmp(type, "poll") || napi_get_uv_event_loop(env, &loop) != napi_ok)
		return -ENOSYS;
	watch->poll = calloc(1, uv_handle_size(UV_POLL));
	if (!watch->poll)
		return -ENOMEM;
	uv_handle_set_data(watch->poll, watch);
	if (uv_poll_init(loop, watch->poll, watch->epoll_fd))
		return -EIO;
	uv_unref(watch->poll);
	return 0;
}

static struct bpf_map *read_ring_map(napi_env env, napi_value objects, napi_value maps, uint32_t index)
{
	napi_value object = NULL, map_index = NULL;
	struct bpf_map *map;

	napi_get_element(env, objects, index, &object);
	napi_get_element(env, maps, index, &map_index);
	map = read_loaded_map(env, object, map_index);
	if (!map || bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
		return map;
	throw_type(env, "maps", "of the type ringbuf");
	return NULL;
}

static bool read_array(napi_env env, napi_value value, const char *argument, uint32_t *length)
{
	bool is_array = false;

	napi_is_array(env, value, &is_array);
	if (!is_array)
		return throw_type(env, argument, "an array");
	napi_get_array_length(env, value, length);
	return true;
}

/* ringOpen(objects: object[], maps: number[], callback: () => void): called whenever there is something to drain */
static napi_value ring_open(napi_env env, napi_callback_info info)
{
	uint32_t count = 0, map_count = 0;
	struct ring_handle *owner;
	struct watch *watch;
	napi_value argv[3];
	int error = 0;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)) || !read_array(env, argv[0], "objects", &count) ||
	    !read_array(env, argv[1], "maps", &map_count) || !read_function(env, argv[2], "callback"))
		return NULL;
	if (count == 0 || count > MOST_RINGS || count != map_count)
		return throw_range(env, "maps", "an array of 1 to 1024 maps");

	watch = calloc(1, sizeof(*watch) + count * sizeof(watch->rings[0]));
	owner = calloc(1, sizeof(*owner));
	if (!watch || !owner) {
		free(watch);
		free(owner);
		return throw_errno(env, ENOMEM, "open ring buffer", NULL);
	}
	watch->env = env;
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll_fd < 0)
		error = -errno;
	for (uint32_t i = 0; i < count && !error; i++) {
		const struct bpf_map *map = read_ring_map(env, argv[0], argv[1], i);

		error = map ? watch_ring(watch, map) : -EINVAL;
	}
	if (!error)
		error = enter_loop(env, watch);
	if (error) {
		free(owner);
		free_watch(watch);
		return throw_errno(env, error, "open ring buffer", NULL); /* unless a map has thrown */
	}
	napi_create_reference(env, argv[2], 1, &watch->callback);
	napi_add_async_cleanup_hook(env, end_environment, watch, &watch->hook);
	watch->owner = owner;
	owner->watch = watch;
	return wrap_handle(env, &owner->handle, &ring_class);
}

/* Begins a call whose only argument is a ring. */
static struct watch *begin_ring_call(napi_env env, napi_callback_info info)
{
	napi_value argv[1];

	return begin_call(env, info, argv, ARRAY_SIZE(argv)) ? read_watch(env, argv[0]) : NULL;
}

/* ringStart(ring): calls back from now on, in every turn of the loop that finds something to drain */
static napi_value ring_start(napi_env env, napi_callback_info info)
{
	struct watch *watch = begin_ring_call(env, info);

	if (!watch)
		return NULL;
	if (uv_poll_start(watch->poll, UV_READABLE, on_readable))
		return throw_errno(env, EIO, "poll ring buffer", NULL);
	return undefined(env);
}

/* ringStop(ring): calls back no more */
static napi_value ring_stop(napi_env env, napi_callback_info info)
{
	struct watch *watch = begin_ring_call(env, info);

	if (!watch)
		return NULL;
	uv_poll_stop(watch->poll);
	return undefined(env);
}

/* ringRef(ring, alive: boolean): whether polling keeps the process alive */
static napi_value ring_ref(napi_env env, napi_callback_info info)
{
	struct watch *watch;
	napi_value argv[2];
	bool alive;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	watch = read_watch(env, argv[0]);
	if (!watch || !read_bool(env, argv[1], "alive", &alive))
		return NULL;
	if (alive)
		uv_ref(watch->poll);
	else
		uv_unref(watch->poll);
	return undefined(env);
}

static struct ring *read_ring(napi_env env, napi_value watch_value, napi_value index_value)
{
	struct watch *watch = read_watch(env, watch_value);
	uint32_t index;

	if (!watch || !read_u32(env, index_value, "index", &index))
		return NULL;
	if (index < watch->count)
		return &watch->rings[index];
	throw_range(env, "index", "that of a map of this ring buffer");
	return NULL;
}

static size_t frame_size(uint32_t header)
{
	return (BPF_RINGBUF_HDR_SZ + (size_t)(header & ~BPF_RINGBUF_DISCARD_BIT) + 7) / 8 * 8;
}

/* How far ahead of the walk memory is asked for: the processor's own guess ends with each page. */
#define PREFETCH_BYTES 2048

/* What is copied at once: small enough to be still in the first cache, where the walk has just put it. */
#define COPY_BYTES 2048

struct copy {
	const struct ring *ring;
	unsigned long from; /* the position that nothing behind has been copied from */
	uint8_t *to;
};

static void copy_up_to(struct copy *copy, unsigned long position)
{
	size_t size = position - copy->from;

	memcpy(copy->to, copy->ring->data + (copy->from & (copy->ring->size - 1)), size);
	copy->to += size;
	copy->from = position;
}

static inline uint32_t read_header(const struct ring *ring, unsigned long position)
{
	const uint8_t *frame = ring->data + (position & (ring->size - 1));

	__builtin_prefetch(frame + PREFETCH_BYTES);
	return __atomic_load_n((const uint32_t *)frame, __ATOMIC_ACQUIRE);
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/*
 * Copies finished records into the buffer and the place of each within it into offsets, one more
 * for the end. Returns their count; 0 when there is none; the negative size of the first frame
 * when not even that fits. Records that the program discarded are left out.
 */
static double drain(struct ring *ring, struct bytes buffer, uint32_t *offsets, size_t most)
{
	unsigned long position = __atomic_load_n(ring->consumer_position, __ATOMIC_RELAXED);
	unsigned long unread = __atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE) - position;
	unsigned long end = position + unread;
	struct copy copy = { .ring = ring, .from = position, .to = buffer.data };
	size_t size, used = 0, count = 0, refused = 0;

	if (unread > ring->size)
		return 0; /* somebody else moves the position: a second reader, which is a mistake */
	while (position != end) {
		uint32_t header = read_header(ring, position);
		size_t run;

		size = frame_size(header);
		if (header & BPF_RINGBUF_BUSY_BIT || size > end - position)
			break;
		if (header & BPF_RINGBUF_DISCARD_BIT) {
			copy_up_to(&copy, position);
			position += size;
			copy.from = position;
			continue;
		}
		run = smallest((buffer.size - used) / size, most - count, (end - position) / size);
		if (!run) {
			refused = size;
			break;
		}
		/*
		 * Most records are as long as the one before. Guessing so lets the processor go on to
		 * the next header before it has this one.
		 */
		do {
			offsets[count++] = (uint32_t)(used + BPF_RINGBUF_HDR_SZ);
			used += size;
			position += size;
			if (position - copy.from >= COPY_BYTES)
				copy_up_to(&copy, position);
		} while (--run && read_header(ring, position) == header);
	}
	copy_up_to(&copy, position);
	offsets[count] = (uint32_t)used;
	__atomic_store_n(ring->consumer_position, position, __ATOMIC_RELEASE);
	return count || !refused ? (double)count : -(double)refused;
}

/*
 * ringDrain(ring, index, buffer: Uint8Array, offsets: Uint32Array): the count of records copied,
 * or the negative size of the frame that needs a larger buffer
 */
static napi_value ring_drain(napi_env env, napi_callback_info info)
{
	struct bytes buffer;
	uint32_t *offsets;
	struct ring *ring;
	napi_value argv[4];
	size_t length;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	ring = read_ring(env, argv[0], argv[1]);
	if (!ring || !read_bytes(env, argv[2], "buffer", &buffer) ||
	    !read_words(env, argv[3], "offsets", &offsets, &length))
		return NULL;
	if (buffer.size > UINT32_MAX)
		return throw_range(env, "buffer", "smaller than 4 GiB");
	if (length < 2)
		return throw_range(env, "offsets", "at least 2 long");
	return number(env, drain(ring, buffer, offsets, length - 1));
}

/* ringUnread(ring, index): bytes that the ring holds, frames and records under way included */
static napi_value ring_unread(napi_env env, napi_callback_info info)
{
	unsigned long consumed;
	struct ring *ring;
	napi_value argv[2];

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)))
		return NULL;
	ring = read_ring(env, argv[0], argv[1]);
	if (!ring)
		return NULL;
	consumed = __atomic_load_n(ring->consumer_position, __ATOMIC_RELAXED);
	return number(env, (double)(__atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE) - consumed));
}

void register_ringbuf(napi_env env, napi_value exports)
{
	export_function(env, exports, "ringOpen", ring_open);
	export_function(env, exports, "ringStart", ring_start);
	export_function(env, exports, "ringStop", ring_stop);
	export_function(env, exports, "ringRef", ring_ref);
	export_function(env, exports, "ringDrain", ring_drain);
	export_function(env, exports, "ringUnread", ring_unread);
}
