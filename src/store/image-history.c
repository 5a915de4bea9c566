/* SPDX-License-Identifier: Apache-2.0 */
/* `docker history`: the configuration's history beside the sizes of the layers. */
#include "store/image-internal.h"

#include "base/clock.h"
#include "oci/image-config.h"

#include <errno.h>

static int history_layer_size(struct store *s, const char *chain, uint64_t *ret, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e, "SELECT size FROM layers WHERE chain=?", "t", chain);

	if (r > 0)
		*ret = (uint64_t)sqlite3_column_int64(st, 0);
	return r < 0 ? -1 : 0;
}

/* An image may say nothing of its history: then each layer is a step without a text. */
static int history_build(struct store *s, const struct image_config *c, struct image_step *steps,
			 struct arena *a, struct err *e)
{
	size_t n = MAX(c->n_history, c->n_diff_ids), layer = 0;
	struct digest chain = DIGEST_NONE;

	for (size_t i = 0; i < n; i++) {
		struct image_step *step = &steps[n - 1 - i];
		const struct image_history *h = i < c->n_history ? &c->history[i] : NULL;

		if (h) {
			step->created_by = h->created_by ? arena_strdup(a, h->created_by) : "";
			step->author = h->author ? arena_strdup(a, h->author) : "";
			step->comment = h->comment ? arena_strdup(a, h->comment) : "";
			step->empty = h->empty_layer;
			if (h->created)
				clock_parse(h->created, &step->created);
		}
		if (step->empty || layer >= c->n_diff_ids)
			continue;
		digest_chain_next(&chain, &c->diff_ids[layer++], &chain);
		if (history_layer_size(s, chain.text, &step->size, e) < 0)
			return -1;
	}
	return 0;
}

static int history_tags(const struct image *img, struct image_step *step, struct arena *a,
			struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < img->n_names; i++) {
		const char *name = image_familiar(a, img->names[i], e);

		if (!name)
			return -1;
		if (arena_strv_push(a, &step->tags, &n, name) < 0)
			return err_errno(e, ENOMEM, "reading the history");
	}
	step->id = arena_strdup(a, img->id);
	return 0;
}

int image_history(struct store *s, const char *ref, struct arena *arena, struct image_step **ret,
		  size_t *ret_n, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	struct image_step *steps;
	size_t n;

	if (image_resolve(s, ref, IMAGE_NAMES, &img, e) < 0)
		return -1;
	if (image_config_parse(img.config, img.config_len, &c, e) < 0)
		return err_wrap(e, "image %s", img.id);
	n = MAX(c.n_history, c.n_diff_ids);
	steps = arena_array(arena, n + 1, sizeof(*steps));
	if (!steps)
		return err_errno(e, ENOMEM, "reading the history");
	if (history_build(s, &c, steps, arena, e) < 0 ||
	    (n > 0 && history_tags(&img, &steps[0], arena, e) < 0))
		return -1;
	*ret = steps;
	*ret_n = n;
	return 0;
}
