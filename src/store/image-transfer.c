/* SPDX-License-Identifier: Apache-2.0 */
/* load, import and save over image/ and the loader. */
#include "store/image-transfer.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/trace.h"
#include "image/archive.h"
#include "oci/image-change.h"
#include "oci/media-type.h"
#include "store/content.h"
#include "store/image-internal.h"
#include "store/image-loader.h"
#include "store/plain-input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TRANSFER_READ ((size_t)1 << 18)

int loader_fail(struct store *s)
{
	if (s->leased && db_begin(s->db, false, NULL) == 0) {
		if (store_lease_release(s, s->lease, NULL) < 0)
			db_abort(s->db);
		else
			db_commit(s->db, NULL);
		snapshot_sweep(s, NULL);
	}
	return -1;
}

int loader_load(struct loader *l, const struct image_set *set, struct err *e)
{
	for (size_t i = 0; i < set->n_images; i++)
		if (loader_plan(l, &set->images[i], e) < 0)
			return err_wrap(e, "image %s", set->images[i].config.text);
	return loader_publish(l, set, e);
}

static void load_report(const struct image_set *set, image_loaded_fn fn, void *arg)
{
	char text[REFERENCE_TEXT_SIZE];

	for (size_t i = 0; i < set->n_images; i++) {
		const struct image_entry *img = &set->images[i];

		for (size_t j = 0; j < img->n_names; j++)
			fn(arg, img->config.text, reference_familiar(&img->names[j], text));
		if (img->n_names == 0)
			fn(arg, img->config.text, NULL);
	}
}

int image_load(struct store *s, int fd, const char *platform, image_loaded_fn fn, void *arg,
	       struct err *e)
{
	_cleanup_(image_set_done) struct image_set set = IMAGE_SET_INIT;
	_cleanup_(plain_input_done) struct plain_input in = PLAIN_INPUT_INIT;
	_cleanup_(loader_done) struct loader l;
	struct platform want;
	int r;

	loader_init(&l, s);
	if (platform && platform_parse(platform, &want, e) < 0)
		return -1;
	r = plain_input_open(&in, fd, e);
	if (r == 0)
		r = archive_read(in.fd, &l.sink, platform ? &want : NULL, &set, e);
	r = plain_input_close(&in, r, e);
	TRACE("archive read");
	if (r == 0)
		r = loader_load(&l, &set, e);
	if (r < 0)
		return loader_fail(s);
	if (fn)
		load_report(&set, fn, arg);
	return 0;
}

int image_load_source(struct store *s, image_source_fn source, void *source_arg, image_loaded_fn fn,
		      void *arg, struct err *e)
{
	_cleanup_(image_set_done) struct image_set set = IMAGE_SET_INIT;
	_cleanup_(loader_done) struct loader l;

	loader_init(&l, s);
	if (source(source_arg, &l.sink, &set, e) < 0 || loader_load(&l, &set, e) < 0)
		return loader_fail(s);
	if (fn)
		load_report(&set, fn, arg);
	return 0;
}

/* The stream FD into one blob, unpacked on the way. */
static int import_layer(struct loader *l, int fd, struct image_layer *ret, struct err *e)
{
	_cleanup_(freep) char *data = malloc(TRANSFER_READ);
	struct content_writer *w;
	uint64_t size = 0;
	char magic[8] = "";
	ssize_t n;

	if (!data)
		return err_errno(e, ENOMEM, "importing");
	w = l->sink.ops->begin(&l->sink, -1, e);
	if (!w)
		return -1;
	while ((n = fd_read_full(fd, data, TRANSFER_READ)) > 0) {
		if (size == 0)
			memcpy(magic, data, MIN((size_t)n, sizeof(magic)));
		size += (uint64_t)n;
		if (l->sink.ops->write(w, data, (size_t)n, e) < 0)
			break;
	}
	if (n != 0 || size == 0) {
		l->sink.ops->abort(w);
		if (n > 0)
			return -1;
		return n < 0 ? err_errno(e, (int)n, "reading the archive")
			     : err_set(e, ERR_INVALID, 0, "the archive is empty");
	}
	if (l->sink.ops->commit(w, NULL, &ret->blob, &size, e) < 0)
		return -1;
	ret->size = (int64_t)size;
	ret->media_type = media_type_of_layer(media_compression_of_magic(magic, sizeof(magic)));
	ret->diff_id = l->trees[0].diff;
	return 0;
}

