/* SPDX-License-Identifier: Apache-2.0 */
/* One process, one event loop, no thread. The states of a step:
 *
 *	from      to         when
 *	UNNEEDED  -          no target needs it
 *	WAITING   CACHED     inputs are there, and its cheap key has a record (step_begin)
 *	          KEYING     it has not, and there is content to look at (step_begin)
 *	          QUEUED     neither (step_begin)
 *	KEYING    CACHED     the content key has a record (step_keyed)
 *	          QUEUED     it has not (step_keyed)
 *	QUEUED    RUNNING    there is room (solver_fill)
 *	RUNNING   LOCKING    another build does the same (job_message: JOB_WAITING)
 *	LOCKING   RUNNING    it has ended, without a result (JOB_LOCKED)
 *	          CACHED     it has ended, with one (JOB_LOCKED)
 *	RUNNING   DONE       its result is recorded (step_finished)
 *	any       FAILED     an error (step_failed)
 *	any       CANCELLED  another step failed, or the caller wants an end (solver_cancel)
 *
 * 1. A step leaves WAITING when n_missing, its inputs that are neither DONE nor CACHED, is 0.
 * 2. A result is recorded before the child that made it ends, and held by this process from then
 *on.
 * 3. solve returns when no child is left. */
#include "build/solver.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/loop.h"
#include "base/num.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "build/cache.h"
#include "build/solver-internal.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PARALLEL_MAX  64
#define TICK_MS       100
#define KILL_AFTER_NS (10 * NUM_NS_PER_S)

struct solver;

/* A vertex while it is solved. */
struct step {
	struct solver *s;
	const struct vertex *v;
	const struct build_op *op;
	enum step_state state;
	struct build_step step; /* as the operation sees it */
	struct build_result result;
	size_t n_missing;
	struct build_key cheap, content; /* "" where there is none */
	struct build_content read;       /* what content_key told */
	struct buf files;
	int64_t started, ended;
	struct process child;
	int sock;
	struct loop_source on_sock, on_exit;
	bool executing; /* the child executes; else it makes the content key */
	bool settled;   /* the child told its end */
	bool has_content;
	struct build_result *inputs; /* step.inputs */
};

struct solver {
	const struct solve_opts *o;
	struct solve_result *ret;
	struct err *e;
	struct arena *arena;
	struct loop loop;
	struct loop_source on_cancel, on_time;
	struct step *steps; /* by vertex */
	size_t n_children;
	size_t n_running;
	int locks;
	bool ending;
	const char **used; /* records */
	size_t n_used;
	char *packet; /* the one that is being read */
};

static const char *const state_names[] = {"unneeded", "waiting", "keying", "queued", "locking",
					  "running",  "done",    "cached", "failed", "cancelled"};

const char *step_state_name(enum step_state s)
{
	return s < STEP_STATE_N ? state_names[s] : "";
}

/* ---- telling ---- */

static size_t step_index(const struct step *t)
{
	return (size_t)(t - t->s->steps);
}

static void tell(const struct step *t, struct solve_event ev)
{
	if (!t->s->o->event)
		return;
	ev.vertex = step_index(t);
	ev.v = t->v;
	ev.state = t->state;
	ev.started = t->started;
	ev.ended = t->ended;
	t->s->o->event(t->s->o->arg, &ev);
}

static bool state_is_end(enum step_state s)
{
	return s >= STEP_DONE;
}

static void step_set(struct step *t, enum step_state state)
{
	t->state = state;
	if (!t->started && state != STEP_WAITING && state != STEP_QUEUED)
		t->started = clock_now();
	if (state_is_end(state))
		t->ended = clock_now();
	tell(t, (struct solve_event){.kind = SOLVE_STATE,
				     .err = state == STEP_FAILED ? t->s->e : NULL});
}

/* ---- the end ---- */

static void child_signal(struct step *t, int sig)
{
	if (t->child.pidfd >= 0)
		pidfd_kill(t->child.pidfd, sig);
}

