/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of config.json: the document itself, the fields at its top, mounts and hooks. Parts of
 * their own: -process.c, -linux.c, -resources.c, -seccomp.c; the rules are in -validate.c.
 *
 * Go writes uint64 limits as they are ("hard": 18446744073709551615), and jansson knows only
 * int64: integers past INT64_MAX are replaced by their two's complement before it sees them, and
 * the fields that have 64 bits without sign are read by oci_read_u64. Elsewhere such a number is
 * then negative, which their ranges refuse. */
#include "oci/runtime-config-internal.h"

#include "base/buf.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>

enum { DIGITS_BIG = 19 }; /* of INT64_MAX */

void runtime_config_done(struct runtime_config *c)
{
	arena_done(&c->arena);
	*c = RUNTIME_CONFIG_INIT;
}

/* The number of digits at S, which ends at END. */
static size_t count_digits(const char *s, const char *end)
{
	size_t n = 0;

	while (s + n < end && s[n] >= '0' && s[n] <= '9')
		n++;
	return n;
}

/* Appends the number of N digits at S, as its two's complement where it is past INT64_MAX. */
static int put_number(struct buf *out, const char *s, size_t n)
{
	char text[24];
	uint64_t v;

	if (n > 20)
		return buf_put(out, s, n);
	memcpy(text, s, n);
	text[n] = '\0';
	if (num_u64(text, 0, UINT64_MAX, &v) < 0 || v <= INT64_MAX)
		return buf_put(out, s, n);
	return buf_printf(out, "%lld", (long long)v);
}

/* Rewrites the numbers of DATA that are too big into OUT; OUT stays empty where there is none. */
static int fix_numbers(const char *data, size_t n, struct buf *out)
{
	const char *end = data + n, *done = data;
	bool quoted = false;

	for (const char *s = data; s < end; s++) {
		size_t digits = quoted ? 0 : count_digits(s, end);
		int r;

		if (digits >= DIGITS_BIG && (s == data || s[-1] != '-')) {
			r = buf_put(out, done, (size_t)(s - done));
			if (r >= 0)
				r = put_number(out, s, digits);
			if (r < 0)
				return r;
			done = s + digits;
		}
		if (digits)
			s += digits - 1;
		else if (*s == '"')
			quoted = !quoted;
		else if (*s == '\\' && quoted)
			s++;
	}
	return out->len ? buf_put(out, done, (size_t)(end - done)) : 0;
}

json_t *oci_parse_json(const char *data, size_t n, const char *what, struct err *e)
{
	_cleanup_(buf_done) struct buf fixed = BUF_INIT(2 * RUNTIME_CONFIG_MAX);

	if (n > RUNTIME_CONFIG_MAX) {
		err_set(e, ERR_LIMIT, 0, "parsing %s: %zu bytes are more than %zu", what, n,
			RUNTIME_CONFIG_MAX);
		return NULL;
	}
	if (fix_numbers(data, n, &fixed) < 0) {
		err_errno(e, ENOMEM, "parsing %s", what);
		return NULL;
	}
	if (fixed.len)
		return json_parse(fixed.data, fixed.len, what, e);
	return json_parse(data, n, what, e);
}

static int read_root(const struct json_reader *top, struct runtime_config *c, struct err *e)
{
	struct json_reader r;
	int n = json_read_obj(top, "root", &r, e);

	if (n <= 0)
		return n;
	if (oci_need_str(&r, "path", &c->root_path, e) < 0)
		return -1;
	return json_read_bool(&r, "readonly", &c->root_readonly, e);
}

static int read_mount(const struct json_reader *r, void *elem, struct err *e)
{
	struct oci_mount *m = elem;

	if (oci_need_str(r, "destination", &m->destination, e) < 0 ||
	    json_read_str(r, "type", &m->type, e) < 0 ||
	    json_read_str(r, "source", &m->source, e) < 0 ||
	    json_read_strv(r, "options", &m->options, NULL, e) < 0)
		return -1;
	if (oci_read_id_maps(r, "uidMappings", &m->uid_maps, e) < 0)
		return -1;
	return oci_read_id_maps(r, "gidMappings", &m->gid_maps, e);
}

static int read_hook(const struct json_reader *r, void *elem, struct err *e)
{
	struct oci_hook *h = elem;

	if (oci_need_str(r, "path", &h->path, e) < 0 ||
	    json_read_strv(r, "args", &h->args, NULL, e) < 0 ||
	    json_read_strv(r, "env", &h->env, NULL, e) < 0)
		return -1;
	return oci_read_int(r, "timeout", 1, INT32_MAX, &h->timeout, e);
}

static int read_hooks(const struct json_reader *top, struct runtime_config *c, struct err *e)
{
	struct json_reader r;
	int n = json_read_obj(top, "hooks", &r, e);

	if (n <= 0)
		return n;
	for (enum oci_hook_point p = 0; p < OCI_HOOK_N; p++) {
		struct oci_hooks *h = &c->hooks[p];

		if (oci_read_list(&r, oci_hook_name(p), OCI_ELEM(h->v, read_hook), &h->v, &h->n,
				  e) < 0)
			return -1;
	}
	return 0;
}

static int read_top(const struct json_reader *r, struct runtime_config *c, struct err *e)
{
	struct json_reader part;
	int n;

	if (oci_need_str(r, "ociVersion", &c->oci_version, e) < 0)
		return -1;
	n = json_read_obj(r, "process", &part, e);
	if (n < 0 || (n > 0 && oci_read_process(&part, &c->process, e) < 0))
		return -1;
	c->has_process = n > 0;
	if (read_root(r, c, e) < 0 || json_read_str(r, "hostname", &c->hostname, e) < 0 ||
	    json_read_str(r, "domainname", &c->domainname, e) < 0 ||
	    oci_read_list(r, "mounts", OCI_ELEM(c->mounts, read_mount), &c->mounts, &c->n_mounts,
			  e) < 0 ||
	    read_hooks(r, c, e) < 0 || oci_read_map(r, "annotations", &c->annotations, e) < 0)
		return -1;
	n = json_read_obj(r, "linux", &part, e);
	return n > 0 ? oci_read_linux(&part, &c->linux_, e) : n;
}

int runtime_config_parse(const char *data, size_t n, struct runtime_config *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *j = oci_parse_json(data, n, "config.json", e);
	struct json_reader r;

	if (!j || json_reader_init(&r, j, "config.json", &ret->arena, e) < 0)
		return -1;
	if (read_top(&r, ret, e) < 0)
		return -1;
	return runtime_config_validate(ret, e);
}

int runtime_config_parse_process(const char *data, size_t n, struct arena *a,
				 struct oci_process *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *j = oci_parse_json(data, n, "process", e);
	struct json_reader r;

	if (!j || json_reader_init(&r, j, "process", a, e) < 0)
		return -1;
	return oci_read_process(&r, ret, e);
}

int runtime_config_parse_resources(const char *data, size_t n, struct arena *a,
				   struct oci_resources *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *j = oci_parse_json(data, n, "resources", e);
	struct json_reader r;

	if (!j || json_reader_init(&r, j, "resources", a, e) < 0)
		return -1;
	return oci_read_resources(&r, ret, e);
}
