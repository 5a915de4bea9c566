/* SPDX-License-Identifier: Apache-2.0 */
/* Has no model in Docker. Exit code 0: nothing damaged; 1: something is. */
#include "cli/verbs.h"

#include "base/num.h"
#include "store/check.h"

struct opts {
	bool quick, repair, quiet;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"quick", 0, CLI_BOOL, O(quick),
	 "Do not read what is stored: compare sizes and references"},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Print only what is wrong"},
	{"repair", 0, CLI_BOOL, O(repair), "Remove what nothing refers to"},
	{NULL},
};

static void report(void *arg, const struct check_finding *f)
{
	struct cli_context *c = arg;

	fprintf(c->out, "%s: %s %s: %s%s\n", f->severity == CHECK_DAMAGED ? "damaged" : "unused",
		f->kind, f->object, f->problem, f->repaired ? " (removed)" : "");
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	unsigned flags = (o->repair ? CHECK_REPAIR : 0) | (o->quick ? CHECK_QUICK : 0);
	struct check_counts n = {.damaged = 0};
	struct store *s = cli_store(c, e);
	char bytes[32];

	if (!s || store_check(s, flags, report, c, &n, e) < 0)
		return 1;
	if (!o->quiet)
		fprintf(c->out,
			"checked %llu images, %llu layers, %llu blobs, %llu snapshots, %llu "
			"containers "
			"(%s read): %llu damaged, %llu unused, %llu removed\n",
			(unsigned long long)n.images, (unsigned long long)n.layers,
			(unsigned long long)n.blobs, (unsigned long long)n.snapshots,
			(unsigned long long)n.containers, num_human_size((double)n.bytes, bytes),
			(unsigned long long)n.damaged, (unsigned long long)n.orphans,
			(unsigned long long)n.repaired);
	return n.damaged > 0;
}

const struct cli_command cli_system_check = {
	.name = "check",
	.usage = "[OPTIONS]",
	.summary = "Verify every digest and reference of the store",
	.options = options,
	.opts_size = sizeof(struct opts),
	.run = run};