static int import_prepare(struct image_config *c, const struct image_import_opts *opts,
			  struct err *e)
{
	if (opts->platform) {
		if (platform_parse(opts->platform, &c->platform, e) < 0)
			return -1;
	} else {
		platform_host(&c->platform);
	}
	return image_change_apply(c, opts->changes, e);
}

static int import_config(struct loader *l, struct image_config *c, const struct image_layer *layer,
			 const char *message, struct digest *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(IMAGE_CONFIG_SIZE_MAX);
	struct image_history h = {.comment = message};
	struct image_layer layers[] = {*layer};
	struct image_entry image = {.layers = layers, .n_layers = 1};
	char now[CLOCK_TEXT_SIZE];
	struct digest manifest;

	c->created = arena_strdup(&c->arena, clock_format(clock_now(), now));
	h.created = c->created;
	if (!c->created)
		return err_errno(e, ENOMEM, "importing");
	if (image_config_add_layer(c, &layer->diff_id, &h, e) < 0 ||
	    image_config_write(c, &b, e) < 0 ||
	    content_sink_put(&l->sink, buf_str(&b), b.len, &image.config, e) < 0)
		return -1;
	image.config_size = (int64_t)b.len;
	if (image_make_manifest(&l->sink, &image, &manifest, e) < 0)
		return -1;
	*ret = manifest;
	return 0;
}

static int import_run(struct loader *l, int fd, const struct image_import_opts *opts,
		      struct image_set *set, struct err *e)
{
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	_cleanup_(plain_input_done) struct plain_input in = PLAIN_INPUT_INIT;
	struct image_layer layer = {.size = 0};
	struct image_entry *entry = NULL;
	struct reference name;
	struct digest manifest;
	int r;

	if ((opts->name && reference_parse_tagged(opts->name, &name, e) < 0) ||
	    import_prepare(&c, opts, e) < 0)
		return -1;
	l->unpack_all = true;
	r = plain_input_open(&in, fd, e);
	if (r == 0)
		r = import_layer(l, in.fd, &layer, e);
	if (plain_input_close(&in, r, e) < 0)
		return -1;
	l->unpack_all = false;
	if (import_config(l, &c, &layer, opts->message, &manifest, e) < 0 ||
	    image_set_add(set, &l->sink, &manifest, NULL, &entry, e) < 0 ||
	    (opts->name && image_set_name(set, entry, &name, e) < 0))
		return -1;
	return loader_load(l, set, e);
}

int image_import(struct store *s, int fd, const struct image_import_opts *opts,
		 char ret_id[IMAGE_ID_SIZE], struct err *e)
{
	_cleanup_(image_set_done) struct image_set set = IMAGE_SET_INIT;
	_cleanup_(loader_done) struct loader l;

	loader_init(&l, s);
	if (import_run(&l, fd, opts, &set, e) < 0)
		return loader_fail(s);
	snprintf(ret_id, IMAGE_ID_SIZE, "%s", set.images[0].config.text);
	return 0;
}

/* What to save: images once each, with the names that were asked for. */
struct save_list {
	struct arena arena;
	struct archive_image *images;
	size_t n;
};

static void save_list_done(struct save_list *l)
{
	arena_done(&l->arena);
}

static struct archive_image *save_entry(struct save_list *l, const struct digest *manifest)
{
	struct archive_image *more;

	for (size_t i = 0; i < l->n; i++)
		if (digest_eq(&l->images[i].manifest, manifest))
			return &l->images[i];
	more = arena_array(&l->arena, l->n + 1, sizeof(*more));
	if (!more)
		return NULL;
	if (l->n > 0)
		memcpy(more, l->images, l->n * sizeof(*more));
	l->images = more;
	more[l->n].manifest = *manifest;
	return &more[l->n++];
}

static int save_add_name(struct save_list *l, struct archive_image *img,
			 const struct reference *name, struct err *e)
{
	struct reference *more;

	for (size_t i = 0; i < img->n_names; i++)
		if (reference_eq(&img->names[i], name))
			return 0;
	more = arena_array(&l->arena, img->n_names + 1, sizeof(*more));
	if (!more)
		return err_errno(e, ENOMEM, "saving");
	if (img->n_names > 0)
		memcpy(more, img->names, img->n_names * sizeof(*more));
	more[img->n_names++] = *name;
	img->names = more;
	return 0;
}

