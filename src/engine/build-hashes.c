/* SPDX-License-Identifier: Apache-2.0 */
/* One file for each tree, named by device and inode of its root; entries sorted by inode. New ones
 * are kept apart and merged when it is closed; those that were not asked for this time go, when
 * they are more than half. */
#include "engine/build-hashes.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "engine/build-copy-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAGIC "kgbh0002"

/* Files that were changed so shortly before they were read could change once more unseen. */
#define RACY_NS INT64_C(100000000)

enum { FILE_MAX = 1 << 30, READ_SIZE = 256 * 1024 };

struct hash_entry {
	uint64_t ino, dev, size;
	int64_t ctime_ns, mtime_ns;
	unsigned char digest[SHA256_SIZE];
};

struct build_hashes {
	int dir;
	char name[64];
	char *file; /* MAGIC and the entries */
	const struct hash_entry *old;
	size_t n_old;
	struct hash_entry *new;
	size_t n_new, cap_new;
	size_t used; /* of the old ones */
	char *data;
};

static void load(struct build_hashes *h)
{
	size_t n = 0;

	if (path_read_file(h->dir, h->name, FILE_MAX, &h->file, &n) < 0)
		return;
	if (n < 16 || memcmp(h->file, MAGIC, 8) != 0 || (n - 16) % sizeof(*h->old) != 0)
		return;
	h->old = (const struct hash_entry *)(const void *)(h->file + 16);
	h->n_old = (n - 16) / sizeof(*h->old);
}

struct build_hashes *build_hashes_open(int dir, int tree)
{
	struct build_hashes *h = calloc(1, sizeof(*h));
	struct stat st;

	if (!h || fstat(tree, &st) < 0) {
		free(h);
		return NULL;
	}
	h->dir = dir;
	snprintf(h->name, sizeof(h->name), "%llx-%llx", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	load(h);
	return h;
}

static int compare(const void *a, const void *b)
{
	const struct hash_entry *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->dev < y->dev ? -1 : x->dev > y->dev;
}

/* Of two of one file the new one. */
static size_t merge(const struct build_hashes *h, struct hash_entry *to)
{
	size_t i = 0, k = 0, n = 0;

	while (i < h->n_old || k < h->n_new) {
		int c = i == h->n_old ? 1 : k == h->n_new ? -1 : compare(&h->old[i], &h->new[k]);

		to[n++] = c < 0 ? h->old[i] : h->new[k];
		i += c <= 0;
		k += c >= 0;
	}
	return n;
}

static void save(struct build_hashes *h)
{
	struct hash_entry *all;
	size_t n;
	char *text;

	qsort(h->new, h->n_new, sizeof(*h->new), compare);
	if (h->used + h->n_new < h->n_old / 2)
		h->n_old = 0;
	text = calloc(1, 16 + (h->n_old + h->n_new) * sizeof(*all));
	if (!text)
		return;
	memcpy(text, MAGIC, 8);
	all = (struct hash_entry *)(void *)(text + 16);
	n = merge(h, all);
	(void)path_write_file(h->dir, h->name, text, 16 + n * sizeof(*all), 0600);
	free(text);
}

void build_hashes_close(struct build_hashes *h)
{
	if (!h)
		return;
	if (h->n_new > 0)
		save(h);
	free(h->file);
	free(h->new);
	free(h->data);
	free(h);
}

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * (int64_t)NUM_NS_PER_S + t->tv_nsec;
}

static struct hash_entry entry_of(const struct stat *st)
{
	return (struct hash_entry){.ino = st->st_ino,
				   .dev = st->st_dev,
				   .size = (uint64_t)st->st_size,
				   .ctime_ns = ns_of(&st->st_ctim),
				   .mtime_ns = ns_of(&st->st_mtim)};
}

