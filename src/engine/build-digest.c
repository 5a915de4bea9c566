/* SPDX-License-Identifier: Apache-2.0 */
/* What a step reads of a tree, as one digest: one line for each entry in the order of the walk. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/path.h"
#include "engine/build-copy-internal.h"
#include "engine/build-hashes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

struct digesting {
	const struct build_copy *c;
	const struct build_found *found;
	struct build_digest *d;
	struct buf line;
	char above[PATH_MAX]; /* the folder whose like, and those above it, are in the digest */
};

static int put_link(struct digesting *k, int fd, char hex[SHA256_HEX_SIZE], struct err *e)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(fd, "", text, sizeof(text));

	if (n < 0)
		return err_errno(e, errno, "reading a link of %s", k->c->from.name);
	sha256_hex(text, (size_t)n, hex);
	return 0;
}

static int put_data(struct digesting *k, int fd, const struct stat *st, char hex[SHA256_HEX_SIZE],
		    struct err *e)
{
	static const unsigned char none[SHA256_SIZE];
	unsigned char digest[SHA256_SIZE];

	snprintf(hex, SHA256_HEX_SIZE, "%llx", (unsigned long long)st->st_rdev);
	if (S_ISLNK(st->st_mode))
		return put_link(k, fd, hex, e);
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return 0;
	if (build_hashes_get(k->d->hashes, fd, st, digest, e) < 0)
		return -1;
	if (S_ISDIR(st->st_mode) && memcmp(digest, none, sizeof(none)) == 0)
		*hex = '\0';
	else
		hex_encode(digest, sizeof(digest), hex);
	return 0;
}

static int put_line(struct digesting *k, const struct stat *st, const char *path, const char *hex)
{
	const struct build_copy *c = k->c;
	bool own = !c->owner.given && !c->from.to_root;

	buf_clear(&k->line);
	if (buf_printf(&k->line, "%o %o %u:%u %s", st->st_mode & S_IFMT,
		       S_ISLNK(st->st_mode) ? 0 : st->st_mode & 07777, own ? st->st_uid : 0,
		       own ? st->st_gid : 0, hex) < 0)
		return -ENOMEM;
	/* With their NULs, so that no name can look like two. */
	sha256_add(&k->d->hash, path, strlen(path) + 1);
	sha256_add(&k->d->hash, buf_str(&k->line), k->line.len + 1);
	if (!k->d->files || S_ISDIR(st->st_mode))
		return 0;
	/* The list is for people: a name with a line feed would forge lines. */
	return strpbrk(path, "\t\n") ? 0 : buf_printf(k->d->files, "%s\t%s\n", path, hex);
}

static int64_t time_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * (int64_t)NUM_NS_PER_S + st->st_mtim.tv_nsec;
}

/* With --parents folders come along that are not matched themselves: they count when something in
 * them is copied. PATH: that, below the source. */
static int put_above(struct digesting *k, const char *path)
{
	const char *last = strrchr(path, '/');
	size_t n = last ? (size_t)(last - path) : 0, old = strlen(k->above);
	char part[PATH_MAX];

	if (n >= sizeof(part) || (n == old && strncmp(path, k->above, n) == 0))
		return 0;
	for (size_t i = 1; i <= n; i++) {
		_cleanup_(fd_close) int fd = -1;
		struct stat st;

		if (path[i] != '/' || (i <= old && strncmp(path, k->above, i) == 0 &&
				       (k->above[i] == '/' || !k->above[i])))
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		fd = path_open_own(k->found->fd, part, O_PATH | O_NOFOLLOW, 0);
		if (fd < 0 || fstat(fd, &st) < 0)
			return fd < 0 ? fd : -errno;
		if (put_line(k, &st, part, "") < 0)
			return -ENOMEM;
	}
	memcpy(k->above, path, n);
	k->above[n] = '\0';
	return 0;
}

static int digest_entry(void *arg, const struct tree_entry *t, bool hidden, struct err *e)
{
	struct digesting *k = arg;
	const char *base = k->found->path;
	char path[2 * PATH_MAX], hex[SHA256_HEX_SIZE] = "";
	_cleanup_(fd_close) int held = -1;

	if (hidden)
		return 0;
	if (k->c->parents && put_above(k, t->path) < 0)
		return err_errno(e, errno, "reading the folder of '%s'", t->path);
	if (snprintf(path, sizeof(path), "%s%s%s", base, *base && *t->path ? "/" : "", t->path) >=
	    (int)sizeof(path))
		return err_errno(e, ENAMETOOLONG, "reading '%.64s...'", t->path);
	held = *t->name ? path_open_own(t->dir, t->name, O_PATH | O_NOFOLLOW, 0)
			: fcntl(t->dir, F_DUPFD_CLOEXEC, 3);
	if (held < 0)
		return err_errno(e, held == -1 ? errno : held, "opening '%s' of %s", path,
				 k->c->from.name);
	if (put_data(k, held, &t->st, hex, e) < 0)
		return err_wrap(e, "'%s'", path);
	if (time_of(&t->st) > k->d->newest)
		k->d->newest = time_of(&t->st);
	return put_line(k, &t->st, path, hex) < 0 ? err_errno(e, ENOMEM, "reading files") : 0;
}

struct digest_all {
	const struct build_copy *c;
	struct build_digest *d;
};

static int digest_path(void *arg, const char *path, struct err *e)
{
	struct digest_all *k = arg;
	struct build_found found = {.fd = -1};
	struct digesting one = {.c = k->c, .found = &found, .d = k->d, .line = BUF_INIT(1 << 20)};
	struct build_walk w = {.copy = k->c, .found = &found, .entry = digest_entry, .arg = &one};
	int r;

	if (build_source_open(&k->c->from, path, &found, e) < 0)
		return -1;
	r = build_walk_run(&w, e);
	fd_close(&found.fd);
	buf_done(&one.line);
	return r;
}

int build_copy_digest(const struct build_copy *c, struct build_digest *d, struct err *e)
{
	struct digest_all k = {.c = c, .d = d};

	for (const char *const *p = c->paths; *p; p++) {
		sha256_add(&d->hash, *p, strlen(*p) + 1);
		if (build_copy_match(&c->from, *p, digest_path, &k, e) != 0)
			return -1;
	}
	return 0;
}
