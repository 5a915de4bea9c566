/* SPDX-License-Identifier: Apache-2.0 */
/* Reading image configurations, and small changes. Writing is in image-config-write.c. */
#include "oci/image-config.h"

#include "base/str.h"

#include <stdio.h>

#define WHAT "image configuration"

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, WHAT ": out of memory");
}

void image_config_done(struct image_config *c)
{
	arena_done(&c->arena);
	*c = IMAGE_CONFIG_INIT;
}

/* Docker's sets ("80/tcp": {}) become sorted vectors. */
static int read_set(const struct json_reader *r, const char *key, const char ***ret, struct err *e)
{
	struct json_reader obj;
	const char **v = NULL, *name, *copy;
	json_t *value;
	size_t n = 0;
	int found = json_read_obj(r, key, &obj, e);

	if (found <= 0)
		return found;
	if (json_object_size(obj.obj) > IMAGE_CONFIG_STRINGS_MAX)
		return json_read_fail(r, key, ERR_LIMIT, e, "has more than %d members",
				      IMAGE_CONFIG_STRINGS_MAX);
	v = arena_array(r->arena, json_object_size(obj.obj) + 1, sizeof(*v));
	if (!v)
		return no_memory(e);
	json_object_foreach ((json_t *)(uintptr_t)obj.obj, name, value) {
		copy = arena_strdup(r->arena, name);
		if (!copy)
			return no_memory(e);
		v[n++] = copy;
	}
	qsort(v, n, sizeof(*v), by_string);
	*ret = v;
	return 1;
}

static int read_strings(const struct json_reader *r, const char *key, const char ***ret,
			struct err *e)
{
	size_t n;

	/* The old form of Cmd and Entrypoint: one string. */
	if (json_is_string(json_object_get(r->obj, key))) {
		const char **v = arena_array(r->arena, 2, sizeof(*v));

		if (!v)
			return no_memory(e);
		*ret = v;
		return json_read_str(r, key, &v[0], e);
	}
	if (json_read_array(r, key, IMAGE_CONFIG_STRINGS_MAX, &n, e) < 0)
		return -1;
	return json_read_strv(r, key, ret, NULL, e);
}

static int read_health(const struct json_reader *r, struct image_run *run, struct err *e)
{
	static const struct {
		const char *key;
		size_t offset;
	} numbers[] = {
		{"Interval", offsetof(struct image_health, interval)},
		{"Timeout", offsetof(struct image_health, timeout)},
		{"StartPeriod", offsetof(struct image_health, start_period)},
		{"StartInterval", offsetof(struct image_health, start_interval)},
		{"Retries", offsetof(struct image_health, retries)},
	};
	struct json_reader h;
	int n = json_read_obj(r, "Healthcheck", &h, e);

	if (n <= 0)
		return n;
	run->has_health = true;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int64_t *at = (void *)((char *)&run->health + numbers[i].offset);

		if (json_read_i64(&h, numbers[i].key, 0, INT64_MAX, at, e) < 0)
			return -1;
	}
	return read_strings(&h, "Test", &run->health.test, e);
}

static int read_run_flags(const struct json_reader *r, struct image_run *run, struct err *e)
{
	const struct {
		const char *key;
		bool *at;
	} flags[] = {
		{"ArgsEscaped", &run->args_escaped},   {"Tty", &run->tty},
		{"OpenStdin", &run->open_stdin},       {"StdinOnce", &run->stdin_once},
		{"AttachStdin", &run->attach_stdin},   {"AttachStdout", &run->attach_stdout},
		{"AttachStderr", &run->attach_stderr}, {"NetworkDisabled", &run->network_disabled},
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (json_read_bool(r, flags[i].key, flags[i].at, e) < 0)
			return -1;
	}
	return 0;
}

