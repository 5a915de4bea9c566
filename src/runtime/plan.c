/* SPDX-License-Identifier: Apache-2.0 */
/* Building, checking, reading and printing of plans. In the byte order of the machine, because a
 * plan never leaves it:
 *
 *     plan:  u32 magic, u32 steps, u32 bytes (of the whole), then the steps
 *     step:  u16 operation, u16 zero, u32 flags, u32 bytes (of what follows), then
 *            u64 for each number, u32 for each descriptor (an index, or PLAN_NO_FD),
 *            and for each string: u32 length, the bytes, NUL
 *
 * How many of each a step has is said by the table of operations; the step's length must agree. */
#include "runtime/plan.h"

#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_MAGIC UINT32_C(0x314e504b) /* "KPN1" */

struct plan_header {
	uint32_t magic, steps, bytes;
};

struct step_header {
	uint16_t op, zero;
	uint32_t flags, bytes;
};

enum { FLAGS_ALLOWED = 0xffff };

static size_t count(const char *const *names, size_t max)
{
	size_t n = 0;

	while (n < max && names[n])
		n++;
	return n;
}

static void fail(struct plan *p, int r)
{
	if (r < 0 && !p->error)
		p->error = r;
}

void plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->n_fds; i++)
		if (p->own[i])
			fd_close(&p->fds[i]);
	free(p->fds);
	free(p->own);
	buf_done(&p->bytes);
	*p = PLAN_INIT;
}

