/* SPDX-License-Identifier: Apache-2.0 */
/* Docker archives: manifest.json at the root is an array of {Config, RepoTags, Layers}, where
 * Config and Layers are names in the archive. They have no manifests: we make OCI ones. */
#include "image/tree-internal.h"

#include "base/str.h"
#include "oci/image-config.h"
#include "oci/manifest.h"

#define WHAT "manifest.json"

static const char *const keys[] = {"Config", "RepoTags", "Layers", "Parent", "LayerSources", NULL};

/* One element of manifest.json. */
struct docker_image {
	struct image_tree *tree;
	const struct image_wish *wish;
	struct image_set *set;
	struct json_reader r;
	struct image_entry entry; /* configuration and layers */
};

/* The file NAME, whose digest must be the one that the name claims, if any. */
static int find_file(struct docker_image *d, const char *name, struct tree_file *ret, struct err *e)
{
	struct digest claimed;
	int r = d->tree->find(d->tree, name, ret, e);

	if (r < 0)
		return err_wrap(e, WHAT);
	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, WHAT ": '%.200s' is missing in the archive",
			       name);
	if (tree_claimed_digest(name, &claimed) && !digest_eq(&claimed, &ret->digest))
		return err_set(e, ERR_CORRUPT, 0, WHAT ": '%.200s' has the digest %s", name,
			       ret->digest.text);
	return 0;
}

static int read_config(struct docker_image *d, struct image_config *ret, struct err *e)
{
	_cleanup_(freep) char *data = NULL;
	const char *name = NULL;
	struct tree_file f;
	size_t n;

	if (json_read_str(&d->r, "Config", &name, e) < 0)
		return -1;
	if (str_empty(name))
		return json_read_fail(&d->r, "Config", ERR_INVALID, e, "is required");
	if (find_file(d, name, &f, e) < 0 ||
	    content_sink_read(d->tree->sink, &f.digest, IMAGE_CONFIG_SIZE_MAX, &data, &n, e) < 0)
		return -1;
	d->entry.config = f.digest;
	d->entry.config_size = (int64_t)f.size;
	return image_config_parse(data, n, ret, e) < 0 ? err_wrap(e, "'%.200s'", name) : 0;
}

static int find_layers(struct docker_image *d, const struct image_config *c, struct err *e)
{
	const char **names = NULL;
	struct tree_file f;
	size_t n;

	if (json_read_array(&d->r, "Layers", MANIFEST_LAYERS_MAX, &n, e) < 0 ||
	    json_read_strv(&d->r, "Layers", &names, NULL, e) < 0)
		return -1;
	if (n != c->n_diff_ids)
		return json_read_fail(&d->r, "Layers", ERR_INVALID, e,
				      "has %zu layers, the configuration %zu", n, c->n_diff_ids);
	d->entry.layers = arena_array(d->r.arena, n + 1, sizeof(*d->entry.layers));
	if (!d->entry.layers)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	for (size_t i = 0; i < n; i++) {
		if (find_file(d, names[i], &f, e) < 0)
			return -1;
		d->entry.layers[i] =
			(struct image_layer){.blob = f.digest,
					     .diff_id = c->diff_ids[i],
					     .media_type = media_type_of_layer(f.compression),
					     .size = (int64_t)f.size};
	}
	d->entry.n_layers = n;
	return 0;
}

static int add_names(struct docker_image *d, struct image_entry *image, struct err *e)
{
	const char **tags = NULL;
	struct reference name;
	size_t n;

	if (json_read_array(&d->r, "RepoTags", ARCHIVE_IMAGES_MAX, &n, e) < 0 ||
	    json_read_strv(&d->r, "RepoTags", &tags, NULL, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (reference_parse_tagged(tags[i], &name, e) < 0)
			return err_wrap(e, WHAT ": RepoTags");
		if (name.tag[0] && !digest_is_set(&name.digest) &&
		    image_set_name(d->set, image, &name, e) < 0)
			return -1;
	}
	return 0;
}

/* Reads one image. 0 also where it is for another platform than the one asked for. */
static int read_image(struct docker_image *d, struct err *e)
{
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	struct image_entry *image;
	struct digest manifest;
	struct platform have;

	if (read_config(d, &c, e) < 0)
		return -1;
	have = c.platform;
	platform_normalize(&have);
	if (d->wish->strict && !platform_match(&d->wish->platform, &have))
		return 0;
	if (find_layers(d, &c, e) < 0 ||
	    image_make_manifest(d->tree->sink, &d->entry, &manifest, e) < 0 ||
	    image_set_add(d->set, d->tree->sink, &manifest, NULL, &image, e) < 0)
		return -1;
	return add_names(d, image, e);
}

static int check_keys(const struct json_reader *r, struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)r->obj, key, value) {
		if (!strv_has(keys, key))
			return json_read_fail(r, key, ERR_HOSTILE, e,
					      "is no field of this document");
	}
	return 0;
}

/* ROOT holds the document as its member "images". */
static int read_images(const struct json_reader *root, struct docker_image *proto, struct err *e)
{
	char text[PLATFORM_TEXT_SIZE];
	size_t n;

	if (json_read_array(root, "images", ARCHIVE_IMAGES_MAX, &n, e) < 0)
		return -1;
	if (n == 0)
		return err_set(e, ERR_INVALID, 0, WHAT ": it lists no image");
	for (size_t i = 0; i < n; i++) {
		struct docker_image d = *proto;

		if (json_read_elem(root, "images", i, &d.r, e) < 0 || check_keys(&d.r, e) < 0 ||
		    read_image(&d, e) < 0)
			return -1;
	}
	if (!proto->set->n_images)
		return err_set(e, ERR_NOT_FOUND, 0,
			       "the archive holds no image for the platform %s",
			       platform_text(&proto->wish->platform, text));
	return 1;
}

int docker_resolve(struct image_tree *t, const struct image_wish *wish, struct image_set *ret,
		   struct err *e)
{
	_cleanup_(arena_done) struct arena arena = ARENA_INIT;
	_cleanup_(json_unref) json_t *root = json_object();
	struct docker_image proto = {.tree = t, .wish = wish, .set = ret};
	struct json_reader r;
	const char *data;
	json_t *images;
	size_t n;
	int found = t->document(t, WHAT, &data, &n, e);

	if (found <= 0) {
		found = found < 0 ? -1 : t->document(t, "repositories", &data, &n, e);
		return found > 0
			       ? err_set(e, ERR_UNSUPPORTED, 0,
					 "archives of Docker before 1.10, with `repositories` and "
					 "no manifest.json, are not supported; load and save it "
					 "with a newer Docker first")
			       : found;
	}
	images = json_parse(data, n, WHAT, e);
	if (!images)
		return -1;
	if (!json_is_array(images)) {
		json_decref(images);
		return err_set(e, ERR_INVALID, 0, WHAT ": is not an array");
	}
	if (json_object_set_new(root, "images", images) < 0)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (json_reader_init(&r, root, WHAT, &arena, e) < 0)
		return -1;
	return read_images(&r, &proto, e);
}
