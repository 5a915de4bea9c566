/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image-set.h"

#include "base/buf.h"
#include "base/fd.h"
#include "oci/image-config.h"
#include "oci/manifest.h"
#include "oci/media-type.h"

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

void image_set_done(struct image_set *s)
{
	arena_done(&s->arena);
	*s = IMAGE_SET_INIT;
}

/* An image while it is put together. */
struct adding {
	struct image_set *set;
	struct content_sink *sink;
	struct manifest manifest;
	struct image_config config;
	struct image_entry entry;
};

static void adding_done(struct adding *a)
{
	manifest_done(&a->manifest);
	image_config_done(&a->config);
}

static int read_manifest(struct adding *a, const struct digest *d, const char *type, struct err *e)
{
	_cleanup_(freep) char *data = NULL;
	size_t n;

	if (content_sink_read(a->sink, d, MANIFEST_SIZE_MAX, &data, &n, e) < 0 ||
	    manifest_parse(data, n, type, &a->manifest, e) < 0)
		return -1;
	if (!manifest_is_image(&a->manifest))
		return err_set(
			e, ERR_UNSUPPORTED, 0,
			"manifest %s is of no image: its configuration is of the type '%.100s'",
			d->text, a->manifest.config.media_type);
	a->entry.manifest = *d;
	a->entry.manifest_size = (int64_t)n;
	a->entry.manifest_type = arena_strdup(&a->set->arena, a->manifest.media_type);
	return a->entry.manifest_type ? 0 : no_memory(e);
}

static int wrong_size(const struct descriptor *d, uint64_t size, struct err *e)
{
	return err_set(e, ERR_CORRUPT, 0, "blob %s has %llu bytes, its descriptor says %lld",
		       d->digest.text, (unsigned long long)size, (long long)d->size);
}

static int read_config(struct adding *a, struct err *e)
{
	const struct descriptor *d = &a->manifest.config;
	_cleanup_(freep) char *data = NULL;
	size_t n;

	if (content_sink_read(a->sink, &d->digest, IMAGE_CONFIG_SIZE_MAX, &data, &n, e) < 0)
		return -1;
	if ((int64_t)n != d->size)
		return wrong_size(d, n, e);
	if (image_config_parse(data, n, &a->config, e) < 0)
		return -1;
	if (a->config.n_diff_ids != a->manifest.n_layers)
		return err_set(e, ERR_INVALID, 0,
			       "the manifest has %zu layers, the configuration %zu",
			       a->manifest.n_layers, a->config.n_diff_ids);
	a->entry.config = d->digest;
	a->entry.config_size = d->size;
	a->entry.platform = a->config.platform;
	platform_normalize(&a->entry.platform);
	return 0;
}

static int add_layer(struct adding *a, size_t i, struct err *e)
{
	const struct descriptor *d = &a->manifest.layers[i];
	struct image_layer *l = &a->entry.layers[i];
	_cleanup_(fd_close) int fd = -1;
	uint64_t size;

	fd = a->sink->ops->open(a->sink, &d->digest, &size, e);
	if (fd < 0)
		return -1;
	if ((int64_t)size != d->size)
		return wrong_size(d, size, e);
	l->blob = d->digest;
	l->size = d->size;
	l->diff_id = a->config.diff_ids[i];
	l->media_type = arena_strdup(&a->set->arena, d->media_type);
	if (!l->media_type)
		return no_memory(e);
	if (media_type_find(d->media_type)->compression == MEDIA_PLAIN &&
	    !digest_eq(&l->blob, &l->diff_id))
		return err_set(e, ERR_CORRUPT, 0,
			       "layer %s is not compressed, but the configuration gives %s as the "
			       "digest of its content",
			       l->blob.text, l->diff_id.text);
	return 0;
}

static int read_image(struct adding *a, const struct digest *d, const char *type, struct err *e)
{
	if (read_manifest(a, d, type, e) < 0 || read_config(a, e) < 0)
		return -1;
	a->entry.layers =
		arena_array(&a->set->arena, a->manifest.n_layers + 1, sizeof(*a->entry.layers));
	if (!a->entry.layers)
		return no_memory(e);
	for (size_t i = 0; i < a->manifest.n_layers; i++) {
		if (add_layer(a, i, e) < 0)
			return err_wrap(e, "layer %zu", i + 1);
	}
	a->entry.n_layers = a->manifest.n_layers;
	return 0;
}

/* Room for one more, doubling at powers of two. */
static struct image_entry *grow(struct image_set *s)
{
	struct image_entry *more;

	if ((s->n_images & (s->n_images - 1)) == 0) {
		more = arena_array(&s->arena, s->n_images ? 2 * s->n_images : 1, sizeof(*more));
		if (!more)
			return NULL;
		if (s->n_images)
			memcpy(more, s->images, s->n_images * sizeof(*more));
		s->images = more;
	}
	return &s->images[s->n_images];
}

int image_set_add(struct image_set *s, struct content_sink *sink, const struct digest *manifest,
		  const char *type, struct image_entry **ret, struct err *e)
{
	_cleanup_(adding_done) struct adding a = {.set = s, .sink = sink};
	struct image_entry *slot;

	for (size_t i = 0; i < s->n_images; i++) {
		if (digest_eq(&s->images[i].manifest, manifest)) {
			*ret = &s->images[i];
			return 0;
		}
	}
	if (read_image(&a, manifest, type, e) < 0)
		return -1;
	slot = grow(s);
	if (!slot)
		return no_memory(e);
	*slot = a.entry;
	s->n_images++;
	*ret = slot;
	return 0;
}

int image_set_name(struct image_set *s, struct image_entry *i, const struct reference *name,
		   struct err *e)
{
	struct reference *more;

	for (size_t k = 0; k < i->n_names; k++) {
		if (reference_eq(&i->names[k], name))
			return 0;
	}
	more = arena_array(&s->arena, i->n_names + 1, sizeof(*more));
	if (!more)
		return no_memory(e);
	if (i->n_names)
		memcpy(more, i->names, i->n_names * sizeof(*more));
	more[i->n_names++] = *name;
	i->names = more;
	return 0;
}

int image_write_manifest(const struct image_entry *image, struct buf *out, struct err *e)
{
	_cleanup_(freep) struct descriptor *v = calloc(image->n_layers + 1, sizeof(*v));
	struct manifest m = {
		.media_type = MEDIA_OCI_MANIFEST,
		.config = {.media_type = MEDIA_OCI_CONFIG,
			   .digest = image->config,
			   .size = image->config_size},
		.layers = v,
		.n_layers = image->n_layers,
		.annotations = image->annotations,
		.n_annotations = image->n_annotations,
	};

	if (!v)
		return no_memory(e);
	for (size_t i = 0; i < image->n_layers; i++)
		v[i] = (struct descriptor){.media_type = image->layers[i].media_type,
					   .digest = image->layers[i].blob,
					   .size = image->layers[i].size};
	return manifest_write(&m, out, e);
}

int image_make_manifest(struct content_sink *sink, const struct image_entry *image,
			struct digest *ret_manifest, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(MANIFEST_SIZE_MAX);

	if (image_write_manifest(image, &out, e) < 0)
		return -1;
	return content_sink_put(sink, out.data, out.len, ret_manifest, e);
}
