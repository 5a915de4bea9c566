/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs as files. An ingest is the file content/ingest/<lease>-<random>; commit notes the digest
 * under the lease (so that the garbage collector, which works under the database's write lock,
 * leaves it alone), then renames. The bytes are pushed to the disk while they come, so that the
 * sync at publication finds little to do. */
#include "store/content.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/digest.h"
#include "store/store-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define INGEST_NAME_SIZE  64
#define INGEST_WRITEBACK  ((uint64_t)8 << 20)
#define CONTENT_READ_SIZE ((size_t)1 << 18)

struct ingest {
	struct content *content;
	int fd;
	char name[INGEST_NAME_SIZE];
	struct sha256 hash;
	uint64_t size;
	uint64_t pushed; /* bytes whose write-back has been started */
	bool known;      /* the store has it: only the digest is computed */
};

static int content_open_file(const struct content *c, const char *hex, uint64_t *ret, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_own(c->blobs, hex, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd == -ENOENT)
		return err_set(e, ERR_CORRUPT, 0, "blob sha256:%s: its file is missing", hex);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, fd < 0 ? fd : errno, "opening blob sha256:%s", hex);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CORRUPT, 0, "blob sha256:%s: not a regular file", hex);
	*ret = (uint64_t)st.st_size;
	return TAKE_FD(fd);
}

int content_file_size(const struct content *c, const char *hex, uint64_t *ret, struct err *e)
{
	_cleanup_(fd_close) int fd = content_open_file(c, hex, ret, e);

	return fd < 0 ? -1 : 0;
}

/* The size by its row: 1; 2 where only this process's lease has it (size by its file); 0, -1. */
static int content_find(struct content *c, const struct digest *d, uint64_t *ret_size,
			struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	_cleanup_(db_end) sqlite3_stmt *mine = NULL;
	int r = db_row(c->store->db, &st, e, "SELECT size FROM blobs WHERE digest=?", "t", d->text);

	if (r < 0)
		return -1;
	if (r > 0) {
		*ret_size = (uint64_t)sqlite3_column_int64(st, 0);
		return 1;
	}
	if (!c->store->leased)
		return 0;
	r = db_row(c->store->db, &mine, e,
		   "SELECT 1 FROM lease_items WHERE lease=? AND kind='blob' AND object=?", "it",
		   c->store->lease, d->text);
	if (r <= 0)
		return r;
	return content_file_size(c, digest_hex(d), ret_size, e) < 0 ? -1 : 2;
}

int content_stat(struct content *c, const struct digest *d, uint64_t *ret_size, struct err *e)
{
	uint64_t size = 0;
	int r = content_find(c, d, &size, e);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "no such blob: %s", d->text);
	if (r < 0)
		return -1;
	if (ret_size)
		*ret_size = size;
	return 0;
}

int content_open(struct content *c, const struct digest *d, struct err *e)
{
	_cleanup_(fd_close) int fd = -1;
	uint64_t have = 0, want = 0;

	if (content_stat(c, d, &want, e) < 0)
		return -1;
	fd = content_open_file(c, digest_hex(d), &have, e);
	if (fd < 0)
		return -1;
	if (have != want)
		return err_set(e, ERR_CORRUPT, 0, "blob %s has %llu bytes instead of %llu", d->text,
			       (unsigned long long)have, (unsigned long long)want);
	return TAKE_FD(fd);
}

int content_read(struct content *c, const struct digest *d, size_t max, char **ret, size_t *ret_n,
		 struct err *e)
{
	_cleanup_(fd_close) int fd = content_open(c, d, e);
	_cleanup_(buf_done) struct buf b = BUF_INIT(max + 1);
	struct digest have;
	int r;

	if (fd < 0)
		return -1;
	r = fd_read_all(fd, &b, max);
	if (r == -EFBIG)
		return err_set(e, ERR_LIMIT, 0, "blob %s has more than %zu bytes", d->text, max);
	if (r < 0)
		return err_errno(e, r, "reading blob %s", d->text);
	digest_of(buf_str(&b), b.len, &have);
	if (!digest_eq(&have, d))
		return err_set(e, ERR_CORRUPT, 0, "blob %s is damaged: it has the digest %s",
			       d->text, have.text);
	*ret_n = b.len;
	*ret = b.data ? buf_take(&b) : strdup("");
	return *ret ? 0 : err_errno(e, ENOMEM, "reading blob %s", d->text);
}

int content_verify(struct content *c, const struct digest *d, struct err *e)
{
	_cleanup_(fd_close) int fd = content_open(c, d, e);
	_cleanup_(freep) char *data = malloc(CONTENT_READ_SIZE);
	unsigned char hash[SHA256_SIZE];
	struct digest have;
	struct sha256 h;
	ssize_t n;

	if (fd < 0)
		return -1;
	if (!data)
		return err_errno(e, ENOMEM, "verifying blob %s", d->text);
	sha256_init(&h);
	while ((n = fd_read_full(fd, data, CONTENT_READ_SIZE)) > 0)
		sha256_add(&h, data, (size_t)n);
	if (n < 0)
		return err_errno(e, (int)n, "reading blob %s", d->text);
	sha256_end(&h, hash);
	digest_from_hash(hash, &have);
	if (!digest_eq(&have, d))
		return err_set(e, ERR_CORRUPT, 0, "blob %s is damaged: it has the digest %s",
			       d->text, have.text);
	return 0;
}

