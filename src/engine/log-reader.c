/* SPDX-License-Identifier: Apache-2.0 */
/* A log is up to a few files, of which FILE is the youngest and FILE.1 the one before. They are
 * read oldest first. --tail looks for its first line from the end, --since by the index, so that
 * both cost what they print. */
#include "engine/log-reader.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/spec-life.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 1001, READ_SIZE = 256 * 1024, BACK_SIZE = 128 * 1024 };

/* Room for a whole record in either format. */
_Static_assert(READ_SIZE > 2 * LOG_RECORD_MAX, "a record fits");

/* ---- records ---- */

static ssize_t get(const struct log_reader *r, const char *data, size_t n, struct log_record *ret)
{
	ssize_t len;

	if (r->driver == LOG_LOCAL)
		return log_local_get(data, n, ret);
	len = log_json_get(data, n, ret, r->text, LOG_RECORD_MAX);
	return len;
}

/* What is damaged is left out: to the next line, or with `local`, which has none, to the end. */
static size_t skip_damaged(const struct log_reader *r, const char *data, size_t n)
{
	const char *end = r->driver == LOG_LOCAL ? NULL : memchr(data, '\n', n);

	return end ? (size_t)(end - data) + 1 : n;
}

static int give(struct log_reader *r, const struct log_record *rec, struct err *e)
{
	if (r->o->until && rec->time > r->o->until) {
		r->over = true;
		return 0;
	}
	return rec->time < r->o->since ? 0 : r->o->fn(r->o->arg, rec, e);
}

/* Gives the records in the N bytes at r->data. Returns how many bytes they took, or -1. */
static ssize_t give_all(struct log_reader *r, size_t n, int *ret, struct err *e)
{
	size_t at = 0;

	while (at < n && !r->over && *ret == 0) {
		struct log_record rec;
		ssize_t len = get(r, r->data + at, n - at, &rec);

		if (len == 0)
			break;
		if (len < 0)
			len = (ssize_t)skip_damaged(r, r->data + at, n - at);
		else
			*ret = give(r, &rec, e);
		at += (size_t)len;
	}
	return (ssize_t)at;
}

/* Reads the current file to its end. */
static int read_on(struct log_reader *r, struct err *e)
{
	int ret = 0;

	while (ret == 0 && !r->over && r->fd >= 0) {
		ssize_t n = fd_pread_full(r->fd, r->data, READ_SIZE, (off_t)r->at), used;

		if (n < 0)
			return err_errno(e, (int)n, "reading the log");
		used = give_all(r, (size_t)n, &ret, e);
		/* A record that has no room is none of ours. */
		if (used == 0 && n == READ_SIZE)
			used = (ssize_t)skip_damaged(r, r->data, (size_t)n);
		if (used == 0)
			break;
		r->at += (uint64_t)used;
	}
	return ret;
}

/* ---- where to begin ---- */

static int open_file(const struct log_reader *r, unsigned generation, const char *suffix)
{
	char name[LOG_NAME_SIZE + 32];

	if (generation)
		snprintf(name, sizeof(name), "%s.%u%s", r->name, generation, suffix);
	else
		snprintf(name, sizeof(name), "%s%s", r->name, suffix);
	return path_open_own(r->dir, name, O_RDONLY, 0);
}

/* Offset of the last entry of the index that is before everything from SINCE on; 0 for none. */
static uint64_t begin_since(const struct log_reader *r, unsigned generation)
{
	_cleanup_(fd_close) int fd = r->o->since ? open_file(r, generation, LOG_INDEX_SUFFIX) : -1;
	struct log_index_entry entry;
	struct stat st, log;
	uint64_t low = 0, high, at = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || fstat(r->fd, &log) < 0)
		return 0;
	/* Times in the index never fall. */
	high = (uint64_t)st.st_size / sizeof(entry);
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (fd_pread_full(fd, &entry, sizeof(entry), (off_t)(mid * sizeof(entry))) !=
		    (ssize_t)sizeof(entry))
			return 0;
		if (entry.time < r->o->since) {
			low = mid + 1;
			at = entry.offset;
		} else {
			high = mid;
		}
	}
	return at <= (uint64_t)log.st_size ? at : 0;
}

/* Going back from the end: how many more lines are wanted, and of which streams a record has been
 * met. The last of a stream ends a line also without a line feed. */
struct tail {
	int64_t left;
	bool met[3];
};

/* A record that ends at END of DATA: its start, or -1. */
static ssize_t record_before(const struct log_reader *r, const char *data, size_t end)
{
	uint32_t size;
	const char *line;

	if (r->driver == LOG_LOCAL) {
		if (end < sizeof(size))
			return -1;
		memcpy(&size, data + end - sizeof(size), sizeof(size));
		size = __builtin_bswap32(size);
		return size + 2 * sizeof(size) > end ? -1
						     : (ssize_t)(end - size - 2 * sizeof(size));
	}
	line = end < 2 ? NULL : memrchr(data, '\n', end - 1);
	return line ? line - data + 1 : -1;
}

/* Whether the record at DATA begins what is not wanted any more: it ends a line before. */
static bool tail_passed(const struct log_reader *r, struct tail *t, const char *data, size_t n)
{
	struct log_record rec;
	bool known = get(r, data, n, &rec) > 0 && rec.stream >= 1 && rec.stream <= 2;
	bool ends = !known || !rec.partial || !t->met[rec.stream];

	if (known)
		t->met[rec.stream] = true;
	if (ends && t->left == 0)
		return true;
	t->left -= ends;
	return false;
}

/* Where in the current file, of SIZE bytes, the wanted lines begin. Its end is where a record ends.
 */
