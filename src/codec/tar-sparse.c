/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of sparse files (GNU tar manual, "Storing Sparse Files"). All formats end up as one array
 * of pieces, which tar_sparse_check holds against the sizes before any data is read. */
#include "codec/tar-internal.h"

#include <errno.h>
#include <string.h>

enum { OLD_PIECES = 4, OLD_BLOCK_PIECES = 21, OLD_EXTENDED = 504, OLD_PIECE_SIZE = 24 };

int tar_sparse_push(struct tar_reader *r, uint64_t offset, uint64_t size, struct err *e)
{
	if (r->n_pieces == TAR_SPARSE_MAX)
		return tar_fail(r, ERR_LIMIT, e, "a sparse file has more than %d pieces",
				TAR_SPARSE_MAX);
	if (r->n_pieces == r->cap_pieces) {
		size_t cap = MAX((size_t)64, r->cap_pieces * 2);
		struct tar_piece *more = realloc(r->pieces, cap * sizeof(*more));

		if (!more)
			return tar_fail(r, ERR_LIMIT, e, "out of memory");
		r->pieces = more;
		r->cap_pieces = cap;
	}
	r->pieces[r->n_pieces++] = (struct tar_piece){offset, size};
	return 0;
}

/* Digits at *P up to END, which must be the byte SEP or, with OR_NUL, the end of the string. */
static int map_number(const char **p, char sep, bool or_nul, uint64_t *ret)
{
	uint64_t v = 0;
	const char *s = *p;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (v > (uint64_t)INT64_MAX / 10 - 1)
			return -ERANGE;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	if (*s != sep && !(or_nul && *s == '\0'))
		return -EINVAL;
	*ret = v;
	*p = *s ? s + 1 : s;
	return 0;
}

int tar_sparse_parse(struct tar_reader *r, const char *text, struct err *e)
{
	r->n_pieces = 0;
	while (*text) {
		uint64_t offset, size;

		if (map_number(&text, ',', false, &offset) < 0 ||
		    map_number(&text, ',', true, &size) < 0)
			return tar_fail(r, ERR_INVALID, e, "the map of a sparse file is malformed");
		if (tar_sparse_push(r, offset, size, e) < 0)
			return -1;
	}
	return 0;
}

/* N pieces of the old format. An empty field ends the list. */
static int old_pieces(struct tar_reader *r, const char *p, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++, p += OLD_PIECE_SIZE) {
		int64_t offset, size;

		if (p[0] == '\0')
			break;
		if (tar_number(p, 12, &offset) < 0 || tar_number(p + 12, 12, &size) < 0 ||
		    offset < 0 || size < 0)
			return tar_fail(r, ERR_HOSTILE, e, "the map of a sparse file is malformed");
		if (tar_sparse_push(r, (uint64_t)offset, (uint64_t)size, e) < 0)
			return -1;
	}
	return 0;
}

int tar_sparse_old(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	bool more = h->gnu.isextended;
	int64_t realsize;

	if (tar_number(h->gnu.realsize, sizeof(h->gnu.realsize), &realsize) < 0 || realsize < 0)
		return tar_fail(r, ERR_HOSTILE, e, "the size of a sparse file is malformed");
	r->entry.size = (uint64_t)realsize;
	r->n_pieces = 0;
	if (old_pieces(r, h->gnu.sparse[0], OLD_PIECES, e) < 0)
		return -1;
	while (more) {
		const unsigned char *block;
		size_t before = r->n_pieces;

		if (tar_next_block(r, &block, e) < 0)
			return -1;
		more = block[OLD_EXTENDED];
		if (old_pieces(r, (const char *)block, OLD_BLOCK_PIECES, e) < 0)
			return -1;
		/* Else empty blocks could go on for ever. */
		if (more && r->n_pieces == before)
			return tar_fail(r, ERR_INVALID, e, "the map of a sparse file is malformed");
	}
	return 0;
}

/* One line, a decimal number, of the map that begins the data. */
struct map_lines {
	const unsigned char *block;
	size_t pos;
};

static int map_line(struct tar_reader *r, struct map_lines *l, uint64_t *ret, struct err *e)
{
	char text[24];
	size_t n = 0;
	const char *p = text;

	for (;;) {
		char c;

		if (l->pos == TAR_BLOCK_SIZE) {
			if (r->data_left < TAR_BLOCK_SIZE)
				return tar_fail(r, ERR_INVALID, e,
						"the map of a sparse file is cut off");
			if (tar_next_block(r, &l->block, e) < 0)
				return -1;
			r->data_left -= TAR_BLOCK_SIZE;
			l->pos = 0;
		}
		c = (char)l->block[l->pos++];
		if (n == sizeof(text) - 1)
			return tar_fail(r, ERR_INVALID, e, "the map of a sparse file is malformed");
		text[n++] = c;
		if (c == '\n')
			break;
	}
	text[n] = '\0';
	if (map_number(&p, '\n', false, ret) < 0)
		return tar_fail(r, ERR_INVALID, e, "the map of a sparse file is malformed");
	return 0;
}

int tar_sparse_data(struct tar_reader *r, struct err *e)
{
	struct map_lines l = {.pos = TAR_BLOCK_SIZE};
	uint64_t n;

	if (map_line(r, &l, &n, e) < 0)
		return -1;
	if (n > TAR_SPARSE_MAX)
		return tar_fail(r, ERR_LIMIT, e, "a sparse file has %llu pieces, more than %d",
				(unsigned long long)n, TAR_SPARSE_MAX);
	r->n_pieces = 0;
	while (n-- > 0) {
		uint64_t offset, size;

		if (map_line(r, &l, &offset, e) < 0 || map_line(r, &l, &size, e) < 0 ||
		    tar_sparse_push(r, offset, size, e) < 0)
			return -1;
	}
	return 0;
}

int tar_sparse_check(struct tar_reader *r, struct err *e)
{
	uint64_t end = 0, sum = 0;

	for (size_t i = 0; i < r->n_pieces; i++) {
		const struct tar_piece *p = &r->pieces[i];

		if (p->offset < end || p->offset > r->entry.size ||
		    p->size > r->entry.size - p->offset)
			return tar_fail(r, ERR_HOSTILE, e,
					"a sparse file's pieces overlap or reach beyond its size");
		end = p->offset + p->size;
		sum += p->size; /* pieces do not overlap: at most the file's size */
	}
	if (sum != r->data_left)
		return tar_fail(r, ERR_HOSTILE, e,
				"a sparse file's pieces have %llu bytes, its data %llu",
				(unsigned long long)sum, (unsigned long long)r->data_left);
	return 0;
}