int content_walk(struct content *c, content_walk_fn fn, void *arg, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	struct digest d;
	int r;

	if (db_start(c->store->db, &st, e, "SELECT digest, size FROM blobs ORDER BY digest", "") <
	    0)
		return -1;
	while ((r = db_next(c->store->db, st, e)) > 0) {
		if (digest_parse(db_text(st, 0), &d, e) < 0)
			return err_wrap(e, "the database's list of blobs");
		r = fn(arg, &d, (uint64_t)sqlite3_column_int64(st, 1), e);
		if (r != 0)
			return r;
	}
	return r;
}

static int content_unlink(struct content *c, const char *hex, struct err *e)
{
	if (unlinkat(c->blobs, hex, 0) < 0 && errno != ENOENT)
		return err_errno(e, errno, "removing blob sha256:%s", hex);
	return 0;
}

int content_remove(struct content *c, const struct digest *d, struct err *e)
{
	struct db *db = c->store->db;

	if (db_begin(db, false, e) < 0)
		return -1;
	if (db_run(db, NULL, e, "DELETE FROM blobs WHERE digest=?", "t", d->text) < 0 ||
	    store_trash(c->store, "blob", d->text, e) < 0) {
		db_abort(db);
		return -1;
	}
	if (db_commit(db, e) < 0)
		return -1;
	return content_sweep(c, e);
}

/* A trashed digest may have come back: then only the note goes. The write lock keeps commits of
 * other processes out meanwhile (they note their lease first). */
static int content_sweep_one(struct content *c, const char *text, struct err *e)
{
	struct db *db = c->store->db;
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	struct digest d;
	int r;

	if (digest_parse(text, &d, e) < 0)
		return err_wrap(e, "the database's list of trash");
	r = db_row(db, &st, e,
		   "SELECT 1 FROM blobs WHERE digest=?1 UNION ALL"
		   " SELECT 1 FROM lease_items WHERE kind='blob' AND object=?1",
		   "t", text);
	if (r < 0 || (r == 0 && content_unlink(c, digest_hex(&d), e) < 0))
		return -1;
	return db_run(db, NULL, e, "DELETE FROM trash WHERE object=?", "t", text);
}

static int content_sweep_next(struct content *c, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	char text[DIGEST_TEXT_SIZE];
	int r = db_row(c->store->db, &st, e, "SELECT object FROM trash WHERE kind='blob' LIMIT 1",
		       "");

	if (r <= 0)
		return r;
	snprintf(text, sizeof(text), "%s", db_text(st, 0));
	db_end(&st);
	return content_sweep_one(c, text, e) < 0 ? -1 : 1;
}

int content_sweep(struct content *c, struct err *e)
{
	struct db *db = c->store->db;
	int r;

	if (db_begin(db, false, e) < 0)
		return -1;
	while ((r = content_sweep_next(c, e)) > 0)
		;
	if (r < 0) {
		db_abort(db);
		return -1;
	}
	return db_commit(db, e);
}

int content_publish(struct content *c, const char *digest, uint64_t size, struct err *e)
{
	return db_run(c->store->db, NULL, e, "INSERT OR IGNORE INTO blobs VALUES(?, ?, ?)", "tii",
		      digest, (int64_t)size, clock_now());
}

int content_adopt(struct content *c, const struct digest *d, uint64_t *ret_size, struct err *e)
{
	uint64_t size = 0, file = 0;
	int r = content_find(c, d, &size, e);

	if (r <= 0)
		return r;
	/* Held first, looked at again after: a collector may have come in between. */
	if (store_lease_hold(c->store, "blob", d->text, e) < 0)
		return -1;
	r = content_find(c, d, &size, e);
	if (r <= 0)
		return r;
	if (content_file_size(c, digest_hex(d), &file, NULL) < 0 || file != size)
		return 0; /* damaged: it is fetched again */
	if (ret_size)
		*ret_size = size;
	return 1;
}

