/* SPDX-License-Identifier: Apache-2.0 */
/* A client that costs next to nothing, so that what is measured is the server: bodies are dropped
 * in the kernel (MSG_TRUNC) instead of being copied, and what is pushed is digested before the
 * clock runs. (wrk reads 8 KiB at a time; with blobs of 10 MB it is the limit itself.)
 *
 *     http-load get PORT PATH CONNECTIONS SECONDS      prints requests a second (with parts of one)
 *     http-load push PORT NAME CONNECTIONS COUNT SIZE  prints pushes a second; COUNT a connection
 *
 * Everything goes to 127.0.0.1. Any answer but 2xx ends it with 1. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX  8192
#define EVENTS    64
#define DROP_SIZE ((size_t)1 << 30)

static void die(const char *what)
{
	fprintf(stderr, "http-load: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned long number(const char *s)
{
	return strtoul(s, NULL, 10);
}

static int dial(const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)number(port)),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("connecting");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void send_all(int fd, const void *data, size_t n)
{
	for (const char *p = data; n > 0;) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w < 0)
			die("sending");
		p += w;
		n -= (size_t)w;
	}
}

/* An answer on its way. */
struct answer {
	char head[HEAD_MAX + 1];
	size_t n;      /* bytes of HEAD */
	bool body;     /* the head is whole */
	uint64_t size; /* of the body */
	uint64_t left; /* bytes of it that did not come yet */
};

/* The value of a header in a whole head; "" where there is none. */
static const char *header(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = head; (p = strchr(p, '\n'));) {
		p++;
		if (strncasecmp(p, name, n) == 0 && p[n] == ':')
			return p + n + 1 + strspn(p + n + 1, " ");
	}
	return "";
}

/* Reads more of a head. */
static void read_head(int fd, struct answer *a)
{
	ssize_t r = recv(fd, a->head + a->n, HEAD_MAX - a->n, 0);
	char *end;

	if (r <= 0)
		die("reading a head");
	a->n += (size_t)r;
	a->head[a->n] = '\0';
	end = strstr(a->head, "\r\n\r\n");
	if (!end)
		return;
	if (strncmp(a->head, "HTTP/1.1 2", 10) != 0) {
		fprintf(stderr, "http-load: %.*s\n", (int)strcspn(a->head, "\r"), a->head);
		_exit(1);
	}
	a->body = true;
	a->size = strtoull(header(a->head, "Content-Length"), NULL, 10);
	a->left = a->size;
	a->left -= a->n - (size_t)(end + 4 - a->head);
}

/* One step of reading; true at the end of the answer. */
static bool read_some(int fd, struct answer *a)
{
	ssize_t r;

	if (!a->body) {
		read_head(fd, a);
	} else {
		r = recv(fd, NULL, a->left < DROP_SIZE ? a->left : DROP_SIZE, MSG_TRUNC);
		if (r <= 0)
			die("reading a body");
		a->left -= (uint64_t)r;
	}
	return a->body && a->left == 0;
}

struct client {
	int fd;
	struct answer answer;
};

static void ask(struct client *c, const char *text)
{
	c->answer.n = 0;
	c->answer.body = false;
	send_all(c->fd, text, strlen(text));
}

static int get(char **argv)
{
	unsigned long n = number(argv[4]);
	struct client *clients = calloc(n, sizeof(*clients));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	double began, end, done = 0;
	char text[2048];

	if (!clients || epoll < 0)
		die("preparing");
	snprintf(text, sizeof(text),
		 "GET %s HTTP/1.1\r\nHost: a\r\nAccept: "
		 "application/vnd.oci.image.manifest.v1+json\r\n\r\n",
		 argv[3]);
	began = now();
	end = began + (double)number(argv[5]);
	for (unsigned long i = 0; i < n; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};

		clients[i].fd = dial(argv[2]);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event) < 0)
			die("epoll");
		ask(&clients[i], text);
	}
	while (now() < end) {
		struct epoll_event events[EVENTS];
		int k = epoll_wait(epoll, events, EVENTS, 100);

		for (int i = 0; i < k; i++) {
			struct client *c = events[i].data.ptr;

			if (read_some(c->fd, &c->answer)) {
				done += 1;
				ask(c, text);
			}
		}
	}
	end = now();
	for (unsigned long i = 0; i < n; i++) {
		const struct answer *a = &clients[i].answer;

		done += a->body ? (double)(a->size - a->left) / (double)a->size : 0;
	}
	printf("%.2f\n", done / (end - began));
	return 0;
}

