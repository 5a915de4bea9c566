/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prune.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/filter.h"
#include "cli/image-view.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "store/gc.h"

struct opts {
	bool all, force, volumes, dry_run;
	struct cli_list filter;
};

#define O(field) offsetof(struct opts, field)

#define DRY_RUN                                                                                    \
	{                                                                                          \
		"dry-run", 0, CLI_BOOL, O(dry_run), "Only tell what would be removed"              \
	}

static const struct cli_option image_options[] = {
	{"all", 'a', CLI_BOOL, O(all),
	 "Remove every image that no container uses, not only those "
	 "without a name"},
	DRY_RUN,
	{"filter", 0, CLI_OTHER, O(filter), "Remove only what matches (e.g. \"until=<timestamp>\")",
	 "filter", .check = filter_check},
	{"force", 'f', CLI_BOOL, O(force), "Do not ask"},
	{NULL},
};

static const struct cli_option container_options[] = {
	DRY_RUN,
	{"filter", 0, CLI_OTHER, O(filter), "Remove only what matches (e.g. \"until=<timestamp>\")",
	 "filter", .check = filter_check},
	{"force", 'f', CLI_BOOL, O(force), "Do not ask"},
	{NULL},
};

static const struct cli_option system_options[] = {
	{"all", 'a', CLI_BOOL, O(all),
	 "Remove every image that no container uses, not only those "
	 "without a name"},
	DRY_RUN,
	{"filter", 0, CLI_OTHER, O(filter),
	 "Remove only what matches (e.g. \"label=<key>=<value>\")", "filter",
	 .check = filter_check},
	{"force", 'f', CLI_BOOL, O(force), "Do not ask"},
	{"volumes", 0, CLI_BOOL, O(volumes), "Remove anonymous volumes too"},
	{NULL},
};

void prune_total(struct cli_context *c, const struct prune *p)
{
	char size[32];

	fprintf(c->out, "Total %s space: %s\n", p->dry_run ? "reclaimable" : "reclaimed",
		num_human_size4((double)p->bytes, size));
}

/* -- images ---------------------------------------------------------------------------------- */

struct removed {
	struct cli_context *c;
	const struct prune *p;
	bool any;
};

static void report(void *arg, const char *what, const char *name)
{
	struct removed *r = arg;

	if (!r->any)
		fprintf(r->c->out,
			r->p->dry_run ? "Images that would be deleted:\n" : "Deleted Images:\n");
	r->any = true;
	fprintf(r->c->out, "%s: %s\n", str_eq(what, "Untagged") ? "untagged" : "deleted", name);
}

int prune_images(struct cli_context *c, struct prune *p, bool all, struct err *e)
{
	static const char *const allowed[] = {"until", "label", "label!", "dangling", NULL};
	struct image_filter filter = {.dangling = 0};
	struct removed removed = {.c = c, .p = p};
	struct store *s = cli_store(c, e);
	uint64_t freed = 0;
	int r;

	if (!s || filter_allow(p->filters, allowed, e) < 0 ||
	    image_filter_read(c, p->filters, &filter, e) < 0)
		return -1;
	filter.gone = p->gone;
	filter.dangling = all || filter.dangling < 0 ? 0 : 1;
	r = p->dry_run ? image_prune_look(s, &filter, report, &removed, &freed, e)
		       : image_prune(s, &filter, report, &removed, &freed, e);
	if (r < 0)
		return -1;
	if (removed.any)
		fputc('\n', c->out);
	if (!p->dry_run)
		prune_event(c, EVENT_IMAGE, freed);
	p->bytes += freed;
	return 0;
}

static int run_image(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct prune p = {.filters = &o->filter, .dry_run = o->dry_run};

	if (!o->force && !o->dry_run &&
	    !cli_confirm(c, o->all ? "WARNING! This will remove all images without at least one "
				     "container associated to them.\nAre you sure you want to "
				     "continue?"
				   : "WARNING! This will remove all dangling images.\nAre you sure "
				     "you want to continue?"))
		return 0;
	if (prune_images(c, &p, o->all, e) < 0)
		return 1;
	prune_total(c, &p);
	return 0;
}

/* -- containers ------------------------------------------------------------------------------- */

static bool is_stopped(const json_t *container)
{
	const char *state = json_string_value(json_object_get(container, "State"));

	return state &&
	       (str_eq(state, "exited") || str_eq(state, "created") || str_eq(state, "dead"));
}

