/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks. The monitor knows when (monitor/monitor.c); `kogge __health` does one check here:
 * a process in the container, and what it says becomes the new state in the run directory's file
 * `health`, in the form that inspect shows. Docker's rules (daemon/health.go). */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "engine/container-exec.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "engine/spec-life.h"
#include "monitor/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OUTPUT_MAX = 4096, LOG_ENTRIES = 5, RETRIES = 3 };

#define NS               INT64_C(1000000000)
#define INTERVAL         (30 * NS)
#define TIMEOUT          (30 * NS)
#define START_INTERVAL   (5 * NS)
#define STATUS_STARTING  "starting"
#define STATUS_HEALTHY   "healthy"
#define STATUS_UNHEALTHY "unhealthy"

void container_health_plan(const struct container_spec *s, struct monitor_health *ret)
{
	const struct spec_health *h = &s->health;

	*ret = (struct monitor_health){0};
	if (!spec_health_on(h))
		return;
	ret->interval = h->interval ? h->interval : INTERVAL;
	ret->start_period = h->start_period;
	ret->start_interval = h->start_interval ? h->start_interval : START_INTERVAL;
}

/* ---- the state ---- */

static json_t *no_health(void)
{
	return json_pack("{s:s, s:i, s:[]}", "Status", STATUS_STARTING, "FailingStreak", 0, "Log");
}

static json_t *read_state(int run_dir)
{
	_cleanup_(freep) char *text = NULL;
	struct err ignored = ERR_INIT;
	json_t *o = NULL;
	size_t n;

	if (run_dir >= 0 &&
	    path_read_file(run_dir, MONITOR_HEALTH, MONITOR_HEALTH_MAX, &text, &n) == 0)
		o = json_parse(text, n, "the state of the health check", &ignored);
	if (json_is_object(o) && json_is_string(json_object_get(o, "Status")))
		return o;
	json_decref(o);
	return no_health();
}

json_t *container_health_json(struct engine *en, const struct container *c)
{
	struct err ignored = ERR_INIT;
	_cleanup_(fd_close) int run_dir = -1;

	if (!spec_health_on(&c->spec.health))
		return NULL;
	if (c->state != ENGINE_RUNNING)
		return c->health ? json_parse(c->health, strlen(c->health), "health", &ignored)
				 : NULL;
	run_dir = container_run_dir(en, c->id, false, &ignored);
	return read_state(run_dir);
}

/* As Docker, what does not run is not healthy. */
void container_health_keep(struct container *c, int run_dir)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(MONITOR_HEALTH_MAX);
	_cleanup_(json_unref) json_t *o = NULL;

	if (!spec_health_on(&c->spec.health) || c->restarting)
		return;
	o = read_state(run_dir);
	json_object_set_new(o, "Status", json_string(STATUS_UNHEALTHY));
	if (json_write(o, JSON_COMPACT, &out) == 0)
		c->health = arena_strdup(&c->spec.arena, buf_str(&out));
}

/* ---- one check ---- */

struct check {
	int64_t start, end;
	int code;
	struct buf output;
	bool cut;
};

static void take_output(struct check *k, int fd, bool *open)
{
	char data[4096];
	ssize_t n = read(fd, data, sizeof(data));

	if (n <= 0) {
		*open = n < 0 && (errno == EINTR || errno == EAGAIN);
		return;
	}
	k->cut = k->cut || k->output.len + (size_t)n > OUTPUT_MAX;
	(void)buf_put(&k->output, data, MIN((size_t)n, OUTPUT_MAX - k->output.len));
}

/* Reads what the process says until it has ended; whether it did in time. */
static bool follow(struct check *k, int pidfd, int out, int64_t timeout)
{
	int64_t until = clock_monotonic() + timeout;
	bool open = true;

	for (;;) {
		struct pollfd f[] = {{.fd = pidfd, .events = POLLIN},
				     {.fd = open ? out : -1, .events = POLLIN}};
		int64_t left = until - clock_monotonic();

		if (left <= 0 || poll(f, 2, (int)MIN(left / 1000000 + 1, (int64_t)INT32_MAX)) == 0)
			return false;
		if (f[1].revents)
			take_output(k, out, &open);
		else if (f[0].revents)
			return true;
	}
}

static void say(struct check *k, const char *text)
{
	k->code = -1;
	buf_clear(&k->output);
	(void)buf_puts(&k->output, text);
}

static void run_check(struct engine *en, const struct container *c, const struct exec_spec *spec,
		      struct check *k)
{
	_cleanup_(container_exec_done) struct container_exec x = CONTAINER_EXEC_INIT;
	int64_t timeout = c->spec.health.timeout ? c->spec.health.timeout : TIMEOUT;
	int pipe[2], stdio[3] = {-1, -1, -1};
	struct err why = ERR_INIT;
	char text[96];

