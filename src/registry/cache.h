/* SPDX-License-Identifier: Apache-2.0 */
/* A pull-through cache: repositories below a prefix are those of another registry. What they do
 * not have is fetched by kogge-remote, which alone sees the network, and stored like what was
 * pushed. Requests for the same thing wait for one fetch. */
#ifndef KOGGE_REGISTRY_CACHE_H
#define KOGGE_REGISTRY_CACHE_H

#include "registry/registry.h"

/* The object of a repository that says that it is filled from elsewhere: what its manifests refer
 * to need not be there. */
#define CACHE_MARK "_cache"

/* Where the repositories PREFIX/... come from. Strings are borrowed. */
struct cache_upstream {
	const char *prefix; /* "docker.io"; "": all repositories */
	const char *host;   /* "registry-1.docker.io", "127.0.0.1:5001" */
	const char *user, *password;
	const char *ca;       /* PEM: trusted besides the system's; NULL: none */
	uint32_t tag_seconds; /* a tag is taken as right for so long */
};

/* What is fetched. */
enum cache_kind { CACHE_MANIFEST, CACHE_BLOB };

struct cache;

/* A cache over S. Threads begin with the first fetch. NULL when out of memory. */
struct cache *cache_new(struct storage *s, const struct cache_upstream *upstreams, size_t n);

/* Ends fetches that run, wakes who waits, and lets nobody wait any more. */
void cache_stop(struct cache *c);

/* Frees C after cache_stop; NULL is allowed. */
void cache_free(struct cache *c);

/* The upstream of REPOSITORY (that of the longest prefix), or NULL. C may be NULL. */
const struct cache_upstream *cache_upstream(const struct cache *c, const char *repository);

/* Whether R has to wait for its manifest or blob: it is in a cached repository, and is not there
 * (FOUND) or is a tag whose time is over. Then nothing may be answered; registry_wait begins the
 * fetch, and the endpoint is called again after it. */
bool cache_wait(struct request *r, enum cache_kind kind, bool found);

/* Answers R for what is not there because the fetch failed; false where it has not. */
bool cache_reply(struct request *r, const char *code);

#endif
