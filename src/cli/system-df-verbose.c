/* SPDX-License-Identifier: Apache-2.0 */
/* system df --verbose: one list of rows a kind of thing, as tables or as one object. */
#include "cli/system-df.h"

#include "cli/container-view.h"
#include "cli/image-view.h"
#include "cli/output.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/volume.h"
#include "build/prune.h"
#include "store/df.h"

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

/* -- images ------------------------------------------------------------------------------------ */

static int add_sizes(struct store *s, const struct image *img, json_t *rows, size_t from,
		     struct err *e)
{
	uint64_t shared = 0, unique = 0;
	char text[32], n[24];

	if (store_df_image(s, img->id, &shared, &unique, e) < 0)
		return -1;
	(void)snprintf(n, sizeof(n), "%zu", img->n_containers);
	for (size_t i = from; i < json_array_size(rows); i++) {
		json_t *row = json_array_get(rows, i);

		(void)json_object_set_new(row, "SharedSize",
					  json_string(num_human_size4((double)shared, text)));
		(void)json_object_set_new(row, "UniqueSize",
					  json_string(num_human_size4((double)unique, text)));
		(void)json_object_set_new(row, "Containers", json_string(n));
	}
	return 0;
}

static json_t *image_usage(struct cli_context *c, struct err *e)
{
	const struct image_style style = {.no_trunc = false};
	_cleanup_(json_unref) json_t *rows = json_array();
	struct store *s = engine_store(c->engine);
	struct image *images = NULL;
	size_t n = 0;
	int r = 0;

	if (image_list(s, NULL, &images, &n, e) < 0)
		return NULL;
	for (size_t i = 0; i < n && r == 0; i++) {
		size_t from = json_array_size(rows);

		r = image_rows(rows, &images[i], &style, e);
		if (r == 0)
			r = add_sizes(s, &images[i], rows, from, e);
	}
	image_list_free(images, n);
	return r < 0 ? NULL : TAKE_PTR(rows);
}

/* -- containers -------------------------------------------------------------------------------- */

static json_t *container_usage(struct cli_context *c, struct err *e)
{
	_cleanup_(json_unref) json_t *rows = json_array();
	_cleanup_(json_unref) json_t *containers = container_list(c->engine, true, true, e);
	json_t *container;
	size_t i;

	if (!containers)
		return NULL;
	json_array_foreach (containers, i, container) {
		json_t *row;

		/* Only its own: what it shares stands with the images. */
		(void)json_object_del(container, "SizeRootFs");
		row = container_row(c, container, false, e);
		(void)json_object_del(row, ".labels");
		if (!row || json_array_append_new(rows, row) < 0)
			return NULL;
	}
	return TAKE_PTR(rows);
}

/* -- volumes ----------------------------------------------------------------------------------- */

static json_t *volume_row(const json_t *volume)
{
	double size = (double)json_integer_value(json_object_get(volume, "Size"));
	json_int_t links = json_integer_value(json_object_get(volume, "Links"));
	char text[32];

	return json_pack("{s:O, s:O, s:o, s:O, s:O, s:s}", "Driver",
			 json_object_get(volume, "Driver"), "Name", json_object_get(volume, "Name"),
			 "Links", json_sprintf("%lld", (long long)links), "Mountpoint",
			 json_object_get(volume, "Mountpoint"), "Scope",
			 json_object_get(volume, "Scope"), "Size", num_human_size4(size, text));
}

static json_t *volume_usage_rows(struct cli_context *c, struct err *e)
{
	_cleanup_(json_unref) json_t *volumes = volume_list(c->engine, true, e);
	_cleanup_(json_unref) json_t *rows = json_array();
	json_t *volume;
	size_t i;

	json_array_foreach (volumes, i, volume)
		if (json_array_append_new(rows, volume_row(volume)) < 0)
			return no_memory(e), NULL;
	return volumes ? TAKE_PTR(rows) : NULL;
}

/* -- results of build steps -------------------------------------------------------------------- */

/* "2 hours ago", or nothing for what never was. */
static json_t *ago(int64_t then)
{
	char age[CLOCK_TEXT_SIZE];

	return then ? json_sprintf("%s ago", clock_human(clock_now() - then, age))
		    : json_string("");
}

static json_t *build_row(const struct build_record *r)
{
	char size[32];

	return json_pack("{s:s%, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:s}", "ID", r->id,
			 MIN(strlen(r->id), (size_t)12), "CacheType", r->type, "Size",
			 num_human_size((double)r->size, size), "CreatedSince", ago(r->created),
			 "LastUsedSince", ago(r->used), "UsageCount",
			 json_sprintf("%llu", (unsigned long long)r->uses), "InUse",
			 r->in_use ? "true" : "false", "Shared", r->in_use ? "true" : "false",
			 "Description", r->name);
}

