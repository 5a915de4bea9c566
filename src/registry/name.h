/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the protocol: repository names, tags, ranges, percent encoding, and the path of a
 * request (distribution-spec, "Endpoints"). */
#ifndef KOGGE_REGISTRY_NAME_H
#define KOGGE_REGISTRY_NAME_H

#include "base/err.h"
#include "registry/content-digest.h"

#define NAME_MAX_LENGTH 255
#define TAG_MAX_LENGTH  128

/* Whether S is a repository name: the specification's expression, and at most 255 bytes. */
bool name_is_repository(const char *s);

/* Whether S is a tag. */
bool name_is_tag(const char *s);

/* Whether S is the identifier of an upload: a UUID in lower case. */
bool name_is_upload(const char *s);

/* Decodes %XX in the N bytes of S into OUT, which holds N + 1 bytes, with '+' as a blank where
 * PLUS. False for a broken escape, a NUL byte or (where not PLUS) an encoded slash. */
bool name_decode(const char *s, size_t n, bool plus, char *out);

enum endpoint {
	ENDPOINT_NONE,      /* no path of the protocol */
	ENDPOINT_BASE,      /* /v2/ */
	ENDPOINT_CATALOG,   /* /v2/_catalog */
	ENDPOINT_TAGS,      /* /v2/NAME/tags/list */
	ENDPOINT_BLOB,      /* /v2/NAME/blobs/DIGEST */
	ENDPOINT_UPLOADS,   /* /v2/NAME/blobs/uploads/ */
	ENDPOINT_UPLOAD,    /* /v2/NAME/blobs/uploads/ID */
	ENDPOINT_MANIFEST,  /* /v2/NAME/manifests/REFERENCE */
	ENDPOINT_REFERRERS, /* /v2/NAME/referrers/DIGEST */
	ENDPOINT_TOKEN,     /* /token */
	ENDPOINT_HEALTH,    /* /healthz, /readyz */
	ENDPOINT_METRICS,   /* /metrics */
};

struct route {
	enum endpoint endpoint;
	bool bad_name;                        /* the form fits, the name does not */
	char repository[NAME_MAX_LENGTH + 1]; /* "" where there is none */
	char reference[512]; /* digest, tag or upload as it stands there, not checked */
};

/* Takes the path of a request (before '?', as it was sent) apart. */
void route_parse(const char *path, size_t n, struct route *ret);

/* The value of KEY in a query string ("a=b&c=d", as it was sent), decoded: the INDEX-th one, from
 * 0. False where there is none, it is broken or does not fit. */
bool query_get(const char *query, const char *key, unsigned index, char *out, size_t n);

/* Content-Range of an upload: "START-END" (the specification), also "bytes START-END/TOTAL" as RFC
 * 9110 writes it. False where it is neither. */
bool range_parse_content(const char *s, uint64_t *ret_start, uint64_t *ret_end);

enum range_kind {
	RANGE_WHOLE, /* no range, or one that may be ignored (RFC 9110 14.2): send everything */
	RANGE_PART,
	RANGE_BEYOND /* 416 */
};

/* Range of a GET for an object of SIZE bytes: one range; of several none. */
enum range_kind range_parse(const char *s, uint64_t size, uint64_t *ret_start, uint64_t *ret_n);

#endif