int ingest_begin(struct content *c, struct ingest **ret, struct err *e)
{
	_cleanup_(ingest_abortp) struct ingest *in = calloc(1, sizeof(*in));
	uint64_t number = 0;
	int r;

	if (!in)
		return err_errno(e, ENOMEM, "beginning a blob");
	in->fd = -1;
	in->content = c;
	if (store_lease_record(c->store, e) < 0)
		return -1;
	r = random_bytes(&number, sizeof(number));
	if (r < 0)
		return err_errno(e, r, "beginning a blob");
	snprintf(in->name, sizeof(in->name), "%016llx-%016llx", (unsigned long long)c->store->lease,
		 (unsigned long long)number);
	r = FAILPOINT_ERRNO("store.blob.create");
	in->fd = r < 0 ? r : path_open_own(c->ingest, in->name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (in->fd < 0)
		return err_errno(e, in->fd, "making a file for a blob");
	sha256_init(&in->hash);
	*ret = TAKE_PTR(in);
	return 0;
}

int ingest_expect(struct ingest *in, const struct digest *d, struct err *e)
{
	int r = content_adopt(in->content, d, NULL, e);

	in->known = r > 0;
	return r;
}

int ingest_write(struct ingest *in, const void *data, size_t n, struct err *e)
{
	int r = in->known ? 0 : FAILPOINT_ERRNO("io.write");

	if (r == 0 && !in->known)
		r = fd_write_full(in->fd, data, n);
	if (r < 0)
		return err_errno(e, r, "writing a blob");
	sha256_add(&in->hash, data, n);
	in->size += n;
	if (!in->known && in->size - in->pushed >= INGEST_WRITEBACK) {
		sync_file_range(in->fd, (off_t)in->pushed, (off_t)(in->size - in->pushed),
				SYNC_FILE_RANGE_WRITE);
		in->pushed = in->size;
	}
	return 0;
}

uint64_t ingest_size(const struct ingest *in)
{
	return in->size;
}

int ingest_fd(const struct ingest *in)
{
	return in->fd;
}

void ingest_abort(struct ingest *in)
{
	if (!in)
		return;
	if (in->fd >= 0)
		unlinkat(in->content->ingest, in->name, 0);
	fd_close(&in->fd);
	free(in);
}

static int ingest_check(const struct ingest *in, const struct digest *have,
			const struct digest *expected, uint64_t size, struct err *e)
{
	if (size != UINT64_MAX && in->size != size)
		return err_set(e, ERR_CORRUPT, 0, "a blob has %llu bytes instead of %llu",
			       (unsigned long long)in->size, (unsigned long long)size);
	if (expected && !digest_eq(expected, have))
		return err_set(e, ERR_CORRUPT, 0, "a blob has the digest %s instead of %s",
			       have->text, expected->text);
	return 0;
}

/* The rename may be lost or the file short after a power cut: nobody believes it before its row
 * is there, and that comes after a sync. */
static int ingest_keep(struct ingest *in, const struct digest *d, struct err *e)
{
	struct content *c = in->content;
	int r = FAILPOINT_ERRNO("store.blob.before_rename");

	if (r == 0 && renameat(c->ingest, in->name, c->blobs, digest_hex(d)) < 0)
		r = -errno;
	if (r < 0)
		return err_errno(e, r, "keeping blob %s", d->text);
	sync_file_range(in->fd, (off_t)in->pushed, 0, SYNC_FILE_RANGE_WRITE);
	fd_close(&in->fd); /* abort now only frees */
	return FAILPOINT("store.blob.after_rename", e);
}

int ingest_commit(struct ingest *in, const struct digest *expected, uint64_t size,
		  struct digest *ret, struct err *e)
{
	_cleanup_(ingest_abortp) struct ingest *owned = in;
	unsigned char hash[SHA256_SIZE];
	struct digest d;
	int r;

	sha256_end(&in->hash, hash);
	digest_from_hash(hash, &d);
	if (ingest_check(in, &d, expected, size, e) < 0)
		return -1;
	r = content_adopt(in->content, &d, NULL, e);
	if (r < 0)
		return -1;
	if (r == 0 && in->known)
		return err_set(e, ERR_CORRUPT, 0, "blob %s is not the one that was announced",
			       d.text);
	if (r == 0 && (store_lease_hold(in->content->store, "blob", d.text, e) < 0 ||
		       ingest_keep(in, &d, e) < 0))
		return -1;
	if (ret)
		*ret = d;
	return 0;
}

/* Whether the ingest file NAME belongs to LEASE, or with LEASE 0 to nobody who lives. */
static bool content_is_left(struct content *c, const char *name, int64_t lease)
{
	unsigned char bytes[8];
	char hex[17];
	int64_t owner = 0;

	snprintf(hex, sizeof(hex), "%.16s", name);
	if (!hex_decode(hex, bytes, sizeof(bytes)))
		return lease == 0;
	for (size_t i = 0; i < sizeof(bytes); i++)
		owner = (int64_t)((uint64_t)owner << 8 | bytes[i]);
	return lease ? owner == lease : !store_lease_alive(c->store, owner);
}

int content_clean(struct content *c, int64_t lease, struct err *e)
{
	int fd = path_open_own(c->ingest, ".", O_RDONLY | O_DIRECTORY, 0);
	struct dirent *entry;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		int r = fd < 0 ? fd : -errno;

		fd_close(&fd);
		return err_errno(e, r, "reading the directory of ingests");
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && content_is_left(c, entry->d_name, lease))
			unlinkat(c->ingest, entry->d_name, 0);
	closedir(dir);
	return 0;
}