/* Nothing new begins, and what runs is asked to end. */
static void solver_cancel(struct solver *s)
{
	if (s->ending)
		return;
	s->ending = true;
	for (size_t i = 0; i < s->o->graph->n; i++) {
		struct step *t = &s->steps[i];

		child_signal(t, SIGTERM);
		if (!state_is_end(t->state) && t->state != STEP_UNNEEDED)
			step_set(t, STEP_CANCELLED);
	}
	if (s->n_children)
		loop_timer_set(&s->on_time, KILL_AFTER_NS, 0);
}

/* E is set. */
static void step_failed(struct step *t)
{
	struct solver *s = t->s;

	if (s->ending)
		return;
	s->ret->failed = (ssize_t)step_index(t);
	step_set(t, STEP_FAILED);
	solver_cancel(s);
}

static void on_time(struct loop *l, struct loop_source *src, uint32_t events)
{
	struct solver *s = src->data;

	for (size_t i = 0; i < s->o->graph->n; i++)
		child_signal(&s->steps[i], SIGKILL);
}

static void on_cancel(struct loop *l, struct loop_source *src, uint32_t events)
{
	struct solver *s = src->data;

	loop_remove(l, src);
	if (!s->ending)
		err_set(s->e, ERR_CONFLICT, 0, "the build was cancelled");
	solver_cancel(s);
}

/* ---- the cache ---- */

/* Whether R is still there; it is kept then. */
static int step_hold(struct step *t, const struct build_result *r)
{
	return t->op->hold ? t->op->hold(t->s->o->op_arg, r, t->s->e) : 1;
}

/* The record of KEY as T's result: 1, or 0. */
static int step_lookup(struct step *t, const char *key)
{
	struct solver *s = t->s;
	struct build_record r;
	int found = build_record_find(s->o->store, key, s->arena, &r, s->e);

	if (found <= 0)
		return found;
	t->result = (struct build_result){.digest = r.digest,
					  .data = r.data,
					  .chain = r.chain,
					  .blob = r.blob,
					  .size = r.size};
	found = step_hold(t, &t->result);
	if (found < 0)
		return -1;
	if (found == 0)
		return build_record_remove(s->o->store, r.id, s->e);
	if (arena_strv_push(s->arena, &s->used, &s->n_used, r.id) < 0)
		return err_errno(s->e, ENOMEM, "building");
	if (t->cheap.text[0] && !str_eq(key, t->cheap.text) &&
	    build_record_key(s->o->store, r.id, t->cheap.text, s->e) < 0)
		return -1;
	return 1;
}

/* The digests of T's inputs, for the record. */
static const char *step_inputs(struct step *t, struct buf *out)
{
	for (size_t i = 0; i < t->v->n_inputs; i++) {
		const char *d = t->step.inputs[i].digest;

		if (buf_printf(out, "%s%s", i ? " " : "", str_empty(d) ? "-" : d) < 0)
			return NULL;
	}
	return buf_str(out);
}

static int step_record(struct step *t)
{
	struct solver *s = t->s;
	_cleanup_(buf_done) struct buf inputs = BUF_INIT((size_t)1 << 20);
	const char *keys[3] = {NULL}, **key = keys;
	char id[ID_SIZE];
	int64_t now = clock_now();
	struct build_record r = {.type = t->v->type,
				 .name = t->v->name,
				 .slot = t->v->slot,
				 .params = t->v->params,
				 .files = t->read.files,
				 .digest = t->result.digest,
				 .data = t->result.data,
				 .chain = t->result.chain,
				 .blob = t->result.blob,
				 .size = t->result.size,
				 .created = now,
				 .used = now};

	if (t->content.text[0])
		*key++ = t->content.text;
	if (t->cheap.text[0])
		*key++ = t->cheap.text;
	if (key == keys || t->op->flags & BUILD_OP_NOT_CACHED)
		return 0;
	r.inputs = step_inputs(t, &inputs);
	if (id_new(id) < 0 || !r.inputs)
		return err_errno(s->e, ENOMEM, "recording a build step");
	id[BUILD_RECORD_ID_SIZE - 1] = '\0';
	r.id = id;
	return build_record_add(s->o->store, &r, keys, s->e);
}

