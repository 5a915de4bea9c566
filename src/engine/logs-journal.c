/* SPDX-License-Identifier: Apache-2.0 */
/* journalctl never ends by itself when it follows. After the container's end it is ended, and what
 * came since its last record is asked for once more, from that record's cursor: journald has it all
 * by then, because journalctl --sync waits for it. */
#include "engine/logs-journal.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/num.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1 << 20, ARGS_MAX = 12, CURSOR_SIZE = 256 };

struct journal_reader {
	const char *id;
	const struct logs_opts *o;
	struct arena arena;
	struct process process;
	int out; /* journalctl's output */
	struct buf pending, text;
	char cursor[CURSOR_SIZE]; /* of the last record */
};

/* ---- one record ---- */

/* Bytes that are no UTF-8 come as an array of numbers. */
static int message_of(const json_t *message, struct buf *text)
{
	json_t *byte;
	size_t i;

	buf_clear(text);
	if (json_is_string(message))
		return buf_put(text, json_string_value(message), json_string_length(message));
	if (!json_is_array(message))
		return -EINVAL;
	json_array_foreach (message, i, byte)
		if (buf_putc(text, (char)json_integer_value(byte)) < 0)
			return -ENOMEM;
	return 0;
}

/* The time that the monitor gave, "seconds.nanoseconds"; else the journal's own, in microseconds.
 */
static int64_t time_of(const json_t *doc)
{
	const char *given = json_string_value(json_object_get(doc, "SYSLOG_TIMESTAMP"));
	const char *own = json_string_value(json_object_get(doc, "__REALTIME_TIMESTAMP"));
	const char *dot = given ? strchr(given, '.') : NULL;
	int64_t s, ns, us;
	char seconds[24];

	if (dot && (size_t)(dot - given) < sizeof(seconds)) {
		snprintf(seconds, sizeof(seconds), "%.*s", (int)(dot - given), given);
		if (num_i64(seconds, 0, INT64_MAX / 2000000000, &s) == 0 &&
		    num_i64(dot + 1 + strspn(dot + 1, "0"), 0, 999999999, &ns) == 0)
			return s * 1000000000 + ns;
	}
	return own && num_i64(own, 0, INT64_MAX / 1000, &us) == 0 ? us * 1000 : 0;
}

int logs_journal_record(const json_t *doc, struct buf *text, struct log_record *ret)
{
	const char *priority = json_string_value(json_object_get(doc, "PRIORITY"));
	int r = message_of(json_object_get(doc, "MESSAGE"), text);

	if (r < 0)
		return r;
	*ret = (struct log_record){.time = time_of(doc),
				   .stream = str_eq0(priority, "3") ? 2 : 1,
				   .partial = json_object_get(doc, "CONTAINER_PARTIAL_MESSAGE"),
				   .data = buf_str(text),
				   .n = text->len};
	return 0;
}

static int give(struct journal_reader *j, const char *line, size_t n, struct err *e)
{
	struct err ignored = ERR_INIT;
	_cleanup_(json_unref) json_t *doc =
		json_parse(line, n, "a record of the journal", &ignored);
	const char *cursor = json_string_value(json_object_get(doc, "__CURSOR"));
	struct log_record rec;

	if (cursor)
		snprintf(j->cursor, sizeof(j->cursor), "%s", cursor);
	if (!doc || logs_journal_record(doc, &j->text, &rec) < 0)
		return 0;
	return j->o->fn(j->o->arg, &rec, e);
}

/* ---- journalctl ---- */

static int open_program(struct err *e)
{
	static const char *const places[] = {"/usr/bin/journalctl", "/bin/journalctl"};
	int fd = -ENOENT;

	for (size_t i = 0; fd == -ENOENT && i < ARRAY_SIZE(places); i++)
		fd = path_open_host(places[i], O_PATH, 0);
	if (fd >= 0)
		return fd;
	err_set(e, ERR_UNSUPPORTED, -fd, "reading the journal: there is no journalctl");
	return err_hint(e,
			"it comes with systemd; the log drivers json-file and local need nothing");
}

static const char *moment(struct journal_reader *j, const char *option, int64_t ns)
{
	return arena_printf(&j->arena, "--%s=@%" PRId64 ".%06" PRId64, option, ns / 1000000000,
			    ns % 1000000000 / 1000);
}

static void arguments(struct journal_reader *j, bool follow, const char *argv[ARGS_MAX])
{
	const struct logs_opts *o = j->o;
	size_t n = 0;

	argv[n++] = "journalctl";
	argv[n++] = "--output=json";
	argv[n++] = "--all";
	argv[n++] = "--quiet";
	argv[n++] = "--no-pager";
	if (*j->cursor)
		argv[n++] = arena_printf(&j->arena, "--after-cursor=%s", j->cursor);
	else if (o->tail >= 0)
		argv[n++] = arena_printf(&j->arena, "--lines=%" PRId64, o->tail);
	else
		argv[n++] = follow ? "--lines=all" : "--no-tail";
	if (o->since && !*j->cursor)
		argv[n++] = moment(j, "since", o->since);
	if (o->until)
		argv[n++] = moment(j, "until", o->until);
	if (follow)
		argv[n++] = "--follow";
	argv[n++] = arena_printf(&j->arena, "CONTAINER_ID_FULL=%s", j->id);
	argv[n] = NULL;
}