static json_t *build_usage(struct cli_context *c, struct err *e)
{
	_cleanup_(json_unref) json_t *rows = json_array();
	struct build_record *v;
	size_t n;

	if (build_cache_list(engine_store(c->engine), &c->arena, &v, &n, e) < 0)
		return NULL;
	for (size_t i = n; i-- > 0;)
		if (json_array_append_new(rows, build_row(&v[i])) < 0)
			return no_memory(e), NULL;
	return TAKE_PTR(rows);
}

/* What an image has as well is counted there. */
static double build_bytes(struct cli_context *c)
{
	struct err ignored = ERR_INIT;
	struct build_record *v;
	double bytes = 0;
	size_t n;

	if (build_cache_list(engine_store(c->engine), &c->arena, &v, &n, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		bytes += v[i].in_use ? 0 : (double)v[i].size;
	return bytes;
}

/* -- all --------------------------------------------------------------------------------------- */

static const char *const names[] = {"ID",
				    "CONTAINER ID",
				    "Repository",
				    "REPOSITORY",
				    "Tag",
				    "TAG",
				    "CreatedSince",
				    "CREATED",
				    "Size",
				    "SIZE",
				    "SharedSize",
				    "SHARED SIZE",
				    "UniqueSize",
				    "UNIQUE SIZE",
				    "Containers",
				    "CONTAINERS",
				    "Image",
				    "IMAGE",
				    "Command",
				    "COMMAND",
				    "LocalVolumes",
				    "LOCAL VOLUMES",
				    "RunningFor",
				    "CREATED",
				    "Status",
				    "STATUS",
				    "Names",
				    "NAMES",
				    "Name",
				    "VOLUME NAME",
				    "Links",
				    "LINKS",
				    "CacheType",
				    "CACHE TYPE",
				    "LastUsedSince",
				    "LAST USED",
				    "UsageCount",
				    "USAGE",
				    "Shared",
				    "SHARED",
				    NULL};
static const char *const image_names[] = {"ID", "IMAGE ID", NULL};
static const char *const build_names[] = {"ID", "CACHE ID", NULL};

struct kind {
	const char *key, *struct_type, *columns;
	const char *const *own_names; /* instead of those that all have */
	json_t *(*rows)(struct cli_context *c, struct err *e);
};

static const struct kind kinds[] = {
	{"Images", "*formatter.imageContext",
	 "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t"
	 "{{.UniqueSize}}\t{{.Containers}}",
	 image_names, image_usage},
	{"Containers", "*formatter.ContainerContext",
	 "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t"
	 "{{.Status}}\t{{.Names}}",
	 NULL, container_usage},
	{"Volumes", "*formatter.volumeContext", "{{.Name}}\t{{.Links}}\t{{.Size}}", NULL,
	 volume_usage_rows},
	{"BuildCache", "*formatter.buildCacheContext",
	 "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t"
	 "{{.UsageCount}}\t{{.Shared}}",
	 build_names, build_usage},
};

/* The names of the columns, a kind's own first: the first that fits is taken. */
static const char *const *names_of(struct cli_context *c, const struct kind *k)
{
	const char **v = arena_array(&c->arena, ARRAY_SIZE(names), sizeof(*v));

	if (!v || !k->own_names)
		return v ? names : NULL;
	memcpy(v, names, sizeof(names));
	v[1] = k->own_names[1];
	return v;
}

static int print_table(struct cli_context *c, const struct kind *k, json_t *rows, struct err *e)
{
	const struct listing list = {.struct_type = k->struct_type,
				     .headers = names_of(c, k),
				     .default_format = k->columns};

	return list.headers ? listing_print(c, &list, NULL, false, rows, e) : no_memory(e);
}

static int print_tables(struct cli_context *c, const json_t *all, struct err *e)
{
	static const char *const titles[] = {"Images space usage:\n\n",
					     "\nContainers space usage:\n\n",
					     "\nLocal Volumes space usage:\n\n"};
	char size[32];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (i < ARRAY_SIZE(titles))
			fputs(titles[i], c->out);
		else
			fprintf(c->out, "\nBuild cache usage: %s\n\n",
				num_human_size4(build_bytes(c), size));
		if (print_table(c, &kinds[i], json_object_get(all, kinds[i].key), e) < 0)
			return -1;
	}
	return 0;
}

int system_df_verbose(struct cli_context *c, const char *format, struct err *e)
{
	_cleanup_(json_unref) json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		json_t *rows = kinds[i].rows(c, e);

		if (!rows)
			return -1;
		if (json_object_set_new(all, kinds[i].key, rows) < 0)
			return no_memory(e);
	}
	if (str_empty(format) || str_eq(format, "table"))
		return print_tables(c, all, e);
	return format_print(c, format, all, "*formatter.diskUsageContext", NULL, e);
}
