/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs: reading and deleting. A blob is one object of the storage for all repositories; which of
 * them have it is told by their links, and only these are asked, so that nobody learns of or gets
 * at the content of other repositories. */
#include "base/fd.h"
#include "base/str.h"
#include "registry/cache.h"
#include "registry/registry-internal.h"

#include <stdio.h>

/* The digest that the request names, which its repository has. False where it has answered. */
static bool find_blob(struct request *r, struct content_digest *ret)
{
	struct err e = ERR_INIT;
	bool renew = r->method == METHOD_HEAD;
	int k;

	if (content_digest_parse(r->route.reference, ret, &e) < 0) {
		reply_error(r, 400, CODE_DIGEST_INVALID, "%s", e.msg);
		return false;
	}
	k = repository_has_blob(r->registry->storage, r->route.repository, ret, renew, &e);
	if (k >= 0 && r->method != METHOD_DELETE && cache_wait(r, CACHE_BLOB, k > 0))
		return false;
	if (k == 0 && cache_reply(r, CODE_BLOB_UNKNOWN))
		return false;
	if (k == 0)
		reply_error(r, 404, CODE_BLOB_UNKNOWN, "no blob %s in '%s'", ret->text,
			    r->route.repository);
	else if (k < 0)
		reply_err(r, CODE_BLOB_UNKNOWN, &e);
	return k == 1;
}

/* Answers with the part of an object of SIZE bytes that the client wants. */
static void reply_range(struct request *r, uint64_t size, const char *digest)
{
	const char *range = r->header(r, "Range"), *only_if = r->header(r, "If-Range");
	uint64_t start = 0, n = size;

	if (only_if && !strstr(only_if, digest))
		range = NULL;
	r->reply.length = size;
	switch (range_parse(range, size, &start, &n)) {
	case RANGE_WHOLE:
		reply_status(r, 200);
		break;
	case RANGE_PART:
		reply_status(r, 206);
		reply_header(r, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)start,
			     (unsigned long long)(start + n - 1), (unsigned long long)size);
		r->reply.at = start;
		r->reply.length = n;
		break;
	case RANGE_BEYOND:
		reply_error(r, 416, CODE_SIZE_INVALID, "the blob has %llu bytes",
			    (unsigned long long)size);
		reply_header(r, "Content-Range", "bytes */%llu", (unsigned long long)size);
	}
}

static void get_end(struct request *r)
{
	struct storage *s = r->registry->storage;
	struct content_digest d;
	struct storage_stat st;
	struct err e = ERR_INIT;
	char key[KEY_SIZE];

	if (!find_blob(r, &d))
		return;
	key_blob(&d, key);
	r->reply.fd = s->ops->get(s, key, &st, &e);
	if (r->reply.fd < 0) {
		reply_err(r, CODE_BLOB_UNKNOWN, &e);
		return;
	}
	if (reply_cached(r, d.text))
		return;
	reply_header(r, "Content-Type", "application/octet-stream");
	reply_header(r, "Accept-Ranges", "bytes");
	reply_header(r, "Cache-Control", "max-age=31536000");
	reply_range(r, st.size, d.text);
}

static void delete_end(struct request *r)
{
	struct storage *s = r->registry->storage;
	struct content_digest d;
	struct err e = ERR_INIT;
	char key[KEY_SIZE];

	if (!find_blob(r, &d))
		return;
	key_link(r->route.repository, LINK_BLOBS, &d, key);
	if (s->ops->remove(s, key, NULL, &e) < 0)
		reply_err(r, CODE_BLOB_UNKNOWN, &e);
	else
		reply_status(r, 202);
}

const struct endpoint_ops endpoint_blob_get = {.end = get_end};
const struct endpoint_ops endpoint_blob_delete = {.end = delete_end};