static int grow_fds(struct plan *p)
{
	size_t cap = p->n_fds + 32;
	int *fds;
	bool *own;

	if (p->n_fds % 32)
		return 0;
	fds = realloc(p->fds, cap * sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	p->fds = fds;
	own = realloc(p->own, cap * sizeof(*own));
	if (!own)
		return -ENOMEM;
	p->own = own;
	return 0;
}

uint32_t plan_fd(struct plan *p, int fd, bool take)
{
	int r = p->n_fds < PLAN_FD_MAX ? 0 : -EMFILE;

	if (fd < 0)
		return PLAN_NO_FD;
	if (r >= 0)
		r = grow_fds(p);
	if (r < 0) {
		fail(p, r);
		if (take)
			fd_close(&fd);
		return PLAN_NO_FD;
	}
	p->fds[p->n_fds] = fd;
	p->own[p->n_fds] = take;
	return (uint32_t)p->n_fds++;
}

struct plan_blob plan_str(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	/* A string that is too long is refused by plan_add */
	return (struct plan_blob){.data = s ? s : "",
				  .len = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n};
}

static void put(struct plan *p, const void *data, size_t n)
{
	if (!p->error)
		fail(p, buf_put(&p->bytes, data, n));
}

/* The bytes of a step after its header; PLAN_MAX + 1 where it is too long. */
static size_t step_size(const struct plan_step *s)
{
	size_t n = s->n_num * sizeof(s->num[0]) + s->n_fd * sizeof(s->fd[0]);

	for (size_t i = 0; i < s->n_str; i++) {
		if (s->str[i].len > PLAN_MAX)
			return PLAN_MAX + 1;
		n += sizeof(uint32_t) + s->str[i].len + 1;
	}
	return n;
}

void plan_add(struct plan *p, struct plan_step s)
{
	const struct plan_op_info *info = plan_op_info(s.op);
	struct plan_header h = {.magic = PLAN_MAGIC};
	struct step_header sh = {.op = s.op, .flags = s.flags};
	size_t size;

	if (!info || p->n_steps >= PLAN_STEPS_MAX)
		return fail(p, info ? -E2BIG : -EINVAL);
	s.n_num = (uint16_t)count(info->num, PLAN_NUMS);
	s.n_str = (uint16_t)count(info->str, PLAN_STRS);
	s.n_fd = (uint16_t)count(info->fd, PLAN_FDS);
	size = step_size(&s);
	if (size > PLAN_MAX)
		return fail(p, -E2BIG);
	sh.bytes = (uint32_t)size;
	if (!p->bytes.len)
		put(p, &h, sizeof(h));
	put(p, &sh, sizeof(sh));
	put(p, s.num, s.n_num * sizeof(s.num[0]));
	put(p, s.fd, s.n_fd * sizeof(s.fd[0]));
	for (size_t i = 0; i < s.n_str; i++) {
		put(p, &s.str[i].len, sizeof(s.str[i].len));
		put(p, s.str[i].data ? s.str[i].data : "", s.str[i].len);
		put(p, "", 1);
	}
	p->n_steps++;
}

int plan_end(struct plan *p)
{
	struct plan_header h = {
		.magic = PLAN_MAGIC, .steps = p->n_steps, .bytes = (uint32_t)p->bytes.len};

	if (!p->bytes.len)
		put(p, &h, sizeof(h));
	h.bytes = (uint32_t)p->bytes.len;
	if (p->error)
		return p->error == -EMSGSIZE ? -E2BIG : p->error;
	memcpy(p->bytes.data, &h, sizeof(h));
	return 0;
}

/* Takes N bytes off the cursor; NULL where there are fewer. */
static const char *take(struct plan_cursor *c, size_t n)
{
	const char *at = c->at;

	if ((size_t)(c->end - c->at) < n)
		return NULL;
	c->at += n;
	return at;
}

static bool take_copy(struct plan_cursor *c, void *out, size_t n)
{
	const char *at = take(c, n);

	if (at && n)
		memcpy(out, at, n);
	return at;
}

/* A string as its name in the table wants it: binary, a list, or text. */
static bool good_str(const char *name, struct plan_blob b)
{
	if (str_ends(name, "#"))
		return true;
	if (str_ends(name, "[]"))
		return b.len == 0 || b.data[b.len - 1] == '\0';
	return memchr(b.data, '\0', b.len) == NULL;
}

static bool take_str(struct plan_cursor *c, const char *name, struct plan_blob *b)
{
	if (!take_copy(c, &b->len, sizeof(b->len)))
		return false;
	b->data = take(c, (size_t)b->len + 1);
	return b->data && b->data[b->len] == '\0' && good_str(name, *b);
}

int plan_open(const void *data, size_t n, struct plan_cursor *ret)
{
	struct plan_cursor c = {.at = data, .end = (const char *)data + n};
	struct plan_header h;

	if (!take_copy(&c, &h, sizeof(h)) || h.magic != PLAN_MAGIC || h.bytes != n ||
	    n > PLAN_MAX || h.steps > PLAN_STEPS_MAX)
		return -EBADMSG;
	*ret = c;
	return 0;
}

/* The fields of a step from the bytes of its own, all of which it must need. */
static int take_fields(struct plan_cursor *c, const struct plan_op_info *info, struct plan_step *s)
{
	s->n_num = (uint16_t)count(info->num, PLAN_NUMS);
	s->n_str = (uint16_t)count(info->str, PLAN_STRS);
	s->n_fd = (uint16_t)count(info->fd, PLAN_FDS);
	if (!take_copy(c, s->num, s->n_num * sizeof(s->num[0])) ||
	    !take_copy(c, s->fd, s->n_fd * sizeof(s->fd[0])))
		return -EBADMSG;
	for (size_t i = 0; i < s->n_str; i++)
		if (!take_str(c, info->str[i], &s->str[i]))
			return -EBADMSG;
	return c->at == c->end ? 0 : -EBADMSG;
}

int plan_next(struct plan_cursor *c, struct plan_step *ret)
{
	const struct plan_op_info *info;
	struct plan_cursor fields;
	struct step_header h;

	if (c->at == c->end)
		return 0;
	if (!take_copy(c, &h, sizeof(h)))
		return -EBADMSG;
	info = plan_op_info(h.op);
	if (!info || h.zero || h.flags & ~(uint32_t)FLAGS_ALLOWED)
		return -EBADMSG;
	*ret = (struct plan_step){.op = h.op, .flags = h.flags};
	fields.at = take(c, h.bytes);
	fields.end = c->at;
	if (!fields.at || take_fields(&fields, info, ret) < 0)
		return -EBADMSG;
	return 1;
}

int plan_check(const void *data, size_t n, size_t n_fds)
{
	struct plan_cursor c;
	struct plan_header h;
	struct plan_step s;
	uint32_t steps = 0;
	int r = plan_open(data, n, &c);

	if (r < 0)
		return r;
	memcpy(&h, data, sizeof(h));
	while ((r = plan_next(&c, &s)) > 0) {
		for (size_t i = 0; i < s.n_fd; i++)
			if (s.fd[i] != PLAN_NO_FD && s.fd[i] >= n_fds)
				return -EBADMSG;
		steps++;
	}
	return r < 0 || steps != h.steps ? -EBADMSG : 0;
}

/* Appends text with what is not printable as '?', lists with blanks between. */
static int print_str(const char *name, struct plan_blob b, struct buf *out)
{
	int r;

	if (str_ends(name, "#"))
		return buf_printf(out, " %.*s=<%u bytes>", (int)strlen(name) - 1, name, b.len);
	r = buf_printf(out, " %.*s=", (int)strcspn(name, "["), name);
	for (uint32_t i = 0; r >= 0 && i < b.len; i++) {
		char ch = b.data[i];

		if (ch == '\0')
			ch = i + 1 < b.len ? ' ' : ';';
		else if (ch < ' ' || ch == 0x7f)
			ch = '?';
		r = buf_putc(out, ch);
	}
	return r;
}

int plan_print(const struct plan_step *s, struct buf *out)
{
	const struct plan_op_info *info = plan_op_info(s->op);
	int r = info ? buf_puts(out, info->name) : -EINVAL;

	if (r >= 0 && s->flags)
		r = buf_printf(out, " flags=%#x", s->flags);
	for (size_t i = 0; r >= 0 && i < s->n_num; i++)
		r = buf_printf(out, " %s=%#llx", info->num[i], (unsigned long long)s->num[i]);
	for (size_t i = 0; r >= 0 && i < s->n_str; i++)
		r = print_str(info->str[i], s->str[i], out);
	for (size_t i = 0; r >= 0 && i < s->n_fd; i++)
		if (s->fd[i] != PLAN_NO_FD)
			r = buf_printf(out, " %s=#%u", info->fd[i], s->fd[i]);
	return r;
}

int plan_pack(const char *const *v, struct buf *out)
{
	for (size_t i = 0; v && v[i]; i++) {
		int r = buf_put(out, v[i], strlen(v[i]) + 1);

		if (r < 0)
			return r;
	}
	return 0;
}

int plan_unpack(struct plan_blob b, const char **v, size_t max)
{
	size_t n = 0;

	for (const char *s = b.data, *end = b.data + b.len; s < end; s += strlen(s) + 1) {
		if (n + 1 >= max)
			return -E2BIG;
		v[n++] = s;
	}
	v[n] = NULL;
	return (int)n;
}
