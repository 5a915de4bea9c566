/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/attach.h"
#include "cli/output.h"
#include "cli/run-options.h"
#include "cli/verbs.h"

#include "base/json.h"
#include "engine/container-logs.h"
#include "monitor/client.h"

#include <unistd.h>

struct opts {
	bool no_stdin, sig_proxy;
	const char *detach_keys;
};

#define O(field) offsetof(struct opts, field)

static const struct opts init = {.sig_proxy = true};
static const struct cli_option options[] = {
	{"detach-keys", 0, CLI_STRING, O(detach_keys), "The keys that leave a container running",
	 .flags = CLI_MEANING, .check = run_check_detach_keys},
	{"no-stdin", 0, CLI_BOOL, O(no_stdin), "Do not attach STDIN"},
	{"sig-proxy", 0, CLI_BOOL, O(sig_proxy), "Hand received signals on to the process",
	 .default_text = "true"},
	{NULL},
};

int attach_to(struct cli_context *c, const char *ref, const struct attach_opts *attach,
	      struct err *e)
{
	struct container_exit end;

	fflush(c->out);
	if (container_attach(c->engine, ref, attach, &end, e) < 0)
		return 1;
	if (end.lost_kb)
		fprintf(c->err,
			"%s: %d kB of output came faster than they were taken, and are missing\n",
			c->program, end.lost_kb);
	if (end.detached)
		fputs(CLIENT_DETACHED, c->err);
	return end.detached ? 0 : end.code;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct attach_opts attach = {.in = o->no_stdin ? -1 : c->in_fd,
				     .out = c->out_fd,
				     .err_out = c->err_fd,
				     .sig_proxy = o->sig_proxy,
				     .detach_keys = o->detach_keys};
	_cleanup_(json_unref) json_t *j = NULL;
	struct engine *en = cli_engine(c, e);
	json_t *config;

	j = en ? container_inspect(en, a->argv[0], false, e) : NULL;
	if (!j)
		return 1;
	config = json_object_get(j, "Config");
	if (json_is_true(json_object_get(config, "Tty")) &&
	    json_is_true(json_object_get(config, "OpenStdin")) && attach.in >= 0 &&
	    !isatty(attach.in)) {
		fprintf(c->err, "the input device is not a TTY\n");
		return 1;
	}
	return attach_to(c, a->argv[0], &attach, e);
}

#define ATTACH                                                                                     \
	.name = "attach", .usage = "[OPTIONS] CONTAINER",                                          \
	.summary = "Attach to a running container", .aliases = "container attach,attach",          \
	.min_args = 1, .max_args = 1, .options = options, .opts_size = sizeof(struct opts),        \
	.opts_init = &init, .run = run

const struct cli_command cli_attach = {ATTACH};
const struct cli_command cli_container_attach = {ATTACH};
