/* SPDX-License-Identifier: Apache-2.0 */
/* builder prune and du. */
#include "cli/filter.h"
#include "cli/output.h"
#include "cli/prune.h"
#include "cli/verbs.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"
#include "build/prune.h"

/* -- prune ---------------------------------------------------------------------------------- */

struct opts {
	bool all, force, dry_run;
	int64_t keep;
	struct cli_list filter;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option prune_options[] = {
	{"all", 'a', CLI_BOOL, O(all),
	 "Remove all results, not only those that are in no "
	 "image"},
	{"dry-run", 0, CLI_BOOL, O(dry_run), "Only tell what would be removed"},
	{"filter", 0, CLI_OTHER, O(filter),
	 "Remove only what matches (\"until=<timestamp>\", \"id=<id>\", \"type=<operation>\")",
	 "filter", .check = filter_check},
	{"force", 'f', CLI_BOOL, O(force), "Do not ask"},
	{"keep-storage", 0, CLI_BYTES, O(keep), "Keep so much, the most recently used"},
	{NULL},
};

struct pruning {
	struct cli_context *c;
	bool any, dry_run;
};

static void report(void *arg, const struct build_record *r)
{
	struct pruning *p = arg;

	if (!p->any)
		fprintf(p->c->out, p->dry_run ? "Build cache objects that would be deleted:\n"
					      : "Deleted build cache objects:\n");
	p->any = true;
	fprintf(p->c->out, "%s\n", r->id);
}

static int read_filters(struct cli_context *c, const struct opts *o, struct build_prune *ret,
			struct err *e)
{
	static const char *const allowed[] = {"until", "unused-for", "id", "type", NULL};
	const char *const *until = filter_values(c, &o->filter, "until");
	const char *const *unused = filter_values(c, &o->filter, "unused-for");

	ret->ids = filter_values(c, &o->filter, "id");
	ret->types = filter_values(c, &o->filter, "type");
	if (!until || !unused || !ret->ids || !ret->types)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (filter_allow(&o->filter, allowed, e) < 0)
		return -1;
	until = *until ? until : unused;
	return *until ? filter_until(*until, &ret->until, e) : 0;
}

static int prune(struct cli_context *c, const struct build_prune *what, uint64_t *ret,
		 struct err *e)
{
	struct pruning p = {.c = c, .dry_run = what->dry_run};
	struct store *s = cli_store(c, e);

	if (!s || build_prune(s, what, report, &p, ret, e) < 0)
		return -1;
	if (p.any)
		fputc('\n', c->out);
	return 0;
}

int prune_builds(struct cli_context *c, struct prune *p, bool all, struct err *e)
{
	const char *const *until = filter_values(c, p->filters, "until");
	struct build_prune what = {.all = all, .dry_run = p->dry_run};
	uint64_t bytes = 0;

	/* Results have no labels. */
	if (filter_values(c, p->filters, "label")[0] || filter_values(c, p->filters, "label!")[0])
		return 0;
	if ((*until && filter_until(*until, &what.until, e) < 0) || prune(c, &what, &bytes, e) < 0)
		return -1;
	p->bytes += bytes;
	return 0;
}

static int run_prune(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct build_prune what = {
		.all = o->all, .keep = (uint64_t)MAX(o->keep, 0), .dry_run = o->dry_run};
	struct prune total = {.dry_run = o->dry_run};

	if (read_filters(c, o, &what, e) < 0)
		return 1;
	if (!o->force && !o->dry_run &&
	    !cli_confirm(c, o->all ? "WARNING! This will remove all build cache. Are you sure you "
				     "want to continue?"
				   : "WARNING! This will remove all dangling build cache. Are you "
				     "sure you want to continue?"))
		return 0;
	if (prune(c, &what, &total.bytes, e) < 0)
		return 1;
	prune_total(c, &total);
	return 0;
}

const struct cli_command cli_builder_prune = {
	.name = "prune",
	.usage = "[OPTIONS]",
	.summary = "Remove results of build steps",
	.options = prune_options,
	.opts_size = sizeof(struct opts),
	.run = run_prune,
};

/* -- du ------------------------------------------------------------------------------------- */

struct du_opts {
	bool verbose;
};

static const struct cli_option du_options[] = {
	{"verbose", 0, CLI_BOOL, offsetof(struct du_opts, verbose), "Tell all that is known"},
	{NULL},
};

static void du_verbose(struct cli_context *c, const struct build_record *r)
{
	char created[CLOCK_TEXT_SIZE], used[CLOCK_TEXT_SIZE], size[32];

	fprintf(c->out,
		"ID:\t\t%s\nCreated at:\t%s\nReclaimable:\t%s\nSize:\t\t%s\nDescription:\t%s\n"
		"Usage count:\t%llu\nLast used:\t%s ago\nType:\t\t%s\n\n",
		r->id, clock_format(r->created, created), r->in_use ? "false" : "true",
		num_human_size((double)r->size, size), r->name, (unsigned long long)r->uses,
		clock_human(clock_now() - r->used, used), r->type);
}

static int du_line(struct table *t, const struct build_record *r)
{
	char used[CLOCK_TEXT_SIZE], size[32], line[256];

	snprintf(line, sizeof(line), "%s\t%s\t%s\t%s ago", r->id, r->in_use ? "false" : "true",
		 num_human_size((double)r->size, size), clock_human(clock_now() - r->used, used));
	return table_line(t, line);
}

static int run_du(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct du_opts *o = a->opts;
	_cleanup_(table_done) struct table t = TABLE_INIT;
	struct store *s = cli_store(c, e);
	uint64_t total = 0, reclaimable = 0;
	struct build_record *v;
	char size[32];
	size_t n;

	if (!s || build_cache_list(s, &c->arena, &v, &n, e) < 0)
		return 1;
	if (!o->verbose && table_line(&t, "ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED") < 0)
		return err_set(e, ERR_LIMIT, 0, "out of memory"), 1;
	for (size_t i = n; i-- > 0;) {
		total += v[i].size;
		reclaimable += v[i].in_use ? 0 : v[i].size;
		if (o->verbose)
			du_verbose(c, &v[i]);
		else if (du_line(&t, &v[i]) < 0)
			return err_set(e, ERR_LIMIT, 0, "out of memory"), 1;
	}
	table_print(&t, c->out);
	fprintf(c->out, "Reclaimable:\t%s\n", num_human_size((double)reclaimable, size));
	fprintf(c->out, "Total:\t\t%s\n", num_human_size((double)total, size));
	return 0;
}

const struct cli_command cli_builder_du = {
	.name = "du",
	.usage = "[OPTIONS]",
	.summary = "Show what results of build steps take",
	.options = du_options,
	.opts_size = sizeof(struct du_opts),
	.run = run_du,
};
