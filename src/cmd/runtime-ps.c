/* SPDX-License-Identifier: Apache-2.0 */
/* The verb ps. As JSON it is the list of PIDs; as a table it is what the machine's own ps(1) prints
 * with the options given (-ef), less the lines of other processes: its columns are whatever the
 * options say, so that the one called PID is looked for in its first line. */
#include "cmd/runtime.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "runtime/control.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT_MAX = 16 << 20 };

struct ps_args {
	struct runtime_args args;
	const char *format;
};

const struct runtime_option runtime_ps_options[] = {
	{"format", 'f', OPTION_STR, offsetof(struct ps_args, format), "table|json", "how to print"},
	{.name = NULL},
};

/* The processes of the container. */
struct pids {
	pid_t *v;
	size_t n;
};

static void pids_done(struct pids *p)
{
	free(p->v);
}

static int print_json(const struct pids *p, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);
	int r = buf_putc(&out, '[');

	for (size_t i = 0; r >= 0 && i < p->n; i++)
		r = buf_printf(&out, "%s%d", i ? "," : "", p->v[i]);
	if (r >= 0)
		r = buf_putc(&out, ']');
	return r < 0 ? err_errno(e, r, "listing processes") : runtime_print(&out, e);
}

static bool has_pid(const struct pids *p, const char *word)
{
	uint32_t pid;

	if (num_u32(word, &pid) < 0)
		return false;
	for (size_t i = 0; i < p->n; i++)
		if ((uint32_t)p->v[i] == pid)
			return true;
	return false;
}

/* The N-th word of LINE in WORD; whether there is one. */
static bool nth_word(const char *line, size_t n, char word[32])
{
	size_t len;

	line += strspn(line, " ");
	for (; n > 0 && *line; n--) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	len = strcspn(line, " ");
	if (!len || len >= 32)
		return false;
	memcpy(word, line, len);
	word[len] = '\0';
	return true;
}

static int print_lines(const struct pids *p, char *text, struct err *e)
{
	char *line = strsep(&text, "\n");
	char word[32];
	size_t column = 0;

	while (line && nth_word(line, column, word) && !str_eq(word, "PID"))
		column++;
	if (!line || !nth_word(line, column, word))
		return err_set(e, ERR_INVALID, 0, "ps: the output has no column PID");
	puts(line);
	while ((line = strsep(&text, "\n")))
		if (nth_word(line, column, word) && has_pid(p, word))
			puts(line);
	return 0;
}

static int run_ps(const char *const *argv, struct buf *out, struct err *e)
{
	static const char *const places[] = {"/usr/bin/ps", "/bin/ps"};
	_cleanup_(process_done) struct process proc = PROCESS_INIT;
	_cleanup_(fd_close) int exe = -1, from = -1, to = -1;
	struct process_spawn s = PROCESS_SPAWN_INIT;
	int ends[2], r = fd_pipe(ends), status = 0;

	if (r < 0)
		return err_errno(e, r, "making a pipe");
	from = ends[0];
	to = ends[1];
	for (size_t i = 0; exe < 0 && i < ARRAY_SIZE(places); i++)
		exe = path_open_host(places[i], O_PATH, 0);
	if (exe < 0)
		return err_errno(e, exe, "ps: opening '%s' (--format json works without it)",
				 places[0]);
	s.exe = exe;
	s.argv = argv;
	s.fds = (const int[]){-1, to, STDERR_FILENO};
	s.n_fds = 3;
	r = process_spawn(&s, &proc);
	fd_close(&to);
	if (r >= 0)
		r = fd_read_all(from, out, OUTPUT_MAX);
	if (r >= 0)
		r = process_wait(&proc, &status);
	if (r < 0)
		return err_errno(e, r, "running ps");
	return status ? err_set(e, ERR_INVALID, 0, "ps ended with status %d", status) : 0;
}

static int print_table(const struct ps_args *a, const struct pids *p, struct err *e)
{
	static const char *const plain[] = {"ps", "-ef", NULL};
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX + 1);
	const char **argv = a->args.rest; /* the container's ID stands where the name belongs */

	if (run_ps(argv[1] ? (const char *const *)argv : plain, &out, e) < 0 ||
	    buf_putc(&out, '\0') < 0)
		return -1;
	return print_lines(p, out.data, e);
}

static int ps(const struct runtime_program *p, const struct ps_args *a, struct err *e)
{
	_cleanup_(runtime_target_done) struct runtime_target t = RUNTIME_TARGET_INIT;
	_cleanup_(pids_done) struct pids pids = {.v = NULL};
	bool json = str_eq0(a->format, "json");

	if (a->format && !json && !str_eq(a->format, "table"))
		return err_set(e, ERR_INVALID, 0, "--format: '%s' is not table or json", a->format);
	if (runtime_target_open(p, a->args.rest[0], false, &t, e) < 0 ||
	    runtime_pids(&t.state, &pids.v, &pids.n, e) < 0)
		return -1;
	return json ? print_json(&pids, e) : print_table(a, &pids, e);
}

int verb_ps(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	struct ps_args a = {.format = NULL};
	int r = runtime_options_parse(&p->verb->command, argc, argv, &a, e);

	if (r >= 0)
		r = ps(p, &a, e);
	runtime_args_done(&a.args);
	return r;
}
