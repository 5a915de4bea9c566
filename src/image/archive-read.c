/* SPDX-License-Identifier: Apache-2.0 */
/* An archive is read once, front to back: files go into the sink as they come, and a table keeps
 * their names. Only then the documents are looked at. Nothing is ever opened by a name from the
 * archive; symbolic and hard links in it are names of entries of the same table (`docker save` of
 * old made "<id>/layer.tar" a link to another layer). Four documents at the root stay in memory. */
#include "image/tree-internal.h"

#include "base/buf.h"
#include "base/str.h"
#include "codec/tar.h"

#define LINKS_MAX 8

enum file_kind {
	FILE_BLOB,
	FILE_DOCUMENT,
	FILE_LINK,
};

struct archive_file {
	const char *name;
	enum file_kind kind;
	struct tree_file blob;
	const char *target; /* FILE_LINK: a clean name; NULL where it climbs out */
	char *data;         /* FILE_DOCUMENT: in the arena */
	size_t n;
};

struct archive {
	struct image_tree tree;
	struct arena arena;
	struct archive_file *files; /* on the heap; sorted once all are there */
	size_t n_files;
	size_t cap;
};

static void archive_done(struct archive *a)
{
	free(a->files);
	arena_done(&a->arena);
}

static struct archive_file *archive_add(struct archive *a, struct err *e)
{
	struct archive_file *more;
	size_t cap = a->cap ? 2 * a->cap : 64;

	if (a->n_files == ARCHIVE_ENTRIES_MAX) {
		err_set(e, ERR_LIMIT, 0, "the archive has more than %d files", ARCHIVE_ENTRIES_MAX);
		return NULL;
	}
	if (a->n_files == a->cap) {
		more = reallocarray(a->files, cap, sizeof(*more));
		if (!more) {
			err_set(e, ERR_LIMIT, 0, "out of memory");
			return NULL;
		}
		a->files = more;
		a->cap = cap;
	}
	a->files[a->n_files] = (struct archive_file){.name = NULL};
	return &a->files[a->n_files];
}

static bool is_document(const char *name)
{
	static const char *const names[] = {"oci-layout", "index.json", "manifest.json",
					    "repositories", NULL};

	return strv_has(names, name);
}

/* What Docker writes for readers before 1.10; nothing points to it. */
static bool is_legacy(const char *name)
{
	return str_ends(name, "/VERSION") || str_ends(name, "/json");
}

static int read_document(struct archive *a, struct tar_reader *tar, struct archive_file *f,
			 struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(ARCHIVE_DOCUMENT_MAX + 1);
	const void *data;
	uint64_t at;
	ssize_t n;

	while ((n = tar_reader_data(tar, &data, &at, e)) > 0) {
		if (b.len + (size_t)n > ARCHIVE_DOCUMENT_MAX || buf_put(&b, data, (size_t)n) < 0)
			return err_set(e, ERR_LIMIT, 0, "%s is larger than %zu bytes", f->name,
				       ARCHIVE_DOCUMENT_MAX);
	}
	if (n < 0)
		return -1;
	f->kind = FILE_DOCUMENT;
	f->data = arena_strndup(&a->arena, buf_str(&b), b.len);
	f->n = b.len;
	return f->data ? 0 : err_set(e, ERR_LIMIT, 0, "out of memory");
}

static int copy_blob(struct archive *a, struct tar_reader *tar, struct content_writer *w,
		     struct archive_file *f, struct err *e)
{
	unsigned char head[4];
	size_t n_head = 0;
	const void *data;
	uint64_t at;
	ssize_t n;

	while ((n = tar_reader_data(tar, &data, &at, e)) > 0) {
		for (ssize_t i = 0; i < n && n_head < sizeof(head); i++)
			head[n_head++] = ((const unsigned char *)data)[i];
		if (a->tree.sink->ops->write(w, data, (size_t)n, e) < 0)
			return -1;
	}
	f->blob.compression = media_compression_of_magic(head, n_head);
	return n < 0 ? -1 : 0;
}

static int read_blob(struct archive *a, struct tar_reader *tar, const struct tar_entry *t,
		     struct archive_file *f, struct err *e)
{
	const struct content_sink_ops *ops = a->tree.sink->ops;
	bool claims = str_after(f->name, "blobs/sha256/") != NULL;
	struct content_writer *w;
	struct digest claimed;

	if (t->sparse)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "'%.200s' is stored as a sparse file, which image archives do not "
			       "have",
			       f->name);
	if (claims && !tree_claimed_digest(f->name, &claimed))
		return err_set(e, ERR_INVALID, 0, "'%.200s' is not named by a digest", f->name);
	w = ops->begin(a->tree.sink, (int64_t)t->size, e);
	if (!w)
		return -1;
	if (claims && ops->claim)
		ops->claim(w, &claimed);
	if (copy_blob(a, tar, w, f, e) < 0) {
		ops->abort(w);
		return -1;
	}
	if (ops->commit(w, claims ? &claimed : NULL, &f->blob.digest, &f->blob.size, e) < 0)
		return -1;
	f->kind = FILE_BLOB;
	return 0;
}

/* Symbolic links are relative to their directory and may climb inside the archive. */
static const char *link_target(struct arena *a, const char *name, const struct tar_entry *t)
{
	const char *slash = strrchr(name, '/'), *to = t->linkname, *rest;
	size_t dir = slash && t->type == TAR_SYMLINK && *to != '/' ? (size_t)(slash - name) : 0;

	for (; (rest = str_after(to, "../")); to = rest) {
		if (t->type != TAR_SYMLINK || dir == 0)
			return NULL;
		while (dir && name[--dir] != '/')
			;
	}
	to = arena_printf(a, "%.*s/%s", (int)dir, name, to);
	return to ? tree_clean_name(a, to, NULL) : NULL;
}