	if (fd_pipe(pipe) < 0) {
		say(k, "no pipe");
		return;
	}
	stdio[1] = stdio[2] = pipe[1];
	if (container_exec_start(en, c->id, spec, stdio, &x, &why) < 0) {
		close(pipe[0]);
		close(pipe[1]);
		say(k, why.msg);
		return;
	}
	close(pipe[1]);
	if (follow(k, x.proc.pidfd, pipe[0], timeout)) {
		process_wait_pidfd(x.proc.pidfd, false, &k->code);
	} else {
		syscall(SYS_pidfd_send_signal, x.proc.pidfd, SIGKILL, NULL, 0);
		process_wait_pidfd(x.proc.pidfd, false, &k->code);
		snprintf(text, sizeof(text), "Health check exceeded timeout (%gs)",
			 (double)timeout / (double)NS);
		say(k, text);
	}
	container_exec_ended(en, c->id, &x, k->code);
	close(pipe[0]);
}

/* {"CMD", ...} or {"CMD-SHELL", text} */
static const char *const *check_args(struct container *c, struct err *e)
{
	const char *const *test = c->spec.health.test;
	const char **args = NULL;
	size_t n = 0;

	if (!str_eq(test[0], "CMD-SHELL"))
		return test + 1;
	if (arena_strv_push(&c->spec.arena, &args, &n, "/bin/sh") < 0 ||
	    arena_strv_push(&c->spec.arena, &args, &n, "-c") < 0 ||
	    arena_strv_push(&c->spec.arena, &args, &n, test[1]) < 0) {
		err_set(e, ERR_LIMIT, ENOMEM, "checking the container's health");
		return NULL;
	}
	return (const char *const *)args;
}

static json_t *entry(const struct check *k)
{
	char start[CLOCK_TEXT_SIZE], end[CLOCK_TEXT_SIZE];
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUTPUT_MAX * 4);
	json_t *o;

	(void)buf_put(&text, buf_str(&k->output), k->output.len);
	if (k->cut)
		(void)buf_puts(&text, "...");
	o = json_pack("{s:s, s:s, s:i}", "Start", clock_format(k->start, start), "End",
		      clock_format(k->end, end), "ExitCode", k->code);
	/* What is no UTF-8 is told of, not shown. */
	if (json_object_set_new(o, "Output", json_string(buf_str(&text))) < 0)
		json_object_set_new(o, "Output", json_string("(binary output)"));
	return o;
}

/* Docker's handleProbeResult. Returns whether the status has changed. */
static bool judge(const struct container *c, const struct check *k, json_t *state)
{
	const char *old = json_string_value(json_object_get(state, "Status")), *now = old;
	json_int_t streak = json_integer_value(json_object_get(state, "FailingStreak"));
	int64_t retries = c->spec.health.retries ? c->spec.health.retries : RETRIES;
	bool early = str_eq(old, STATUS_STARTING) &&
		     k->start - c->started < c->spec.health.start_period,
	     changed;

	if (k->code == 0)
		streak = 0, now = STATUS_HEALTHY;
	else if (!early && ++streak >= retries)
		now = STATUS_UNHEALTHY;
	changed = !str_eq(old, now);
	json_object_set_new(state, "FailingStreak", json_integer(streak));
	if (changed)
		json_object_set_new(state, "Status", json_string(now));
	return changed;
}

static int write_state(int run_dir, const json_t *state, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(MONITOR_HEALTH_MAX);
	int r = json_write(state, JSON_COMPACT, &out);

	if (r == 0)
		r = path_write_file(run_dir, MONITOR_HEALTH, buf_str(&out), out.len, 0600);
	return r < 0 ? err_errno(e, r, "writing the state of the health check") : 0;
}

int container_check_health(struct engine *en, const char *id, bool *ret_starting, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(json_unref) json_t *state = NULL;
	_cleanup_(fd_close) int run_dir = -1;
	struct exec_spec spec = {0};
	struct check k = {.output = BUF_INIT(OUTPUT_MAX + 512)};
	const char *status;
	char action[64];
	json_t *log;

	if (container_load_now(en, id, &c, e) < 0)
		return -1;
	if (c.state != ENGINE_RUNNING || c.paused || !spec_health_on(&c.spec.health))
		return 0;
	spec.args = check_args(&c, e);
	run_dir = container_run_dir(en, id, false, e);
	if (!spec.args || run_dir < 0)
		return -1;
	k.start = clock_now();
	run_check(en, &c, &spec, &k);
	k.end = clock_now();
	state = read_state(run_dir);
	log = json_object_get(state, "Log");
	json_array_append_new(log, entry(&k));
	while (json_array_size(log) > LOG_ENTRIES)
		json_array_remove(log, 0);
	buf_done(&k.output);
	if (judge(&c, &k, state)) {
		status = json_string_value(json_object_get(state, "Status"));
		snprintf(action, sizeof(action), "health_status: %s", status);
		event_container(en, &c, action, NULL);
	}
	status = json_string_value(json_object_get(state, "Status"));
	*ret_starting = str_eq(status, STATUS_STARTING);
	return write_state(run_dir, state, e);
}
