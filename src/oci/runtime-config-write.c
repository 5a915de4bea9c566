/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of config.json. jansson's setters accept NULL values and report what failed; a document
 * that is incomplete for lack of memory is noticed once, at the end. */
#include "oci/runtime-config-internal.h"

#include "base/buf.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>

void oci_put(json_t *obj, const char *key, json_t *value)
{
	if (value)
		json_object_set_new(obj, key, value);
}

void oci_put_int(json_t *obj, const char *key, const struct oci_int *i)
{
	if (i->set)
		oci_put(obj, key, json_integer(i->value));
}

json_t *oci_str_json(const char *s)
{
	return s ? json_string_nocheck(s) : NULL;
}

json_t *oci_strv_json(const char *const *v)
{
	json_t *j = v ? json_array() : NULL;

	for (size_t i = 0; v && v[i]; i++)
		json_array_append_new(j, oci_str_json(v[i]));
	return j;
}

json_t *oci_map_json(const struct oci_map *m)
{
	json_t *j = m->n ? json_object() : NULL;

	for (size_t i = 0; i < m->n; i++)
		oci_put(j, m->v[i].key, oci_str_json(m->v[i].value));
	return j;
}

static json_t *mounts_json(const struct runtime_config *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct oci_mount *m = &c->mounts[i];
		json_t *j = json_object();

		oci_put(j, "destination", oci_str_json(m->destination));
		oci_put(j, "type", oci_str_json(m->type));
		oci_put(j, "source", oci_str_json(m->source));
		oci_put(j, "options", oci_strv_json((const char *const *)m->options));
		oci_put(j, "uidMappings", oci_id_maps_json(&m->uid_maps));
		oci_put(j, "gidMappings", oci_id_maps_json(&m->gid_maps));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *hook_json(const struct oci_hook *h)
{
	json_t *j = json_object();

	oci_put(j, "path", oci_str_json(h->path));
	oci_put(j, "args", oci_strv_json((const char *const *)h->args));
	oci_put(j, "env", oci_strv_json((const char *const *)h->env));
	oci_put_int(j, "timeout", &h->timeout);
	return j;
}

static json_t *hooks_json(const struct runtime_config *c)
{
	json_t *j = NULL;

	for (enum oci_hook_point p = 0; p < OCI_HOOK_N; p++) {
		json_t *list;

		if (!c->hooks[p].n)
			continue;
		if (!j)
			j = json_object();
		list = json_array();
		for (size_t i = 0; i < c->hooks[p].n; i++)
			json_array_append_new(list, hook_json(&c->hooks[p].v[i]));
		oci_put(j, oci_hook_name(p), list);
	}
	return j;
}

static json_t *root_json(const struct runtime_config *c)
{
	json_t *j = c->root_path ? json_object() : NULL;

	oci_put(j, "path", oci_str_json(c->root_path));
	if (c->root_readonly)
		oci_put(j, "readonly", json_true());
	return j;
}

static json_t *config_json(const struct runtime_config *c)
{
	json_t *j = json_object();

	oci_put(j, "ociVersion", oci_str_json(c->oci_version));
	if (c->has_process)
		oci_put(j, "process", oci_process_json(&c->process));
	oci_put(j, "root", root_json(c));
	oci_put(j, "hostname", oci_str_json(c->hostname));
	oci_put(j, "domainname", oci_str_json(c->domainname));
	oci_put(j, "mounts", mounts_json(c));
	oci_put(j, "hooks", hooks_json(c));
	oci_put(j, "annotations", oci_map_json(&c->annotations));
	oci_put(j, "linux", oci_linux_json(&c->linux_));
	return j;
}

/* The field whose name and colon end right before AT has 64 bits without sign. A quotation mark
 * inside of a string is escaped, so that no string can look like this. */
static bool is_unsigned(const char *text, const char *at)
{
	static const char *const names[] = {
		"\"soft\": ", "\"hard\": ",    "\"value\": ",    "\"valueTwo\": ",
		"\"rate\": ", "\"runtime\": ", "\"deadline\": ", "\"period\": "};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if ((size_t)(at - text) >= n && memcmp(at - n, names[i], n) == 0)
			return true;
	}
	return false;
}

/* jansson has signed integers only: numbers past INT64_MAX were written as their two's complement
 * (see runtime-config.c), which other runtimes would refuse. */
static int put_unsigned(struct buf *out, const char *text)
{
	const char *done = text;
	int r = 0;

	for (const char *s = strchr(text, '-'); r >= 0 && s; s = strchr(s + 1, '-')) {
		size_t n = strspn(s + 1, "0123456789") + 1;
		char number[24];
		int64_t v;

		if (!is_unsigned(text, s) || n >= sizeof(number))
			continue;
		memcpy(number, s, n);
		number[n] = '\0';
		if (num_i64(number, INT64_MIN, -1, &v) < 0)
			continue;
		r = buf_put(out, done, (size_t)(s - done));
		if (r >= 0)
			r = buf_printf(out, "%llu", (unsigned long long)v);
		done = s + n;
	}
	return r < 0 ? r : buf_puts(out, done);
}

int runtime_config_write(const struct runtime_config *c, struct buf *out, struct err *e)
{
	_cleanup_(json_unref) json_t *j = config_json(c);
	_cleanup_(buf_done) struct buf text = BUF_INIT(4 * RUNTIME_CONFIG_MAX);
	int r;

	if (!j)
		return err_errno(e, ENOMEM, "writing config.json");
	r = json_write(j, JSON_INDENT(4), &text);
	if (r >= 0)
		r = put_unsigned(out, buf_str(&text));
	return r < 0 ? err_errno(e, r, "writing config.json") : 0;
}