/* What one connection pushes. */
struct pusher {
	pthread_t thread;
	char **argv;
	unsigned long count, size;
	char name[64];
	char *data, (*digests)[2 * SHA256_DIGEST_LENGTH + 1];
};

/* The blob of that number: the same but for its beginning. */
static void stamp(struct pusher *p, unsigned long i)
{
	memcpy(p->data, &i, sizeof(i));
	memcpy(p->data + sizeof(i), &p, sizeof(p));
}

static void digest(struct pusher *p, unsigned long i)
{
	unsigned char raw[SHA256_DIGEST_LENGTH];

	stamp(p, i);
	SHA256((unsigned char *)p->data, p->size, raw);
	for (size_t k = 0; k < sizeof(raw); k++)
		snprintf(p->digests[i] + 2 * k, 3, "%02x", raw[k]);
}

static void wait_for(int fd, struct answer *a)
{
	a->n = 0;
	a->body = false;
	while (!read_some(fd, a))
		continue;
}

static void *push(void *arg)
{
	struct pusher *p = arg;
	int fd = dial(p->argv[2]);
	struct answer a;
	char text[HEAD_MAX];

	for (unsigned long i = 0; i < p->count; i++) {
		const char *where;
		int n;

		n = snprintf(text, sizeof(text),
			     "POST /v2/%s/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nContent-Length: "
			     "0\r\n\r\n",
			     p->name);
		send_all(fd, text, (size_t)n);
		wait_for(fd, &a);
		where = strstr(header(a.head, "Location"), "/v2/");
		n = (int)strcspn(where, "\r");
		n = snprintf(text, sizeof(text),
			     "PUT %.*s%cdigest=sha256:%s HTTP/1.1\r\nHost: a\r\nContent-Type: "
			     "application/octet-stream\r\nContent-Length: %lu\r\n\r\n",
			     n, where, memchr(where, '?', (size_t)n) ? '&' : '?', p->digests[i],
			     p->size);
		stamp(p, i);
		send_all(fd, text, (size_t)n);
		send_all(fd, p->data, p->size);
		wait_for(fd, &a);
	}
	close(fd);
	return NULL;
}

static int pushes(char **argv)
{
	unsigned long n = number(argv[4]), count = number(argv[5]);
	struct pusher *all = calloc(n, sizeof(*all));
	double began;

	for (unsigned long i = 0; all && i < n; i++) {
		struct pusher *p = &all[i];

		*p = (struct pusher){.argv = argv, .count = count, .size = number(argv[6])};
		snprintf(p->name, sizeof(p->name), "%s%lu", argv[3], i);
		p->data = malloc(p->size);
		p->digests = calloc(count, sizeof(*p->digests));
		if (!p->data || !p->digests)
			die("preparing");
		for (size_t at = 0; at < p->size; at += 256)
			if (getrandom(p->data + at, p->size - at < 256 ? p->size - at : 256, 0) < 0)
				die("random");
		for (unsigned long k = 0; k < count; k++)
			digest(p, k);
	}
	began = now();
	for (unsigned long i = 0; i < n; i++)
		if (pthread_create(&all[i].thread, NULL, push, &all[i]))
			die("starting a thread");
	for (unsigned long i = 0; i < n; i++)
		pthread_join(all[i].thread, NULL);
	printf("%.2f\n", (double)(n * count) / (now() - began));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "get") == 0)
		return get(argv);
	if (argc == 7 && strcmp(argv[1], "push") == 0)
		return pushes(argv);
	fprintf(stderr, "usage: http-load get PORT PATH CONNECTIONS SECONDS\n"
			"       http-load push PORT NAME CONNECTIONS COUNT SIZE\n");
	return 2;
}
