/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "cli/system-df.h"
#include "cli/verbs.h"

#include "base/json.h"
#include "base/num.h"
#include "engine/engine.h"
#include "engine/volume.h"
#include "build/prune.h"
#include "store/df.h"

struct opts {
	bool verbose;
	const char *format;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, O(format), CLI_FORMAT_HELP},
	{"verbose", 'v', CLI_BOOL, O(verbose), "Show each image and container"},
	{NULL},
};

static const char *const headers[] = {"Type",        "TYPE",        "TotalCount", "TOTAL",
				      "Active",      "ACTIVE",      "Size",       "SIZE",
				      "Reclaimable", "RECLAIMABLE", NULL};

/* "1.2MB (50%)"; without the share where there is nothing to have a share of. */
static json_t *line(const char *type, const struct df_line *l, bool share)
{
	char size[32], back[32], reclaimable[64], total[24], active[24];

	(void)num_human_size4((double)l->bytes, size);
	(void)num_human_size4((double)l->reclaimable, back);
	if (share && l->bytes > 0)
		(void)snprintf(reclaimable, sizeof(reclaimable), "%s (%llu%%)", back,
			       (unsigned long long)(l->reclaimable * 100 / l->bytes));
	else
		(void)snprintf(reclaimable, sizeof(reclaimable), "%s", back);
	(void)snprintf(total, sizeof(total), "%llu", (unsigned long long)l->total);
	(void)snprintf(active, sizeof(active), "%llu", (unsigned long long)l->active);
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "Active", active, "Reclaimable", reclaimable,
			 "Size", size, "TotalCount", total, "Type", type);
}

static int count_volumes(struct cli_context *c, struct df_line *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *list = volume_list(c->engine, true, e);
	json_t *volume;
	size_t i;

	*ret = (struct df_line){.total = json_array_size(list)};
	json_array_foreach (list, i, volume) {
		uint64_t size = (uint64_t)json_integer_value(json_object_get(volume, "Size"));
		bool used = json_integer_value(json_object_get(volume, "Links")) > 0;

		ret->bytes += size;
		ret->active += used;
		ret->reclaimable += used ? 0 : size;
	}
	return list ? 0 : -1;
}

static int count_build_cache(struct cli_context *c, struct store *s, struct df_line *ret,
			     struct err *e)
{
	struct build_record *v;
	size_t n;

	*ret = (struct df_line){.total = 0};
	if (build_cache_list(s, &c->arena, &v, &n, e) < 0)
		return -1;
	ret->total = n;
	for (size_t i = 0; i < n; i++) {
		ret->active += v[i].in_use;
		ret->bytes += v[i].in_use ? 0 : v[i].size;
		ret->reclaimable += v[i].in_use ? 0 : v[i].size;
	}
	return 0;
}

static int print_summary(struct cli_context *c, const struct opts *o, const struct df *df,
			 struct err *e)
{
	const struct listing list = {.struct_type = "*formatter.diskUsageContext",
				     .headers = headers,
				     .default_format =
					     "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t"
					     "{{.Reclaimable}}"};
	struct df_line builds, volumes;
	_cleanup_(json_unref) json_t *rows = NULL;

	if (count_volumes(c, &volumes, e) < 0 ||
	    count_build_cache(c, engine_store(c->engine), &builds, e) < 0)
		return -1;
	rows = json_pack("[o, o, o, o]", line("Images", &df->images, true),
			 line("Containers", &df->containers, true),
			 line("Local Volumes", &volumes, true),
			 line("Build Cache", &builds, false));
	if (!rows)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	return listing_print(c, &list, o->format, false, rows, e);
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct store *s = cli_store(c, e);
	struct df df;

	if (!s)
		return 1;
	if (o->verbose)
		return system_df_verbose(c, o->format, e) < 0;
	return store_df(s, &df, e) < 0 || print_summary(c, o, &df, e) < 0;
}

const struct cli_command cli_system_df = {.name = "df",
					  .usage = "[OPTIONS]",
					  .summary = "Show what takes space on the disk",
					  .options = options,
					  .opts_size = sizeof(struct opts),
					  .run = run};
