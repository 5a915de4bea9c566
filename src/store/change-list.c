/* SPDX-License-Identifier: Apache-2.0 */
#include "store/change-list.h"

#include "store/snapshot.h"

#include <errno.h>
#include <stdlib.h>

void change_list_done(struct change_list *l)
{
	free(l->v);
	arena_done(&l->arena);
}

static int note_change(void *arg, enum snapshot_change_kind kind, const char *path)
{
	struct change_list *l = arg;
	struct tree_tar_change *more;
	size_t cap;

	if (l->n == l->cap) {
		cap = l->cap ? 2 * l->cap : 64;
		more = reallocarray(l->v, cap, sizeof(*more));
		l->failed = !more;
		if (!more)
			return 1;
		l->v = more;
		l->cap = cap;
	}
	l->v[l->n] = (struct tree_tar_change){.path = arena_strdup(&l->arena, path + 1),
					      .gone = kind == SNAPSHOT_DELETED};
	l->failed = !l->v[l->n].path;
	l->n++;
	return l->failed;
}

int change_list_fill(struct change_list *l, struct store *s, const char *id,
		     const char *const *ignored, struct err *e)
{
	int r = snapshot_changes(s, id, ignored, note_change, l, e);

	return l->failed ? err_errno(e, ENOMEM, "listing the changes") : r < 0 ? -1 : 0;
}