/* Why T runs, where somebody wants to know. */
static void step_explain(struct step *t)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT((size_t)1 << 20);
	struct err ignored = ERR_INIT;
	const char **names;

	if (!t->s->o->explain || t->op->flags & BUILD_OP_NOT_CACHED)
		return;
	names = arena_array(t->s->arena, t->v->n_inputs + 1, sizeof(*names));
	if (!names)
		return;
	for (size_t i = 0; i < t->v->n_inputs; i++)
		names[i] = t->s->steps[t->v->inputs[i]].v->name;
	if (t->v->no_cache)
		(void)buf_puts(&out, "the cache is not to be used for it\n");
	build_explain(t->s->o->store, &t->step, t->read.files, names, &out, &ignored);
	tell(t, (struct solve_event){.kind = SOLVE_EXPLAIN, .data = buf_str(&out), .n = out.len});
}

static void step_explain_cached(struct step *t, const char *why)
{
	if (t->s->o->explain)
		tell(t, (struct solve_event){.kind = SOLVE_EXPLAIN, .data = why, .n = strlen(why)});
}

/* ---- from step to step ---- */

static void step_begin(struct step *t);

/* T has its result: DONE or CACHED. */
static void step_end(struct step *t, enum step_state state)
{
	struct solver *s = t->s;

	step_set(t, state);
	for (size_t i = step_index(t) + 1; i < s->o->graph->n; i++) {
		struct step *u = &s->steps[i];
		size_t before = u->n_missing;

		if (u->state != STEP_WAITING)
			continue;
		for (size_t k = 0; k < u->v->n_inputs; k++) {
			if (u->v->inputs[k] != step_index(t))
				continue;
			u->inputs[k] = t->result;
			u->n_missing--;
		}
		if (before && !u->n_missing && !s->ending)
			step_begin(u);
	}
}

/* The step has run; its result is T's. */
static void step_finished(struct step *t)
{
	int held = step_hold(t, &t->result);

	if (held == 0)
		err_set(t->s->e, ERR_INTERNAL, 0, "'%s': its result is not in the store",
			t->v->name);
	if (held <= 0 || step_record(t) < 0) {
		step_failed(t);
		return;
	}
	step_end(t, STEP_DONE);
}

static void inline_tell(void *arg, enum job_message kind, const void *data, size_t n);

static void step_inline(struct step *t)
{
	struct build_job j = {.sock = -1, .tell = inline_tell, .arg = t};

	step_explain(t);
	step_set(t, STEP_RUNNING);
	if (t->op->execute(&t->step, &j, t->s->arena, &t->result, t->s->e) < 0)
		step_failed(t);
	else
		step_finished(t);
}

static void child_start(struct step *t, bool execute);

/* Starts what is queued, as far as there is room. */
static void solver_fill(struct solver *s)
{
	size_t room = s->o->parallel ? s->o->parallel : PARALLEL_MAX;

	for (size_t i = 0; i < s->o->graph->n && !s->ending && s->n_running < room; i++)
		if (s->steps[i].state == STEP_QUEUED)
			child_start(&s->steps[i], true);
}

static void step_queue(struct step *t)
{
	if (t->op->flags & BUILD_OP_INLINE) {
		step_inline(t);
		return;
	}
	step_set(t, STEP_QUEUED);
	solver_fill(t->s);
}

/* What the content key needs is there. */
static void step_keyed(struct step *t)
{
	uint64_t mask = t->op->selectors(&t->step);
	int found = 0;

	if (build_key_content(t->op, &t->step, mask, &t->read.digest, &t->content) &&
	    !t->v->no_cache)
		found = step_lookup(t, t->content.text);
	if (found < 0)
		step_failed(t);
	else if (found) {
		step_explain_cached(t, "what it reads is the same\n");
		step_end(t, STEP_CACHED);
	} else
		step_queue(t);
}

static void step_key(struct step *t)
{
	struct build_job j = {.sock = -1, .tell = inline_tell, .arg = t};

	step_set(t, STEP_KEYING);
	if (!(t->op->flags & BUILD_OP_INLINE_KEY)) {
		child_start(t, false);
		return;
	}
	if (t->op->content_key(&t->step, &j, t->s->arena, &t->read, t->s->e) < 0)
		step_failed(t);
	else
		step_keyed(t);
}

