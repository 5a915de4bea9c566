/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "registry/registry-internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static void reply_clear(struct reply *p)
{
	for (size_t i = 0; i < p->n_headers; i++)
		free(p->headers[i].value);
	p->n_headers = 0;
	buf_clear(&p->body);
	fd_close(&p->fd);
}

void reply_status(struct request *r, unsigned status)
{
	r->reply.status = status;
}

void reply_header(struct request *r, const char *name, const char *fmt, ...)
{
	struct reply *p = &r->reply;
	char *value = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (n < 0 || p->n_headers >= REGISTRY_HEADERS_MAX) {
		if (n >= 0)
			free(value);
		reply_status(r, 500);
		return;
	}
	p->headers[p->n_headers++] = (struct reply_header){.name = name, .value = value};
}

void reply_error(struct request *r, unsigned status, const char *code, const char *fmt, ...)
{
	char message[512];
	_cleanup_(json_unref) json_t *j = NULL;
	va_list ap;

	reply_clear(&r->reply);
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	/* A message repeats what was asked for; what is no UTF-8 in it would not be JSON. */
	for (char *p = message; *p; p++)
		if ((unsigned char)*p >= 0x80 || (unsigned char)*p < 0x20)
			*p = '?';
	j = json_pack("{s[{ssss}]}", "errors", "code", code, "message", message);
	reply_status(r, status);
	reply_header(r, "Content-Type", "application/json");
	if (!j || json_write(j, 0, &r->reply.body) < 0)
		reply_status(r, 500);
}

void reply_err(struct request *r, const char *code, const struct err *e)
{
	switch (e->class) {
	case ERR_NOT_FOUND:
		reply_error(r, 404, code, "%s", e->msg);
		return;
	case ERR_INVALID:
	case ERR_HOSTILE:
	case ERR_UNSUPPORTED:
		reply_error(r, 400, code, "%s", e->msg);
		return;
	case ERR_DENIED:
		reply_error(r, e->errnum ? 500 : 403, e->errnum ? CODE_UNKNOWN : CODE_DENIED, "%s",
			    e->msg);
		return;
	case ERR_CONFLICT:
		reply_error(r, 409, code, "%s", e->msg);
		return;
	case ERR_LIMIT:
		reply_error(r, e->errnum ? 507 : 413, e->errnum ? CODE_UNKNOWN : code, "%s",
			    e->msg);
		return;
	default:
		reply_error(r, 500, CODE_UNKNOWN, "%s", e->msg);
	}
}

/* Whether the list of entity tags (RFC 9110 13.1.2) names DIGEST. */
static bool names_digest(const char *list, const char *digest)
{
	const char *at = list ? strstr(list, digest) : NULL;

	return list && (str_eq(list, "*") ||
			(at && at > list && at[-1] == '"' && at[strlen(digest)] == '"'));
}

bool reply_cached(struct request *r, const char *digest)
{
	reply_header(r, "Docker-Content-Digest", "%s", digest);
	reply_header(r, "ETag", "\"%s\"", digest);
	if (!names_digest(r->header(r, "If-None-Match"), digest))
		return false;
	reply_status(r, 304);
	return true;
}

void request_done(struct request *r)
{
	if (r->upload)
		upload_suspend(r->upload);
	r->upload = NULL;
	reply_clear(&r->reply);
	buf_done(&r->reply.body);
	buf_done(&r->body);
}
