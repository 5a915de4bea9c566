/* SPDX-License-Identifier: Apache-2.0 */
#include "build/prune.h"

#include "base/str.h"
#include "store/build-mounts.h"
#include "store/gc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool fits(const struct build_prune *o, const struct build_record *r)
{
	bool id = !o->ids || !*o->ids;

	for (const char *const *v = o->ids; !id && *v; v++)
		id = str_after(r->id, *v) != NULL;
	return id && (o->all || !r->in_use) && (!o->until || r->used < o->until) &&
	       (!o->types || !*o->types || strv_has(o->types, r->type));
}

/* What removing R brings back: nothing where an image has its layers. */
static uint64_t worth(const struct build_record *r)
{
	return r->in_use ? 0 : r->size;
}

static int older_first(const void *a, const void *b)
{
	const struct build_record *x = a, *y = b;

	return (x->used > y->used) - (x->used < y->used);
}

int build_cache_list(struct store *s, struct arena *a, struct build_record **ret, size_t *ret_n,
		     struct err *e)
{
	struct build_record *records, *mounts, *v;
	size_t n, m;

	if (build_records(s, a, &records, &n, e) < 0 || build_mount_list(s, a, &mounts, &m, e) < 0)
		return -1;
	v = arena_array(a, n + m + 1, sizeof(*v));
	if (!v)
		return err_errno(e, ENOMEM, "reading the build cache");
	if (n)
		memcpy(v, records, n * sizeof(*v));
	if (m)
		memcpy(v + n, mounts, m * sizeof(*v));
	qsort(v, n + m, sizeof(*v), older_first);
	*ret = v;
	*ret_n = n + m;
	return 0;
}

/* 1, or 0 where a build uses it. */
static int remove_one(struct store *s, const struct build_record *r, struct err *e)
{
	if (str_eq(r->type, BUILD_MOUNT_TYPE))
		return build_mount_remove(s, r->id, e);
	return build_record_remove(s, r->id, e) < 0 ? -1 : 1;
}

int build_prune(struct store *s, const struct build_prune *o, build_pruned_fn fn, void *arg,
		uint64_t *ret_bytes, struct err *e)
{
	_cleanup_(arena_done) struct arena a = {.max = (size_t)1 << 30};
	uint64_t left = 0, bytes = 0;
	struct build_record *v;
	size_t n, removed = 0;

	if (build_cache_list(s, &a, &v, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		left += worth(&v[i]);
	for (size_t i = 0; i < n && (!o->keep || left > o->keep); i++) {
		int done = fits(o, &v[i]);

		if (done && !o->dry_run)
			done = remove_one(s, &v[i], e);
		if (done < 0)
			return -1;
		if (!done)
			continue;
		removed++;
		left -= worth(&v[i]);
		bytes += worth(&v[i]);
		fn(arg, &v[i]);
	}
	if (removed && !o->dry_run && gc_run(s, NULL, NULL, NULL, e) < 0)
		return -1;
	*ret_bytes += bytes;
	return 0;
}
