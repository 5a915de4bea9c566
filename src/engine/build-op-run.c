/* SPDX-License-Identifier: Apache-2.0 */
/* RUN as an operation: mounts, the process, its output, its layer. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/build-op-internal.h"
#include "engine/build-run-mounts.h"
#include "engine/build-run.h"
#include "engine/build-watch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

struct running {
	struct engine *en;
	struct build_watch *watch;
	struct build_mounts mounts;
	struct build_run *run;
	struct run_params p;
	struct build_run_opts opts;
	struct spec_resources resources;
};

static void running_done(struct running *k)
{
	build_run_free(k->run);
	build_mounts_done(&k->mounts);
	build_watch_free(k->watch);
	if (k->en)
		engine_free(k->en);
}

/* "HOST=ADDRESS" */
static int fill_hosts(struct running *k, struct arena *a, struct err *e)
{
	size_t n = strv_len(k->p.extra_hosts);
	struct spec_pair *v = arena_array(a, n, sizeof(*v));

	for (size_t i = 0; v && i < n; i++) {
		v[i].key = str_cut(a, k->p.extra_hosts[i], '=', &v[i].value);
		if (!v[i].key || !v[i].value)
			return err_set(e, ERR_INVALID, 0, "--add-host %s", k->p.extra_hosts[i]);
	}
	k->opts.extra_hosts = v;
	k->opts.n_extra_hosts = n;
	return v ? 0 : err_errno(e, ENOMEM, "--add-host");
}

/* "NAME=SOFT[:HARD]" */
static int parse_ulimit(struct arena *a, const char *text, struct spec_ulimit *ret)
{
	const char *value = NULL, *hard = NULL;
	char *soft;

	ret->name = str_cut(a, text, '=', &value);
	soft = ret->name && value ? str_cut(a, value, ':', &hard) : NULL;
	if (!soft || num_i64(soft, -1, INT64_MAX, &ret->soft) < 0)
		return -EINVAL;
	ret->hard = ret->soft;
	return hard ? num_i64(hard, -1, INT64_MAX, &ret->hard) : 0;
}

static int fill_resources(struct running *k, const struct build_session *s, struct arena *a,
			  struct err *e)
{
	size_t n = strv_len(k->p.ulimits);
	struct spec_ulimit *v = arena_array(a, n, sizeof(*v));

	if (!v)
		return err_errno(e, ENOMEM, "--ulimit");
	for (size_t i = 0; i < n; i++)
		if (parse_ulimit(a, k->p.ulimits[i], &v[i]) < 0)
			return err_set(e, ERR_INVALID, 0, "invalid ulimit argument: %s",
				       k->p.ulimits[i]);
	k->resources = s->resources;
	k->resources.ulimits = v;
	k->resources.n_ulimits = n;
	k->resources.cgroup_parent = *k->p.cgroup_parent ? k->p.cgroup_parent : NULL;
	return 0;
}

/* The environment of the step, of --mount=type=secret,env=, and proxies behind the first. */
static int fill_env(struct running *k, const struct build_step *s, struct arena *a, struct err *e)
{
	struct run_aside aside;
	const char **env = NULL;
	size_t n = 0;
	int r = 0;

	if (run_aside_read(s->v->aside, a, &aside, e) < 0)
		return -1;
	for (const char *const *p = aside.proxy; *p && r == 0; p++)
		r = arena_strv_push(a, &env, &n, *p);
	for (const char *const *p = k->p.env; *p && r == 0; p++)
		r = arena_strv_push(a, &env, &n, *p);
	for (const char *const *p = k->mounts.env; p && *p && r == 0; p++)
		r = arena_strv_push(a, &env, &n, *p);
	k->opts.env = env;
	return r < 0 ? err_errno(e, r, "making the environment") : 0;
}

static enum spec_ns_mode network_mode(const char *name)
{
	if (str_eq(name, "default"))
		return SPEC_NS_DEFAULT;
	return str_eq(name, "host")   ? SPEC_NS_HOST
	       : str_eq(name, "none") ? SPEC_NS_NONE
				      : SPEC_NS_NAMED;
}

static int fill(struct running *k, const struct build_step *s, struct arena *a, struct err *e)
{
	if (k->p.devices[0])
		return err_set(e, ERR_UNSUPPORTED, 0, "RUN --device is not in this version");
	if (fill_env(k, s, a, e) < 0 || fill_hosts(k, a, e) < 0 ||
	    fill_resources(k, s->arg, a, e) < 0)
		return -1;
	k->opts.chain = s->inputs[0].chain;
	k->opts.args = k->p.args;
	k->opts.user = k->p.user;
	k->opts.workdir = k->p.cwd;
	k->opts.hostname = k->p.hostname;
	k->opts.insecure = str_eq(k->p.security, "insecure");
	k->opts.network = network_mode(k->p.network);
	k->opts.network_name = k->p.network;
	k->opts.mounts = k->mounts.v;
	k->opts.n_mounts = k->mounts.n;
	k->opts.resources = &k->resources;
	k->opts.shm_size = k->p.shm_size;
	k->opts.watch = k->watch;
	return 0;
}

