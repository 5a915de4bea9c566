/* SPDX-License-Identifier: Apache-2.0 */
/* The file holds the blob's bytes at their places and behind them, on a page of its own, how far
 * each part has come; the count of a part is written after its bytes. A process that is killed
 * loses nothing that it wrote. After a power cut a count may be there without its bytes: the digest
 * is wrong then, and all is fetched again.
 *
 * Whoever works on the file holds its lock. A file that was removed while one waited for that has
 * no name any more and is not used. */
#include "store/content-partial.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/path.h"
#include "image/content-sink.h"
#include "oci/digest.h"
#include "store/content.h"
#include "store/store-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PARTIAL_MAGIC    UINT64_C(0x3174726170676b01) /* \1kgpart1 */
#define PARTIAL_SIZE_MAX ((uint64_t)1 << 40)
#define PARTIAL_PAGE     UINT64_C(4096)
#define PUSHED_STEP      ((uint64_t)8 << 20)

struct partial_head {
	uint64_t magic, size;
};

struct partial {
	struct content *content;
	int dir; /* borrowed */
	int fd;
	char name[80];
	bool private; /* no other process will find it */
	struct digest digest;
	uint64_t size, hashed;
	uint32_t *have; /* bytes of each part */
	size_t n, full; /* parts; those of them, from the first on, that are whole */
	struct sha256 hash;
};

int content_open_partial(struct content *c, bool make)
{
	_cleanup_(fd_close) int made = -1;
	int r;

	if (c->partial >= 0)
		return 0;
	if (make)
		made = path_mkdirs(c->store->root, "content/partial", 0700, 0);
	if (make && made < 0)
		return made;
	r = path_open_own(c->store->root, "content/partial", O_PATH | O_DIRECTORY, 0);
	if (r < 0)
		return r;
	c->partial = r;
	return 0;
}

static uint64_t head_offset(const struct partial *p)
{
	return (p->size + PARTIAL_PAGE - 1) / PARTIAL_PAGE * PARTIAL_PAGE;
}

void partial_end(struct partial *p, bool drop)
{
	if (!p)
		return;
	if (p->fd >= 0 && (drop || p->private))
		unlinkat(p->dir, p->name, 0);
	fd_close(&p->fd);
	free(p->have);
	free(p);
}

static void partial_endp(struct partial **p)
{
	partial_end(*p, false);
}

/* Whether the file is locked now and still has its name. */
static bool lock_file(int fd)
{
	struct stat st;

	return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0 &&
	       S_ISREG(st.st_mode);
}

static int open_shared(struct partial *p)
{
	p->dir = p->content->partial;
	snprintf(p->name, sizeof(p->name), "%s", digest_hex(&p->digest));
	p->fd = path_open_own(p->dir, p->name, O_RDWR | O_CREAT, 0600);
	if (p->fd >= 0 && !lock_file(p->fd))
		fd_close(&p->fd);
	return p->fd >= 0 ? 0 : -1;
}

static int open_private(struct partial *p, struct err *e)
{
	uint64_t number = 0;
	int r = random_bytes(&number, sizeof(number));

	if (r < 0)
		return err_errno(e, r, "beginning a blob");
	p->dir = p->content->ingest;
	p->private = true;
	snprintf(p->name, sizeof(p->name), "%016" PRIx64 "-%016" PRIx64,
		 (uint64_t)p->content->store->lease, number);
	p->fd = path_open_own(p->dir, p->name, O_RDWR | O_CREAT | O_EXCL, 0600);
	return p->fd < 0 ? err_errno(e, p->fd, "making a file for a blob") : 0;
}

/* What an earlier process left: 1; 0 where there is nothing that fits. */
static int load(struct partial *p)
{
	struct partial_head head = {0};
	uint64_t at = head_offset(p);
	size_t bytes = p->n * sizeof(*p->have);

	if (fd_pread_full(p->fd, &head, sizeof(head), at) != (ssize_t)sizeof(head) ||
	    head.magic != PARTIAL_MAGIC || head.size != p->size ||
	    fd_pread_full(p->fd, p->have, bytes, at + sizeof(head)) != (ssize_t)bytes)
		return 0;
	for (size_t i = 0; i < p->n; i++)
		if (p->have[i] > content_part_size(p->size, i))
			return 0;
	return 1;
}

static int start(struct partial *p, struct err *e)
{
	const struct partial_head head = {PARTIAL_MAGIC, p->size};
	uint64_t at = head_offset(p);
	size_t bytes = p->n * sizeof(*p->have);

	memset(p->have, 0, bytes);
	if (ftruncate(p->fd, 0) < 0 ||
	    pwrite(p->fd, p->have, bytes, (off_t)(at + sizeof(head))) != (ssize_t)bytes ||
	    pwrite(p->fd, &head, sizeof(head), (off_t)at) != (ssize_t)sizeof(head))
		return err_errno(e, errno ? errno : ENOSPC, "beginning a blob");
	return 0;
}

int partial_begin(struct content *c, const struct digest *d, uint64_t size, struct partial **ret,
		  struct err *e)
{
	_cleanup_(partial_endp) struct partial *p = NULL;
	int r;

