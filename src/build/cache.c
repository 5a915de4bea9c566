/* SPDX-License-Identifier: Apache-2.0 */
#include "build/cache.h"

#include "base/json.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>

#define KEY_FORMAT "kogge-build-1"

/* How many changed files or fields are told one by one. */
#define EXPLAIN_MAX 10
#define VALUE_MAX   200

/* ---- keys ---- */

static void add(struct sha256 *h, const char *s)
{
	sha256_add(h, s, strlen(s) + 1);
}

/* What is the same in both keys. */
static void key_begin(struct sha256 *h, const char *kind, const struct build_op *op,
		      const struct build_step *s)
{
	char version[24];

	snprintf(version, sizeof(version), "%u", op->version);
	sha256_init(h);
	add(h, KEY_FORMAT);
	add(h, kind);
	add(h, s->v->type);
	add(h, version);
	add(h, s->v->params);
	add(h, s->extra ? s->extra : "");
}

static void key_end(struct sha256 *h, struct build_key *ret)
{
	unsigned char hash[SHA256_SIZE];
	struct digest d;

	sha256_end(h, hash);
	digest_from_hash(hash, &d);
	memcpy(ret->text, d.text, sizeof(ret->text));
}

bool build_key_content(const struct build_op *op, const struct build_step *s, uint64_t mask,
		       const struct digest *content, struct build_key *ret)
{
	struct sha256 h;

	key_begin(&h, content ? "content" : "cheap", op, s);
	for (size_t i = 0; i < s->v->n_inputs; i++) {
		bool marked = i < 64 && (mask >> i & 1);

		if (!marked && str_empty(s->inputs[i].digest))
			return false;
		add(&h, marked ? "" : s->inputs[i].digest);
	}
	add(&h, content ? content->text : "");
	key_end(&h, ret);
	return true;
}

bool build_key_cheap(const struct build_op *op, const struct build_step *s, struct build_key *ret)
{
	return build_key_content(op, s, 0, NULL, ret);
}

/* ---- explanations ---- */

/* Appends FMT's line; memory that runs out cuts an explanation short. */
#define say(out, ...) ((void)buf_printf(out, __VA_ARGS__), (void)buf_putc(out, '\n'))

/* A value as one line of bounded length. */
static const char *shown(const json_t *j, struct buf *scratch)
{
	buf_clear(scratch);
	if (!j)
		return "nothing";
	if (json_write(j, JSON_SORT_KEYS | JSON_ENCODE_ANY, scratch) < 0)
		return "?";
	if (scratch->len > VALUE_MAX)
		memcpy(scratch->data + VALUE_MAX - 3, "...", 4);
	return buf_str(scratch);
}

static bool is_strings(const json_t *j)
{
	return json_is_array(j) && json_is_string(json_array_get(j, 0));
}

/* Whether the array of strings J has S. */
static bool strings_have(const json_t *j, const char *s)
{
	for (size_t i = 0; i < json_array_size(j); i++)
		if (str_eq0(json_string_value(json_array_get(j, i)), s))
			return true;
	return false;
}

/* The element of FROM that sets the same variable as S ("NAME=..."), or NULL. */
static const char *same_variable(const json_t *from, const char *s)
{
	size_t n = strcspn(s, "=");

	for (size_t i = 0; s[n] && i < json_array_size(from); i++) {
		const char *t = json_string_value(json_array_get(from, i));

		if (t && strncmp(t, s, n + 1) == 0)
			return t;
	}
	return NULL;
}

/* Lists differ: element by element, "NAME=value" by name. */
static void explain_strings(const char *key, const json_t *from, const json_t *to, struct buf *out)
{
	for (size_t i = 0; i < json_array_size(to); i++) {
		const char *s = json_string_value(json_array_get(to, i)), *old;

		if (!s || strings_have(from, s))
			continue;
		old = same_variable(from, s);
		if (old)
			say(out, "%s: %.*s changed from '%.200s' to '%.200s'", key,
			    (int)strcspn(s, "="), s, old + strcspn(old, "=") + 1,
			    s + strcspn(s, "=") + 1);
		else
			say(out, "%s: '%.200s' is new", key, s);
	}
	for (size_t i = 0; i < json_array_size(from); i++) {
		const char *s = json_string_value(json_array_get(from, i));

		if (s && !strings_have(to, s) && !same_variable(to, s))
			say(out, "%s: '%.200s' is gone", key, s);
	}
}