static void step_begin(struct step *t)
{
	struct solver *s = t->s;
	bool cached = !(t->op->flags & BUILD_OP_NOT_CACHED);
	int found = 0;

	if (cached && t->op->cheap_key &&
	    t->op->cheap_key(&t->step, s->arena, &t->step.extra, s->e) < 0) {
		step_failed(t);
		return;
	}
	if (cached && build_key_cheap(t->op, &t->step, &t->cheap) && !t->v->no_cache)
		found = step_lookup(t, t->cheap.text);
	if (found < 0)
		step_failed(t);
	else if (found) {
		step_explain_cached(t, "the step and what it starts from are the same\n");
		step_end(t, STEP_CACHED);
	} else if (cached && t->op->content_key && t->op->selectors && t->op->selectors(&t->step))
		step_key(t);
	else
		step_queue(t);
}

/* ---- children ---- */

static void say_stop(struct step *t, enum job_message what)
{
	char c = (char)what;

	(void)!send(t->sock, &c, 1, MSG_NOSIGNAL);
}

/* The child holds the lock: was another build faster? */
static void job_locked(struct step *t)
{
	const char *key = t->content.text[0] ? t->content.text : t->cheap.text;
	int found = t->v->no_cache ? 0 : step_lookup(t, key);

	if (found < 0) {
		step_failed(t);
		return;
	}
	if (found) {
		t->settled = true;
		say_stop(t, JOB_STOP);
		step_explain_cached(t, "another build did it meanwhile\n");
		step_end(t, STEP_CACHED);
		return;
	}
	if (t->state == STEP_LOCKING)
		step_set(t, STEP_RUNNING);
	say_stop(t, JOB_GO);
}

static void job_content(struct step *t, const char *data, size_t n)
{
	t->settled = true;
	t->read.files = t->files.len ? buf_str(&t->files) : NULL;
	if (n != sizeof(t->read.digest.text)) {
		err_set(t->s->e, ERR_INTERNAL, 0, "'%s': a broken message", t->v->name);
		step_failed(t);
		return;
	}
	memcpy(t->read.digest.text, data, n);
	t->has_content = true;
}

static void job_result(struct step *t, const char *data, size_t n)
{
	t->settled = true;
	if (job_unpack_result(data, n, t->s->arena, &t->result) < 0) {
		err_set(t->s->e, ERR_INTERNAL, 0, "'%s': a broken message", t->v->name);
		step_failed(t);
		return;
	}
	step_finished(t);
	say_stop(t, JOB_GO);
}

static void job_failed(struct step *t, const char *data, size_t n)
{
	t->settled = true;
	if (t->s->ending)
		return;
	if (n == sizeof(struct err))
		memcpy(t->s->e, data, n);
	else
		err_set(t->s->e, ERR_INTERNAL, 0, "'%s': a broken message", t->v->name);
	step_failed(t);
}

static void job_progress(struct step *t, const char *data, size_t n)
{
	struct job_progress p;

	if (n <= sizeof(p) || data[n - 1])
		return;
	memcpy(&p, data, sizeof(p));
	tell(t, (struct solve_event){.kind = SOLVE_PROGRESS,
				     .id = data + sizeof(p),
				     .current = p.current,
				     .total = p.total,
				     .done = p.done});
}

static void job_files(struct step *t, const char *data, size_t n)
{
	if (t->files.len + n <= BUILD_FILES_MAX)
		(void)buf_put(&t->files, data, n);
}

/* What is told when all is over is for the log alone. */
static void job_message(struct step *t, enum job_message kind, const char *data, size_t n)
{
	if (kind == JOB_LOG && n) {
		tell(t,
		     (struct solve_event){
			     .kind = SOLVE_LOG, .stream = data[0], .data = data + 1, .n = n - 1});
		return;
	}
	if (kind == JOB_PROGRESS)
		job_progress(t, data, n);
	if (t->s->ending)
		return;
	if (kind == JOB_WAITING)
		step_set(t, STEP_LOCKING);
	else if (kind == JOB_LOCKED)
		job_locked(t);
	else if (kind == JOB_FILES)
		job_files(t, data, n);
	else if (kind == JOB_CONTENT)
		job_content(t, data, n);
	else if (kind == JOB_RESULT)
		job_result(t, data, n);
	else if (kind == JOB_FAILED)
		job_failed(t, data, n);
}