static void remember(struct build_hashes *h, const struct hash_entry *entry)
{
	struct hash_entry *v;
	size_t cap;

	if (h->n_new == h->cap_new) {
		cap = h->cap_new ? 2 * h->cap_new : 256;
		v = reallocarray(h->new, cap, sizeof(*v));
		if (!v)
			return;
		h->new = v;
		h->cap_new = cap;
	}
	h->new[h->n_new++] = *entry;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds NAME and what it holds. */
static void add_xattr(struct sha256 *hash, int fd, const char *name, char *value)
{
	ssize_t n = fgetxattr(fd, name, value, XATTR_SIZE_MAX);
	uint64_t size = n < 0 ? 0 : (uint64_t)n;

	sha256_add(hash, name, strlen(name) + 1);
	sha256_add(hash, &size, sizeof(size));
	sha256_add(hash, value, size);
}

/* Where FD has attributes that are copied, the digest of DIGEST and of these takes its place. */
static int hash_xattrs(int fd, unsigned char digest[SHA256_SIZE])
{
	_cleanup_(freep) char *names = NULL, *value = NULL;
	_cleanup_(freep) const char **v = NULL;
	ssize_t n = flistxattr(fd, NULL, 0);
	struct sha256 hash;
	size_t count = 0;

	if (n <= 0)
		return n == 0 || errno == ENOTSUP ? 0 : -errno;
	names = malloc((size_t)n);
	value = malloc(XATTR_SIZE_MAX);
	v = calloc((size_t)n, sizeof(*v)); /* a name has at least one byte and its NUL */
	if (!names || !value || !v)
		return -ENOMEM;
	n = flistxattr(fd, names, (size_t)n);
	for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1)
		if (build_copy_takes_xattr(p))
			v[count++] = p;
	if (!count)
		return n < 0 ? -errno : 0;
	qsort(v, count, sizeof(*v), compare_names);
	sha256_init(&hash);
	sha256_add(&hash, digest, SHA256_SIZE);
	for (size_t i = 0; i < count; i++)
		add_xattr(&hash, fd, v[i], value);
	sha256_end(&hash, digest);
	return 0;
}

static int hash_data(int fd, unsigned char ret[SHA256_SIZE])
{
	_cleanup_(freep) char *data = malloc(READ_SIZE);
	struct sha256 hash;
	ssize_t n = data ? 0 : -1;

	if (n < 0)
		return -ENOMEM;
	sha256_init(&hash);
	while ((n = read(fd, data, READ_SIZE)) > 0)
		sha256_add(&hash, data, (size_t)n);
	if (n < 0)
		return -errno;
	sha256_end(&hash, ret);
	return 0;
}

static int hash_file(int held, const struct stat *st, unsigned char ret[SHA256_SIZE], struct err *e)
{
	_cleanup_(fd_close) int fd = fd_reopen(held, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	int r = fd < 0 ? fd : 0;

	memset(ret, 0, SHA256_SIZE);
	if (r == 0 && S_ISREG(st->st_mode))
		r = hash_data(fd, ret);
	if (r == 0)
		r = hash_xattrs(fd, ret);
	return r < 0 ? err_errno(e, r, "reading a file of the context") : 0;
}

int build_hashes_get(struct build_hashes *h, int fd, const struct stat *st,
		     unsigned char ret[SHA256_SIZE], struct err *e)
{
	struct hash_entry entry = entry_of(st);
	const struct hash_entry *known =
		h && h->n_old ? bsearch(&entry, h->old, h->n_old, sizeof(entry), compare) : NULL;
	struct stat after;

	if (known && memcmp(known, &entry, offsetof(struct hash_entry, digest)) == 0) {
		h->used++;
		memcpy(ret, known->digest, SHA256_SIZE);
		return 0;
	}
	if (hash_file(fd, st, entry.digest, e) < 0)
		return -1;
	memcpy(ret, entry.digest, SHA256_SIZE);
	if (h && fstat(fd, &after) == 0 && ns_of(&after.st_ctim) == entry.ctime_ns &&
	    after.st_size == st->st_size && clock_now() - entry.ctime_ns > RACY_NS)
		remember(h, &entry);
	return 0;
}
