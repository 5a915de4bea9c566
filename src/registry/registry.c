/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoint answers a request. */
#include "registry/registry.h"

#include "base/clock.h"
#include "base/str.h"
#include "registry/access.h"
#include "registry/cache.h"
#include "registry/limiter.h"
#include "registry/policy.h"
#include "registry/registry-internal.h"

enum method method_parse(const char *name)
{
	static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(name, names[i]))
			return (enum method)i;
	return METHOD_OTHER;
}

/* What each endpoint does, by method. */
static const struct endpoint_ops *const table[][METHOD_OTHER] = {
	[ENDPOINT_BASE] = {[METHOD_GET] = &endpoint_base, [METHOD_HEAD] = &endpoint_base},
	[ENDPOINT_CATALOG] = {[METHOD_GET] = &endpoint_catalog, [METHOD_HEAD] = &endpoint_catalog},
	[ENDPOINT_TAGS] = {[METHOD_GET] = &endpoint_tags, [METHOD_HEAD] = &endpoint_tags},
	[ENDPOINT_BLOB] = {[METHOD_GET] = &endpoint_blob_get,
			   [METHOD_HEAD] = &endpoint_blob_get,
			   [METHOD_DELETE] = &endpoint_blob_delete},
	[ENDPOINT_UPLOADS] = {[METHOD_POST] = &endpoint_uploads_post},
	[ENDPOINT_UPLOAD] = {[METHOD_GET] = &endpoint_upload_get,
			     [METHOD_HEAD] = &endpoint_upload_get,
			     [METHOD_PATCH] = &endpoint_upload_patch,
			     [METHOD_PUT] = &endpoint_upload_put,
			     [METHOD_DELETE] = &endpoint_upload_delete},
	[ENDPOINT_MANIFEST] = {[METHOD_GET] = &endpoint_manifest_get,
			       [METHOD_HEAD] = &endpoint_manifest_get,
			       [METHOD_PUT] = &endpoint_manifest_put,
			       [METHOD_DELETE] = &endpoint_manifest_delete},
	[ENDPOINT_REFERRERS] =
		{[METHOD_GET] = &endpoint_referrers, [METHOD_HEAD] = &endpoint_referrers},
	[ENDPOINT_TOKEN] = {[METHOD_GET] = &endpoint_token},
	[ENDPOINT_HEALTH] = {[METHOD_GET] = &endpoint_health, [METHOD_HEAD] = &endpoint_health},
	[ENDPOINT_METRICS] = {[METHOD_GET] = &endpoint_metrics},
};

static const struct endpoint_ops *find_endpoint(const struct request *r)
{
	return r->method == METHOD_OTHER ? NULL : table[r->route.endpoint][r->method];
}

/* Whether the caller may do what the request asks for; answers where not. */
static bool allowed(struct request *r)
{
	bool reads = r->method == METHOD_GET || r->method == METHOD_HEAD;
	enum endpoint p = r->route.endpoint;

	if (p == ENDPOINT_TOKEN || p == ENDPOINT_HEALTH)
		return true;
	if (p == ENDPOINT_CATALOG || p == ENDPOINT_METRICS)
		return access_allow(r, ACTION_CATALOG, "");
	if (p == ENDPOINT_UPLOAD || p == ENDPOINT_UPLOADS)
		return access_allow(r, ACTION_PUSH, r->route.repository);
	if (r->method == METHOD_DELETE)
		return access_allow(r, ACTION_DELETE, r->route.repository);
	return access_allow(r, reads ? ACTION_PULL : ACTION_PUSH, r->route.repository);
}

/* Whether the client asks too often; answers then. */
static bool too_often(struct request *r)
{
	struct limiter *l = r->registry->limiter;
	unsigned wait = l && r->client ? limiter_take(l, r->client, clock_monotonic()) : 0;

	if (wait == 0)
		return false;
	reply_error(r, 429, CODE_TOOMANYREQUESTS, "too many requests");
	reply_header(r, "Retry-After", "%u", wait);
	return true;
}

static bool is_cached(const struct request *r)
{
	return *r->route.repository && cache_upstream(r->registry->cache, r->route.repository);
}

static void begin(struct request *r)
{
	bool writes = r->method != METHOD_GET && r->method != METHOD_HEAD;
	bool upload = r->route.endpoint == ENDPOINT_UPLOAD;

	if (r->route.endpoint != ENDPOINT_HEALTH && too_often(r)) {
		return;
	} else if (r->route.endpoint == ENDPOINT_NONE) {
		reply_error(r, 404, CODE_UNSUPPORTED, "no such page");
	} else if (r->route.bad_name) {
		reply_error(r, 400, CODE_NAME_INVALID, "invalid repository name");
	} else if (!(r->ops = find_endpoint(r))) {
		reply_error(r, 405, CODE_UNSUPPORTED, "the method is not supported here");
	} else if (!allowed(r)) {
		return;
	} else if (writes && r->registry->read_only) {
		reply_error(r, 405, CODE_UNSUPPORTED, "this registry is read-only");
	} else if (writes && r->method != METHOD_DELETE && is_cached(r)) {
		reply_error(r, 405, CODE_UNSUPPORTED, "'%s' is filled from another registry",
			    r->route.repository);
	} else if (r->method == METHOD_DELETE && !upload && r->registry->no_delete) {
		reply_error(r, 405, CODE_UNSUPPORTED, "deleting is switched off");
	} else if (r->ops->begin) {
		r->ops->begin(r);
	}
}

static void prepare(struct request *r)
{
	r->reply.fd = -1;
	r->reply.body = BUF_INIT((size_t)64 << 20);
	r->body = BUF_INIT(REGISTRY_MANIFEST_MAX);
}

void registry_refuse(struct request *r, unsigned status, const char *why)
{
	prepare(r);
	reply_error(r, status, CODE_UNSUPPORTED, "%s", why);
}

void registry_begin(struct request *r, const char *path, size_t n)
{
	prepare(r);
	route_parse(path, n, &r->route);
	begin(r);
}

void registry_body(struct request *r, const void *data, size_t n)
{
	r->registry->received += n;
	if (r->reply.status == 0 && r->ops && r->ops->body)
		r->ops->body(r, data, n);
}

/* Warnings for the client (distribution-spec, "Warnings"). */
static void warn(struct request *r)
{
	const struct policy *p = r->registry->policy;

	for (size_t i = 0; p && *r->route.repository && i < p->n_warnings; i++)
		if (r->reply.n_headers < REGISTRY_HEADERS_MAX &&
		    pattern_matches(p->warnings[i].repositories, r->route.repository))
			reply_header(r, "Warning", "299 - \"%s\"", p->warnings[i].text);
}

void registry_end(struct request *r)
{
	if (r->reply.status == 0 && r->ops && r->ops->end)
		r->ops->end(r);
	if (r->reply.status == 0 && !r->waits)
		reply_error(r, 500, CODE_UNKNOWN, "no answer");
	if (!r->waits)
		warn(r);
}