int image_hold(struct store *s, const char *id, struct err *e)
{
	if (store_lease_record(s, e) < 0)
		return -1;
	return db_run(s->db, NULL, e,
		      "INSERT OR IGNORE INTO lease_items SELECT ?, 'blob', blob FROM image_blobs"
		      " WHERE image=?",
		      "it", s->lease, id);
}

static int save_add(struct store *s, struct save_list *l, const char *ref, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct archive_image *entry;
	struct reference name;
	struct digest manifest;
	const char *hex = NULL;

	if (image_resolve(s, ref, 0, &img, e) < 0 || image_hold(s, img.id, e) < 0 ||
	    digest_parse(img.digest, &manifest, e) < 0)
		return -1;
	entry = save_entry(l, &manifest);
	if (!entry)
		return err_errno(e, ENOMEM, "saving");
	if (reference_maybe_id(ref, &hex) && strncmp(img.id + 7, hex, strlen(hex)) == 0)
		return 0;
	if (reference_parse_tagged(ref, &name, e) < 0)
		return -1;
	return name.tag[0] ? save_add_name(l, entry, &name, e) : 0;
}

/* A repository without a tag: all its tags, as docker save does. 1 where there were some. */
static int save_add_repository(struct store *s, struct save_list *l, const char *ref, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	char repo[REFERENCE_TEXT_SIZE];
	struct reference name;
	int r, found = 0;

	if (reference_parse(ref, &name, NULL) < 0 || name.tag[0] || digest_is_set(&name.digest))
		return 0;
	reference_repository(&name, false, repo);
	if (db_start(s->db, &st, e, "SELECT name FROM names WHERE repo=? ORDER BY name", "t",
		     repo) < 0)
		return -1;
	while ((r = db_next(s->db, st, e)) > 0) {
		if (save_add(s, l, db_text(st, 0), e) < 0)
			return -1;
		found = 1;
	}
	return r < 0 ? -1 : found;
}

static int save_run(struct store *s, const char *const *refs, size_t n, int fd, struct err *e)
{
	_cleanup_(save_list_done) struct save_list list = {.images = NULL};
	_cleanup_(loader_done) struct loader l;

	loader_init(&l, s);
	for (size_t i = 0; i < n; i++) {
		int r = save_add_repository(s, &list, refs[i], e);

		if (r < 0 || (r == 0 && save_add(s, &list, refs[i], e) < 0))
			return -1;
	}
	return archive_write(fd, &l.sink, list.images, list.n, e);
}

int image_save(struct store *s, const char *const *refs, size_t n, int fd, struct err *e)
{
	int r = save_run(s, refs, n, fd, e);

	loader_fail(s); /* the lease ends either way */
	return r;
}

static int save_as(struct store *s, const char *id, const char *const *names, int fd, struct err *e)
{
	_cleanup_(save_list_done) struct save_list list = {.images = NULL};
	_cleanup_(loader_done) struct loader l;
	struct reference name;

	loader_init(&l, s);
	if (save_add(s, &list, id, e) < 0)
		return -1;
	for (; names && *names; names++)
		if (reference_parse_tagged(*names, &name, e) < 0 ||
		    save_add_name(&list, &list.images[0], &name, e) < 0)
			return -1;
	return archive_write(fd, &l.sink, list.images, list.n, e);
}

int image_save_as(struct store *s, const char *id, const char *const *names, int fd, struct err *e)
{
	int r = save_as(s, id, names, fd, e);

	loader_fail(s); /* the lease ends either way */
	return r;
}

int image_read(struct store *s, const char *ref, image_read_fn fn, void *arg, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	_cleanup_(loader_done) struct loader l;
	int r = -1;

	loader_init(&l, s);
	if (image_resolve(s, ref, IMAGE_NAMES, &img, e) == 0 && image_hold(s, img.id, e) == 0)
		r = fn(arg, &l.sink, &img, e);
	loader_fail(s); /* the lease ends either way */
	return r;
}