static uint64_t begin_tail(const struct log_reader *r, struct tail *t, uint64_t size)
{
	uint64_t base = size;
	size_t have = 0; /* bytes at base */

	for (;;) {
		size_t more = (size_t)MIN((uint64_t)BACK_SIZE - MIN(have, (size_t)BACK_SIZE), base);

		/* A record longer than all of the room is none of ours. */
		if (more == 0 && base)
			return base;
		if (fd_pread_full(r->fd, r->data, have + more, (off_t)(base - more)) !=
		    (ssize_t)(have + more))
			return base;
		base -= more;
		have += more;
		while (have) {
			ssize_t start = record_before(r, r->data, have);

			if (start < 0 && base)
				break;
			start = MAX(start, (ssize_t)0);
			if (tail_passed(r, t, r->data + start, have - (size_t)start))
				return base + have;
			have = (size_t)start;
		}
		if (base == 0)
			return 0;
	}
}

/* The length of the file up to the last whole record. */
static uint64_t whole_size(const struct log_reader *r)
{
	struct stat st;
	uint64_t size = fstat(r->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	size_t n = (size_t)MIN(size, (uint64_t)BACK_SIZE);
	const char *end;

	if (r->driver == LOG_LOCAL || n == 0 ||
	    fd_pread_full(r->fd, r->data, n, (off_t)(size - n)) != (ssize_t)n)
		return size;
	end = memrchr(r->data, '\n', n);
	return end ? size - n + (uint64_t)(end - r->data) + 1 : size;
}

/* ---- the files ---- */

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

int log_reader_open(struct log_reader *r)
{
	if (r->dir < 0)
		r->dir = path_open_own(store_root_fd(r->en->store), r->path, O_RDONLY | O_DIRECTORY,
				       0);
	return r->dir;
}

/* The generations that are there now, youngest first. */
static unsigned open_all(const struct log_reader *r, int fds[FILES_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < FILES_MAX; i++) {
		int fd = open_file(r, i, "");

		if (fd < 0)
			break;
		/* It was rotated between the two. */
		if (n && same_file(fds[n - 1], fd)) {
			close(fd);
			continue;
		}
		fds[n++] = fd;
	}
	return n;
}

/* From which generation on, and where in it. */
static unsigned begin(struct log_reader *r, const int *fds, unsigned n, uint64_t *ret_at)
{
	struct tail t = {.left = r->o->tail};
	unsigned i;

	*ret_at = 0;
	if (r->o->tail < 0) {
		r->fd = fds[n - 1];
		*ret_at = begin_since(r, n - 1);
		return n - 1;
	}
	for (i = 0; i < n; i++) {
		r->fd = fds[i];
		*ret_at = begin_tail(r, &t, whole_size(r));
		if (*ret_at)
			return i;
	}
	return n - 1;
}

int log_reader_all(struct log_reader *r, struct err *e)
{
	int fds[FILES_MAX], ret = 0;
	unsigned n = log_reader_open(r) < 0 ? 0 : open_all(r, fds), first;
	uint64_t at;

	if (n == 0)
		return 0;
	first = begin(r, fds, n, &at);
	for (unsigned i = n; i-- > 0;) {
		if (i > first || ret || r->over) {
			close(fds[i]);
			continue;
		}
		r->fd = fds[i];
		r->at = i == first ? at : begin_since(r, i);
		ret = read_on(r, e);
		if (i)
			fd_close(&r->fd);
	}
	/* The youngest one stays open, for what comes. */
	return ret;
}

/* The file after the current one, which was rotated; false where it is the youngest. */
static bool next_file(struct log_reader *r)
{
	int fds[FILES_MAX];
	unsigned n = log_reader_open(r) < 0 ? 0 : open_all(r, fds), i = 0;
	bool moved;

	/* Where it is gone altogether the oldest that is there comes next. */
	while (i < n && r->fd >= 0 && !same_file(fds[i], r->fd))
		i++;
	moved = i > 0 && n > 0;
	for (unsigned k = 0; k < n; k++)
		if (!moved || k != i - 1)
			close(fds[k]);
	if (moved) {
		fd_close(&r->fd);
		r->fd = fds[i - 1];
		r->at = 0;
	} else if (n && r->fd < 0) {
		r->fd = open_file(r, 0, "");
		moved = r->fd >= 0;
	}
	return moved;
}

int log_reader_more(struct log_reader *r, struct err *e)
{
	int ret;

	do
		ret = read_on(r, e);
	while (ret == 0 && !r->over && next_file(r));
	if (r->o->idle)
		r->o->idle(r->o->arg);
	return ret;
}

int log_reader_start(struct log_reader *r, const struct container *c, struct err *e)
{
	struct log_config config;
	char file[LOG_NAME_SIZE];
	const char *slash;

	if (spec_log_config(&c->spec.log, &config, e) < 0)
		return -1;
	r->driver = (enum log_driver)config.driver;
	if (!*log_file_name(r->driver, c->id, file))
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "configured logging driver does not support reading");
	slash = strchr(file, '/');
	snprintf(r->name, sizeof(r->name), "%s", slash ? slash + 1 : file);
	snprintf(r->path, sizeof(r->path), LOG_DIR "/%s%s%.*s", c->id, slash ? "/" : "",
		 slash ? (int)(slash - file) : 0, file);
	r->data = malloc(READ_SIZE);
	r->text = malloc(LOG_RECORD_MAX);
	return r->data && r->text ? 0 : err_set(e, ERR_LIMIT, ENOMEM, "reading the log");
}

void log_reader_done(struct log_reader *r)
{
	fd_close(&r->dir);
	fd_close(&r->fd);
	free(r->data);
	free(r->text);
}
