/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolver-table.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

void resolver_table_done(struct resolver_table *t)
{
	arena_done(&t->arena);
	*t = RESOLVER_TABLE_INIT;
}

static int compare_views(const void *a, const void *b)
{
	return strcmp(((const struct resolver_view *)a)->id, ((const struct resolver_view *)b)->id);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct resolver_name *)a)->name,
		      ((const struct resolver_name *)b)->name);
}

static char *lower(char *s)
{
	for (char *p = s; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return s;
}

static struct resolver_view *view_of(struct resolver_table *t, const char *id)
{
	for (size_t i = t->n_views; i > 0; i--)
		if (str_eq(t->views[i - 1].id, id))
			return &t->views[i - 1];
	return NULL;
}

static int read_line(struct resolver_table *t, const char *line)
{
	size_t n;
	const char **w = str_split(&t->arena, line, ' ', &n);
	struct resolver_view *v;
	struct net_ip ip;

	if (!w)
		return -ENOMEM;
	if (n < 2)
		return 0;
	if (str_eq(w[0], "V")) {
		t->views[t->n_views++] = (struct resolver_view){
			.id = w[1], .networks = (const char *const *)(w + 2)};
		return 0;
	}
	if (str_eq(w[0], "N") && n > 3 && net_ip_parse(w[2], &ip) == 0) {
		for (size_t i = 3; i < n; i++)
			t->names[t->n_names++] =
				(struct resolver_name){.network = w[1],
						       .name = lower(arena_strdup(&t->arena, w[i])),
						       .first = w[3],
						       .ip = ip};
		return 0;
	}
	/* They come right behind the line V. */
	v = view_of(t, w[1]);
	if (v && str_eq(w[0], "U"))
		v->servers = (const char *const *)(w + 2);
	if (v && str_eq(w[0], "I"))
		v->internal = true;
	return 0;
}

int resolver_table_read(const char *text, struct resolver_table *ret)
{
	struct resolver_table t = RESOLVER_TABLE_INIT;
	size_t n_lines = 0, n_words = 0;
	const char **lines;

	for (const char *p = text; *p; p++) {
		n_lines += *p == '\n';
		n_words += *p == ' ';
	}
	t.views = arena_array(&t.arena, n_lines + 1, sizeof(*t.views));
	t.names = arena_array(&t.arena, n_words + 1, sizeof(*t.names));
	lines = str_split(&t.arena, text, '\n', NULL);
	if (!t.views || !t.names || !lines)
		goto undo;
	for (; *lines; lines++)
		if (read_line(&t, *lines) < 0)
			goto undo;
	for (size_t i = 0; i < t.n_names; i++)
		if (!t.names[i].name)
			goto undo;
	if (t.n_views)
		qsort(t.views, t.n_views, sizeof(*t.views), compare_views);
	if (t.n_names)
		qsort(t.names, t.n_names, sizeof(*t.names), compare_names);
	*ret = t;
	return 0;

undo:
	resolver_table_done(&t);
	return -ENOMEM;
}

const struct resolver_view *resolver_table_view(const struct resolver_table *t, const char *id)
{
	const struct resolver_view key = {.id = id};

	return t->n_views ? bsearch(&key, t->views, t->n_views, sizeof(key), compare_views) : NULL;
}

size_t resolver_table_find(const struct resolver_table *t, const struct resolver_view *v,
			   const char *name, struct net_ip *ret, bool *ret_known)
{
	const struct resolver_name key = {.name = name};
	const struct resolver_name *at, *end = t->names + t->n_names;
	size_t n = 0;

	*ret_known = false;
	at = t->n_names ? bsearch(&key, t->names, t->n_names, sizeof(key), compare_names) : NULL;
	if (!at)
		return 0;
	while (at > t->names && str_eq(at[-1].name, name))
		at--;
	for (; at < end && str_eq(at->name, name); at++) {
		if (!strv_has(v->networks, at->network))
			continue;
		*ret_known = true;
		if (n < RESOLVER_ANSWERS_MAX)
			ret[n++] = at->ip;
	}
	return n;
}

const char *resolver_table_reverse(const struct resolver_table *t, const struct resolver_view *v,
				   const struct net_ip *ip, bool *ret_ours)
{
	*ret_ours = false;
	for (size_t i = 0; i < t->n_names; i++) {
		if (!net_ip_eq(&t->names[i].ip, ip))
			continue;
		*ret_ours = true;
		if (strv_has(v->networks, t->names[i].network))
			return t->names[i].first;
	}
	return NULL;
}
