/* SPDX-License-Identifier: Apache-2.0 */
/* The name of an object is the time and a random number, so that several servers of one storage
 * do not meet; its first line is the URL. Whoever removes it first has its events: of two servers
 * that begin at once only one tells them. */
#include "registry/event-spool.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/str.h"
#include "registry/registry-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FOLDER "events"

enum { URL_MAX = sizeof(struct webhook_url) + 16 };

static int put_url(struct buf *b, const struct webhook_url *to)
{
	return buf_printf(b, "%s://%s:%s%s\n", to->tls ? "https" : "http", to->host, to->port,
			  to->path);
}

int event_spool_put(struct storage *s, const struct webhook_url *to, const struct buf *lines,
		    struct err *e)
{
	_cleanup_(buf_done) struct buf all = BUF_INIT(EVENT_SPOOL_MAX + URL_MAX);
	char key[64];
	uint64_t number;
	int r = random_bytes(&number, sizeof(number));

	if (r == 0)
		r = put_url(&all, to);
	if (r == 0)
		r = buf_put(&all, lines->data, lines->len);
	if (r < 0)
		return err_errno(e, r, "keeping events");
	snprintf(key, sizeof(key), FOLDER "/%016" PRIx64 "-%016" PRIx64, (uint64_t)clock_now(),
		 number);
	return s->ops->put(s, key, all.data, all.len, e);
}

/* One object. Returns 1 where it is for TO and was there. */
static int take_one(struct storage *s, const char *key, const char *url, struct buf *text)
{
	struct err ignored = ERR_INIT;
	struct storage_stat st;
	_cleanup_(fd_close) int fd = s->ops->get(s, key, &st, &ignored);

	buf_clear(text);
	return fd >= 0 && fd_read_all(fd, text, EVENT_SPOOL_MAX + URL_MAX) >= 0 &&
	       str_after(buf_str(text), url) && s->ops->remove(s, key, &st, &ignored) == 0;
}

static void each_line(const char *line, event_spool_fn *fn, void *arg)
{
	const char *end;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1)
		if (*line == '{')
			fn(arg, line, (size_t)(end - line));
}

int event_spool_take(struct storage *s, const struct webhook_url *to, event_spool_fn *fn, void *arg,
		     struct err *e)
{
	_cleanup_(names_done) struct names all = {.v = NULL};
	_cleanup_(buf_done) struct buf url = BUF_INIT(URL_MAX),
				       text = BUF_INIT(EVENT_SPOOL_MAX + URL_MAX);
	char key[KEY_SIZE];

	if (put_url(&url, to) < 0)
		return err_errno(e, ENOMEM, "reading events");
	if (s->ops->list(s, FOLDER, names_collect, &all, e) < 0)
		return -1;
	names_sort(&all);
	for (size_t i = 0; i < all.n; i++) {
		snprintf(key, sizeof(key), FOLDER "/%s", all.v[i]);
		if (take_one(s, key, buf_str(&url), &text))
			each_line(buf_str(&text) + url.len, fn, arg);
	}
	return 0;
}
