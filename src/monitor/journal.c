/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/journal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/failpoint.h"
#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* For so long a descriptor is believed to be the journal's. */
#define REOPEN_NS INT64_C(1000000000)

void journal_done(struct journal *j)
{
	fd_close(&j->fd);
}

/* The bytes of the character at S where it is well-formed UTF-8 (RFC 3629), else 0. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

	if (n == 1)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4 || (s[0] == 0xe0 && s[1] < 0xa0) ||
	    (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static bool is_plain(const char *s)
{
	return (unsigned char)*s >= 0x20 && (unsigned char)*s < 0x80 && *s != '"' && *s != '\\';
}

/* A JSON string (RFC 8259, section 7), of whatever bytes. */
static int put_string(struct buf *out, const char *s)
{
	int r = buf_putc(out, '"');

	while (*s && r == 0) {
		size_t n = 0;

		while (is_plain(s + n))
			n++;
		if (n == 0 && (unsigned char)*s >= 0x80)
			n = utf8_length((const unsigned char *)s);
		if (n)
			r = buf_put(out, s, n);
		else if (*s == '"' || *s == '\\')
			r = buf_printf(out, "\\%c", *s);
		else
			r = buf_printf(out, "\\u%04x",
				       (unsigned char)*s < 0x80 ? (unsigned)*s : 0xfffdU);
		s += n ? n : 1;
	}
	return r == 0 ? buf_putc(out, '"') : r;
}

static int put_member(struct buf *out, const char *key, const char *value)
{
	int r = buf_printf(out, "\"%s\":", key);

	if (r == 0)
		r = put_string(out, value);
	return r == 0 ? buf_putc(out, ',') : r;
}

int journal_put_attribute(struct buf *out, const char *key, const char *value)
{
	int r = out->len ? buf_putc(out, ',') : 0;

	if (r == 0)
		r = put_string(out, key);
	if (r == 0)
		r = buf_putc(out, ':');
	return r == 0 ? put_string(out, value) : r;
}

int journal_line(const struct journal_event *ev, struct buf *out)
{
	int64_t now = ev->time ? ev->time : clock_now();
	bool old_form = str_eq(ev->type, "container") || str_eq(ev->type, "image");
	int r = buf_putc(out, '{');

	/* What API versions before 1.22 had at the top is still there for these two. */
	if (r == 0 && old_form)
		r = put_member(out, "status", ev->action);
	if (r == 0 && old_form)
		r = put_member(out, "id", ev->id);
	if (r == 0 && old_form && ev->from)
		r = put_member(out, "from", ev->from);
	if (r == 0)
		r = put_member(out, "Type", ev->type);
	if (r == 0)
		r = put_member(out, "Action", ev->action);
	if (r == 0)
		r = buf_puts(out, "\"Actor\":{\"ID\":");
	if (r == 0)
		r = put_string(out, ev->id);
	if (r == 0)
		r = buf_printf(out,
			       ",\"Attributes\":{%s}},\"scope\":\"local\",\"time\":%lld,"
			       "\"timeNano\":%lld}\n",
			       ev->attributes ? ev->attributes : "", (long long)(now / 1000000000),
			       (long long)now);
	return r;
}

static int open_journal(struct journal *j)
{
	int fd = path_open_own(j->run_root, JOURNAL_DIR "/" JOURNAL_FILE,
			       O_WRONLY | O_APPEND | O_CREAT, 0600);
	int dir;

	if (fd != -ENOENT)
		return fd;
	dir = path_mkdirs(j->run_root, JOURNAL_DIR, 0700, PATH_NO_SYMLINKS);
	if (dir < 0)
		return dir;
	fd = path_open_own(dir, JOURNAL_FILE, O_WRONLY | O_APPEND | O_CREAT, 0600);
	fd_close(&dir);
	return fd;
}

/* The one who gets the lock of the file that is still the journal moves it away. What others write
 * into it meanwhile is read there. */
static void rotate(struct journal *j)
{
	_cleanup_(fd_close) int dir =
		path_open_own(j->run_root, JOURNAL_DIR, O_PATH | O_DIRECTORY, 0);
	struct stat mine, named;

	if (dir < 0 || flock(j->fd, LOCK_EX | LOCK_NB) < 0)
		return;
	if (fstat(j->fd, &mine) == 0 &&
	    fstatat(dir, JOURNAL_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
		renameat(dir, JOURNAL_FILE, dir, JOURNAL_OLD);
	fd_close(&j->fd);
}

/* A line that went in by half is ended, so that the next one is whole. */
static int append(int fd, const struct buf *line)
{
	ssize_t n = write(fd, line->data, line->len);

	if (n < 0)
		return -errno;
	if ((size_t)n == line->len)
		return 0;
	(void)!write(fd, "\n", 1);
	return -EIO;
}

int journal_write(struct journal *j, const struct journal_event *ev)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(JOURNAL_LINE_MAX);
	int64_t now = clock_monotonic();
	int r = journal_line(ev, &line);

	if (r == 0)
		r = FAILPOINT_ERRNO("monitor.journal.write");
	if (r < 0)
		return r;
	if (j->fd >= 0 && now - j->opened > REOPEN_NS)
		fd_close(&j->fd);
	if (j->fd < 0) {
		j->fd = open_journal(j);
		j->opened = now;
	}
	if (j->fd < 0)
		return j->fd;
	r = append(j->fd, &line);
	if (lseek(j->fd, 0, SEEK_CUR) > JOURNAL_MAX)
		rotate(j);
	return r;
}
