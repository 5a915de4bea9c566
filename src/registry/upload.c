/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads of blobs (distribution-spec, "Pushing blobs").
 *
 * An upload is bytes that grow and a small state beside them: the repository and user it belongs
 * to and the digest of its first N bytes, which goes on from request to request, so that nothing
 * has to be read back when it ends. The state may be older than the bytes (the server was killed):
 * then what is missing is read. It counts only on the boot it was written on, because after a power
 * cut the bytes may be other ones; then all is read. So the digest that an upload ends with is
 * always that of its file. */
#include "base/fd.h"
#include "base/json.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "registry/access.h"
#include "registry/policy.h"
#include "registry/registry-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define READ_SIZE    ((size_t)1 << 20)
#define ID_BOOT_SIZE 40

struct upload {
	struct storage *storage;
	struct storage_upload *file; /* NULL once it is closed */
	char id[STORAGE_UPLOAD_ID_SIZE];
	char repository[NAME_MAX_LENGTH + 1];
	char user[128];
	struct content_hash hash;
	uint64_t hashed; /* how many bytes HASH covers */
	uint64_t size;
	bool lasting; /* it has a state: there may be further requests */
	struct content_digest wanted;
	struct err err; /* what went wrong while the body came */
};

#define KEY_STATE_SIZE 64

static void key_state(const char *id, char out[KEY_STATE_SIZE])
{
	snprintf(out, KEY_STATE_SIZE, "uploads/%s.state", id);
}

