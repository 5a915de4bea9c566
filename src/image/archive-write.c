/* SPDX-License-Identifier: Apache-2.0 */
/* One tar for everybody: the documents of both formats first, then the blobs in the order of their
 * digests, each once. Times are 0 and owners root, so that the same images give the same bytes. */
#include "image/archive.h"

#include "base/buf.h"
#include "base/fd.h"
#include "codec/sink.h"
#include "codec/tar-writer.h"
#include "oci/index.h"
#include "oci/media-type.h"

#include <stdio.h>

#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"

struct blob {
	struct digest digest;
	int64_t size;
};

struct archive_writer {
	struct content_sink *source;
	struct image_set set;
	struct arena arena;
	const struct archive_image *images;
	size_t n_images;
	struct blob *blobs;
	size_t n_blobs;
	struct tar_writer tar;
	int fd;
};

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

static void writer_done(struct archive_writer *w)
{
	image_set_done(&w->set);
	arena_done(&w->arena);
	free(w->blobs);
}

static int by_digest(const void *a, const void *b)
{
	return strcmp(((const struct blob *)a)->digest.text, ((const struct blob *)b)->digest.text);
}

static void add_blob(struct archive_writer *w, const struct digest *d, int64_t size)
{
	w->blobs[w->n_blobs++] = (struct blob){*d, size};
}

/* All blobs of all images, sorted, each once. */
static int collect_blobs(struct archive_writer *w, struct err *e)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < w->set.n_images; i++)
		n += 2 + w->set.images[i].n_layers;
	w->blobs = calloc(n + 1, sizeof(*w->blobs));
	if (!w->blobs)
		return no_memory(e);
	for (size_t i = 0; i < w->set.n_images; i++) {
		const struct image_entry *img = &w->set.images[i];

		add_blob(w, &img->manifest, img->manifest_size);
		add_blob(w, &img->config, img->config_size);
		for (size_t k = 0; k < img->n_layers; k++)
			add_blob(w, &img->layers[k].blob, img->layers[k].size);
	}
	qsort(w->blobs, w->n_blobs, sizeof(*w->blobs), by_digest);
	for (size_t i = 0; i < w->n_blobs; i++) {
		if (kept == 0 || by_digest(&w->blobs[kept - 1], &w->blobs[i]) != 0)
			w->blobs[kept++] = w->blobs[i];
	}
	w->n_blobs = kept;
	return 0;
}

/* Opens each image; one that is given twice keeps the names of both. */
static int open_images(struct archive_writer *w, struct err *e)
{
	struct image_entry *entry;

	for (size_t i = 0; i < w->n_images; i++) {
		const struct archive_image *img = &w->images[i];

		if (image_set_add(&w->set, w->source, &img->manifest, img->manifest_type, &entry,
				  e) < 0)
			return err_wrap(e, "image %s", img->manifest.text);
		for (size_t k = 0; k < img->n_names; k++) {
			if (image_set_name(&w->set, entry, &img->names[k], e) < 0)
				return -1;
		}
	}
	return 0;
}

/* One entry of index.json; NAME may be NULL. */
static int fill_descriptor(struct archive_writer *w, const struct image_entry *img,
			   const struct reference *name, struct descriptor *ret)
{
	char text[REFERENCE_TEXT_SIZE];
	struct key_value *kv;

	*ret = (struct descriptor){.media_type = img->manifest_type,
				   .digest = img->manifest,
				   .size = img->manifest_size};
	if (!name)
		return 0;
	kv = arena_array(&w->arena, 2, sizeof(*kv));
	if (!kv)
		return -1;
	kv[0] = (struct key_value){"io.containerd.image.name",
				   arena_strdup(&w->arena, reference_text(name, text))};
	kv[1] = (struct key_value){"org.opencontainers.image.ref.name", name->tag};
	ret->annotations = kv;
	ret->n_annotations = 2;
	return kv[0].value ? 0 : -1;
}

static int write_index(struct archive_writer *w, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(ARCHIVE_DOCUMENT_MAX);
	struct index x = {.media_type = MEDIA_OCI_INDEX};
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < w->set.n_images; i++)
		n += w->set.images[i].n_names + 1;
	x.manifests = arena_array(&w->arena, n + 1, sizeof(*x.manifests));
	if (!x.manifests)
		return no_memory(e);
	for (size_t i = 0; i < w->set.n_images; i++) {
		const struct image_entry *img = &w->set.images[i];

		if (!img->n_names)
			r |= fill_descriptor(w, img, NULL, &x.manifests[x.n_manifests++]);
		for (size_t k = 0; k < img->n_names; k++)
			r |= fill_descriptor(w, img, &img->names[k], &x.manifests[x.n_manifests++]);
	}
	if (r < 0)
		return no_memory(e);
	if (index_write(&x, &out, e) < 0)
		return -1;
	return tar_writer_file(&w->tar, "index.json", out.data, out.len, 0, e);
}