static void inline_tell(void *arg, enum job_message kind, const void *data, size_t n)
{
	job_message(arg, kind, data, n);
}

/* One packet; false at the end. */
static bool child_read(struct step *t)
{
	char *packet = t->s->packet;
	ssize_t n = recv(t->sock, packet, JOB_PACKET_MAX + 64, MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	job_message(t, (enum job_message)packet[0], packet + 1, (size_t)n - 1);
	return true;
}

static void on_sock(struct loop *l, struct loop_source *src, uint32_t events)
{
	struct step *t = src->data;

	if (!child_read(t) && events & (EPOLLHUP | EPOLLERR))
		loop_remove(l, src);
}

/* Takes what the child has said, then its end. */
static void on_exit_of(struct loop *l, struct loop_source *src, uint32_t events)
{
	struct step *t = src->data;
	struct solver *s = t->s;
	int status = 0;
	bool executed = t->executing;

	while (!t->settled && child_read(t))
		;
	loop_remove(l, &t->on_exit);
	loop_remove(l, &t->on_sock);
	process_wait(&t->child, &status);
	process_done(&t->child);
	fd_close(&t->sock);
	s->n_children--;
	s->n_running -= executed;
	if (!t->settled && !s->ending) {
		err_set(s->e, ERR_INTERNAL, 0, "'%s': its process ended with status %d", t->v->name,
			status);
		step_failed(t);
	}
	if (t->has_content && !executed && !s->ending)
		step_keyed(t);
	solver_fill(s);
}

/* The child opens a store of its own, and finds nothing of SQLite open. */
static int child_fork(struct step *t, bool execute, struct err *e)
{
	int pair[2], pidfd = -1;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, errno, "starting '%s'", t->v->name);
	if (store_pause(t->s->o->store, e) < 0) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	pid = ns_fork(0, -1, &pidfd);
	if (pid == 0) {
		const char *key = t->content.text[0] ? t->content.text
				  : t->cheap.text[0] ? t->cheap.text
						     : NULL;
		struct job_run r = {t->op, &t->step, execute, t->s->locks, key};

		close(pair[0]);
		job_run(&r, pair[1]);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		(void)store_resume(t->s->o->store, e);
		return err_errno(e, (int)pid, "starting '%s'", t->v->name);
	}
	t->child = (struct process){.pidfd = pidfd, .pid = pid};
	t->sock = pair[0];
	return store_resume(t->s->o->store, e);
}

static void child_start(struct step *t, bool execute)
{
	struct solver *s = t->s;
	int r;

	if (execute) {
		step_explain(t);
		step_set(t, STEP_RUNNING);
	}
	t->settled = false;
	t->executing = execute;
	if (child_fork(t, execute, s->e) < 0) {
		process_kill(&t->child);
		step_failed(t);
		return;
	}
	s->n_children++;
	s->n_running += execute;
	r = loop_add(&s->loop, &t->on_sock, t->sock, EPOLLIN, on_sock);
	if (r == 0)
		r = loop_add(&s->loop, &t->on_exit, t->child.pidfd, EPOLLIN, on_exit_of);
	if (r == 0)
		return;
	err_errno(s->e, r, "starting '%s'", t->v->name);
	process_kill(&t->child);
	step_failed(t);
}

/* ---- the whole ---- */

static const struct build_op *find_op(const struct solve_opts *o, const char *type)
{
	for (size_t i = 0; o->ops[i]; i++)
		if (str_eq(o->ops[i]->type, type))
			return o->ops[i];
	return NULL;
}

static int step_init(struct solver *s, size_t i, bool needed)
{
	struct step *t = &s->steps[i];
	const struct vertex *v = &s->o->graph->v[i];
	struct build_result *inputs = arena_array(s->arena, v->n_inputs + 1, sizeof(*inputs));

	*t = (struct step){.s = s,
			   .v = v,
			   .op = find_op(s->o, v->type),
			   .state = needed ? STEP_WAITING : STEP_UNNEEDED,
			   .step = {.v = v, .inputs = inputs, .arg = s->o->op_arg},
			   .inputs = inputs,
			   .n_missing = v->n_inputs,
			   .files = BUF_INIT(BUILD_FILES_MAX + 1),
			   .child = PROCESS_INIT,
			   .sock = -1,
			   .on_sock = LOOP_SOURCE_INIT,
			   .on_exit = LOOP_SOURCE_INIT};
	t->on_sock.data = t->on_exit.data = t;
	if (!inputs)
		return err_errno(s->e, ENOMEM, "building");
	if (needed && !t->op)
		return err_set(s->e, ERR_UNSUPPORTED, 0, "no operation '%s'", v->type);
	return 0;
}

