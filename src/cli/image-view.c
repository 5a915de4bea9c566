/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image-view.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/filter.h"
#include "cli/output.h"
#include "engine/event.h"
#include "oci/image-config.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "store/store.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

const char *image_show_id(const char *id, bool no_trunc, char out[IMAGE_ID_SIZE])
{
	const char *hex = str_after(id, "sha256:");

	if (no_trunc)
		(void)snprintf(out, IMAGE_ID_SIZE, "%s", id);
	else
		(void)snprintf(out, IMAGE_ID_SIZE, "%.12s", hex ? hex : id);
	return out;
}

const char *time_show_since(int64_t ns, char out[64])
{
	char text[CLOCK_TEXT_SIZE];

	if (ns == 0)
		(void)snprintf(out, 64, "N/A");
	else
		(void)snprintf(out, 64, "%s ago", clock_human(clock_now() - ns, text));
	return out;
}

const char *time_show_at(int64_t ns, char out[64])
{
	char text[CLOCK_TEXT_SIZE];

	ns -= ns % (int64_t)NUM_NS_PER_S;
	(void)clock_format(ns, text);
	(void)snprintf(out, 64, "%.10s %.8s +0000 UTC", text, text + 11);
	return out;
}

/* -- rows ------------------------------------------------------------------------------------ */

static json_t *row_new(const struct image *img, bool no_trunc)
{
	char id[IMAGE_ID_SIZE], since[64], at[64], size[32];

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Containers", "N/A",
			 "CreatedAt", time_show_at(img->created, at), "CreatedSince",
			 time_show_since(img->created, since), "ID",
			 image_show_id(img->id, no_trunc, id), "SharedSize", "N/A", "Size",
			 num_human_size((double)img->size, size), "UniqueSize", "N/A",
			 "VirtualSize", size);
}

/* What the columns of one name hold. */
struct name {
	const char *repository, *tag, *digest;
};

static int row_add(json_t *rows, const struct image *img, bool no_trunc, const struct name *n,
		   struct err *e)
{
	json_t *row = row_new(img, no_trunc);

	if (!row || json_object_set_new(row, "Repository", json_string(n->repository)) < 0 ||
	    json_object_set_new(row, "Tag", json_string(n->tag)) < 0 ||
	    json_object_set_new(row, "Digest", json_string(n->digest)) < 0 ||
	    json_array_append_new(rows, row) < 0)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	return 0;
}

/* The digest under which the repository of NAME knows the image, or "<none>". */
static const char *digest_for(const struct image *img, const char *repository)
{
	for (size_t i = 0; i < img->n_digests; i++) {
		const char *at = str_after(img->digests[i], repository);

		if (at && *at == '@')
			return at + 1;
	}
	return "<none>";
}

/* Docker matches a pattern with the name, and with the name and its tag. */
static bool is_wanted(const struct reference *r, const char *const *patterns)
{
	char text[REFERENCE_TEXT_SIZE];

	if (!patterns)
		return true;
	for (; *patterns; patterns++)
		if (fnmatch(*patterns, reference_familiar(r, text), FNM_PATHNAME) == 0 ||
		    fnmatch(*patterns, reference_repository(r, true, text), FNM_PATHNAME) == 0)
			return true;
	return false;
}

int image_rows(json_t *rows, const struct image *img, const struct image_style *style,
	       struct err *e)
{
	struct name n = {"<none>", "<none>", "<none>"};

	for (size_t i = 0; i < img->n_names; i++) {
		char familiar[REFERENCE_TEXT_SIZE], whole[REFERENCE_TEXT_SIZE];
		struct reference r;

		if (reference_parse(img->names[i], &r, e) < 0)
			return -1;
		if (!is_wanted(&r, style->reference))
			continue;
		n.repository = reference_repository(&r, true, familiar);
		n.tag = r.tag[0] ? r.tag : "<none>";
		if (style->digests)
			n.digest = digest_for(img, reference_repository(&r, false, whole));
		if (row_add(rows, img, style->no_trunc, &n, e) < 0)
			return -1;
	}
	return img->n_names > 0 ? 0 : row_add(rows, img, style->no_trunc, &n, e);
}

/* -- inspect --------------------------------------------------------------------------------- */

static json_t *familiar_names(const char *const *names, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		char text[REFERENCE_TEXT_SIZE];
		struct reference r;

		if (reference_parse(names[i], &r, NULL) == 0)
			(void)json_array_append_new(array,
						    json_string(reference_familiar(&r, text)));
	}
	return array;
}