/* One container: 1 where it went, or would go. */
static int prune_container(struct cli_context *c, struct prune *p, const struct prune_filter *f,
			   const json_t *container, struct err *e)
{
	const char *id = json_string_value(json_object_get(container, "Id"));
	struct err one = ERR_INIT;

	if (!is_stopped(container) ||
	    !prune_filter_match(f, json_integer_value(json_object_get(container, "Created")),
				json_object_get(container, "Labels")))
		return 0;
	if (p->dry_run) {
		if (arena_strv_push(&c->arena, &p->gone, &p->n_gone, arena_strdup(&c->arena, id)) <
		    0)
			return err_set(e, ERR_LIMIT, 0, "out of memory");
	} else if (container_remove(c->engine, id, 0, &one) < 0) {
		return 0; /* somebody has started it meanwhile: it stays */
	}
	p->bytes += (uint64_t)json_integer_value(json_object_get(container, "SizeRw"));
	return 1;
}

int prune_containers(struct cli_context *c, struct prune *p, struct err *e)
{
	static const char *const allowed[] = {"until", "label", "label!", NULL};
	_cleanup_(json_unref) json_t *list = NULL;
	struct engine *en = cli_engine(c, e);
	struct prune_filter filter;
	uint64_t before = p->bytes;
	bool any = false;
	json_t *container;
	size_t i;

	if (!en || filter_allow(p->filters, allowed, e) < 0 ||
	    prune_filter_read(c, p->filters, &filter, e) < 0)
		return -1;
	list = container_list(en, true, true, e);
	if (!list)
		return -1;
	json_array_foreach (list, i, container) {
		int r = prune_container(c, p, &filter, container, e);

		if (r < 0)
			return -1;
		if (r == 0)
			continue;
		if (!any)
			fprintf(c->out, p->dry_run ? "Containers that would be deleted:\n"
						   : "Deleted Containers:\n");
		fprintf(c->out, "%s\n", json_string_value(json_object_get(container, "Id")));
		any = true;
	}
	if (any)
		fputc('\n', c->out);
	if (!p->dry_run)
		prune_event(c, EVENT_CONTAINER, p->bytes - before);
	return 0;
}

static int run_container(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct prune p = {.filters = &o->filter, .dry_run = o->dry_run};

	if (!o->force && !o->dry_run &&
	    !cli_confirm(c, "WARNING! This will remove all stopped containers.\nAre you sure you "
			    "want to continue?"))
		return 0;
	if (prune_containers(c, &p, e) < 0)
		return 1;
	prune_total(c, &p);
	return 0;
}

/* -- everything ------------------------------------------------------------------------------- */

/* What Docker's client says before it asks. */
static bool confirm_system(struct cli_context *c, const struct opts *o)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);

	buf_printf(&b,
		   "WARNING! This will remove:\n  - all stopped containers\n  - all networks not "
		   "used by at least one container\n%s  - all %s\n  - %s build "
		   "cache\n",
		   o->volumes ? "  - all anonymous volumes not used by at least one container\n"
			      : "",
		   o->all ? "images without at least one container associated to them"
			  : "dangling images",
		   o->all ? "all" : "unused");
	for (size_t i = 0; i < o->filter.n; i++)
		buf_printf(&b, "%s  - %s\n",
			   i == 0 ? "\n  Items to be pruned will be filtered with:\n" : "",
			   o->filter.v[i]);
	buf_puts(&b, "\nAre you sure you want to continue?");
	return cli_confirm(c, buf_str(&b));
}

static int run_system(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	static const char *const allowed[] = {"until", "label", "label!", NULL};
	const struct opts *o = a->opts;
	struct prune p = {.filters = &o->filter, .dry_run = o->dry_run};
	struct gc_result gc = {.bytes = 0};

	if (filter_allow(&o->filter, allowed, e) < 0)
		return 1;
	if (o->volumes && filter_values(c, &o->filter, "until")[0])
		return err_set(e, ERR_INVALID, 0,
			       "the \"until\" filter is not supported with \"--volumes\""),
		       1;
	if (!o->force && !o->dry_run && !confirm_system(c, o))
		return 0;
	if (prune_containers(c, &p, e) < 0 || prune_networks(c, &p, e) < 0 ||
	    (o->volumes && prune_volumes(c, &p, false, e) < 0) ||
	    prune_images(c, &p, o->all, e) < 0 || prune_builds(c, &p, o->all, e) < 0 ||
	    (!o->dry_run && gc_orphans(cli_store(c, e), &gc, e) < 0))
		return 1;
	p.bytes += gc.bytes;
	prune_total(c, &p);
	return 0;
}

#define PRUNE .name = "prune", .usage = "[OPTIONS]", .opts_size = sizeof(struct opts)

const struct cli_command cli_image_prune = {PRUNE, .summary = "Remove images that nothing uses",
					    .options = image_options, .run = run_image};
const struct cli_command cli_container_prune = {PRUNE,
						.summary = "Remove all containers that do not run",
						.options = container_options, .run = run_container};
const struct cli_command cli_system_prune = {PRUNE, .summary = "Remove what nothing uses",
					     .options = system_options, .run = run_system};
