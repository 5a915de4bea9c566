/* SPDX-License-Identifier: Apache-2.0 */
/* The writing side. Records are encoded into one buffer and written by one write(2).
 *
 * Invariants: (1) a file holds whole records only: what a full disk cut off, or a monitor that was
 * killed, is cut back to the last whole one; (2) size is the file's size; the buffer comes after
 * it; (3) the index is only written for records that are in the file. */
#include "monitor/log.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "monitor/log-journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 512 * 1024, INDEX_BATCH = 64 };

struct log {
	struct log_config c;
	int root; /* borrowed */
	int dir;  /* of the file; -1: nothing was opened yet */
	int fd, index;
	int journal;
	char name[LOG_NAME_SIZE]; /* of the file in its folder */
	uint64_t size, indexed;   /* of the file; up to where the index goes */
	int64_t latest;           /* the latest time of a record in the file or the buffer */
	struct {
		bool open; /* the last record was a part of a line */
		int64_t time;
	} parts[3];
	int64_t now;       /* when the lines that are added came */
	int64_t when_time; /* what `when` says */
	char when[CLOCK_TEXT_SIZE];
	char *buffer;
	size_t n;
	size_t n_records;
	uint64_t lost, lost_bytes;
	int lost_why;
	size_t n_entries;
	struct log_index_entry entries[INDEX_BATCH];
};

/* ---- names ---- */

static const char *const names[] = {"json-file", "local", "journald", "none"};

int log_driver_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i], name))
			return (int)i;
	return -1;
}

const char *log_driver_name(enum log_driver driver)
{
	return (size_t)driver < ARRAY_SIZE(names) ? names[driver] : "";
}

const char *log_file_name(enum log_driver driver, const char *id, char out[LOG_NAME_SIZE])
{
	out[0] = '\0';
	if (driver == LOG_JSON_FILE)
		snprintf(out, LOG_NAME_SIZE, "%s-json.log", id);
	else if (driver == LOG_LOCAL)
		snprintf(out, LOG_NAME_SIZE, "local-logs/container.log");
	return out;
}