static int read_entry(struct archive *a, struct tar_reader *tar, const struct tar_entry *t,
		      struct err *e)
{
	struct archive_file *f;
	char *name;

	if (t->type != TAR_FILE && t->type != TAR_SYMLINK && t->type != TAR_HARDLINK)
		return 0;
	name = tree_clean_name(&a->arena, t->name, e);
	if (!name)
		return -1;
	if (is_legacy(name))
		return 0;
	f = archive_add(a, e);
	if (!f)
		return -1;
	f->name = name;
	if (t->type != TAR_FILE) {
		f->kind = FILE_LINK;
		f->target = link_target(&a->arena, name, t);
	} else if (is_document(name) ? read_document(a, tar, f, e) < 0
				     : read_blob(a, tar, t, f, e) < 0) {
		return -1;
	}
	a->n_files++;
	return 0;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct archive_file *)x)->name,
		      ((const struct archive_file *)y)->name);
}

/* Two files of one name are the same file, or one of them is there to deceive. */
static int check_twins(const struct archive *a, struct err *e)
{
	for (size_t i = 1; i < a->n_files; i++) {
		const struct archive_file *x = &a->files[i - 1], *y = &a->files[i];

		if (!str_eq(x->name, y->name))
			continue;
		if (x->kind == FILE_BLOB && y->kind == FILE_BLOB &&
		    digest_eq(&x->blob.digest, &y->blob.digest))
			continue;
		if (x->kind == FILE_LINK && y->kind == FILE_LINK && str_eq0(x->target, y->target))
			continue;
		return err_set(e, ERR_HOSTILE, 0, "the archive has two different files '%.200s'",
			       x->name);
	}
	return 0;
}

static const struct archive_file *lookup(const struct archive *a, const char *name)
{
	struct archive_file key = {.name = name};

	return a->n_files ? bsearch(&key, a->files, a->n_files, sizeof(key), by_name) : NULL;
}

/* Follows links: 1, or 0 where there is no such file. */
static int find_file(struct archive *a, const char *path, const struct archive_file **ret,
		     struct err *e)
{
	const char *name = tree_clean_name(&a->arena, path, e);
	const struct archive_file *f;

	if (!name)
		return err_wrap(e, "'%.200s'", path);
	f = lookup(a, name);
	for (int i = 0; f && f->kind == FILE_LINK; i++) {
		if (i == LINKS_MAX || !f->target)
			return err_set(e, ERR_HOSTILE, 0,
				       "'%.200s' in the archive is a link that leads out of it or "
				       "in circles",
				       path);
		f = lookup(a, f->target);
	}
	*ret = f;
	return f ? 1 : 0;
}

static int archive_find(struct image_tree *t, const char *path, struct tree_file *ret,
			struct err *e)
{
	struct archive *a = (struct archive *)t;
	const struct archive_file *f;
	int r = find_file(a, path, &f, e);

	if (r <= 0)
		return r;
	if (f->kind != FILE_BLOB)
		return err_set(e, ERR_HOSTILE, 0, "'%.200s' is no blob", path);
	*ret = f->blob;
	return 1;
}

static int archive_document(struct image_tree *t, const char *path, const char **ret, size_t *ret_n,
			    struct err *e)
{
	const struct archive_file *f = lookup((struct archive *)t, path);

	if (!f)
		return 0;
	if (f->kind != FILE_DOCUMENT)
		return err_set(e, ERR_HOSTILE, 0, "'%s' in the archive is no regular file", path);
	*ret = f->data;
	*ret_n = f->n;
	return 1;
}

static int read_files(struct archive *a, struct tar_reader *tar, struct err *e)
{
	char name[TAR_QUOTE_SIZE];
	const struct tar_entry *t;
	int r;

	while ((r = tar_reader_next(tar, &t, e)) > 0) {
		if (read_entry(a, tar, t, e) < 0)
			return err_wrap(e, "entry '%s'",
					tar_name_quote(t->name, name, sizeof(name)));
	}
	if (r < 0 || tar_reader_drain(tar, e) < 0)
		return -1;
	if (a->n_files)
		qsort(a->files, a->n_files, sizeof(*a->files), by_name);
	return check_twins(a, e);
}

int archive_read(int fd, struct content_sink *sink, const struct platform *want,
		 struct image_set *ret, struct err *e)
{
	static const struct stream_limits limits = {.max_out = UINT64_C(1) << 42,
						    .max_ratio = 1100,
						    .ratio_slack = UINT64_C(256) << 20};
	_cleanup_(archive_done) struct archive a = {
		.tree = {.find = archive_find, .document = archive_document, .sink = sink}};
	_cleanup_(stream_freep) struct stream *in = stream_from_fd(fd, e);
	_cleanup_(stream_freep) struct stream *plain =
		in ? stream_decompress(in, &limits, NULL, e) : NULL;
	_cleanup_(tar_reader_freep) struct tar_reader *tar =
		plain ? tar_reader_new(plain, e) : NULL;

	if (!tar || read_files(&a, tar, e) < 0)
		return err_wrap(e, "reading the archive");
	return tree_resolve(&a.tree, want, ret, e);
}