static int solver_init(struct solver *s)
{
	const struct graph *g = s->o->graph;
	const bool *needed = graph_needed(g, s->o->targets, s->o->n_targets, s->arena);
	int r;

	s->steps = arena_array(s->arena, g->n + 1, sizeof(*s->steps));
	s->packet = arena_alloc(s->arena, JOB_PACKET_MAX + 64);
	if (!needed || !s->steps || !s->packet)
		return err_errno(s->e, ENOMEM, "building");
	for (size_t i = 0; i < g->n; i++)
		if (step_init(s, i, needed[i]) < 0)
			return -1;
	s->locks = path_open_own(store_run_fd(s->o->store), "build.lock",
				 O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->locks < 0)
		return err_errno(s->e, s->locks, "opening the builds' lock");
	r = loop_init(&s->loop);
	s->on_time.data = s->on_cancel.data = s;
	if (r == 0)
		r = loop_add_timer(&s->loop, &s->on_time, on_time);
	if (r == 0 && s->o->cancel_fd >= 0)
		r = loop_add(&s->loop, &s->on_cancel, s->o->cancel_fd, EPOLLIN, on_cancel);
	return r < 0 ? err_errno(s->e, r, "making an event loop") : 0;
}

static void solver_run(struct solver *s)
{
	for (size_t i = 0; i < s->o->graph->n && !s->ending; i++)
		if (s->steps[i].state == STEP_WAITING && !s->steps[i].n_missing)
			step_begin(&s->steps[i]);
	while (s->n_children) {
		int r = loop_step(&s->loop, s->o->tick ? TICK_MS : -1);

		if (s->o->tick)
			s->o->tick(s->o->arg);
		if (r < 0 && r != -EINTR) {
			if (!s->ending)
				err_errno(s->e, r, "waiting for build steps");
			solver_cancel(s);
			on_time(&s->loop, &s->on_time, 0);
		}
	}
}

static void solver_done(struct solver *s)
{
	struct build_result *results = arena_array(s->arena, s->o->graph->n + 1, sizeof(*results));
	enum step_state *states = arena_array(s->arena, s->o->graph->n + 1, sizeof(*states));
	struct err ignored = ERR_INIT;

	for (size_t i = 0; s->steps && i < s->o->graph->n; i++) {
		if (results && states) {
			results[i] = s->steps[i].result;
			states[i] = s->steps[i].state;
		}
		buf_done(&s->steps[i].files);
	}
	s->ret->results = results;
	s->ret->states = states;
	if (s->n_used)
		build_record_touch(s->o->store, s->used, s->n_used, clock_now(), &ignored);
	loop_remove(&s->loop, &s->on_cancel);
	loop_remove(&s->loop, &s->on_time);
	loop_done(&s->loop);
	fd_close(&s->locks);
}

int solve(const struct solve_opts *o, struct solve_result *ret, struct err *e)
{
	struct solver s = {.o = o,
			   .ret = ret,
			   .e = e,
			   .arena = &ret->arena,
			   .loop = LOOP_INIT,
			   .on_cancel = LOOP_SOURCE_INIT,
			   .on_time = LOOP_SOURCE_INIT,
			   .locks = -1};
	bool failed = solver_init(&s) < 0;

	ret->arena.max = (size_t)1 << 30;
	if (!failed) {
		solver_run(&s);
		failed = s.ending;
	}
	solver_done(&s);
	if (!failed && !ret->results)
		return err_errno(e, ENOMEM, "building");
	return failed ? -1 : 0;
}

void solve_result_done(struct solve_result *r)
{
	arena_done(&r->arena);
	*r = SOLVE_RESULT_INIT;
}
