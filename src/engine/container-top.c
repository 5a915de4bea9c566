/* SPDX-License-Identifier: Apache-2.0 */
/* `top` is the host's ps, of whose lines those of the container's processes are kept, as Docker
 * does it: the user chooses the columns, "pid" must be one of them. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "engine/container-stats.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "kernel/cgroup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { OUTPUT_MAX = 64 << 20 };

struct top {
	struct arena arena;
	const pid_t *pids;
	size_t n_pids;
	size_t n_titles, pid_column;
	json_t *titles, *processes;
};

static int run_ps(const char *const *args, struct buf *out, struct err *e)
{
	static const char *const plain[] = {"ps", "-ef", NULL};
	static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
	_cleanup_(fd_close) int exe = path_open_host("/usr/bin/ps", O_PATH, 0);
	_cleanup_(process_done) struct process p = PROCESS_INIT;
	int pipe[2], said[3] = {-1, -1, -1}, status, r;
	struct process_spawn s = PROCESS_SPAWN_INIT;

	if (exe < 0)
		exe = path_open_host("/bin/ps", O_PATH, 0);
	if (exe < 0)
		return err_errno(e, exe, "finding the host's ps (package procps)");
	r = fd_pipe(pipe);
	if (r < 0)
		return err_errno(e, r, "making a pipe");
	said[1] = said[2] = pipe[1];
	s.exe = exe;
	s.argv = args ? args : plain;
	s.env = env;
	s.fds = said;
	s.n_fds = ARRAY_SIZE(said);
	r = process_spawn(&s, &p);
	fd_close(&pipe[1]);
	if (r == 0)
		r = fd_read_all(pipe[0], out, OUTPUT_MAX);
	fd_close(&pipe[0]);
	if (r < 0 || process_wait(&p, &status) < 0)
		return err_errno(e, r, "running ps");
	if (out->data)
		out->data[status ? strcspn(out->data, "\n") : out->len] = '\0';
	return status ? err_set(e, ERR_INVALID, 0, "%s", out->len ? buf_str(out) : "ps failed") : 0;
}

/* The next word of *S, NULL at the end. */
static char *next_word(struct arena *a, const char **s)
{
	size_t n;
	char *word;

	while (isspace((unsigned char)**s))
		(*s)++;
	n = strcspn(*s, " \t");
	if (n == 0)
		return NULL;
	word = arena_strndup(a, *s, n);
	*s += n;
	return word;
}

static int read_titles(struct top *t, const char *line, struct err *e)
{
	bool found = false;
	char *word;

	while ((word = next_word(&t->arena, &line))) {
		if (str_eq(word, "PID") && !found) {
			found = true;
			t->pid_column = t->n_titles;
		}
		(void)json_array_append_new(t->titles, json_string(word));
		t->n_titles++;
	}
	return found ? 0 : err_set(e, ERR_INVALID, 0, "couldn't find PID field in ps output");
}

static bool is_member(const struct top *t, const char *word)
{
	uint64_t pid;

	if (num_u64(word, 1, INT32_MAX, &pid) < 0)
		return false;
	for (size_t i = 0; i < t->n_pids; i++)
		if (t->pids[i] == (pid_t)pid)
			return true;
	return false;
}

/* The last column takes the rest of the line, words joined by one blank. */
static int read_line(struct top *t, const char *line, struct err *e)
{
	const char **words = NULL;
	size_t n = 0;
	json_t *row;
	char *word;

	while ((word = next_word(&t->arena, &line)))
		if (arena_strv_push(&t->arena, &words, &n, word) < 0)
			return err_set(e, ERR_LIMIT, ENOMEM, "reading the output of ps");
	if (n <= t->pid_column || !is_member(t, words[t->pid_column]))
		return 0;
	row = json_array();
	for (size_t i = 0; i + 1 < t->n_titles && i < n; i++)
		(void)json_array_append_new(row, json_string(words[i]));
	if (n >= t->n_titles) {
		const char *rest = str_join(&t->arena, words + t->n_titles - 1, " ");

		(void)json_array_append_new(row, json_string(rest ? rest : ""));
	}
	return json_array_append_new(t->processes, row) < 0
		       ? err_set(e, ERR_LIMIT, ENOMEM, "reading the output of ps")
		       : 0;
}

static int read_output(struct top *t, char *text, struct err *e)
{
	bool first = true;

	while (*text) {
		char *end = strchr(text, '\n');

		if (end)
			*end = '\0';
		if ((first ? read_titles(t, text, e) : read_line(t, text, e)) < 0)
			return -1;
		first = false;
		text = end ? end + 1 : text + strlen(text);
	}
	return 0;
}

/* "ps" before the user's options. */
static const char *const *ps_args(struct arena *a, const char *const *args)
{
	const char **v = NULL;
	size_t n = 0;

	if (!args || !args[0] || arena_strv_push(a, &v, &n, "ps") < 0)
		return NULL;
	for (size_t i = 0; args[i]; i++)
		if (arena_strv_push(a, &v, &n, args[i]) < 0)
			return NULL;
	return v;
}

static int list_pids(const struct container *c, pid_t **ret, size_t *ret_n, struct err *e)
{
	_cleanup_(cgroup_host_done) struct cgroup_host host = CGROUP_HOST_INIT;
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	int r;

	if (container_cgroup_open(c, &host, &cg, e) < 0)
		return -1;
	r = cgroup_pids(&cg, ret, ret_n);
	return r < 0 ? err_errno(e, r, "listing the processes of container %.12s", c->id) : 0;
}

json_t *container_top(struct engine *en, const char *ref, const char *const *args, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);
	_cleanup_(freep) pid_t *pids = NULL;
	struct top t = {.arena = ARENA_INIT};
	int r;

	if (container_load_now(en, ref, &c, e) < 0 ||
	    container_need_running(&c, !c.restarting, e) < 0 ||
	    list_pids(&c, &pids, &t.n_pids, e) < 0)
		return NULL;
	t.pids = pids;
	t.titles = json_array();
	t.processes = json_array();
	r = run_ps(ps_args(&t.arena, args), &out, e);
	if (r == 0 && out.data)
		r = read_output(&t, out.data, e);
	arena_done(&t.arena);
	if (r < 0) {
		json_decref(t.titles);
		json_decref(t.processes);
		return NULL;
	}
	event_container(en, &c, "top", NULL);
	return json_pack("{s:o, s:o}", "Titles", t.titles, "Processes", t.processes);
}
