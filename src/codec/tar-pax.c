/* SPDX-License-Identifier: Apache-2.0 */
/* Records of pax extended headers (POSIX.1-2001, pax, "pax Extended Header"): "LEN KEY=VALUE\n",
 * LEN being the decimal length of the whole record. The '=' and the newline become NULs, so that
 * keys and values are strings in place. An empty value takes the record back, as if the key had
 * not been there. Unknown keys are skipped. */
#include "codec/tar-internal.h"

#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

#define XATTR_PREFIX  "SCHILY.xattr."
#define SPARSE_PREFIX "GNU.sparse."

struct record {
	const char *key;
	const char *value;
	size_t size;
};

static int record_fail(struct tar_reader *r, const struct record *rec, enum err_class class,
		       struct err *e)
{
	char key[64], value[96];

	return tar_fail(r, class, e, "pax record '%s' has the value '%s'",
			tar_name_quote(rec->key, key, sizeof(key)),
			tar_name_quote(rec->value, value, sizeof(value)));
}

static int get_string(struct tar_reader *r, const struct record *rec, const char **ret,
		      struct err *e)
{
	if (memchr(rec->value, 0, rec->size))
		return tar_fail(r, ERR_HOSTILE, e, "pax record '%s' has a NUL inside", rec->key);
	*ret = rec->size ? rec->value : NULL;
	return 0;
}

static int get_u64(struct tar_reader *r, const struct record *rec, uint64_t max, bool *ret_has,
		   uint64_t *ret, struct err *e)
{
	uint64_t v = 0;

	if (rec->size == 0) {
		*ret_has = false;
		return 0;
	}
	if (memchr(rec->value, 0, rec->size) || num_u64(rec->value, 0, max, &v) < 0)
		return record_fail(r, rec, ERR_HOSTILE, e);
	*ret_has = true;
	*ret = v;
	return 0;
}

static int get_id(struct tar_reader *r, const struct record *rec, bool *ret_has, uint32_t *ret,
		  struct err *e)
{
	uint64_t v = *ret;

	if (get_u64(r, rec, TAR_ID_MAX, ret_has, &v, e) < 0)
		return -1;
	*ret = (uint32_t)v;
	return 0;
}

/* [-]SECONDS[.FRACTION]; what does not fit is clamped. */
static int get_time(struct tar_reader *r, const struct record *rec, bool *ret_has, int64_t *ret,
		    struct err *e)
{
	const char *p = rec->value;
	bool negative = *p == '-';
	const int64_t max_s = INT64_MAX / (int64_t)NUM_NS_PER_S - 1;
	int64_t s = 0, ns = 0, unit = NUM_NS_PER_S / 10;

	*ret_has = rec->size != 0;
	if (rec->size == 0)
		return 0;
	p += negative;
	if (*p < '0' || *p > '9')
		return record_fail(r, rec, ERR_INVALID, e);
	for (; *p >= '0' && *p <= '9'; p++)
		s = MIN(s * 10 + (*p - '0'), max_s);
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
			ns += (*p - '0') * unit;
	if (p != rec->value + rec->size)
		return record_fail(r, rec, ERR_INVALID, e);
	*ret = (s * (int64_t)NUM_NS_PER_S + ns) * (negative ? -1 : 1);
	return 0;
}

static int get_xattr(struct tar_reader *r, const struct record *rec, const char *name,
		     struct err *e)
{
	if (!*name)
		return tar_fail(r, ERR_INVALID, e, "an extended attribute has no name");
	if (r->n_xattrs == TAR_XATTR_MAX)
		return tar_fail(r, ERR_LIMIT, e, "more than %d extended attributes", TAR_XATTR_MAX);
	if (r->n_xattrs == r->cap_xattrs) {
		size_t cap = MAX((size_t)16, r->cap_xattrs * 2);
		struct tar_xattr *more = realloc(r->xattrs, cap * sizeof(*more));

		if (!more)
			return tar_fail(r, ERR_LIMIT, e, "out of memory");
		r->xattrs = more;
		r->cap_xattrs = cap;
	}
	r->xattrs[r->n_xattrs++] = (struct tar_xattr){name, rec->value, rec->size};
	return 0;
}

/* Version 0.0 lists its map in pairs of records. */
static int get_piece(struct tar_reader *r, const struct record *rec, const char *key, struct err *e)
{
	struct tar_pax *pax = &r->pax;
	bool is_offset = str_eq(key, "offset"), has;
	uint64_t v = 0;

	if (get_u64(r, rec, INT64_MAX, &has, &v, e) < 0)
		return -1;
	if (!has || pax->has_offset == is_offset)
		return tar_fail(r, ERR_INVALID, e, "the map of a sparse file is out of order");
	pax->has_offset = is_offset;
	if (!is_offset)
		return tar_sparse_push(r, pax->offset, v, e);
	pax->offset = v;
	return 0;
}

