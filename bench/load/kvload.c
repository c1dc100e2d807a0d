// SPDX-License-Identifier: MIT
/*
 * kvload: an epoll load generator for memcached's text protocol, Redis and HTTP.
 *
 * Sends exactly --requests N (or for --seconds S) and waits for every answer; anything else is a
 * failure. In the closed loop a request is due when its connection has room for it; with --rate it
 * is due at its place in the schedule, and its latency counts from then, sent in time or not.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NSEC 1000000000ULL
#define SUB_BITS 7 /* 128 steps an octave: a quantile is at most 0.8 % too high */
#define MAX_OUTSTANDING_BYTES (64UL << 20)

enum protocol { MEMCACHED, REDIS, HTTP };

struct conn {
	int fd;
	bool want_out;	 /* EPOLLOUT is armed */
	bool last_reply; /* the server announced that it closes after this one */
	bool hit, value_ends_reply;
	uint32_t first, in_flight; /* ring of due times */
	size_t unsent;		   /* always the last bytes of out_buf: whole requests after a part */
	size_t skip;		   /* bytes of the value still to come */
	long length;		   /* HTTP's Content-Length, -1 until it is seen */
	size_t line_len;
	uint64_t *due;
	char line[256];
};

static struct {
	const char *host, *port;
	enum protocol protocol;
	long connections, requests, value_bytes, set_bytes, pipeline, timeout;
	double seconds, rate;
	bool reconnect, idle_first;
} opt = { "127.0.0.1", NULL, MEMCACHED, 1, -1, -1, -1, 1, 120, 0, 0, false, false };

static struct addrinfo *server;
static struct conn *conns;
static int epfd, timer_fd;
static char *out_buf;
static size_t out_len, request_len;
static uint64_t sent, answered, misses, started, stop_at, armed_for;
/* Open loop: connections with room, as a queue so that all get their turn. */
static uint32_t *idle_conns;
static uint64_t idle_head, idle_tail;
static uint64_t buckets[64 << SUB_BITS], max_ns, sum_ns;

static void __attribute__((noreturn, format(printf, 2, 3))) die(int code, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "kvload: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (%llu sent, %llu answered)\n", (unsigned long long)sent, (unsigned long long)answered);
	exit(code);
}

static void on_timeout(int sig)
{
	static const char message[] = "kvload: timed out before every request was answered\n";

	(void)sig;
	if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
		_exit(3);
	_exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NSEC + t.tv_nsec;
}

static void record(uint64_t ns)
{
	int shift = ns >> SUB_BITS ? 63 - __builtin_clzll(ns) - SUB_BITS : 0;

	buckets[((uint64_t)shift << SUB_BITS) + (ns >> shift)]++;
	sum_ns += ns;
	if (ns > max_ns)
		max_ns = ns;
}

static double percentile_us(double p)
{
	uint64_t rank = p * answered, seen = 0, top;

	if (rank >= answered)
		rank = answered - 1;
	for (size_t i = 0; i < sizeof(buckets) / sizeof(*buckets); i++) {
		seen += buckets[i];
		if (seen <= rank)
			continue;
		/* From its second row on, record() fills only the upper half of 256 steps. */
		int shift = i < 2 << SUB_BITS ? 0 : (i >> SUB_BITS) - 1;
		top = ((i - ((uint64_t)shift << SUB_BITS) + 1) << shift) - 1;
		return (top < max_ns ? top : max_ns) / 1e3;
	}
	return max_ns / 1e3;
}

static void watch(struct conn *c, int op, bool out)
{
	struct epoll_event ev = { .events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c };

	if (epoll_ctl(epfd, op, c->fd, &ev))
		die(1, "epoll_ctl: %s", strerror(errno));
	c->want_out = out;
}

