/* SPDX-License-Identifier: Apache-2.0 */
/* inspect, image inspect and container inspect: what is found is printed, then what is not. */
#include "cli/image-view.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/json.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/network.h"
#include "engine/volume.h"

struct opts {
	const char *format, *type, *platform;
	bool size;
};

#define O(field) offsetof(struct opts, field)

static int check_type(const char *value, struct err *e)
{
	static const char *const types[] = {"container", "image", "network", "volume", NULL};
	static const char *const later[] = {"plugin", "node", "service", "secret",
					    "config", "task", NULL};

	if (strv_has(types, value))
		return 0;
	if (strv_has(later, value))
		return err_set(e, ERR_UNSUPPORTED, 0, "this version has no objects of that type");
	return err_set(e, ERR_INVALID, 0, "unknown type: \"%s\"", value);
}

static const struct cli_option any_options[] = {
	{"format", 'f', CLI_STRING, O(format), CLI_FORMAT_HELP_OBJECT},
	{"size", 's', CLI_BOOL, O(size), "Tell what containers take on the disk"},
	{"type", 0, CLI_STRING, O(type),
	 "Look only at objects of this type (container, image, network, volume)",
	 .flags = CLI_MEANING, .check = check_type},
	{NULL},
};

static const struct cli_option image_options[] = {
	{"format", 'f', CLI_STRING, O(format), CLI_FORMAT_HELP_OBJECT},
	{"platform", 0, CLI_STRING, O(platform),
	 "The platform to look at, \"os[/arch[/variant]]\""},
	{NULL},
};

static const struct cli_option network_options[] = {
	{"format", 'f', CLI_STRING, O(format), CLI_FORMAT_HELP_OBJECT},
	{"verbose", 'v', CLI_BOOL, O(size), "Say more (there is no more to say)"},
	{NULL},
};

static const struct cli_option volume_options[] = {
	{"format", 'f', CLI_STRING, O(format), CLI_FORMAT_HELP_OBJECT},
	{NULL},
};

static const struct cli_option container_options[] = {
	{"format", 'f', CLI_STRING, O(format), CLI_FORMAT_HELP_OBJECT},
	{"size", 's', CLI_BOOL, O(size), "Tell what it takes on the disk"},
	{NULL},
};

static json_t *find_image(struct cli_context *c, const char *ref, const char *platform,
			  struct err *e)
{
	struct image img = IMAGE_INIT;
	struct store *s = cli_store(c, e);
	json_t *j;

	if (!s || image_resolve(s, ref, IMAGE_NAMES, &img, e) < 0)
		return NULL;
	j = image_need_platform(&img, ref, platform, e) < 0 ? NULL : image_view(s, &img, e);
	image_done(&img);
	return j;
}

static json_t *find_container(struct cli_context *c, const char *ref, bool size, struct err *e)
{
	struct engine *en = cli_engine(c, e);

	return en ? container_inspect(en, ref, size, e) : NULL;
}

static json_t *find_volume(struct cli_context *c, const char *ref, struct err *e)
{
	struct engine *en = cli_engine(c, e);

	return en ? volume_inspect(en, ref, e) : NULL;
}

static json_t *find_network(struct cli_context *c, const char *ref, struct err *e)
{
	struct engine *en = cli_engine(c, e);

	return en ? network_inspect(en, ref, e) : NULL;
}

/* Containers first, as Docker does. */
static json_t *find_any(struct cli_context *c, const char *ref, const struct opts *o, struct err *e)
{
	json_t *j = NULL;

	if (!o->type || str_eq(o->type, "container"))
		j = find_container(c, ref, o->size, e);
	if (!j && (!o->type || str_eq(o->type, "image"))) {
		if (e->class != ERR_NONE && e->class != ERR_NOT_FOUND)
			return NULL;
		*e = ERR_INIT;
		j = find_image(c, ref, o->platform, e);
	}
	if (!j && (!o->type || str_eq(o->type, "network")) &&
	    (e->class == ERR_NONE || e->class == ERR_NOT_FOUND)) {
		*e = ERR_INIT;
		j = find_network(c, ref, e);
	}
	if (!j && (!o->type || str_eq(o->type, "volume")) &&
	    (e->class == ERR_NONE || e->class == ERR_NOT_FOUND)) {
		*e = ERR_INIT;
		j = find_volume(c, ref, e);
	}
	if (!j && e->class == ERR_NOT_FOUND && !o->type)
		(void)err_set(e, ERR_NOT_FOUND, 0, "no such object: %s", ref);
	return j;
}

static int inspect(struct cli_context *c, const struct cli_args *a, const char *type, struct err *e)
{
	_cleanup_(json_unref) json_t *found = json_array();
	struct opts o = *(const struct opts *)a->opts;
	struct err missing[8];
	size_t n_missing = 0, total = 0;
	int code;

	if (type)
		o.type = type;
	for (size_t i = 0; i < a->argc; i++) {
		struct err one = ERR_INIT;
		json_t *j = find_any(c, a->argv[i], &o, &one);

		if (j)
			(void)json_array_append_new(found, j);
		else if (total++ < ARRAY_SIZE(missing))
			missing[n_missing++] = one;
	}
	code = inspect_print(c, o.format, found, e);
	if (code)
		return code;
	if (json_array_size(found) == 0 && !str_empty(o.format))
		fputc('\n', c->out);
	for (size_t i = 0; i < n_missing; i++)
		cli_complain(c, &missing[i]);
	if (total > n_missing)
		fprintf(c->err, "%s: and %zu more\n", c->program, total - n_missing);
	return total > 0;
}

static int run_network_inspect(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return inspect(c, a, "network", e);
}

static int run_volume(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return inspect(c, a, "volume", e);
}

static int run_any(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return inspect(c, a, NULL, e);
}

static int run_image(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return inspect(c, a, "image", e);
}

static int run_container(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return inspect(c, a, "container", e);
}

const struct cli_command cli_inspect = {.name = "inspect",
					.usage = "[OPTIONS] NAME|ID [NAME|ID...]",
					.summary = "Show containers and images in detail",
					.min_args = 1,
					.max_args = -1,
					.options = any_options,
					.opts_size = sizeof(struct opts),
					.run = run_any};
const struct cli_command cli_image_inspect = {.name = "inspect",
					      .usage = "[OPTIONS] IMAGE [IMAGE...]",
					      .summary = "Show images in detail",
					      .min_args = 1,
					      .max_args = -1,
					      .options = image_options,
					      .opts_size = sizeof(struct opts),
					      .run = run_image};
const struct cli_command cli_container_inspect = {.name = "inspect",
						  .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
						  .summary = "Show containers in detail",
						  .min_args = 1,
						  .max_args = -1,
						  .options = container_options,
						  .opts_size = sizeof(struct opts),
						  .run = run_container};
const struct cli_command cli_volume_inspect = {.name = "inspect",
					       .usage = "[OPTIONS] VOLUME [VOLUME...]",
					       .summary = "Show volumes in detail",
					       .min_args = 1,
					       .max_args = -1,
					       .options = volume_options,
					       .opts_size = sizeof(struct opts),
					       .run = run_volume};
const struct cli_command cli_network_inspect = {.name = "inspect",
						.usage = "[OPTIONS] NETWORK [NETWORK...]",
						.summary = "Show networks in detail",
						.min_args = 1,
						.max_args = -1,
						.options = network_options,
						.opts_size = sizeof(struct opts),
						.run = run_network_inspect};
