/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerfile/dockerfile.h"

#include "base/str.h"
#include "dockerfile/dockerfile-internal.h"

#include <ctype.h>

/* What grows while the file is read. */
struct reading {
	struct dockerfile *d;
	struct lines lines;
	struct df_instruction *in;
	size_t n, room;
	struct df_range *empty;
	size_t n_empty;
};

/* Makes room for one more instruction. */
static int grow(struct reading *r, struct err *e)
{
	size_t room = r->room ? r->room * 2 : 32;
	struct df_instruction *v;
	struct df_range *empty;

	if (r->n < r->room)
		return 0;
	v = arena_array(&r->d->arena, room, sizeof(*v));
	empty = arena_array(&r->d->arena, room, sizeof(*empty));
	if (!v || !empty)
		return df_no_memory(e);
	if (r->n)
		memcpy(v, r->in, r->n * sizeof(*v));
	if (r->n_empty)
		memcpy(empty, r->empty, r->n_empty * sizeof(*empty));
	r->in = v;
	r->empty = empty;
	r->room = room;
	return 0;
}

static int add_instruction(struct reading *r, const struct logical_line *line, struct err *e)
{
	struct df_instruction *in;

	if (grow(r, e) < 0)
		return -1;
	in = &r->in[r->n];
	r->d->failed_at = line->at;
	if (instruction_parse(&r->d->arena, r->lines.escape, line->text, in, e) < 0 ||
	    heredocs_read(&r->lines, in, e) < 0)
		return -1;
	in->at = (struct df_range){line->at.first, r->lines.line};
	in->comments = r->lines.comments;
	r->lines.comments = NULL;
	r->lines.n_comments = 0;
	if (line->empty)
		r->empty[r->n_empty++] = (struct df_range){line->empty, line->empty};
	r->n++;
	return 0;
}

static int read_instructions(struct reading *r, struct err *e)
{
	struct logical_line line;

	for (;;) {
		int got = lines_next(&r->lines, &line, e);

		if (got < 0) {
			r->d->failed_at = (struct df_range){r->lines.line, r->lines.line};
			return -1;
		}
		if (!line.text)
			return 0;
		if (add_instruction(r, &line, e) < 0)
			return -1;
	}
}

/* ---- stages ---- */

static const char *lower(struct arena *a, const char *s)
{
	char *copy = arena_strdup(a, s);

	for (char *p = copy; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static int start_stage(struct dockerfile *d, const struct df_instruction *from,
		       struct df_stage *ret, struct err *e)
{
	*ret = (struct df_stage){.base = from->args[0],
				 .platform = df_flag(from, "platform"),
				 .from = from,
				 .first = (size_t)(from - d->instructions) + 1};
	if (from->n_args == 1)
		return 0;
	ret->name = lower(&d->arena, from->args[2]);
	return ret->name ? 0 : df_no_memory(e);
}

static int make_stages(struct dockerfile *d, struct err *e)
{
	struct df_stage *v = arena_array(&d->arena, d->n + 1, sizeof(*v));

	if (!v)
		return df_no_memory(e);
	d->stages = v;
	for (size_t i = 0; i < d->n; i++) {
		const struct df_instruction *in = &d->instructions[i];

		d->failed_at = in->at;
		if (in->kind == DF_FROM && start_stage(d, in, &v[d->n_stages++], e) < 0)
			return -1;
		if (in->kind == DF_FROM)
			continue;
		if (d->n_stages)
			v[d->n_stages - 1].n++;
		else if (in->kind == DF_ARG)
			d->n_global++;
		else
			return err_set(
				e, ERR_INVALID, 0,
				"no build stage in the current context: %s stands before any "
				"FROM",
				df_kind_name(in->kind));
	}
	d->failed_at = (struct df_range){0, 0};
	if (!d->n_stages)
		return err_set(e, ERR_INVALID, 0, "the Dockerfile has no FROM: nothing to build");
	return 0;
}

/* ---- the whole ---- */

static int check_source(const char *source, size_t n, struct dockerfile *ret, struct err *e)
{
	const char *nul = memchr(source, 0, n);
	unsigned line = 1;

	if (n > DOCKERFILE_SIZE_MAX)
		return err_set(e, ERR_LIMIT, 0, "the Dockerfile is larger than %zu MiB",
			       DOCKERFILE_SIZE_MAX >> 20);
	if (!nul)
		return 0;
	for (const char *p = source; p < nul; p++)
		line += *p == '\n';
	ret->failed_at = (struct df_range){line, line};
	return err_set(e, ERR_INVALID, 0, "the Dockerfile has a NUL byte: it is not text");
}

int dockerfile_parse(const char *source, size_t n, struct dockerfile *ret, struct err *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct reading r = {.d = ret};

	*ret = DOCKERFILE_INIT;
	ret->arena.max = (size_t)512 << 20;
	if (check_source(source, n, ret, e) < 0)
		return -1;
	if (n >= 3 && memcmp(source, bom, 3) == 0) {
		source += 3;
		n -= 3;
	}
	r.lines = (struct lines){.arena = &ret->arena,
				 .p = source,
				 .end = source + n,
				 .directives = true,
				 .escape = '\\'};
	if (read_instructions(&r, e) < 0)
		return -1;
	ret->escape = r.lines.escape;
	ret->syntax = r.lines.syntax;
	ret->check = r.lines.check;
	ret->instructions = r.in;
	ret->n = r.n;
	ret->empty_continuations = r.empty;
	ret->n_empty_continuations = r.n_empty;
	if (!r.n)
		return err_set(e, ERR_INVALID, 0, "the Dockerfile has no instructions");
	return make_stages(ret, e);
}

void dockerfile_done(struct dockerfile *d)
{
	arena_done(&d->arena);
	*d = DOCKERFILE_INIT;
}
