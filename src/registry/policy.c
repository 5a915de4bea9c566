/* SPDX-License-Identifier: Apache-2.0 */
/* The size of a repository is counted when it has a quota and something is pushed: from the links
 * of its blobs, so that there is no number that could be wrong. */
#include "registry/policy.h"

#include "registry/access.h"
#include "registry/registry-internal.h"

#include <stdio.h>

bool policy_is_immutable(const struct policy *p, const char *repository, const char *tag)
{
	for (size_t i = 0; p && i < p->n_immutable; i++)
		if (pattern_matches(p->immutable[i].repositories, repository) &&
		    pattern_matches(p->immutable[i].tags, tag))
			return true;
	return false;
}

struct count {
	struct storage *storage;
	enum content_algorithm algorithm;
	uint64_t bytes;
};

static int count_blob(void *arg, const char *name, bool folder, struct err *e)
{
	struct count *c = arg;
	struct storage_stat st;
	char key[KEY_SIZE];

	snprintf(key, sizeof(key), "blobs/%s/%.2s/%.128s", content_algorithm_name(c->algorithm),
		 name, name);
	if (!folder && c->storage->ops->stat(c->storage, key, &st, NULL) == 0)
		c->bytes += st.size;
	return 0;
}

static int repository_size(struct storage *s, const char *repository, uint64_t *ret, struct err *e)
{
	struct count c = {.storage = s};
	char key[KEY_SIZE];

	for (int a = CONTENT_SHA256; a <= CONTENT_SHA512; a++) {
		c.algorithm = (enum content_algorithm)a;
		snprintf(key, sizeof(key), "repositories/%s/" LINK_BLOBS "/%s", repository,
			 content_algorithm_name(c.algorithm));
		if (s->ops->list(s, key, count_blob, &c, e) < 0)
			return -1;
	}
	*ret = c.bytes;
	return 0;
}

int policy_check_quota(const struct policy *p, struct storage *s, const char *repository,
		       uint64_t more, struct err *e)
{
	uint64_t most = UINT64_MAX, now;

	for (size_t i = 0; p && i < p->n_quotas; i++)
		if (pattern_matches(p->quotas[i].repositories, repository))
			most = MIN(most, p->quotas[i].bytes);
	if (most == UINT64_MAX)
		return 0;
	if (repository_size(s, repository, &now, e) < 0)
		return -1;
	if (more > most || now > most - more)
		return err_set(e, ERR_DENIED, 0,
			       "the quota of '%s' is %llu bytes, of which %llu are used",
			       repository, (unsigned long long)most, (unsigned long long)now);
	return 0;
}
