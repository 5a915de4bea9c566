/* SPDX-License-Identifier: Apache-2.0 */
/* The solver with operations of its own: what runs, what is found, what ends. */
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "build/cache.h"
#include "build/solver.h"
#include "store/store.h"

#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* One test: a store of its own, what the operations share, and what was told. */
struct fixture {
	char root[256], run[264];
	struct store *store;
	struct graph g;
	struct err e;
	int there[2], back[2]; /* pipes of the two "meet" */
	const char *content;   /* of "source" */
	bool gone;             /* hold says so */
	unsigned ran, found, cancelled;
	char log[256], why[512];
};

/* ---- operations ---- */

static int named(struct arena *a, const char *name, struct build_result *ret)
{
	struct digest d;

	digest_of(name, strlen(name), &d);
	*ret = (struct build_result){.digest = arena_strdup(a, d.text), .data = "{}"};
	return 0;
}

static int op_make(const struct build_step *s, struct build_job *j, struct arena *a,
		   struct build_result *ret, struct err *e)
{
	build_job_log(j, 1, "made\n", 5);
	return named(a, s->v->params, ret);
}

static int op_fail(const struct build_step *s, struct build_job *j, struct arena *a,
		   struct build_result *ret, struct err *e)
{
	return err_set(e, ERR_INVALID, 0, "this one fails");
}

static int op_hang(const struct build_step *s, struct build_job *j, struct arena *a,
		   struct build_result *ret, struct err *e)
{
	while (getpid() > 0)
		pause();
	return 0;
}

static int op_die(const struct build_step *s, struct build_job *j, struct arena *a,
		  struct build_result *ret, struct err *e)
{
	kill(getpid(), SIGKILL);
	return 0;
}

/* Ends only when another one runs at the same time. */
static int op_meet(const struct build_step *s, struct build_job *j, struct arena *a,
		   struct build_result *ret, struct err *e)
{
	struct fixture *f = s->arg;
	bool first = strstr(s->v->params, "first") != NULL;
	char c = 'x';

	if (write(first ? f->there[1] : f->back[1], &c, 1) != 1 ||
	    read(first ? f->back[0] : f->there[0], &c, 1) != 1)
		return err_set(e, ERR_IO, 0, "nobody came");
	return named(a, s->v->params, ret);
}

static int op_source(const struct build_step *s, struct build_job *j, struct arena *a,
		     struct build_result *ret, struct err *e)
{
	*ret = (struct build_result){.digest = "", .data = "{}"};
	return 0;
}

static uint64_t take_selectors(const struct build_step *s)
{
	return 1;
}

static int take_key(const struct build_step *s, struct build_job *j, struct arena *a,
		    struct build_content *ret, struct err *e)
{
	struct fixture *f = s->arg;

	digest_of(f->content, strlen(f->content), &ret->digest);
	ret->files = arena_printf(a, "file\t%s\n", ret->digest.text);
	return 0;
}

static int is_held(void *arg, const struct build_result *r, struct err *e)
{
	return !((struct fixture *)arg)->gone;
}

static const struct build_op ops[] = {
	{.type = "make", .version = 1, .execute = op_make, .hold = is_held},
	{.type = "fail", .version = 1, .execute = op_fail},
	{.type = "hang", .version = 1, .execute = op_hang},
	{.type = "die", .version = 1, .execute = op_die},
	{.type = "meet", .version = 1, .execute = op_meet},
	{.type = "source",
	 .version = 1,
	 .flags = BUILD_OP_INLINE | BUILD_OP_NOT_CACHED,
	 .execute = op_source},
	{.type = "take",
	 .version = 1,
	 .selectors = take_selectors,
	 .content_key = take_key,
	 .execute = op_make}};
static const struct build_op *const all[] = {&ops[0], &ops[1], &ops[2], &ops[3],
					     &ops[4], &ops[5], &ops[6], NULL};

/* ---- the fixture ---- */

static void open_store(struct fixture *f)
{
	struct store_opts o = {.root = f->root, .run_root = f->run, .driver = "vfs"};

	if (store_open(&o, &f->store, &f->e) < 0)
		fail_msg("store_open: %s", f->e.msg);
}