static void explain_field(const char *key, const json_t *from, const json_t *to, struct buf *out)
{
	_cleanup_(buf_done) struct buf a = BUF_INIT((size_t)1 << 20);
	_cleanup_(buf_done) struct buf b = BUF_INIT((size_t)1 << 20);

	if (from && to && json_equal(from, to))
		return;
	if ((is_strings(from) || !from) && (is_strings(to) || !to) && !str_eq(key, "args"))
		explain_strings(key, from, to, out);
	else
		say(out, "%s changed from %s to %s", key, shown(from, &a), shown(to, &b));
}

static void explain_params(const char *from, const char *to, struct buf *out)
{
	struct err ignored = ERR_INIT;
	_cleanup_(json_unref) json_t *a = json_parse(from, strlen(from), "old", &ignored);
	_cleanup_(json_unref) json_t *b = json_parse(to, strlen(to), "new", &ignored);
	const char *key;
	json_t *value;

	json_object_foreach (b, key, value)
		explain_field(key, json_object_get(a, key), value, out);
	json_object_foreach (a, key, value)
		if (!json_object_get(b, key))
			explain_field(key, value, NULL, out);
}

/* INPUTS is a record's: digests in the order of the inputs, "-" for none. */
static void explain_inputs(const char *inputs, const struct build_step *s, const char *const *names,
			   struct buf *out)
{
	for (size_t i = 0; i < s->v->n_inputs; i++) {
		size_t n = strcspn(inputs, " ");
		const char *now = str_empty(s->inputs[i].digest) ? "-" : s->inputs[i].digest;

		if (!n)
			say(out, "%s is used now", names[i]);
		else if (strlen(now) != n || memcmp(now, inputs, n) != 0)
			say(out, "the result of %s changed from %.*s to %.19s", names[i],
			    (int)MIN(n, (size_t)19), inputs, now);
		inputs += n + (inputs[n] == ' ');
	}
}

/* One line of a list of files; NULL at its end. */
struct file_line {
	const char *path;
	size_t n;
	const char *digest;
	size_t n_digest;
};

static bool next_file(const char **p, struct file_line *ret)
{
	size_t n = strcspn(*p, "\n"), tab = strcspn(*p, "\t\n");

	if (!**p)
		return false;
	*ret = (struct file_line){*p, tab, *p + tab, n - tab};
	*p += n + ((*p)[n] == '\n');
	return true;
}

static int compare_paths(const struct file_line *a, const struct file_line *b)
{
	int r = memcmp(a->path, b->path, MIN(a->n, b->n));

	return r ? r : a->n < b->n ? -1 : a->n > b->n;
}

/* Both lists are sorted: one pass. */
static void explain_files(const char *from, const char *to, struct buf *out)
{
	struct file_line a, b;
	bool more_a = next_file(&from, &a), more_b = next_file(&to, &b);
	size_t n = 0;

	while (more_a || more_b) {
		int order = !more_a ? 1 : !more_b ? -1 : compare_paths(&a, &b);
		bool same = order == 0 && a.n_digest == b.n_digest &&
			    memcmp(a.digest, b.digest, a.n_digest) == 0;

		if (!same && n++ < EXPLAIN_MAX) {
			const struct file_line *f = order < 0 ? &a : &b;

			say(out, "%.*s %s", (int)MIN(f->n, (size_t)4096), f->path,
			    order < 0   ? "is gone"
			    : order > 0 ? "is new"
					: "changed");
		}
		if (order <= 0)
			more_a = next_file(&from, &a);
		if (order >= 0)
			more_b = next_file(&to, &b);
	}
	if (n > EXPLAIN_MAX)
		say(out, "and %zu more files", n - EXPLAIN_MAX);
}

int build_explain(struct store *s, const struct build_step *step, const char *files,
		  const char *const *names, struct buf *out, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct build_record r;
	size_t before = out->len;
	int found = build_record_of_slot(s, step->v->slot, &a, &r, e);

	if (found < 0)
		return -1;
	if (!found) {
		say(out, "there is no earlier result of this step");
		return 0;
	}
	if (!str_eq(r.params, step->v->params))
		explain_params(r.params, step->v->params, out);
	explain_inputs(r.inputs, step, names, out);
	if (files && *r.files)
		explain_files(r.files, files, out);
	if (out->len == before)
		say(out, "the result of last time is not there any more");
	return 0;
}