	if (size > PARTIAL_SIZE_MAX)
		return err_set(e, ERR_LIMIT, 0, "a blob of %" PRIu64 " bytes is too large", size);
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_errno(e, ENOMEM, "beginning a blob");
	*p = (struct partial){.content = c, .fd = -1, .digest = *d, .size = size};
	p->n = content_parts_count(size);
	p->have = calloc(p->n + 1, sizeof(*p->have));
	if (!p->have)
		return err_errno(e, ENOMEM, "beginning a blob");
	r = content_open_partial(c, true);
	if (r < 0)
		return err_errno(e, r, "making the directory of partial blobs");
	if (store_lease_record(c->store, e) < 0 || (open_shared(p) < 0 && open_private(p, e) < 0))
		return -1;
	sha256_init(&p->hash);
	errno = 0;
	if (load(p) == 0 && start(p, e) < 0)
		return -1;
	*ret = TAKE_PTR(p);
	return 0;
}

uint64_t partial_size(const struct partial *p)
{
	return p->size;
}

uint64_t partial_have(const struct partial *p, size_t part)
{
	return p->have[part];
}

int partial_put(struct partial *p, size_t part, const void *data, size_t n, struct err *e)
{
	uint64_t at = part * CONTENT_PART_SIZE + p->have[part];
	uint32_t have = p->have[part] + (uint32_t)n;
	int r = FAILPOINT_ERRNO("io.write");

	if (n > content_part_size(p->size, part) - p->have[part])
		return err_set(e, ERR_LIMIT, 0, "the server sends more than was asked for");
	for (size_t done = 0; r == 0 && done < n;) {
		ssize_t w = pwrite(p->fd, (const char *)data + done, n - done, (off_t)(at + done));

		if (w < 0 && errno != EINTR)
			r = -errno;
		done += w > 0 ? (size_t)w : 0;
	}
	if (r == 0 && pwrite(p->fd, &have, sizeof(have),
			     (off_t)(head_offset(p) + sizeof(struct partial_head) +
				     part * sizeof(have))) != (ssize_t)sizeof(have))
		r = errno ? -errno : -ENOSPC;
	if (r < 0)
		return err_errno(e, r, "writing a blob");
	if (at / PUSHED_STEP != (at + n) / PUSHED_STEP)
		sync_file_range(p->fd, (off_t)(at / PUSHED_STEP * PUSHED_STEP), PUSHED_STEP,
				SYNC_FILE_RANGE_WRITE);
	p->have[part] = have;
	return FAILPOINT("store.partial.put", e);
}

uint64_t partial_ready(struct partial *p)
{
	while (p->full < p->n && p->have[p->full] == content_part_size(p->size, p->full))
		p->full++;
	return p->full == p->n ? p->size : p->full * CONTENT_PART_SIZE + p->have[p->full];
}

uint64_t partial_hashed(const struct partial *p)
{
	return p->hashed;
}

ssize_t partial_read(const struct partial *p, uint64_t offset, void *data, size_t n, struct err *e)
{
	ssize_t got = fd_pread_full(p->fd, data, n, offset);

	if (got < 0)
		return err_errno(e, (int)got, "reading a blob");
	return got > 0 ? got : err_set(e, ERR_CORRUPT, 0, "a blob lost bytes that it had");
}

void partial_hash(struct partial *p, const void *data, size_t n)
{
	sha256_add(&p->hash, data, n);
	p->hashed += n;
}

/* As ingest_keep. */
static int keep(struct partial *p, struct err *e)
{
	struct content *c = p->content;
	int r = FAILPOINT_ERRNO("store.blob.before_rename");

	if (r == 0 && ftruncate(p->fd, (off_t)p->size) < 0)
		r = -errno;
	if (r == 0 && renameat(p->dir, p->name, c->blobs, digest_hex(&p->digest)) < 0)
		r = -errno;
	if (r < 0)
		return err_errno(e, r, "keeping blob %s", p->digest.text);
	sync_file_range(p->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	fd_close(&p->fd);
	return FAILPOINT("store.blob.after_rename", e);
}

int partial_commit(struct partial *p, struct err *e)
{
	unsigned char hash[SHA256_SIZE];
	struct digest have;
	int r;

	sha256_end(&p->hash, hash);
	digest_from_hash(hash, &have);
	if (p->hashed != p->size || !digest_eq(&have, &p->digest)) {
		err_set(e, ERR_CORRUPT, 0, "a blob has the digest %s instead of %s", have.text,
			p->digest.text);
		partial_end(p, true);
		return -1;
	}
	r = store_lease_hold(p->content->store, "blob", p->digest.text, e);
	if (r == 0)
		r = keep(p, e);
	partial_end(p, false);
	return r;
}

/* Removes one file unless somebody works on it: its size, else 0. */
static uint64_t clean_one(struct content *c, const char *name, int64_t age)
{
	_cleanup_(fd_close) int fd = path_open_own(c->partial, name, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || !lock_file(fd) || fstat(fd, &st) < 0 ||
	    (age > 0 && time(NULL) - st.st_mtime < age) || unlinkat(c->partial, name, 0) < 0)
		return 0;
	return (uint64_t)st.st_blocks * 512;
}

int partial_clean(struct content *c, int64_t age, uint64_t *ret_bytes, struct err *e)
{
	int fd = content_open_partial(c, false);
	const struct dirent *entry;
	uint64_t bytes = 0;
	DIR *dir;

	if (ret_bytes)
		*ret_bytes = 0;
	if (fd == -ENOENT)
		return 0;
	fd = fd < 0 ? fd : path_open_own(c->partial, ".", O_RDONLY | O_DIRECTORY, 0);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int r = fd < 0 ? fd : -errno;

		fd_close(&fd);
		return err_errno(e, r, "reading the directory of partial blobs");
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			bytes += clean_one(c, entry->d_name, age);
	closedir(dir);
	if (ret_bytes)
		*ret_bytes = bytes;
	return 0;
}
