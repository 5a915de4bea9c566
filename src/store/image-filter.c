/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of `docker images` and `image prune`. */
#include "store/image-internal.h"

#include "base/str.h"
#include "oci/image-config.h"

#include <fnmatch.h>
#include <string.h>

/* "key" or "key=value". */
static bool filter_label(const struct image_config *c, const char *want)
{
	const char *eq = strchr(want, '=');
	size_t n = eq ? (size_t)(eq - want) : strlen(want);

	for (size_t i = 0; i < c->run.n_labels; i++) {
		const struct key_value *l = &c->run.labels[i];

		if (strlen(l->key) == n && strncmp(l->key, want, n) == 0)
			return !eq || str_eq(l->value, eq + 1);
	}
	return false;
}

static bool filter_labels(const struct image_config *c, const char *const *v, bool want)
{
	for (; v && *v; v++)
		if (filter_label(c, *v) != want)
			return false;
	return true;
}

/* As reference.FamiliarMatch: the pattern fits the name with or without its tag. */
static int filter_name(const char *pattern, const char *name, struct err *e)
{
	char text[REFERENCE_TEXT_SIZE];
	struct reference ref;

	if (reference_parse(name, &ref, e) < 0)
		return -1;
	return fnmatch(pattern, reference_familiar(&ref, text), FNM_PATHNAME) == 0 ||
	       fnmatch(pattern, reference_repository(&ref, true, text), FNM_PATHNAME) == 0;
}

static int filter_references(const char *const *patterns, const struct image *img, struct err *e)
{
	for (; *patterns; patterns++) {
		for (size_t i = 0; i < img->n_names; i++) {
			int r = filter_name(*patterns, img->names[i], e);

			if (r != 0)
				return r;
		}
	}
	return 0;
}

int image_filter_match(const struct image_filter *filter, const struct image *img, struct err *e)
{
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	int r = 1;

	if (filter->until && img->created >= filter->until)
		return 0;
	if (filter->reference)
		r = filter_references(filter->reference, img, e);
	if (r <= 0 || (!filter->label && !filter->label_not))
		return r;
	if (image_config_parse(img->config, img->config_len, &c, e) < 0)
		return err_wrap(e, "image %s", img->id);
	return filter_labels(&c, filter->label, true) &&
	       filter_labels(&c, filter->label_not, false);
}