static void begin(struct fixture *f)
{
	char base[128];

	*f = (struct fixture){.g = GRAPH_INIT, .e = ERR_INIT, .content = "one"};
	assert_non_null(getcwd(base, sizeof(base)));
	snprintf(f->root, sizeof(f->root), "%s/test-solver-XXXXXX", base);
	assert_non_null(mkdtemp(f->root));
	snprintf(f->run, sizeof(f->run), "%s/run", f->root);
	open_store(f);
	assert_int_equal(pipe(f->there) | pipe(f->back), 0);
	alarm(60);
}

static void end(struct fixture *f)
{
	char *name = strrchr(f->root, '/');
	int dir;

	graph_done(&f->g);
	store_free(f->store);
	for (int i = 0; i < 2; i++) {
		close(f->there[i]);
		close(f->back[i]);
	}
	*name = '\0';
	dir = path_open_host(f->root, O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(path_remove_tree(dir, name + 1), 0);
	fd_close(&dir);
}

static void seen(void *arg, const struct solve_event *ev)
{
	struct fixture *f = arg;

	if (ev->kind == SOLVE_STATE) {
		f->ran += ev->state == STEP_RUNNING && !str_eq(ev->v->type, "source");
		f->found += ev->state == STEP_CACHED;
		f->cancelled += ev->state == STEP_CANCELLED;
	}
	if (ev->kind == SOLVE_LOG)
		snprintf(f->log, sizeof(f->log), "%.*s", (int)ev->n, ev->data);
	if (ev->kind == SOLVE_EXPLAIN)
		snprintf(f->why, sizeof(f->why), "%s", ev->data);
}

static size_t add(struct fixture *f, const char *type, const char *params, ssize_t input)
{
	size_t at = (size_t)input, ret;
	struct vertex v = {.type = type,
			   .params = params,
			   .inputs = &at,
			   .n_inputs = input >= 0,
			   .name = type,
			   .slot = type};

	if (graph_add(&f->g, &v, &ret, &f->e) < 0)
		fail_msg("graph_add: %s", f->e.msg);
	return ret;
}

/* Solves for TARGETS; the counts are of this time. */
static int solve_for(struct fixture *f, const size_t *targets, size_t n)
{
	struct solve_result r = SOLVE_RESULT_INIT;
	struct solve_opts o = {.graph = &f->g,
			       .targets = targets,
			       .n_targets = n,
			       .ops = all,
			       .op_arg = f,
			       .store = f->store,
			       .cancel_fd = -1,
			       .explain = true,
			       .event = seen,
			       .arg = f};
	int ret;

	f->ran = f->found = f->cancelled = 0;
	f->e = ERR_INIT;
	ret = solve(&o, &r, &f->e);
	solve_result_done(&r);
	return ret;
}

static void solved(struct fixture *f, size_t target)
{
	if (solve_for(f, &target, 1) < 0)
		fail_msg("solve: %s", f->e.msg);
}

/* ---- what holds ---- */

static void what_was_done_is_found_again(void **state)
{
	struct fixture f;
	size_t a, b;

	begin(&f);
	a = add(&f, "make", "{\"n\":1}", -1);
	b = add(&f, "make", "{\"n\":2}", (ssize_t)a);
	solved(&f, b);
	assert_int_equal(f.ran, 2);
	assert_string_equal(f.log, "made\n");
	solved(&f, b);
	assert_int_equal(f.ran, 0);
	assert_int_equal(f.found, 2);
	store_free(f.store);
	open_store(&f);
	solved(&f, b);
	assert_int_equal(f.ran, 0);
	f.g.v[b].no_cache = true;
	solved(&f, b);
	assert_int_equal(f.ran, 1);
	assert_non_null(strstr(f.why, "the cache is not to be used"));
	end(&f);
}

static void a_result_that_is_gone_is_made_again(void **state)
{
	struct fixture f;
	size_t a;

	begin(&f);
	a = add(&f, "make", "{}", -1);
	solved(&f, a);
	f.gone = true;
	assert_int_equal(solve_for(&f, &a, 1), -1); /* and is gone again */
	assert_int_equal(f.ran, 1);
	f.gone = false;
	solved(&f, a);
	assert_int_equal(f.ran, 1);
	end(&f);
}

static void what_no_target_needs_is_not_done(void **state)
{
	struct fixture f;
	size_t a;

	begin(&f);
	add(&f, "fail", "{}", -1);
	a = add(&f, "make", "{}", -1);
	assert_int_equal(add(&f, "make", "{}", -1), a); /* the same is one */
	solved(&f, a);
	assert_int_equal(f.ran, 1);
	end(&f);
}

static void independent_steps_run_at_once(void **state)
{
	struct fixture f;
	size_t targets[2];

	begin(&f);
	targets[0] = add(&f, "meet", "{\"who\":\"first\"}", -1);
	targets[1] = add(&f, "meet", "{\"who\":\"second\"}", -1);
	assert_int_equal(solve_for(&f, targets, 2), 0);
	assert_int_equal(f.ran, 2);
	end(&f);
}

static void a_failure_ends_the_rest(void **state)
{
	struct fixture f;
	size_t targets[3];

	begin(&f);
	targets[0] = add(&f, "hang", "{}", -1);
	targets[1] = add(&f, "fail", "{}", -1);
	targets[2] = add(&f, "make", "{}", (ssize_t)targets[1]);
	assert_int_equal(solve_for(&f, targets, 3), -1);
	assert_string_equal(f.e.msg, "this one fails");
	assert_int_equal(f.cancelled, 2);
	end(&f);
}

static void a_child_that_is_killed_is_a_failure(void **state)
{
	struct fixture f;
	size_t a;

	begin(&f);
	a = add(&f, "die", "{}", -1);
	assert_int_equal(solve_for(&f, &a, 1), -1);
	assert_non_null(strstr(f.e.msg, "137"));
	assert_int_equal(solve_for(&f, &a, 1), -1);
	end(&f);
}

static void content_decides_where_there_is_no_digest(void **state)
{
	struct fixture f;
	size_t a;

	begin(&f);
	a = add(&f, "take", "{}", (ssize_t)add(&f, "source", "{}", -1));
	solved(&f, a);
	assert_int_equal(f.ran, 1);
	assert_string_equal(f.why, "there is no earlier result of this step\n");
	solved(&f, a);
	assert_int_equal(f.ran, 0);
	f.content = "two";
	solved(&f, a);
	assert_int_equal(f.ran, 1);
	assert_string_equal(f.why, "file changed\n");
	f.content = "one";
	solved(&f, a);
	assert_int_equal(f.ran, 0);
	end(&f);
}

static void an_explanation_names_what_changed(void **state)
{
	struct fixture f;

	begin(&f);
	solved(&f, add(&f, "make", "{\"env\":[\"A=1\",\"B=2\"],\"user\":\"x\"}", -1));
	solved(&f, add(&f, "make", "{\"env\":[\"A=3\",\"C=2\"],\"user\":\"y\"}", -1));
	assert_string_equal(f.why, "env: A changed from '1' to '3'\n"
				   "env: 'C=2' is new\n"
				   "env: 'B=2' is gone\n"
				   "user changed from \"x\" to \"y\"\n");
	end(&f);
}

static void a_graph_reads_as_it_was_written(void **state)
{
	_cleanup_(buf_done) struct buf one = BUF_INIT(65536), two = BUF_INIT(65536);
	struct fixture f;
	struct graph copy = GRAPH_INIT;
	const size_t *targets;
	size_t a, n;

	begin(&f);
	a = add(&f, "make", "{\"z\":1,\"a\":{\"d\":1,\"c\":2}}",
		(ssize_t)add(&f, "source", "{}", -1));
	assert_int_equal(graph_write(&f.g, &a, 1, &one, &f.e), 0);
	assert_int_equal(graph_parse(one.data, one.len, &copy, &targets, &n, &f.e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(copy.v[targets[0]].digest.text, f.g.v[a].digest.text);
	assert_int_equal(graph_write(&copy, targets, n, &two, &f.e), 0);
	assert_string_equal(buf_str(&one), buf_str(&two));
	graph_done(&copy);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_done_is_found_again),
		cmocka_unit_test(a_result_that_is_gone_is_made_again),
		cmocka_unit_test(what_no_target_needs_is_not_done),
		cmocka_unit_test(independent_steps_run_at_once),
		cmocka_unit_test(a_failure_ends_the_rest),
		cmocka_unit_test(a_child_that_is_killed_is_a_failure),
		cmocka_unit_test(content_decides_where_there_is_no_digest),
		cmocka_unit_test(an_explanation_names_what_changed),
		cmocka_unit_test(a_graph_reads_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
