/* SPDX-License-Identifier: Apache-2.0 */
/* volume create, rm and prune. */
#include "cli/filter.h"
#include "cli/output.h"
#include "cli/prune.h"
#include "cli/run-options.h"
#include "cli/verbs.h"

#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/volume.h"
#include "store/volume-store.h"

/* -- create --------------------------------------------------------------------------------- */

struct create_opts {
	const char *driver, *name;
	struct cli_list label, opt;
};

#define C(field) offsetof(struct create_opts, field)

static const struct create_opts create_init = {.driver = "local"};
static const struct cli_option make_options[] = {
	{"driver", 'd', CLI_STRING, C(driver), "The volume's driver (there is one: local)",
	 .default_text = "\"local\""},
	{"label", 0, CLI_LIST, C(label), "Set metadata of the volume"},
	{"name", 0, CLI_STRING, C(name), "The volume's name", .flags = CLI_HIDDEN},
	{"opt", 'o', CLI_MAP, C(opt), "Set an option of the driver: type, device, o",
	 .default_text = "map[]"},
	{NULL},
};

/* A list of "key=value"; the last of a key wins. */
static int read_pairs(struct cli_context *c, const struct cli_list *list,
		      const struct spec_pair **ret, size_t *ret_n, struct err *e)
{
	struct spec_pair *v = arena_array(&c->arena, list->n + 1, sizeof(*v));

	for (size_t i = 0; v && i < list->n; i++)
		if (run_parse_pair(&c->arena, list->v[i], &v[i], e) < 0)
			return -1;
	*ret = v;
	*ret_n = list->n;
	return v ? 0 : err_set(e, ERR_LIMIT, 0, "out of memory");
}

static int run_create(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct create_opts *o = a->opts;
	struct volume_spec spec = {.name = a->argc ? a->argv[0] : o->name, .driver = o->driver};
	_cleanup_(freep) char *name = NULL;
	struct engine *en;

	if (a->argc && o->name && !str_eq(a->argv[0], o->name))
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: cannot specify a volume name through both "
			       "--name and as a positional arg"),
		       1;
	if (read_pairs(c, &o->label, &spec.labels, &spec.n_labels, e) < 0 ||
	    read_pairs(c, &o->opt, &spec.opts, &spec.n_opts, e) < 0)
		return 1;
	en = cli_engine(c, e);
	if (!en || volume_create(en, &spec, &name, e) < 0)
		return 1;
	fprintf(c->out, "%s\n", name);
	return 0;
}

/* -- rm ------------------------------------------------------------------------------------- */

struct rm_opts {
	bool force;
};

static const struct cli_option rm_options[] = {
	{"force", 'f', CLI_BOOL, offsetof(struct rm_opts, force),
	 "Do not mind volumes that are not there"},
	{NULL},
};

static int run_rm(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct rm_opts *o = a->opts;
	struct engine *en = cli_engine(c, e);
	int code = 0;

	for (size_t i = 0; en && i < a->argc; i++) {
		struct err one = ERR_INIT;

		if (volume_remove(en, a->argv[i], &one) < 0 &&
		    !(o->force && one.class == ERR_NOT_FOUND)) {
			cli_complain(c, &one);
			code = 1;
			continue;
		}
		fprintf(c->out, "%s\n", a->argv[i]);
		fflush(c->out);
	}
	return en ? code : 1;
}

/* -- prune ---------------------------------------------------------------------------------- */

struct prune_opts {
	bool all, force, dry_run;
	struct cli_list filter;
};

#define P(field) offsetof(struct prune_opts, field)

static const struct cli_option prune_options[] = {
	{"all", 'a', CLI_BOOL, P(all),
	 "Remove all volumes that no container has, not only those "
	 "without a name"},
	{"dry-run", 0, CLI_BOOL, P(dry_run), "Only tell what would be removed"},
	{"filter", 0, CLI_OTHER, P(filter), "Remove only what matches (e.g. \"label=<label>\")",
	 "filter", .check = filter_check},
	{"force", 'f', CLI_BOOL, P(force), "Do not ask"},
	{NULL},
};

/* -1 with E; whether the filter "all" says so. */
static int filter_all(struct cli_context *c, const struct cli_list *filters, bool *all,
		      struct err *e)
{
	const char *const *v = filter_values(c, filters, "all");