/* ---- output ---- */

/* What is there now: false at the end. */
static bool drain(int fd, struct build_job *job)
{
	static char data[READ_SIZE];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		build_job_log(job, 1, data, (size_t)n);
	return n < 0 && errno == EAGAIN;
}

/* Until the process ends: what it left behind may hold its output open for ever. */
static int follow(struct running *k, struct build_job *job, struct err *e)
{
	struct pollfd p[] = {{.fd = build_run_output(k->run), .events = POLLIN},
			     {.fd = build_run_pidfd(k->run), .events = POLLIN},
			     {.fd = build_job_cancel_fd(job), .events = POLLIN}};

	for (;;) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_errno(e, errno, "waiting for a step");
		if (p[2].revents)
			return err_set(e, ERR_CONFLICT, 0, "cancelled");
		if (p[0].revents && !drain(p[0].fd, job))
			p[0].fd = -1;
		if (p[1].revents)
			return 0;
	}
}

/* As BuildKit says it. */
static int failed(const struct running *k, int status, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char *args = str_join(&a, k->p.args, " ");

	return err_set(e, ERR_CONFLICT, 0,
		       "process \"%s\" did not complete successfully: exit code: %d",
		       args ? args : "", status);
}

static int run(struct running *k, struct build_job *job, int64_t newest, struct build_layer *ret,
	       struct err *e)
{
	int status = 0;

	if (build_run_start(k->en, &k->opts, &k->run, e) < 0 || follow(k, job, e) < 0 ||
	    build_run_wait(k->run, &status, e) < 0)
		return -1;
	drain(build_run_output(k->run), job);
	if (status != 0)
		return failed(k, status, e);
	return build_run_commit(k->run, newest, ret, e);
}

static int run_execute(const struct build_step *s, struct build_job *job, struct arena *a,
		       struct build_result *ret, struct err *e)
{
	const struct build_session *session = s->arg;
	_cleanup_(running_done) struct running k = {.en = NULL};
	struct build_layer l;

	if (run_params_read(s->v->params, a, &k.p, e) < 0 ||
	    engine_open(&session->engine, &k.en, e) < 0 || build_watch_new(k.en, &k.watch, e) < 0 ||
	    build_mounts_open(k.en, s, &k.p, a, &k.mounts, e) < 0 || fill(&k, s, a, e) < 0 ||
	    run(&k, job, build_newest(session, k.p.epoch), &l, e) < 0)
		return -1;
	return build_result_of(&l, a, ret, e);
}

/* ---- key ---- */

/* What --mount=type=bind reads of other inputs is known by its content. */
static uint64_t run_selectors(const struct build_step *s)
{
	size_t n = s->v->n_inputs;

	return n < 2 ? 0 : ((UINT64_C(1) << (n - 1)) - 1) << 1;
}

static int digest_mount(struct running *k, const struct build_step *s, const struct run_mount *m,
			struct build_digest *d, struct err *e)
{
	_cleanup_(build_tree_done) struct build_tree tree = BUILD_TREE_INIT;
	const char *const paths[] = {*m->source ? m->source : "/", NULL};
	struct build_copy copy = {.paths = paths, .dest = "/"};

	if (m->input >= s->v->n_inputs)
		return err_set(e, ERR_INVALID, 0, "a mount of what is no input");
	if (build_tree_open(k->en, s->arg, &s->inputs[m->input], &tree, e) < 0)
		return -1;
	copy.from = tree.source;
	return build_copy_digest(&copy, d, e);
}

static int run_content_key(const struct build_step *s, struct build_job *job, struct arena *a,
			   struct build_content *ret, struct err *e)
{
	const struct build_session *session = s->arg;
	_cleanup_(running_done) struct running k = {.en = NULL};
	_cleanup_(buf_done) struct buf files = BUF_INIT(BUILD_FILES_MAX);
	struct build_digest d = {.files = &files};
	unsigned char sum[SHA256_SIZE];

	sha256_init(&d.hash);
	if (run_params_read(s->v->params, a, &k.p, e) < 0 ||
	    engine_open(&session->engine, &k.en, e) < 0)
		return -1;
	for (size_t i = 0; i < k.p.n_mounts; i++)
		if (k.p.mounts[i].input && digest_mount(&k, s, &k.p.mounts[i], &d, e) < 0)
			return -1;
	sha256_end(&d.hash, sum);
	digest_from_hash(sum, &ret->digest);
	ret->files = arena_strdup(a, buf_str(&files));
	return ret->files ? 0 : err_errno(e, ENOMEM, "reading files");
}

const struct build_op build_op_run = {.type = OP_RUN,
				      .version = 1,
				      .selectors = run_selectors,
				      .content_key = run_content_key,
				      .execute = run_execute,
				      .hold = build_hold_layer};
