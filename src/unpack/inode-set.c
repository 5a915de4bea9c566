/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/inode-set.h"

#include <errno.h>

enum { CAP_FIRST = 1024 };

void inode_set_done(struct inode_set *s)
{
	free(s->slots);
	*s = (struct inode_set){.slots = NULL};
}

/* The slot of INO, or the free one where it belongs. */
static size_t slot_of(const struct inode_set *s, uint64_t ino)
{
	size_t i = (size_t)((ino * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (s->cap - 1);

	while (s->slots[i] != 0 && s->slots[i] != ino)
		i = (i + 1) & (s->cap - 1);
	return i;
}

static int grow(struct inode_set *s)
{
	struct inode_set more = {.n = s->n, .cap = s->cap ? s->cap * 2 : CAP_FIRST};

	more.slots = calloc(more.cap, sizeof(*more.slots));
	if (!more.slots)
		return -ENOMEM;
	for (size_t i = 0; i < s->cap; i++)
		if (s->slots[i])
			more.slots[slot_of(&more, s->slots[i])] = s->slots[i];
	free(s->slots);
	*s = more;
	return 0;
}

int inode_set_add(struct inode_set *s, uint64_t ino)
{
	size_t i;

	if (s->n * 2 >= s->cap && grow(s) < 0)
		return -ENOMEM;
	i = slot_of(s, ino);
	if (s->slots[i] == 0) {
		s->slots[i] = ino;
		s->n++;
	}
	return 0;
}

bool inode_set_has(const struct inode_set *s, uint64_t ino)
{
	return s->cap > 0 && s->slots[slot_of(s, ino)] == ino;
}