static void boot_id(char out[ID_BOOT_SIZE])
{
	_cleanup_(fd_close) int fd =
		path_open_host("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC, 0);
	ssize_t n = fd < 0 ? 0 : fd_read_full(fd, out, ID_BOOT_SIZE - 1);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static int state_write(struct upload *u, struct err *e)
{
	char key[KEY_STATE_SIZE], boot[ID_BOOT_SIZE], hex[2 * sizeof(u->hash.state) + 1];
	_cleanup_(buf_done) struct buf text = BUF_INIT(4096);
	_cleanup_(json_unref) json_t *j = NULL;

	boot_id(boot);
	hex_encode(u->hash.state, sizeof(u->hash.state), hex);
	j = json_pack("{ss ss ss sI ss ss}", "repository", u->repository, "user", u->user,
		      "algorithm", content_algorithm_name(u->hash.algorithm), "hashed",
		      (json_int_t)u->hashed, "boot", boot, "state", hex);
	if (!j || json_write(j, 0, &text) < 0)
		return err_errno(e, ENOMEM, "keeping the state of an upload");
	key_state(u->id, key);
	return u->storage->ops->put(u->storage, key, buf_str(&text), text.len, e);
}

/* Takes the running digest from the state where it still counts. */
static void state_take_hash(struct upload *u, const char *hashed_boot, const char *hex,
			    uint64_t hashed)
{
	char boot[ID_BOOT_SIZE];

	boot_id(boot);
	if (str_eq(boot, hashed_boot) && strlen(hex) == 2 * sizeof(u->hash.state) &&
	    hex_decode(hex, u->hash.state, sizeof(u->hash.state)) && hashed <= u->size) {
		u->hashed = hashed;
		return;
	}
	content_hash_init(&u->hash, u->hash.algorithm);
	u->hashed = 0;
}

static int state_parse(struct upload *u, const char *text, size_t n, struct err *e)
{
	_cleanup_(json_unref) json_t *j = json_parse(text, n, "the state of an upload", e);
	const char *repository, *user, *algorithm, *boot, *hex;
	json_int_t hashed;

	if (!j)
		return -1;
	if (json_unpack(j, "{ss ss ss sI ss ss}", "repository", &repository, "user", &user,
			"algorithm", &algorithm, "hashed", &hashed, "boot", &boot, "state",
			&hex) < 0 ||
	    hashed < 0 || strlen(repository) > NAME_MAX_LENGTH || strlen(user) >= sizeof(u->user))
		return err_set(e, ERR_CORRUPT, 0, "the state of an upload is damaged");
	snprintf(u->repository, sizeof(u->repository), "%s", repository);
	snprintf(u->user, sizeof(u->user), "%s", user);
	if (content_algorithm_parse(algorithm, &u->hash.algorithm, e) < 0)
		return -1;
	state_take_hash(u, boot, hex, (uint64_t)hashed);
	return 0;
}

static int state_read(struct upload *u, struct err *e)
{
	char key[KEY_STATE_SIZE], text[4096];
	ssize_t n;

	key_state(u->id, key);
	n = storage_read(u->storage, key, text, sizeof(text), e);
	return n < 0 ? -1 : state_parse(u, text, (size_t)n, e);
}

static void state_remove(struct upload *u)
{
	char key[KEY_STATE_SIZE];

	key_state(u->id, key);
	u->storage->ops->remove(u->storage, key, NULL, NULL);
}

/* Closes without an object; frees U. */
static void upload_end(struct upload *u, bool keep)
{
	if (u->file)
		u->storage->ops->upload_close(u->file, NULL, keep, NULL);
	if (!keep && u->lasting)
		state_remove(u);
	free(u);
}

void upload_suspend(struct upload *u)
{
	if (u->lasting)
		state_write(u, NULL);
	upload_end(u, u->lasting);
}

/* A new upload of the request's repository. Answers and returns NULL where it cannot be. */
static struct upload *upload_new(struct request *r, enum content_algorithm a, bool lasting)
{
	struct storage *s = r->registry->storage;
	struct upload *u = calloc(1, sizeof(*u));
	struct err e = ERR_INIT;

	if (!u) {
		reply_error(r, 500, CODE_UNKNOWN, "out of memory");
		return NULL;
	}
	u->storage = s;
	u->lasting = lasting;
	snprintf(u->repository, sizeof(u->repository), "%s", r->route.repository);
	snprintf(u->user, sizeof(u->user), "%s", r->user);
	content_hash_init(&u->hash, a);
	if (s->ops->upload_open(s, u->id, true, &u->file, &u->size, &e) < 0 ||
	    (lasting && state_write(u, &e) < 0)) {
		upload_end(u, false);
		reply_err(r, CODE_BLOB_UPLOAD_INVALID, &e);
		return NULL;
	}
	return u;
}

/* The upload that the request names. Answers and returns NULL where it cannot be had. */
static struct upload *upload_find(struct request *r)
{
	struct storage *s = r->registry->storage;
	struct upload *u = calloc(1, sizeof(*u));
	struct err e = ERR_INIT;

	if (!u) {
		reply_error(r, 500, CODE_UNKNOWN, "out of memory");
		return NULL;
	}
	u->storage = s;
	u->lasting = true;
	if (!name_is_upload(r->route.reference)) {
		err_set(&e, ERR_NOT_FOUND, 0, "no such upload");
	} else {
		memcpy(u->id, r->route.reference, sizeof(u->id));
		if (s->ops->upload_open(s, u->id, false, &u->file, &u->size, &e) == 0 &&
		    state_read(u, &e) == 0) {
			if (str_eq(u->repository, r->route.repository) && str_eq(u->user, r->user))
				return u;
			err_set(&e, ERR_NOT_FOUND, 0, "no such upload");
		}
	}
	upload_end(u, true);
	reply_err(r, e.class == ERR_CONFLICT ? CODE_BLOB_UPLOAD_INVALID : CODE_BLOB_UPLOAD_UNKNOWN,
		  &e);
	return NULL;
}

/* Where an upload goes on, and how far it has come. */
static void reply_progress(struct request *r, const struct upload *u, unsigned status)
{
	reply_status(r, status);
	reply_header(r, "Location", "/v2/%s/blobs/uploads/%s", u->repository, u->id);
	reply_header(r, "Range", "0-%llu", (unsigned long long)(u->size ? u->size - 1 : 0));
	reply_header(r, "Docker-Upload-UUID", "%s", u->id);
}

/* Ends the work on the request's upload, which stays. */
static void suspend(struct request *r)
{
	upload_suspend(r->upload);
	r->upload = NULL;
}

static void discard(struct request *r)
{
	upload_end(r->upload, false);
	r->upload = NULL;
}

static void body_write(struct request *r, const void *data, size_t n)
{
	struct upload *u = r->upload;

	if (!u || u->err.class != ERR_NONE)
		return;
	if (u->storage->ops->upload_write(u->file, data, n, &u->err) < 0)
		return;
	if (u->hashed == u->size) {
		content_hash_add(&u->hash, data, n);
		u->hashed += n;
	}
	u->size += n;
}

/* Checks Content-Range against what is there and against the length of the body. False where it
 * has answered. */
static bool check_range(struct request *r)
{
	const char *range = r->header(r, "Content-Range");
	uint64_t start, end;

	if (!range)
		return true;
	if (!range_parse_content(range, &start, &end) || start != r->upload->size) {
		reply_error(r, 416, CODE_BLOB_UPLOAD_INVALID,
			    "the upload goes on at byte %llu, not with '%.64s'",
			    (unsigned long long)r->upload->size, range);
		reply_progress(r, r->upload, 416);
		suspend(r);
		return false;
	}
	if (r->body_length != UINT64_MAX && r->body_length != end - start + 1) {
		reply_error(r, 400, CODE_SIZE_INVALID,
			    "Content-Range '%.64s' does not fit a body of %llu bytes", range,
			    (unsigned long long)r->body_length);
		suspend(r);
		return false;
	}
	return true;
}

/* Brings the digest up to the end of the file with algorithm A. */
static int finish_hash(struct upload *u, enum content_algorithm a, struct content_digest *ret,
		       struct err *e)
{
	_cleanup_(freep) char *data = NULL;

	if (u->hash.algorithm != a || u->hashed > u->size) {
		content_hash_init(&u->hash, a);
		u->hashed = 0;
	}
	while (u->hashed < u->size) {
		ssize_t n;

		if (!data && !(data = malloc(READ_SIZE)))
			return err_errno(e, ENOMEM, "reading an upload");
		n = u->storage->ops->upload_read(u->file, u->hashed, data, READ_SIZE, e);
		if (n < 0)
			return -1;
		if (n == 0)
			return err_set(e, ERR_IO, 0, "an upload has become shorter");
		content_hash_add(&u->hash, data, (size_t)n);
		u->hashed += (uint64_t)n;
	}
	content_hash_end(&u->hash, ret);
	return 0;
}

static int put_link(struct storage *s, const char *repository, const struct content_digest *d,
		    struct err *e)
{
	char key[KEY_SIZE];

	key_link(repository, LINK_BLOBS, d, key);
	return s->ops->put(s, key, "", 0, e);
}

static void reply_created(struct request *r, const struct content_digest *d)
{
	reply_status(r, 201);
	reply_header(r, "Location", "/v2/%s/blobs/%s", r->route.repository, d->text);
	reply_header(r, "Docker-Content-Digest", "%s", d->text);
}

/* Whether the repository may hold so much more; answers where not. */
static bool within_quota(struct request *r, uint64_t more)
{
	struct err e = ERR_INIT;

	if (policy_check_quota(r->registry->policy, r->registry->storage, r->route.repository, more,
			       &e) == 0)
		return true;
	reply_err(r, CODE_DENIED, &e);
	return false;
}

/* The upload is whole: checks its digest and makes it a blob of the repository. */
static void complete(struct request *r)
{
	struct upload *u = r->upload;
	struct storage *s = u->storage;
	struct content_digest got;
	struct err e = u->err;
	char key[KEY_SIZE];
	int k;

	if (e.class != ERR_NONE || finish_hash(u, u->wanted.algorithm, &got, &e) < 0) {
		reply_err(r, CODE_BLOB_UPLOAD_INVALID, &e);
		discard(r);
		return;
	}
	if (!content_digest_eq(&got, &u->wanted)) {
		reply_error(r, 400, CODE_DIGEST_INVALID, "the content has the digest %s, not %s",
			    got.text, u->wanted.text);
		discard(r);
		return;
	}
	if (!within_quota(r, u->size)) {
		discard(r);
		return;
	}
	key_blob(&got, key);
	k = s->ops->upload_close(TAKE_PTR(u->file), key, false, &e);
	if (k == 0)
		k = put_link(s, u->repository, &got, &e);
	if (k < 0)
		reply_err(r, CODE_BLOB_UPLOAD_INVALID, &e);
	else
		reply_created(r, &got);
	discard(r);
}

static void upload_begin(struct request *r)
{
	r->upload = upload_find(r);
	if (r->upload)
		check_range(r);
}

static void get_end(struct request *r)
{
	r->upload = upload_find(r);
	if (!r->upload)
		return;
	reply_progress(r, r->upload, 204);
	suspend(r);
}

static void delete_end(struct request *r)
{
	r->upload = upload_find(r);
	if (!r->upload)
		return;
	discard(r);
	reply_status(r, 204);
}

static void patch_end(struct request *r)
{
	struct upload *u = r->upload;

	if (u->err.class == ERR_NONE)
		reply_progress(r, u, 202);
	else
		reply_err(r, CODE_BLOB_UPLOAD_INVALID, &u->err);
	suspend(r);
}

static bool query_digest(struct request *r, const char *key, struct content_digest *ret)
{
	char text[3 * CONTENT_DIGEST_SIZE]; /* each byte may be encoded */
	struct err e = ERR_INIT;

	if (!query_get(r->query, key, 0, text, sizeof(text)))
		reply_error(r, 400, CODE_DIGEST_INVALID, "no valid '%s' in the query", key);
	else if (content_digest_parse(text, ret, &e) < 0)
		reply_error(r, 400, CODE_DIGEST_INVALID, "%s", e.msg);
	else
		return true;
	return false;
}

static void put_begin(struct request *r)
{
	struct content_digest wanted;

	if (!query_digest(r, "digest", &wanted))
		return;
	upload_begin(r);
	if (r->upload)
		r->upload->wanted = wanted;
}

/* 1 where some repository that the caller may read has the blob. */
static int find_source(struct request *r, const struct content_digest *d, struct err *e)
{
	_cleanup_(names_done) struct names all = {.v = NULL};
	char from[NAME_MAX_LENGTH + 1];
	struct storage *s = r->registry->storage;
	int k = 0;

	if (query_get(r->query, "from", 0, from, sizeof(from)))
		return name_is_repository(from) && access_may(r, ACTION_PULL, from)
			       ? repository_has_blob(s, from, d, false, e)
			       : 0;
	if (repositories_list(s, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < all.n && k == 0; i++)
		k = access_may(r, ACTION_PULL, all.v[i])
			    ? repository_has_blob(s, all.v[i], d, false, e)
			    : 0;
	return k;
}

/* Links a blob that another repository has; true where that was done, or has failed for good. */
static bool mount_blob(struct request *r)
{
	struct storage *s = r->registry->storage;
	struct content_digest d;
	struct storage_stat st;
	struct err e = ERR_INIT;
	char key[KEY_SIZE];
	int found;

	if (!query_digest(r, "mount", &d))
		return true;
	found = find_source(r, &d, &e);
	if (found == 0)
		return false;
	key_blob(&d, key);
	if (found > 0 && s->ops->stat(s, key, &st, &e) == 0 && !within_quota(r, st.size))
		return true;
	/* The touch keeps what collects garbage from removing it before the link is there. */
	if (found > 0 && s->ops->touch(s, key, &e) < 0 && e.class == ERR_NOT_FOUND)
		return false;
	if (found < 0 || e.class != ERR_NONE || put_link(s, r->route.repository, &d, &e) < 0)
		reply_err(r, CODE_BLOB_UNKNOWN, &e);
	else
		reply_created(r, &d);
	return true;
}

/* Whether the query has KEY ("digest="), whatever its value. */
static bool has_key(const struct request *r, const char *key)
{
	const char *at = r->query;

	while (at && (at = strstr(at, key))) {
		if (at == r->query || at[-1] == '&')
			return true;
		at++;
	}
	return false;
}

/* Only a blob that comes with the request is begun before its body is there: a request that breaks
 * off leaves nothing. */
static void post_begin(struct request *r)
{
	struct content_digest wanted;

	if (has_key(r, "mount=") || !has_key(r, "digest="))
		return;
	if (!query_digest(r, "digest", &wanted))
		return;
	r->upload = upload_new(r, wanted.algorithm, false);
	if (r->upload)
		r->upload->wanted = wanted;
}

static void post_end(struct request *r)
{
	enum content_algorithm a = CONTENT_SHA256;
	struct err e = ERR_INIT;
	char name[32];

	if (r->upload) {
		complete(r);
		return;
	}
	if (has_key(r, "mount=") && mount_blob(r))
		return;
	if (query_get(r->query, "digest-algorithm", 0, name, sizeof(name)) &&
	    content_algorithm_parse(name, &a, &e) < 0) {
		reply_error(r, 400, CODE_DIGEST_INVALID, "%s", e.msg);
		return;
	}
	r->upload = upload_new(r, a, true);
	if (!r->upload)
		return;
	reply_progress(r, r->upload, 202);
	suspend(r);
}

const struct endpoint_ops endpoint_uploads_post = {post_begin, body_write, post_end};
const struct endpoint_ops endpoint_upload_get = {.end = get_end};
const struct endpoint_ops endpoint_upload_delete = {.end = delete_end};
const struct endpoint_ops endpoint_upload_patch = {upload_begin, body_write, patch_end};
const struct endpoint_ops endpoint_upload_put = {put_begin, body_write, complete};
