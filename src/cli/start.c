/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/attach.h"
#include "cli/output.h"
#include "cli/run-options.h"
#include "cli/verbs.h"

#include "base/buf.h"
#include "base/json.h"
#include "engine/engine.h"
#include "monitor/client.h"

struct opts {
	bool attach, interactive;
	const char *detach_keys;
};

enum { START_TRIES = 5 };

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"attach", 'a', CLI_BOOL, O(attach), "Attach STDOUT and STDERR and hand signals on"},
	{"checkpoint", 0, CLI_STRING, 0, "Restore from this checkpoint (not yet)",
	 .flags = CLI_LATER},
	{"checkpoint-dir", 0, CLI_STRING, 0, "Where checkpoints are kept (not yet)",
	 .flags = CLI_LATER},
	{"detach-keys", 0, CLI_STRING, O(detach_keys), "The keys that leave a container running",
	 .flags = CLI_MEANING, .check = run_check_detach_keys},
	{"interactive", 'i', CLI_BOOL, O(interactive), "Attach the container's STDIN"},
	{NULL},
};

static bool has_tty(struct engine *en, const char *ref, struct err *e)
{
	_cleanup_(json_unref) json_t *j = container_inspect(en, ref, false, e);

	return json_is_true(json_object_get(json_object_get(j, "Config"), "Tty"));
}

static bool is_running(struct engine *en, const char *ref)
{
	struct err ignored = ERR_INIT;
	_cleanup_(json_unref) json_t *j = container_inspect(en, ref, false, &ignored);

	return json_is_true(json_object_get(json_object_get(j, "State"), "Running"));
}

static int start_attached(struct cli_context *c, struct engine *en, const char *ref,
			  const struct opts *o, struct err *e)
{
	const struct attach_opts attach = {.in = o->interactive ? c->in_fd : -1,
					   .out = c->out_fd,
					   .err_out = c->err_fd,
					   .sig_proxy = true,
					   .detach_keys = o->detach_keys};
	struct container_exit end = {.code = 1};
	char id[ID_SIZE];

	if (container_resolve(en, ref, id, e) < 0)
		return 1;
	if (o->interactive && has_tty(en, id, e) && !isatty(c->in_fd)) {
		fprintf(c->err, "the input device is not a TTY\n");
		return 1;
	}
	/* Somebody else may start it between the question and the start; it may end between the
	 * start and the question. */
	for (int tries = 0; tries < START_TRIES; tries++) {
		*e = ERR_INIT;
		if (is_running(en, id))
			return attach_to(c, id, &attach, e);
		if (container_start(en, id, &attach, &end, e) == 0)
			break;
		if (e->class != ERR_CONFLICT)
			return 1;
		container_await_running(en, id);
	}
	if (e->class == ERR_CONFLICT)
		return 1;
	if (end.detached)
		fputs(CLIENT_DETACHED, c->err);
	return end.detached ? 0 : end.code;
}

static int start_detached(struct engine *en, const char *ref, struct err *e)
{
	const struct attach_opts attach = {.in = -1, .out = -1, .err_out = -1, .detach = true};
	struct container_exit end;
	char id[ID_SIZE];

	return container_resolve(en, ref, id, e) < 0 ? -1
						     : container_start(en, id, &attach, &end, e);
}

/* Docker's: each that started is named on stdout, each that did not on stderr, and all of these
 * once more at the end. */
static int start_all(struct cli_context *c, struct engine *en, const struct cli_args *a,
		     struct err *e)
{
	_cleanup_(buf_done) struct buf failed = BUF_INIT(1 << 16);

	for (size_t i = 0; i < a->argc; i++) {
		struct err one = ERR_INIT;

		if (start_detached(en, a->argv[i], &one) == 0) {
			fprintf(c->out, "%s\n", a->argv[i]);
			fflush(c->out);
			continue;
		}
		cli_complain(c, &one);
		buf_printf(&failed, "%s%s", failed.len ? ", " : "", a->argv[i]);
	}
	if (!failed.len)
		return 0;
	err_set(e, ERR_INTERNAL, 0, "failed to start containers: %s", buf_str(&failed));
	return 1;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct engine *en = cli_engine(c, e);

	if (!en)
		return 1;
	if (!o->attach && !o->interactive)
		return start_all(c, en, a, e);
	if (a->argc > 1)
		return err_set(e, ERR_INVALID, 0,
			       "you cannot start and attach multiple containers at once"),
		       1;
	return start_attached(c, en, a->argv[0], o, e);
}

#define START                                                                                      \
	.name = "start", .usage = "[OPTIONS] CONTAINER [CONTAINER...]",                            \
	.summary = "Start a container that does not run", .aliases = "container start,start",      \
	.min_args = 1, .max_args = -1, .options = options, .opts_size = sizeof(struct opts),       \
	.run = run

const struct cli_command cli_start = {START};
const struct cli_command cli_container_start = {START};