	if (!v)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (*all && v[0])
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: cannot specify both --all and --filter all=1");
	if (v[0] && num_bool(v[0], all) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid filter 'all=[%s]'", v[0]);
	return 0;
}

/* Whether nobody has the volume, but for containers that would be gone. */
static bool is_free(struct cli_context *c, const struct prune *p, const json_t *volume)
{
	const char *name = json_string_value(json_object_get(volume, "Name"));
	const char **users = NULL;

	if (json_integer_value(json_object_get(volume, "Links")) == 0)
		return true;
	if (!p->gone || volume_users(engine_store(c->engine), name, &c->arena, &users, NULL) < 0)
		return false;
	for (; *users; users++)
		if (!strv_has(p->gone, *users))
			return false;
	return true;
}

static bool is_unused(struct cli_context *c, const struct prune *p, const struct prune_filter *f,
		      const json_t *volume, bool all)
{
	return is_free(c, p, volume) &&
	       (all || json_is_true(json_object_get(volume, "Anonymous"))) &&
	       prune_filter_match(f, json_integer_value(json_object_get(volume, "Created")),
				  json_object_get(volume, "Labels"));
}

int prune_volumes(struct cli_context *c, struct prune *p, bool all, struct err *e)
{
	static const char *const allowed[] = {"label", "label!", "all", NULL};
	_cleanup_(json_unref) json_t *list = NULL;
	struct prune_filter filter = {.until = 0};
	struct engine *en = cli_engine(c, e);
	bool any = false;
	json_t *volume;
	size_t i;

	if (!en || filter_allow(p->filters, allowed, e) < 0 ||
	    prune_filter_read(c, p->filters, &filter, e) < 0 ||
	    filter_all(c, p->filters, &all, e) < 0)
		return -1;
	list = volume_list(en, true, e);
	json_array_foreach (list, i, volume) {
		const char *name = json_string_value(json_object_get(volume, "Name"));
		struct err one = ERR_INIT;

		/* One that somebody takes meanwhile is refused, and stays. */
		if (!is_unused(c, p, &filter, volume, all) ||
		    (!p->dry_run && volume_remove(en, name, &one) < 0))
			continue;
		if (!any)
			fputs(p->dry_run ? "Volumes that would be deleted:\n"
					 : "Deleted Volumes:\n",
			      c->out);
		fprintf(c->out, "%s\n", name);
		any = true;
		p->bytes += (uint64_t)json_integer_value(json_object_get(volume, "Size"));
	}
	if (any)
		fputc('\n', c->out);
	return list ? 0 : -1;
}

static int run_prune(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct prune_opts *o = a->opts;
	struct prune p = {.filters = &o->filter, .dry_run = o->dry_run};
	bool all = o->all;

	if (filter_all(c, &o->filter, &all, e) < 0)
		return 1;
	if (!o->force && !o->dry_run &&
	    !cli_confirm(c, all ? "WARNING! This will remove all local volumes not used by at "
				  "least one container.\nAre you sure you want to continue?"
				: "WARNING! This will remove anonymous local volumes not used by "
				  "at least one container.\nAre you sure you want to continue?"))
		return 0;
	if (prune_volumes(c, &p, o->all, e) < 0)
		return 1;
	prune_total(c, &p);
	return 0;
}

const struct cli_command cli_volume_create = {.name = "create",
					      .usage = "[OPTIONS] [VOLUME]",
					      .summary = "Make a volume",
					      .max_args = 1,
					      .options = make_options,
					      .opts_size = sizeof(struct create_opts),
					      .opts_init = &create_init,
					      .run = run_create};
const struct cli_command cli_volume_rm = {.name = "rm",
					  .also = "remove",
					  .usage = "[OPTIONS] VOLUME [VOLUME...]",
					  .summary = "Remove volumes that no container has",
					  .aliases = "volume rm,volume remove",
					  .min_args = 1,
					  .max_args = -1,
					  .options = rm_options,
					  .opts_size = sizeof(struct rm_opts),
					  .run = run_rm};
const struct cli_command cli_volume_prune = {.name = "prune",
					     .usage = "[OPTIONS]",
					     .summary = "Remove volumes that no container has",
					     .options = prune_options,
					     .opts_size = sizeof(struct prune_opts),
					     .run = run_prune};