static int start(struct journal_reader *j, const char *const *argv, struct err *e)
{
	static const char *const env[] = {"LC_ALL=C", NULL};
	_cleanup_(fd_close) int exe = open_program(e);
	int pipe[2], r;
	struct process_spawn s = PROCESS_SPAWN_INIT;

	if (exe < 0)
		return -1;
	r = fd_pipe(pipe);
	if (r < 0)
		return err_errno(e, r, "reading the journal");
	s.exe = exe;
	s.argv = argv;
	s.env = env;
	s.fds = (int[]){-1, pipe[1], -1};
	s.n_fds = 3;
	s.pdeathsig = SIGKILL;
	r = process_spawn(&s, &j->process);
	fd_close(&pipe[1]);
	j->out = pipe[0];
	return r < 0 ? err_errno(e, r, "starting journalctl") : 0;
}

static void end(struct journal_reader *j)
{
	fd_close(&j->out);
	if (j->process.pidfd >= 0)
		process_kill(&j->process);
	process_done(&j->process);
	j->process = PROCESS_INIT;
}

/* Everything that this process has sent is in the journal after it. */
static void settle(struct journal_reader *j)
{
	static const char *const argv[] = {"journalctl", "--sync", NULL};
	struct err ignored = ERR_INIT;

	if (start(j, argv, &ignored) == 0)
		process_wait(&j->process, NULL);
	process_done(&j->process);
	j->process = PROCESS_INIT;
	fd_close(&j->out);
}

/* Gives the whole lines that are pending; what FN returned. */
static int give_lines(struct journal_reader *j, struct err *e)
{
	size_t at = 0;
	int ret = 0;

	while (ret == 0 && at < j->pending.len) {
		const char *line = j->pending.data + at;
		const char *lf = memchr(line, '\n', j->pending.len - at);

		if (!lf)
			break;
		ret = give(j, line, (size_t)(lf - line), e);
		at += (size_t)(lf - line) + 1;
	}
	memmove(j->pending.data, j->pending.data + at, j->pending.len - at);
	j->pending.len -= at;
	return ret;
}

/* Reads once. 0 at the end, 1 else, -1; RET is what FN returned. */
static int read_some(struct journal_reader *j, int *ret, struct err *e)
{
	char data[16384];
	ssize_t n = read(j->out, data, sizeof(data));

	if (n < 0 && errno == EINTR)
		return 1;
	if (n <= 0)
		return n < 0 ? err_errno(e, errno, "reading the journal") : 0;
	if (buf_put(&j->pending, data, (size_t)n) < 0)
		return err_set(e, ERR_LIMIT, 0, "a record of the journal is longer than %d bytes",
			       LINE_MAX_BYTES);
	*ret = give_lines(j, e);
	return *ret ? 0 : 1;
}

static int read_all(struct journal_reader *j, struct err *e)
{
	const char *argv[ARGS_MAX];
	int r = 1, ret = 0;

	arguments(j, false, argv);
	settle(j);
	if (start(j, argv, e) < 0)
		return -1;
	while (r > 0)
		r = read_some(j, &ret, e);
	end(j);
	return r < 0 ? -1 : ret;
}

static int follow(struct journal_reader *j, int sock, bool (*ended)(int sock), struct err *e)
{
	const char *argv[ARGS_MAX];
	int r = 1, ret = 0;

	arguments(j, true, argv);
	if (start(j, argv, e) < 0)
		return -1;
	while (r > 0) {
		struct pollfd f[] = {{.fd = j->out, .events = POLLIN},
				     {.fd = sock, .events = POLLIN}};

		if (poll(f, 2, -1) < 0)
			continue;
		if (!f[0].revents && ended(sock))
			break;
		if (f[0].revents)
			r = read_some(j, &ret, e);
		if (r > 0 && j->o->idle)
			j->o->idle(j->o->arg);
	}
	end(j);
	if (r < 0 || ret)
		return r < 0 ? -1 : ret;
	buf_clear(&j->pending);
	return read_all(j, e);
}

int logs_journal(const char *id, const struct logs_opts *o, int sock, bool (*ended)(int sock),
		 struct err *e)
{
	struct journal_reader j = {.id = id,
				   .o = o,
				   .arena = ARENA_INIT,
				   .process = PROCESS_INIT,
				   .out = -1,
				   .pending = BUF_INIT(LINE_MAX_BYTES),
				   .text = BUF_INIT(LINE_MAX_BYTES)};
	int r = sock < 0 ? read_all(&j, e) : follow(&j, sock, ended, e);

	if (r == 0 && o->idle)
		o->idle(o->arg);
	buf_done(&j.pending);
	buf_done(&j.text);
	arena_done(&j.arena);
	return r;
}