static int read_run_strings(const struct json_reader *r, struct image_run *run, struct err *e)
{
	const struct {
		const char *key;
		const char **at;
	} one[] = {
		{"Hostname", &run->hostname},
		{"Domainname", &run->domainname},
		{"User", &run->user},
		{"WorkingDir", &run->working_dir},
		{"StopSignal", &run->stop_signal},
	};
	const struct {
		const char *key;
		const char ***at;
	} many[] = {
		{"Env", &run->env},
		{"Cmd", &run->cmd},
		{"Entrypoint", &run->entrypoint},
		{"OnBuild", &run->on_build},
		{"Shell", &run->shell},
	};

	for (size_t i = 0; i < ARRAY_SIZE(one); i++) {
		if (json_read_str(r, one[i].key, one[i].at, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		if (read_strings(r, many[i].key, many[i].at, e) < 0)
			return -1;
	}
	return 0;
}

static int read_run(const struct json_reader *root, struct image_run *run, struct err *e)
{
	struct json_reader r;
	int n = json_read_obj(root, "config", &r, e);

	if (n <= 0)
		return n;
	if (read_run_strings(&r, run, e) < 0 || read_run_flags(&r, run, e) < 0 ||
	    read_set(&r, "ExposedPorts", &run->exposed_ports, e) < 0 ||
	    read_set(&r, "Volumes", &run->volumes, e) < 0 ||
	    key_value_read(&r, "Labels", IMAGE_CONFIG_STRINGS_MAX, &run->labels, &run->n_labels,
			   e) < 0 ||
	    read_health(&r, run, e) < 0)
		return -1;
	n = json_read_i64(&r, "StopTimeout", INT32_MIN, INT32_MAX, &run->stop_timeout, e);
	run->has_stop_timeout = n > 0;
	return n < 0 ? -1 : 0;
}

static int read_rootfs(const struct json_reader *root, struct image_config *c, struct err *e)
{
	struct json_reader r;
	const char *type = "", **ids = NULL;
	size_t n = 0;
	int found = json_read_obj(root, "rootfs", &r, e);

	if (found < 0)
		return -1;
	if (!found)
		return json_read_fail(root, "rootfs", ERR_INVALID, e, "is required");
	if (json_read_str(&r, "type", &type, e) < 0 ||
	    json_read_array(&r, "diff_ids", IMAGE_CONFIG_HISTORY_MAX, &n, e) < 0 ||
	    json_read_strv(&r, "diff_ids", &ids, NULL, e) < 0)
		return -1;
	if (!str_eq(type, "layers"))
		return json_read_fail(&r, "type", ERR_INVALID, e, "'%.60s' is not 'layers'", type);
	c->diff_ids = arena_array(&c->arena, n + 1, sizeof(*c->diff_ids));
	if (!c->diff_ids)
		return no_memory(e);
	for (size_t i = 0; i < n; i++) {
		if (digest_parse(ids[i], &c->diff_ids[i], e) < 0)
			return err_wrap(e, WHAT ": rootfs.diff_ids[%zu]", i);
	}
	c->n_diff_ids = n;
	return 0;
}

static int read_line(const struct json_reader *r, struct image_history *h, struct err *e)
{
	if (json_read_str(r, "created", &h->created, e) < 0 ||
	    json_read_str(r, "created_by", &h->created_by, e) < 0 ||
	    json_read_str(r, "author", &h->author, e) < 0 ||
	    json_read_str(r, "comment", &h->comment, e) < 0 ||
	    json_read_bool(r, "empty_layer", &h->empty_layer, e) < 0)
		return -1;
	return 0;
}

static int read_history(const struct json_reader *root, struct image_config *c, struct err *e)
{
	struct json_reader r;
	size_t n, layers = 0;

	if (json_read_array(root, "history", IMAGE_CONFIG_HISTORY_MAX, &n, e) < 0)
		return -1;
	c->history = arena_array(&c->arena, n + 1, sizeof(*c->history));
	if (!c->history)
		return no_memory(e);
	for (size_t i = 0; i < n; i++) {
		if (json_read_elem(root, "history", i, &r, e) < 0 ||
		    read_line(&r, &c->history[i], e) < 0)
			return -1;
		layers += !c->history[i].empty_layer;
	}
	if (layers > c->n_diff_ids)
		return json_read_fail(root, "history", ERR_INVALID, e,
				      "has %zu layers, rootfs.diff_ids has %zu", layers,
				      c->n_diff_ids);
	c->n_history = n;
	return 0;
}

static int read_document(const struct json_reader *r, struct image_config *c, struct err *e)
{
	if (json_read_str(r, "created", &c->created, e) < 0 ||
	    json_read_str(r, "author", &c->author, e) < 0 ||
	    json_read_str(r, "comment", &c->comment, e) < 0 ||
	    json_read_str(r, "docker_version", &c->docker_version, e) < 0 ||
	    platform_read(r, &c->platform, e) < 0 || read_run(r, &c->run, e) < 0 ||
	    read_rootfs(r, c, e) < 0)
		return -1;
	return read_history(r, c, e);
}

int image_config_parse(const char *data, size_t n, struct image_config *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *j = NULL;
	struct image_config c = IMAGE_CONFIG_INIT;
	struct json_reader r;

	if (n > IMAGE_CONFIG_SIZE_MAX)
		return err_set(e, ERR_LIMIT, 0, WHAT ": it has %zu bytes, more than %zu", n,
			       IMAGE_CONFIG_SIZE_MAX);
	j = json_parse(data, n, WHAT, e);
	if (!j)
		return -1;
	if (json_reader_init(&r, j, WHAT, &c.arena, e) < 0 || read_document(&r, &c, e) < 0) {
		image_config_done(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

int image_run_set_env(struct image_config *c, const char *key, const char *value, struct err *e)
{
	const char **env = c->run.env, *pair = arena_printf(&c->arena, "%s=%s", key, value), *rest;

	if (!pair)
		return no_memory(e);
	for (; env && *env; env++) {
		rest = str_after(*env, key);
		if (rest && (*rest == '=' || !*rest)) {
			*env = pair;
			return 0;
		}
	}
	return image_config_push(c, &c->run.env, pair, e);
}

int image_run_set_label(struct image_config *c, const char *key, const char *value, struct err *e)
{
	struct image_run *r = &c->run;
	struct key_value *v = arena_array(&c->arena, r->n_labels + 1, sizeof(*v));
	struct key_value add = {arena_strdup(&c->arena, key), arena_strdup(&c->arena, value)};
	size_t i;

	if (!v || !add.key || !add.value)
		return no_memory(e);
	if (r->n_labels)
		memcpy(v, r->labels, r->n_labels * sizeof(*v));
	for (i = 0; i < r->n_labels && !str_eq(v[i].key, key); i++)
		;
	v[i] = add;
	if (i == r->n_labels)
		r->n_labels++;
	r->labels = v;
	return 0;
}

int image_config_push(struct image_config *c, const char ***v, const char *value, struct err *e)
{
	size_t n = *v ? strv_len(*v) : 0;
	const char **more = arena_array(&c->arena, n + 2, sizeof(*more));
	const char *copy = arena_strdup(&c->arena, value);

	if (!more || !copy)
		return no_memory(e);
	if (n)
		memcpy(more, *v, n * sizeof(*more));
	more[n] = copy;
	*v = more;
	return 0;
}

int image_config_set_add(struct image_config *c, const char ***set, const char *const *values,
			 size_t n, struct err *e)
{
	size_t had = *set ? strv_len(*set) : 0, kept = 0;
	const char **v = arena_array(&c->arena, had + n + 1, sizeof(*v));

	if (!v)
		return no_memory(e);
	if (had)
		memcpy(v, *set, had * sizeof(*v));
	for (size_t i = 0; i < n; i++) {
		v[had + i] = arena_strdup(&c->arena, values[i]);
		if (!v[had + i])
			return no_memory(e);
	}
	qsort(v, had + n, sizeof(*v), by_string);
	for (size_t i = 0; i < had + n; i++) {
		if (kept == 0 || !str_eq(v[kept - 1], v[i]))
			v[kept++] = v[i];
	}
	v[kept] = NULL;
	*set = v;
	return 0;
}

static const char *copy_or_null(struct image_config *c, const char *s, bool *ok)
{
	const char *copy = s ? arena_strdup(&c->arena, s) : NULL;

	*ok = *ok && (!s || copy);
	return copy;
}

int image_config_add_layer(struct image_config *c, const struct digest *diff_id,
			   const struct image_history *h, struct err *e)
{
	struct image_history *lines = arena_array(&c->arena, c->n_history + 1, sizeof(*lines));
	struct digest *ids = arena_array(&c->arena, c->n_diff_ids + 1, sizeof(*ids));
	bool ok = lines && ids;

	if (!ok)
		return no_memory(e);
	if (c->n_history)
		memcpy(lines, c->history, c->n_history * sizeof(*lines));
	if (c->n_diff_ids)
		memcpy(ids, c->diff_ids, c->n_diff_ids * sizeof(*ids));
	lines[c->n_history] = (struct image_history){
		.created = copy_or_null(c, h->created, &ok),
		.created_by = copy_or_null(c, h->created_by, &ok),
		.author = copy_or_null(c, h->author, &ok),
		.comment = copy_or_null(c, h->comment, &ok),
		.empty_layer = !diff_id,
	};
	if (!ok)
		return no_memory(e);
	if (diff_id)
		ids[c->n_diff_ids++] = *diff_id;
	c->n_history++;
	c->history = lines;
	c->diff_ids = ids;
	return 0;
}