static json_t *rootfs(const struct image_config *c)
{
	json_t *layers = json_array();

	for (size_t i = 0; i < c->n_diff_ids; i++)
		(void)json_array_append_new(layers, json_string(c->diff_ids[i].text));
	return json_pack("{s:s, s:o}", "Type", "layers", "Layers", layers);
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* Where the document itself has none, that of the newest line of the history. */
static const char *comment_of(const struct image_config *c)
{
	if (str_empty(c->comment) && c->n_history > 0)
		return or_empty(c->history[c->n_history - 1].comment);
	return or_empty(c->comment);
}

json_t *image_view(struct store *s, const struct image *img, struct err *e)
{
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	char tagged[CLOCK_TEXT_SIZE];
	json_t *j;

	if (image_config_parse(img->config, img->config_len, &c, e) < 0)
		return NULL;
	j = json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:s}", "Id", img->id,
		      "RepoTags", familiar_names(img->names, img->n_names), "RepoDigests",
		      familiar_names(img->digests, img->n_digests), "Parent", "", "Comment",
		      comment_of(&c), "Created", or_empty(c.created), "DockerVersion",
		      or_empty(c.docker_version), "Author", or_empty(c.author), "Config",
		      image_run_json(&c.run), "Architecture", img->arch);
	if (j && !str_empty(img->variant))
		(void)json_object_set_new(j, "Variant", json_string(img->variant));
	if (!j ||
	    json_object_update_new(j, json_pack("{s:s, s:I, s:{s:n, s:s}, s:o, s:{s:s}}", "Os",
						img->os, "Size", (json_int_t)img->size,
						"GraphDriver", "Data", "Name", store_driver(s),
						"RootFS", rootfs(&c), "Metadata", "LastTagTime",
						img->tagged ? clock_format(img->tagged, tagged)
							    : "0001-01-01T00:00:00Z")) < 0) {
		json_decref(j);
		(void)err_set(e, ERR_LIMIT, 0, "out of memory");
		return NULL;
	}
	return j;
}

/* -- platforms ------------------------------------------------------------------------------ */

int image_need_platform(const struct image *img, const char *ref, const char *platform,
			struct err *e)
{
	char want_text[PLATFORM_TEXT_SIZE], have_text[PLATFORM_TEXT_SIZE];
	struct platform want, have = {.os = ""};

	if (str_empty(platform))
		return 0;
	if (platform_parse(platform, &want, e) < 0)
		return -1;
	(void)snprintf(have.os, sizeof(have.os), "%s", img->os);
	(void)snprintf(have.architecture, sizeof(have.architecture), "%s", img->arch);
	(void)snprintf(have.variant, sizeof(have.variant), "%s", img->variant);
	platform_normalize(&have);
	if (platform_match(&want, &have) == PLATFORM_MATCH_MAX)
		return 0;
	return err_set(e, ERR_NOT_FOUND, 0,
		       "image with reference %s was found but its platform (%s) does not match the "
		       "specified platform (%s)",
		       ref, platform_text(&have, have_text), platform_text(&want, want_text));
}

int image_find_platform(struct store *s, const char *ref, const char *platform, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;

	if (image_resolve(s, ref, 0, &img, e) < 0)
		return -1;
	return image_need_platform(&img, ref, platform, e);
}

/* -- events ---------------------------------------------------------------------------------- */

void image_event(struct cli_context *c, const char *action, const char *id, const char *name)
{
	const char *const extra[] = {"name", name ? name : id, NULL};

	if (c->engine)
		event_object(c->engine, EVENT_IMAGE, action, id, extra);
}

void prune_event(struct cli_context *c, const char *type, uint64_t bytes)
{
	char number[24];
	const char *const extra[] = {"reclaimed", number, NULL};

	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)bytes);
	if (c->engine)
		event_object(c->engine, type, "prune", "", extra);
}

/* -- filters --------------------------------------------------------------------------------- */

static int read_dangling(const char *s, int *ret, struct err *e)
{
	bool on;

	if (num_bool(s, &on) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid filter 'dangling=[%s]'", s);
	*ret = on ? 1 : -1;
	return 0;
}

static const char *const *or_none(const char *const *v)
{
	return v && v[0] ? v : NULL;
}

int image_filter_read(struct cli_context *c, const struct cli_list *filters, struct image_filter *f,
		      struct err *e)
{
	const char *const *dangling = filter_values(c, filters, "dangling");
	const char *const *until = filter_values(c, filters, "until");
	const char *const *before = filter_values(c, filters, "before");
	const char *const *since = filter_values(c, filters, "since");

	f->label = or_none(filter_values(c, filters, "label"));
	f->label_not = or_none(filter_values(c, filters, "label!"));
	f->reference = or_none(filter_values(c, filters, "reference"));
	if (!dangling || !until || !before || !since)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	f->before = before[0];
	f->since = since[0];
	if (dangling[0] && read_dangling(dangling[0], &f->dangling, e) < 0)
		return -1;
	return until[0] ? filter_until(until[0], &f->until, e) : 0;
}