static void open_conn(struct conn *c, int flags)
{
	int one = 1;

	c->fd = socket(server->ai_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (c->fd < 0)
		die(1, "socket: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, server->ai_addr, server->ai_addrlen) && errno != EINPROGRESS)
		die(1, "connect to %s port %s: %s", opt.host, opt.port, strerror(errno));
}

static void flush_conn(struct conn *c)
{
	while (c->unsent) {
		ssize_t n = send(c->fd, out_buf + out_len - c->unsent, c->unsent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			die(1, "send: %s", strerror(errno));
		if (n < 0)
			break;
		c->unsent -= n;
	}
	if (c->want_out != !!c->unsent)
		watch(c, EPOLL_CTL_MOD, !!c->unsent);
}

/* True while there is another request to send; *due is when. */
static bool next_due(uint64_t now, uint64_t *due)
{
	*due = opt.rate > 0 ? started + (uint64_t)(sent * (NSEC / opt.rate)) : now;
	return opt.requests >= 0 ? sent < (uint64_t)opt.requests : *due < stop_at;
}

static void send_due(struct conn *c, uint64_t now)
{
	uint64_t due;

	while (c->in_flight < opt.pipeline && next_due(now, &due) && due <= now) {
		c->due[(c->first + c->in_flight++) % opt.pipeline] = due;
		c->unsent += request_len;
		sent++;
	}
	flush_conn(c);
}

/* Open loop: hand what is due to the connections in turn, then sleep until the next is. */
static void send_scheduled(uint64_t now)
{
	uint64_t due, slots = (uint64_t)opt.connections * opt.pipeline;

	while (next_due(now, &due)) {
		if (due > now) {
			struct itimerspec at = { .it_value = { due / NSEC, due % NSEC } };

			if (armed_for != due && timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL))
				die(1, "timerfd_settime: %s", strerror(errno));
			armed_for = due;
			return;
		}
		if (idle_head == idle_tail)
			return;
		struct conn *c = &conns[idle_conns[idle_head++ % slots]];

		c->due[(c->first + c->in_flight++) % opt.pipeline] = due;
		c->unsent += request_len;
		sent++;
		flush_conn(c);
	}
}

static void end_reply(struct conn *c, uint64_t now)
{
	if (!c->in_flight)
		die(1, "an answer to no request");
	record(now - c->due[c->first]);
	c->first = (c->first + 1) % opt.pipeline;
	c->in_flight--;
	answered++;
	misses += !c->hit && opt.set_bytes < 0;
	c->hit = c->value_ends_reply = false;
	c->length = -1;
	if (opt.rate > 0)
		idle_conns[idle_tail++ % ((uint64_t)opt.connections * opt.pipeline)] = c - conns;
}

/* One line of an answer, without its line end. */
static void take_line(struct conn *c, const char *line, uint64_t now)
{
	const char *number;

	if (opt.protocol == MEMCACHED && !strncmp(line, "VALUE ", 6) && (number = strrchr(line, ' '))) {
		c->skip = strtoul(number, NULL, 10) + 2;
		c->hit = true;
	} else if (opt.protocol == MEMCACHED && (!strcmp(line, "END") || !strcmp(line, "STORED"))) {
		end_reply(c, now);
	} else if (opt.protocol == REDIS && line[0] == '$' && isdigit((unsigned char)line[1])) {
		c->skip = strtoul(line + 1, NULL, 10) + 2;
		c->hit = c->value_ends_reply = true;
	} else if (opt.protocol == REDIS && (line[0] == '+' || !strcmp(line, "$-1"))) {
		end_reply(c, now);
	} else if (opt.protocol == HTTP && !strncmp(line, "HTTP/1.", 7) && !strncmp(line + 8, " 200", 4)) {
		c->hit = true;
	} else if (opt.protocol == HTTP && c->hit && line[0]) {
		if (!strncasecmp(line, "Content-Length:", 15))
			c->length = strtol(line + 15, NULL, 10);
		c->last_reply |= !strcasecmp(line, "Connection: close");
	} else if (opt.protocol == HTTP && c->hit && c->length >= 0) {
		c->skip = c->length;
		c->value_ends_reply = c->skip > 0;
		if (!c->skip)
			end_reply(c, now);
	} else {
		die(1, "the server answered: %s", line[0] ? line : "no Content-Length");
	}
}

static void take_bytes(struct conn *c, const char *p, size_t n, uint64_t now)
{
	while (n) {
		size_t step = c->skip < n ? c->skip : n;

		if (step) {
			c->skip -= step;
			if (!c->skip && c->value_ends_reply)
				end_reply(c, now);
		} else {
			const char *end = memchr(p, '\n', n);

			step = end ? (size_t)(end - p) + 1 : n;
			if (c->line_len + step >= sizeof(c->line))
				die(1, "the server answered with a line that is too long");
			memcpy(c->line + c->line_len, p, step);
			c->line_len += step;
			if (end) {
				c->line[c->line_len - 1] = '\0';
				if (c->line_len > 1 && c->line[c->line_len - 2] == '\r')
					c->line[c->line_len - 2] = '\0';
				c->line_len = 0;
				take_line(c, c->line, now);
			}
		}
		p += step;
		n -= step;
	}
}

static void on_event(struct conn *c, uint32_t events)
{
	static char in[1 << 16];
	uint64_t now, answered_before = answered;

	if (events & EPOLLOUT)
		flush_conn(c);
	if (!(events & ~EPOLLOUT))
		return;
	ssize_t n = recv(c->fd, in, sizeof(in), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		die(1, "recv: %s", strerror(errno));
	if (n == 0)
		die(1, "the server closed a connection");
	now = now_ns();
	take_bytes(c, in, n, now);
	if (answered == answered_before)
		return;
	if (opt.reconnect || (c->last_reply && !c->in_flight)) {
		uint64_t due;

		close(c->fd);
		c->last_reply = false;
		if (!next_due(now, &due)) {
			c->fd = -1;
			return;
		}
		open_conn(c, SOCK_NONBLOCK);
		watch(c, EPOLL_CTL_ADD, false);
	}
	if (opt.rate <= 0)
		send_due(c, now);
}

static void run(void)
{
	struct epoll_event events[256];
	uint64_t now = now_ns(), due, ticks;

	started = now;
	stop_at = now + (uint64_t)(opt.seconds * NSEC);
	for (long i = 0; i < opt.connections; i++) {
		watch(&conns[i], EPOLL_CTL_ADD, false);
		if (opt.rate <= 0)
			send_due(&conns[i], now_ns());
	}
	while (next_due(now, &due) || answered < sent) {
		if (opt.rate > 0)
			send_scheduled(now);
		int n = epoll_wait(epfd, events, 256, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_event(events[i].data.ptr, events[i].events);
			else if (read(timer_fd, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
				die(1, "timerfd: %s", strerror(errno));
		}
		now = now_ns();
	}
}

/* Builds one request; the caller repeats it. */
static char *build_request(long set_bytes, const char *key, size_t *len)
{
	size_t size = 256 + (set_bytes > 0 ? set_bytes : 0);
	char *request = malloc(size);

	if (!request)
		die(1, "out of memory");
	if (opt.protocol == HTTP)
		*len = sprintf(request, "GET / HTTP/1.1\r\nHost: taut\r\n\r\n");
	else if (set_bytes < 0 && opt.protocol == REDIS)
		*len = sprintf(request, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(key), key);
	else if (set_bytes < 0)
		*len = sprintf(request, "get %s\r\n", key);
	else if (opt.protocol == REDIS)
		*len = sprintf(request, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%ld\r\n", strlen(key), key, set_bytes);
	else
		*len = sprintf(request, "set %s 0 0 %ld\r\n", key, set_bytes);
	if (set_bytes >= 0) {
		memset(request + *len, 'v', set_bytes);
		memcpy(request + *len + set_bytes, "\r\n", 2);
		*len += set_bytes + 2;
	}
	return request;
}

/* Stores the value that the GETs will find, over a connection of its own, uncounted. */
static void preset_key(void)
{
	size_t len, done = 0;
	char *request = build_request(opt.value_bytes, "kvload", &len), reply[64] = "";
	struct conn c;

	open_conn(&c, 0);
	while (done < len) {
		ssize_t n = send(c.fd, request + done, len - done, MSG_NOSIGNAL);

		if (n < 0)
			die(1, "send: %s", strerror(errno));
		done += n;
	}
	if (recv(c.fd, reply, sizeof(reply) - 1, 0) <= 0 || (strncmp(reply, "STORED", 6) && strncmp(reply, "+OK", 3)))
		die(1, "the server did not store the value: %s", reply);
	close(c.fd);
	free(request);
}

static void prepare(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct rlimit files;
	char *request;
	int err = getaddrinfo(opt.host, opt.port, &hints, &server);

	if (err)
		die(2, "%s port %s: %s", opt.host, opt.port, gai_strerror(err));
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGALRM, on_timeout);
	alarm(opt.timeout);
	if (opt.value_bytes >= 0)
		preset_key();

	request = build_request(opt.set_bytes, opt.set_bytes < 0 ? "kvload" : "kvload-set", &request_len);
	out_len = request_len * opt.pipeline;
	if (out_len > MAX_OUTSTANDING_BYTES)
		die(2, "--set-bytes times --pipeline is more than 64 MB");
	out_buf = malloc(out_len);
	conns = calloc(opt.connections, sizeof(*conns));
	idle_conns = calloc(opt.connections * opt.pipeline, sizeof(*idle_conns));
	epfd = epoll_create1(EPOLL_CLOEXEC);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN };

	if (!out_buf || !conns || !idle_conns || epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, timer_fd, &ev))
		die(1, "prepare: %s", strerror(errno));
	for (long i = 0; i < opt.pipeline; i++)
		memcpy(out_buf + i * request_len, request, request_len);
	free(request);
	for (long i = 0; i < opt.connections; i++) {
		conns[i].length = -1;
		conns[i].due = calloc(opt.pipeline, sizeof(*conns[i].due));
		if (!conns[i].due)
			die(1, "out of memory");
		open_conn(&conns[i], 0);
	}
	while (idle_tail < (uint64_t)opt.connections * opt.pipeline) {
		idle_conns[idle_tail] = idle_tail % opt.connections;
		idle_tail++;
	}
}

static void __attribute__((noreturn)) usage(int code)
{
	fprintf(code ? stderr : stdout,
		"kvload --port PORT (--requests N | --seconds S) [options]\n"
		"  --host ADDR        IPv4 or IPv6 address (127.0.0.1)\n"
		"  --protocol NAME    memcached, redis or http (memcached)\n"
		"  --connections C    (1)\n"
		"  --pipeline D       requests in flight on a connection (1)\n"
		"  --rate R           requests a second in all, on schedule; without it as fast as answered\n"
		"  --value-bytes B    store a value of B bytes first, so that the GETs hit\n"
		"  --set-bytes B      send SETs of B bytes instead of GETs\n"
		"  --reconnect        a new connection for every request\n"
		"  --idle-first       connect, print \"connected\", wait for a line on stdin, then send\n"
		"  --timeout S        give up after S seconds (120)\n");
	exit(code);
}

static double number(const char *name, const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= min && value <= max)) {
		fprintf(stderr, "kvload: --%s: %s is not between %g and %g\n", name, text, min, max);
		exit(2);
	}
	return value;
}

static void parse_options(int argc, char **argv)
{
	enum { HOST, PORT, PROTOCOL, CONNECTIONS, REQUESTS, SECONDS, VALUE, SET, PIPELINE, RATE, TIMEOUT,
	       RECONNECT, IDLE_FIRST, HELP };
	static const struct option options[] = {
		{ "host", 1, 0, HOST }, { "port", 1, 0, PORT }, { "protocol", 1, 0, PROTOCOL },
		{ "connections", 1, 0, CONNECTIONS }, { "requests", 1, 0, REQUESTS }, { "seconds", 1, 0, SECONDS },
		{ "value-bytes", 1, 0, VALUE }, { "set-bytes", 1, 0, SET }, { "pipeline", 1, 0, PIPELINE },
		{ "rate", 1, 0, RATE }, { "timeout", 1, 0, TIMEOUT }, { "reconnect", 0, 0, RECONNECT },
		{ "idle-first", 0, 0, IDLE_FIRST }, { "help", 0, 0, HELP }, { 0 },
	};
	int which, i;

	while ((which = getopt_long(argc, argv, "", options, &i)) != -1) {
		const char *name = which == '?' ? "" : options[i].name;

		switch (which) {
		case HOST: opt.host = optarg; break;
		case PORT: number(name, optarg, 1, 65535); opt.port = optarg; break;
		case PROTOCOL:
			if (strcmp(optarg, "memcached") && strcmp(optarg, "redis") && strcmp(optarg, "http"))
				usage(2);
			opt.protocol = optarg[0] == 'm' ? MEMCACHED : optarg[0] == 'r' ? REDIS : HTTP;
			break;
		case CONNECTIONS: opt.connections = number(name, optarg, 1, 100000); break;
		case REQUESTS: opt.requests = number(name, optarg, 1, 1e12); break;
		case SECONDS: opt.seconds = number(name, optarg, 0.001, 86400); break;
		case VALUE: opt.value_bytes = number(name, optarg, 0, 1 << 30); break;
		case SET: opt.set_bytes = number(name, optarg, 0, 1 << 25); break;
		case PIPELINE: opt.pipeline = number(name, optarg, 1, 4096); break;
		case RATE: opt.rate = number(name, optarg, 0.001, 1e8); break;
		case TIMEOUT: opt.timeout = number(name, optarg, 1, 86400); break;
		case RECONNECT: opt.reconnect = true; break;
		case IDLE_FIRST: opt.idle_first = true; break;
		case HELP: usage(0);
		default: usage(2);
		}
	}
	if (optind != argc || !opt.port || (opt.requests < 0) == !(opt.seconds > 0) ||
	    (opt.reconnect && opt.pipeline > 1) || (opt.protocol == HTTP && (opt.set_bytes >= 0 || opt.value_bytes >= 0)))
		usage(2);
}

/* For how long this thread was on a CPU, and ready and had to wait for one, in its whole life; 0 where the kernel does not tell. */
struct scheduled {
	long ran_ns, waited_ns;
};

static struct scheduled read_scheduled(void)
{
	FILE *file = fopen("/proc/self/schedstat", "r");
	struct scheduled s;
	int fields = file ? fscanf(file, "%ld %ld", &s.ran_ns, &s.waited_ns) : 0;

	if (file)
		fclose(file);
	return fields == 2 ? s : (struct scheduled){ 0 };
}

int main(int argc, char **argv)
{
	char line[64];
	double seconds;
	struct scheduled before, after;

	parse_options(argc, argv);
	prepare();
	if (opt.idle_first) {
		printf("connected\n");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			die(1, "stdin closed before the start");
	}
	before = read_scheduled();
	run();
	after = read_scheduled();
	seconds = (now_ns() - started) / 1e9;
	if (answered != sent || !answered || (opt.requests >= 0 && answered != (uint64_t)opt.requests))
		die(1, "not every request was answered");
	printf("{\"requests\":%llu,\"misses\":%llu,\"connections\":%ld,\"seconds\":%.6f,\"rate\":%.1f,"
	       "\"mean_us\":%.3f,\"p50_us\":%.3f,\"p90_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,\"max_us\":%.3f,"
	       "\"cpu_us\":%.3f,\"run_delay_us\":%.3f}\n",
	       (unsigned long long)answered, (unsigned long long)misses, opt.connections, seconds, answered / seconds,
	       sum_ns / 1e3 / answered, percentile_us(0.5), percentile_us(0.9), percentile_us(0.99),
	       percentile_us(0.999), max_ns / 1e3, (after.ran_ns - before.ran_ns) / 1e3 / answered,
	       (after.waited_ns - before.waited_ns) / 1e3 / answered);
	return fclose(stdout) ? 1 : 0;
}
