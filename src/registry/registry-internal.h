/* SPDX-License-Identifier: Apache-2.0 */
/* What the endpoints of a registry share. */
#ifndef KOGGE_REGISTRY_REGISTRY_INTERNAL_H
#define KOGGE_REGISTRY_REGISTRY_INTERNAL_H

#include "registry/registry.h"

#include <sys/types.h>

/* The codes of the specification ("Error Codes"), and UNKNOWN for errors of our own (5xx). */
#define CODE_BLOB_UNKNOWN          "BLOB_UNKNOWN"
#define CODE_BLOB_UPLOAD_INVALID   "BLOB_UPLOAD_INVALID"
#define CODE_BLOB_UPLOAD_UNKNOWN   "BLOB_UPLOAD_UNKNOWN"
#define CODE_DIGEST_INVALID        "DIGEST_INVALID"
#define CODE_MANIFEST_BLOB_UNKNOWN "MANIFEST_BLOB_UNKNOWN"
#define CODE_MANIFEST_INVALID      "MANIFEST_INVALID"
#define CODE_MANIFEST_UNKNOWN      "MANIFEST_UNKNOWN"
#define CODE_NAME_INVALID          "NAME_INVALID"
#define CODE_NAME_UNKNOWN          "NAME_UNKNOWN"
#define CODE_SIZE_INVALID          "SIZE_INVALID"
#define CODE_UNAUTHORIZED          "UNAUTHORIZED"
#define CODE_DENIED                "DENIED"
#define CODE_UNSUPPORTED           "UNSUPPORTED"
#define CODE_TOOMANYREQUESTS       "TOOMANYREQUESTS"
#define CODE_UNKNOWN               "UNKNOWN"

/* Answers with STATUS and no body. */
void reply_status(struct request *r, unsigned status);

/* Adds a header; what does not fit or has no memory becomes a 500. */
void reply_header(struct request *r, const char *name, const char *fmt, ...) _printf_(3, 4);

/* Answers with an error document of one error. Replaces what was answered before. */
void reply_error(struct request *r, unsigned status, const char *code, const char *fmt, ...)
	_printf_(4, 5);

/* Answers with what E says: not found with STATUS 404 and CODE, everything else by its class. */
void reply_err(struct request *r, const char *code, const struct err *e);

/* Puts the common headers of a blob or manifest: digest, ETag; answers 304 where the client has it
 * (If-None-Match), and then returns true. */
bool reply_cached(struct request *r, const char *digest);

/* Keys of the storage (docs/formats/registry-directory.md). */
#define KEY_SIZE 1024

void key_blob(const struct content_digest *d, char out[KEY_SIZE]);
/* What follows "repositories/NAME/": FOLDER "_blobs" or "_manifests". */
void key_link(const char *repository, const char *folder, const struct content_digest *d,
	      char out[KEY_SIZE]);
void key_tag(const char *repository, const char *tag, char out[KEY_SIZE]);
/* The folder of a subject's referrers; with REFERRER one entry of it. */
void key_referrer(const char *repository, const struct content_digest *subject,
		  const struct content_digest *referrer, char out[KEY_SIZE]);

#define LINK_BLOBS     "_blobs"
#define LINK_MANIFESTS "_manifests"

/* Names collected from a listing and sorted by their bytes. */
struct names {
	char **v;
	size_t n, cap;
	bool folders; /* collect folders, not objects */
};

void names_done(struct names *l);
int names_add(struct names *l, const char *name, struct err *e);
/* For storage_ops.list with a struct names as its argument. */
int names_collect(void *arg, const char *name, bool folder, struct err *e);
void names_sort(struct names *l);
/* The index of the first name after LAST ("": 0). */
size_t names_after(const struct names *l, const char *last);

/* Whether the sorted L has NAME. */
bool names_has(const struct names *l, const char *name);

/* Calls FN for each digest ALGORITHM/HEX below the key FOLDER; -1 from FN ends it. */
typedef int links_fn(void *arg, const struct content_digest *d, struct err *e);
int links_each(struct storage *s, const char *folder, links_fn *fn, void *arg, struct err *e);

/* Reads the manifest D of a repository; RET needs document_done in any case. */
struct document;
int manifest_load(struct storage *s, const char *repository, const struct content_digest *d,
		  struct document *ret, struct err *e);

/* Bytes of somebody else. */
struct bytes {
	const char *data;
	size_t n;
};

/* Makes TEXT, which was read as DOC and has that digest, a manifest of REPOSITORY. */
int manifest_store(struct storage *s, const char *repository, const struct document *doc,
		   const struct content_digest *digest, const struct bytes *text, struct err *e);

/* All repositories of the storage, sorted. */
int repositories_list(struct storage *s, struct names *ret, struct err *e);

/* 1 where the storage has anything of REPOSITORY, 0, or -1. */
int repository_exists(struct storage *s, const char *repository, struct err *e);

/* 1 where REPOSITORY has the blob, 0, or -1; with RENEW what collects garbage leaves it alone for
 * its time of grace from now on. */
int repository_has_blob(struct storage *s, const char *repository, const struct content_digest *d,
			bool renew, struct err *e);

/* The "n" of a listing: its value, or MAX where there is none or more is asked for. False where it
 * is no number; *RET_GIVEN tells whether there was one. */
bool query_count(const struct request *r, size_t max, size_t *ret, bool *ret_given);

/* The endpoints. */
extern const struct endpoint_ops endpoint_base, endpoint_catalog, endpoint_tags;
extern const struct endpoint_ops endpoint_blob_get, endpoint_blob_delete;
extern const struct endpoint_ops endpoint_uploads_post;
extern const struct endpoint_ops endpoint_upload_get, endpoint_upload_patch, endpoint_upload_put,
	endpoint_upload_delete;
extern const struct endpoint_ops endpoint_manifest_get, endpoint_manifest_put,
	endpoint_manifest_delete;
extern const struct endpoint_ops endpoint_referrers, endpoint_token, endpoint_health,
	endpoint_metrics;

/* Ends the work on an upload whose request ends before its time: what came stays. */
void upload_suspend(struct upload *u);

#endif