static json_t *blob_path(const struct digest *d)
{
	char path[32 + DIGEST_TEXT_SIZE];

	snprintf(path, sizeof(path), "blobs/sha256/%s", digest_hex(d));
	return json_string(path);
}

/* One image of manifest.json. */
static json_t *docker_json(const struct image_entry *img)
{
	json_t *j = json_object(), *layers = json_array(), *tags = json_array();
	char text[REFERENCE_TEXT_SIZE];
	int r = json_object_set_new(j, "Config", blob_path(&img->config));

	for (size_t i = 0; i < img->n_names; i++)
		r |= json_array_append_new(tags,
					   json_string(reference_familiar(&img->names[i], text)));
	for (size_t i = 0; i < img->n_layers; i++)
		r |= json_array_append_new(layers, blob_path(&img->layers[i].blob));
	if (img->n_names) {
		r |= json_object_set_new(j, "RepoTags", tags);
	} else {
		json_decref(tags);
		r |= json_object_set_new(j, "RepoTags", json_null());
	}
	r |= json_object_set_new(j, "Layers", layers);
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static int write_docker_manifest(struct archive_writer *w, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(ARCHIVE_DOCUMENT_MAX);
	_cleanup_(json_unref) json_t *j = json_array();

	for (size_t i = 0; i < w->set.n_images; i++) {
		if (json_array_append_new(j, docker_json(&w->set.images[i])) < 0)
			return no_memory(e);
	}
	if (json_write(j, 0, &out) < 0)
		return no_memory(e);
	return tar_writer_file(&w->tar, "manifest.json", out.data, out.len, 0, e);
}

static int write_blob(struct archive_writer *w, const struct blob *b, struct err *e)
{
	char path[32 + DIGEST_TEXT_SIZE];
	_cleanup_(fd_close) int fd = -1;
	uint64_t size, copied = 0;
	struct tar_entry t = {
		.type = TAR_FILE, .name = path, .mode = 0644, .size = (uint64_t)b->size};
	int r;

	snprintf(path, sizeof(path), "blobs/sha256/%s", digest_hex(&b->digest));
	fd = w->source->ops->open(w->source, &b->digest, &size, e);
	if (fd < 0 || tar_writer_entry(&w->tar, &t, e) < 0)
		return -1;
	r = fd_copy(fd, w->fd, t.size, &copied);
	if (r < 0)
		return err_errno(e, r, "writing blob %s", b->digest.text);
	if (copied != t.size)
		return err_set(e, ERR_CORRUPT, 0, "blob %s is shorter than %llu bytes",
			       b->digest.text, (unsigned long long)t.size);
	return tar_writer_sent(&w->tar, copied, e);
}

static int write_all(struct archive_writer *w, struct err *e)
{
	if (tar_writer_file(&w->tar, "oci-layout", LAYOUT_TEXT, sizeof(LAYOUT_TEXT) - 1, 0, e) <
		    0 ||
	    write_index(w, e) < 0 || write_docker_manifest(w, e) < 0 ||
	    tar_writer_dir(&w->tar, "blobs", 0, e) < 0 ||
	    tar_writer_dir(&w->tar, "blobs/sha256", 0, e) < 0)
		return -1;
	for (size_t i = 0; i < w->n_blobs; i++) {
		if (write_blob(w, &w->blobs[i], e) < 0)
			return -1;
	}
	return tar_writer_end(&w->tar, e);
}

int archive_write(int fd, struct content_sink *source, const struct archive_image *images, size_t n,
		  struct err *e)
{
	_cleanup_(writer_done) struct archive_writer w = {
		.source = source, .images = images, .n_images = n, .fd = fd};
	_cleanup_(sink_freep) struct sink *out = NULL;

	if (open_images(&w, e) < 0 || collect_blobs(&w, e) < 0)
		return err_wrap(e, "writing the archive");
	out = sink_to_fd(fd, e);
	if (!out)
		return -1;
	tar_writer_init(&w.tar, out);
	if (write_all(&w, e) < 0 || sink_finish(out, e) < 0)
		return err_wrap(e, "writing the archive");
	return 0;
}