int log_new(const struct log_config *c, int root, struct log **ret)
{
	struct log *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->c = *c;
	l->root = root;
	l->dir = l->fd = l->index = l->journal = -1;
	/* Of its own pages, which are there only once they are touched. */
	l->buffer = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l->buffer == MAP_FAILED) {
		free(l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}

void log_free(struct log *l)
{
	if (!l)
		return;
	fd_close(&l->dir);
	fd_close(&l->fd);
	fd_close(&l->index);
	fd_close(&l->journal);
	munmap(l->buffer, BUFFER);
	free(l);
}

uint64_t log_lost(const struct log *l)
{
	return l->lost;
}

void log_settle(struct log *l)
{
	if (l->n == 0)
		madvise(l->buffer, BUFFER, MADV_DONTNEED);
}

/* ---- files ---- */

/* The length of the whole records at the start of DATA, and how many they are. */
static size_t whole(const struct log *l, const char *data, size_t n, size_t *ret_count)
{
	size_t at = 0, count = 0;
	const char *end;
	struct log_record r;
	ssize_t len;

	if (l->c.driver == LOG_JSON_FILE)
		for (; (end = memchr(data + at, '\n', n - at)); count++)
			at = (size_t)(end - data) + 1;
	else
		for (; (len = log_local_get(data + at, n - at, &r)) > 0; count++)
			at += (size_t)len;
	*ret_count = count;
	return at;
}

/* Where the last step of the index starts, or 0: from there on the records are looked at. */
static uint64_t last_indexed(struct log *l)
{
	struct log_index_entry last;
	struct stat st;

	if (l->index < 0 || fstat(l->index, &st) < 0 || st.st_size < (off_t)sizeof(last))
		return 0;
	if (fd_pread_full(l->index, &last, sizeof(last),
			  st.st_size / (off_t)sizeof(last) * (off_t)sizeof(last) -
				  (off_t)sizeof(last)) != (ssize_t)sizeof(last))
		return 0;
	l->latest = last.time;
	return last.offset <= l->size ? last.offset : 0;
}

/* Cuts off what a monitor that was killed, or the power, left half written. */
static void mend(struct log *l)
{
	uint64_t at = last_indexed(l);
	size_t n, count, good;

	l->indexed = at;
	while (at < l->size) {
		n = (size_t)MIN(l->size - at, (uint64_t)BUFFER);
		if (fd_pread_full(l->fd, l->buffer, n, (off_t)at) != (ssize_t)n)
			return;
		good = whole(l, l->buffer, n, &count);
		if (good == 0)
			break;
		at += good;
	}
	if (at < l->size && ftruncate(l->fd, (off_t)at) == 0)
		l->size = at;
}

static int open_index(struct log *l)
{
	char name[LOG_NAME_SIZE + sizeof(LOG_INDEX_SUFFIX)];

	snprintf(name, sizeof(name), "%s" LOG_INDEX_SUFFIX, l->name);
	return path_open_own(l->dir, name, O_RDWR | O_APPEND | O_CREAT, 0640);
}

static int open_file(struct log *l)
{
	struct stat st;

	l->fd = path_open_own(l->dir, l->name, O_RDWR | O_APPEND | O_CREAT, 0640);
	if (l->fd < 0)
		return l->fd;
	if (fstat(l->fd, &st) < 0)
		return -errno;
	l->size = (uint64_t)st.st_size;
	l->indexed = 0;
	l->latest = INT64_MIN;
	if (l->size > LOG_INDEX_STEP)
		l->index = open_index(l);
	mend(l);
	return 0;
}

static int open_dir(struct log *l)
{
	char path[LOG_NAME_SIZE * 2 + sizeof(LOG_DIR)], file[LOG_NAME_SIZE];
	const char *slash;

	log_file_name((enum log_driver)l->c.driver, l->c.id, file);
	slash = strchr(file, '/');
	snprintf(l->name, sizeof(l->name), "%s", slash ? slash + 1 : file);
	snprintf(path, sizeof(path), LOG_DIR "/%s%s%.*s", l->c.id, slash ? "/" : "",
		 slash ? (int)(slash - file) : 0, file);
	l->dir = path_mkdirs(l->root, path, 0710, PATH_NO_SYMLINKS);
	return l->dir < 0 ? l->dir : 0;
}

static int need_file(struct log *l)
{
	int r = l->dir < 0 ? open_dir(l) : 0;

	return r < 0 ? r : l->fd >= 0 ? 0 : open_file(l);
}

static void generation(const struct log *l, uint32_t i, const char *suffix,
		       char out[LOG_NAME_SIZE + 32])
{
	if (i == 0)
		snprintf(out, LOG_NAME_SIZE + 32, "%s%s", l->name, suffix);
	else
		snprintf(out, LOG_NAME_SIZE + 32, "%s.%u%s", l->name, i, suffix);
}

/* FILE.1 is the youngest of the old ones. */
static void rotate(struct log *l)
{
	static const char *const suffixes[] = {"", LOG_INDEX_SUFFIX};
	char from[LOG_NAME_SIZE + 32], to[LOG_NAME_SIZE + 32];

	fd_close(&l->fd);
	fd_close(&l->index);
	for (uint32_t i = l->c.max_file; i-- > 0;) {
		for (size_t s = 0; s < ARRAY_SIZE(suffixes); s++) {
			generation(l, i, suffixes[s], from);
			generation(l, i + 1, suffixes[s], to);
			if (i + 1 == l->c.max_file)
				unlinkat(l->dir, from, 0);
			else
				renameat(l->dir, from, l->dir, to);
		}
	}
	l->size = l->indexed = 0;
	l->latest = INT64_MIN;
	open_file(l);
}

static void write_index(struct log *l)
{
	if (l->n_entries && l->index < 0)
		l->index = open_index(l);
	if (l->n_entries && l->index >= 0)
		fd_write_full(l->index, l->entries, l->n_entries * sizeof(l->entries[0]));
	l->n_entries = 0;
}

/* Notes where the next record will stand, where a step is full. */
static void note_index(struct log *l)
{
	uint64_t at = l->size + l->n;

	if (at - l->indexed < LOG_INDEX_STEP || l->n_entries == INDEX_BATCH)
		return;
	l->entries[l->n_entries++] = (struct log_index_entry){.offset = at, .time = l->latest};
	l->indexed = at;
}

static int write_some(struct log *l, size_t *done)
{
	ssize_t n;

	do
		n = write(l->fd, l->buffer + *done, l->n - *done);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*done += (size_t)n;
	return 0;
}

/* What was not written is lost, and the file ends with a whole record. */
static void lose(struct log *l, size_t done, int why)
{
	size_t count, good = whole(l, l->buffer, done, &count);

	if (l->fd >= 0 && good < done)
		(void)!ftruncate(l->fd, (off_t)(l->size + good));
	l->size += good;
	l->lost += l->n_records - count;
	l->lost_bytes += l->n - good;
	l->lost_why = why;
	l->n = l->n_records = 0;
	/* Some of them may be for what is not there: the index starts anew behind it. */
	l->n_entries = 0;
	l->indexed = l->size;
}

static size_t encode(struct log *l, const struct log_record *r, char *out)
{
	return l->c.driver == LOG_LOCAL ? log_local_put(r, out) : log_json_put(r, out);
}

/* Tells in the log itself what it lacks. Nothing is done while there is no room for that. */
static void tell_loss(struct log *l)
{
	char text[256], out[LOG_RECORD_MAX];
	struct log_record r = {.time = clock_now(), .stream = 2, .data = text};
	size_t n;

	if (l->lost == 0)
		return;
	r.n = (size_t)snprintf(text, sizeof(text),
			       "kogge: %llu lines (%llu bytes) of output are missing here: %s",
			       (unsigned long long)l->lost, (unsigned long long)l->lost_bytes,
			       strerror(l->lost_why));
	n = encode(l, &r, out);
	if (write(l->fd, out, n) != (ssize_t)n) {
		(void)!ftruncate(l->fd, (off_t)l->size);
		return;
	}
	l->size += n;
	l->indexed = l->size;
	l->n_entries = 0;
	l->lost = l->lost_bytes = 0;
}

void log_flush(struct log *l)
{
	size_t done = 0;
	int r;

	if ((l->n == 0 && l->lost == 0) || l->c.driver == LOG_JOURNALD)
		return;
	r = need_file(l);
	if (r == 0)
		tell_loss(l);
	while (r == 0 && done < l->n)
		r = write_some(l, &done);
	if (r < 0) {
		lose(l, done, -r);
		return;
	}
	l->size += l->n;
	l->n = l->n_records = 0;
	write_index(l);
}

/* ---- records ---- */

static void put(struct log *l, const struct log_record *r)
{
	if (l->c.driver == LOG_JOURNALD) {
		if (log_journal_send(&l->journal, &l->c, r) < 0)
			l->lost++;
		return;
	}
	if (BUFFER - l->n < LOG_RECORD_MAX)
		log_flush(l);
	/* As Docker: a file may grow past its limit by one record. */
	if (l->c.max_size > 0 && l->size + l->n >= (uint64_t)l->c.max_size) {
		log_flush(l);
		if (l->size >= (uint64_t)l->c.max_size)
			rotate(l);
	}
	/* The first time the file's size must be known. */
	if (l->fd < 0 && l->lost == 0)
		(void)need_file(l);
	note_index(l);
	l->latest = MAX(l->latest, r->time);
	l->n += encode(l, r, l->buffer + l->n);
	l->n_records++;
}

/* As much of a long line as one record takes, not cut inside of a UTF-8 sequence. */
static size_t part_length(const char *data)
{
	size_t n = LOG_PART_MAX;

	for (int i = 0; i < 3 && ((unsigned char)data[n] & 0xC0) == 0x80; i++)
		n--;
	return ((unsigned char)data[n] & 0xC0) == 0x80 ? LOG_PART_MAX : n;
}

static void put_line(struct log *l, int stream, const char *data, size_t n, bool partial)
{
	struct log_record r = {.stream = stream, .data = data, .n = n, .partial = partial};

	/* All parts of a line have the time of its first, as in Docker. */
	if (!l->parts[stream].open)
		l->parts[stream].time = l->now;
	r.time = l->parts[stream].time;
	/* All lines of one read have one time: it is written out once. */
	if (r.time != l->when_time) {
		l->when_time = r.time;
		clock_format(r.time, l->when);
	}
	r.when = l->when;
	l->parts[stream].open = partial;
	put(l, &r);
}

size_t log_add(struct log *l, int stream, const char *data, size_t n, bool last)
{
	size_t at = 0;

	if (l->c.driver == LOG_NONE)
		return n;
	l->now = clock_now();
	while (at < n) {
		const char *end = memchr(data + at, '\n', n - at);
		size_t len = end ? (size_t)(end - data) - at : n - at;

		if (len > LOG_PART_MAX) {
			len = part_length(data + at);
			put_line(l, stream, data + at, len, true);
			at += len;
		} else if (end) {
			put_line(l, stream, data + at, len, false);
			at += len + 1;
		} else {
			break;
		}
	}
	if (last && at < n) {
		put_line(l, stream, data + at, n - at, true);
		at = n;
	}
	return at;
}