static int get_sparse(struct tar_reader *r, const struct record *rec, const char *key,
		      struct err *e)
{
	struct tar_pax *pax = &r->pax;
	uint64_t v = 0;
	bool has;

	pax->sparse = true;
	if (str_eq(key, "offset") || str_eq(key, "numbytes"))
		return get_piece(r, rec, key, e);
	if (str_eq(key, "map"))
		return tar_sparse_parse(r, rec->value, e);
	if (str_eq(key, "name"))
		return get_string(r, rec, &pax->sparse_name, e);
	if (str_eq(key, "size") || str_eq(key, "realsize"))
		return get_u64(r, rec, INT64_MAX, &pax->has_realsize, &pax->realsize, e);
	if (str_eq(key, "numblocks"))
		return get_u64(r, rec, TAR_SPARSE_MAX, &has, &v, e);
	if (!str_eq(key, "major") && !str_eq(key, "minor"))
		return 0;
	if (get_u64(r, rec, 1, &has, &v, e) < 0)
		return -1;
	*(str_eq(key, "major") ? &pax->sparse_major : &pax->sparse_minor) = (unsigned)v;
	return 0;
}

/* Keys that stand for one entry only: in a global header they would rename or cut them all. */
static int local_record(struct tar_reader *r, const struct record *rec, bool global, struct err *e)
{
	struct tar_pax *pax = &r->pax;
	const char *xattr = str_after(rec->key, XATTR_PREFIX);
	const char *sparse = str_after(rec->key, SPARSE_PREFIX);
	bool path = str_eq(rec->key, "path"), link = str_eq(rec->key, "linkpath");
	bool size = str_eq(rec->key, "size");

	if (!xattr && !sparse && !path && !link && !size)
		return 0;
	if (global)
		return record_fail(r, rec, ERR_HOSTILE, e);
	if (xattr)
		return get_xattr(r, rec, xattr, e);
	if (sparse)
		return get_sparse(r, rec, sparse, e);
	if (size)
		return get_u64(r, rec, INT64_MAX, &pax->has_size, &pax->size, e);
	return get_string(r, rec, path ? &pax->path : &pax->linkpath, e);
}

static int one_record(struct tar_reader *r, const struct record *rec, bool global, struct err *e)
{
	struct tar_pax *pax = global ? &r->global : &r->pax;

	if (str_eq(rec->key, "uid"))
		return get_id(r, rec, &pax->has_uid, &pax->uid, e);
	if (str_eq(rec->key, "gid"))
		return get_id(r, rec, &pax->has_gid, &pax->gid, e);
	if (str_eq(rec->key, "mtime"))
		return get_time(r, rec, &pax->has_mtime, &pax->mtime_ns, e);
	return local_record(r, rec, global, e);
}

/* Cuts the record at P, of LEFT bytes with what follows. Returns its length, 0 where there is no
 * proper one. */
static size_t cut_record(char *p, size_t left, struct record *ret)
{
	size_t n = 0, i = 0;
	char *eq;

	for (; i < left && p[i] >= '0' && p[i] <= '9' && n <= TAR_META_MAX; i++)
		n = n * 10 + (size_t)(p[i] - '0');
	if (i == 0 || i >= left || p[i] != ' ' || n > left || n < i + 3 || p[n - 1] != '\n')
		return 0;
	i++;
	eq = memchr(p + i, '=', n - 1 - i);
	if (!eq || eq == p + i || memchr(p + i, 0, (size_t)(eq - (p + i))))
		return 0;
	*eq = '\0';
	p[n - 1] = '\0';
	*ret = (struct record){p + i, eq + 1, (size_t)(p + n - 1 - (eq + 1))};
	return n;
}

int tar_pax_parse(struct tar_reader *r, bool global, struct err *e)
{
	char *p = r->records.data;
	size_t left = r->records.len;

	while (left > 0) {
		struct record rec;
		size_t n = cut_record(p, left, &rec);

		if (n == 0)
			return tar_fail(r, ERR_INVALID, e, "a pax record is malformed");
		if (one_record(r, &rec, global, e) < 0)
			return -1;
		p += n;
		left -= n;
	}
	if (r->pax.has_offset)
		return tar_fail(r, ERR_INVALID, e, "the map of a sparse file is cut off");
	return 0;
}
