/* SPDX-License-Identifier: Apache-2.0 */
/* A pull is the time of an empty object, which is renewed when it is older than a step. The time of
 * the object "pulls" says since when they are noted: what was pulled before is not known to be
 * unused. */
#include "registry/pulls.h"

#include "base/clock.h"
#include "registry/registry-internal.h"

#include <stdio.h>

#define KEY_SINCE "pulls"

static void key_pulled(const char *repository, const struct content_digest *d, char out[KEY_SIZE])
{
	key_link(repository, "_pulled", d, out);
}

int pulls_begin(struct storage *s, bool on, struct err *e)
{
	struct storage_stat st;
	struct err why = ERR_INIT;
	bool there = s->ops->stat(s, KEY_SINCE, &st, &why) == 0;

	if (on == there)
		return 0;
	return on ? s->ops->put(s, KEY_SINCE, "", 0, e) : s->ops->remove(s, KEY_SINCE, NULL, e);
}

void pulls_note(struct request *r, const struct content_digest *d)
{
	struct storage *s = r->registry->storage;
	struct storage_stat st;
	char key[KEY_SIZE];

	if (r->registry->pull_step == 0)
		return;
	key_pulled(r->route.repository, d, key);
	if (s->ops->stat(s, key, &st, NULL) < 0)
		s->ops->put(s, key, "", 0, NULL);
	else if (clock_now() - st.mtime >= r->registry->pull_step)
		s->ops->touch(s, key, NULL);
}

int64_t pulls_last(struct storage *s, const char *repository, const struct content_digest *d)
{
	struct storage_stat since, st;
	char key[KEY_SIZE];

	if (s->ops->stat(s, KEY_SINCE, &since, NULL) < 0)
		return INT64_MAX;
	key_pulled(repository, d, key);
	if (s->ops->stat(s, key, &st, NULL) < 0)
		return since.mtime;
	return MAX(since.mtime, st.mtime);
}

void pulls_forget(struct storage *s, const char *repository, const struct content_digest *d)
{
	char key[KEY_SIZE];

	key_pulled(repository, d, key);
	s->ops->remove(s, key, NULL, NULL);
}
