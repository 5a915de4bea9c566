/* SPDX-License-Identifier: Apache-2.0 */
/* Image configurations as canonical JSON. The order of the members is that of the Go structures
 * from which Docker writes them, because equal bytes mean equal image IDs. Members are put by
 * functions that take the accumulated result and give -1 once memory ran out. */
#include "oci/image-config.h"

#include "base/str.h"
#include "oci/document-internal.h"

/* With ALL set, fields that Docker's structure does not mark "omitempty" are put when empty. */
struct member_writer {
	json_t *obj;
	bool all;
	int result;
};

static void put(struct member_writer *w, const char *key, json_t *value)
{
	w->result |= document_set(w->obj, key, value);
}

static void put_str(struct member_writer *w, const char *key, const char *s, bool always)
{
	if (!str_empty(s) || (w->all && always))
		put(w, key, json_string(s ? s : ""));
}

static void put_bool(struct member_writer *w, const char *key, bool v, bool always)
{
	if (v || (w->all && always))
		put(w, key, json_boolean(v));
}

static void put_number(struct member_writer *w, const char *key, int64_t v)
{
	if (v)
		put(w, key, json_integer(v));
}

static json_t *strings_json(const char *const *v)
{
	json_t *j = json_array();
	int r = 0;

	for (; *v; v++)
		r |= json_array_append_new(j, json_string(*v));
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

/* An empty vector counts as absent, except where Docker shows it (ALL). */
static void put_strings(struct member_writer *w, const char *key, const char *const *v, bool always)
{
	if (v && (*v || (w->all && always)))
		put(w, key, strings_json(v));
	else if (w->all && always)
		put(w, key, json_null());
}

static void put_set(struct member_writer *w, const char *key, const char *const *v, bool always)
{
	json_t *set;

	if (!v || !*v) {
		if (w->all && always)
			put(w, key, json_null());
		return;
	}
	set = json_object();
	for (; *v; v++)
		w->result |= document_set(set, *v, json_object());
	put(w, key, set);
}

static void put_labels(struct member_writer *w, const struct image_run *r)
{
	if (r->n_labels)
		put(w, "Labels", key_value_json(r->labels, r->n_labels));
	else if (w->all)
		put(w, "Labels", json_null());
}

static void put_health(struct member_writer *w, const struct image_run *r)
{
	const struct image_health *h = &r->health;
	struct member_writer m = {.obj = json_object()};

	if (r->has_health) {
		put_strings(&m, "Test", h->test, false);
		put_number(&m, "Interval", h->interval);
		put_number(&m, "Timeout", h->timeout);
		put_number(&m, "StartPeriod", h->start_period);
		put_number(&m, "StartInterval", h->start_interval);
		put_number(&m, "Retries", h->retries);
		w->result |= m.result;
		put(w, "Healthcheck", json_incref(m.obj));
	}
	json_decref(m.obj);
}

/* container.Config of github.com/moby/moby/api/types/container, in its order. */
static json_t *run_json(const struct image_run *r, bool all)
{
	struct member_writer w = {.obj = json_object(), .all = all};

	put_str(&w, "Hostname", r->hostname, true);
	put_str(&w, "Domainname", r->domainname, true);
	put_str(&w, "User", r->user, true);
	put_bool(&w, "AttachStdin", r->attach_stdin, true);
	put_bool(&w, "AttachStdout", r->attach_stdout, true);
	put_bool(&w, "AttachStderr", r->attach_stderr, true);
	put_set(&w, "ExposedPorts", r->exposed_ports, false);
	put_bool(&w, "Tty", r->tty, true);
	put_bool(&w, "OpenStdin", r->open_stdin, true);
	put_bool(&w, "StdinOnce", r->stdin_once, true);
	put_strings(&w, "Env", r->env, true);
	put_strings(&w, "Cmd", r->cmd, true);
	put_health(&w, r);
	put_bool(&w, "ArgsEscaped", r->args_escaped, false);
	put_str(&w, "Image", NULL, true);
	put_set(&w, "Volumes", r->volumes, true);
	put_str(&w, "WorkingDir", r->working_dir, true);
	put_strings(&w, "Entrypoint", r->entrypoint, true);
	put_bool(&w, "NetworkDisabled", r->network_disabled, false);
	put_strings(&w, "OnBuild", r->on_build, true);
	put_labels(&w, r);
	put_str(&w, "StopSignal", r->stop_signal, false);
	if (r->has_stop_timeout)
		put(&w, "StopTimeout", json_integer(r->stop_timeout));
	put_strings(&w, "Shell", r->shell, false);
	if (w.result < 0) {
		json_decref(w.obj);
		return NULL;
	}
	return w.obj;
}

json_t *image_run_json(const struct image_run *r)
{
	return run_json(r, true);
}

static json_t *history_json(const struct image_config *c)
{
	json_t *lines = json_array();
	int r = 0;

	for (size_t i = 0; i < c->n_history; i++) {
		const struct image_history *h = &c->history[i];
		struct member_writer w = {.obj = json_object()};

		put_str(&w, "created", h->created, false);
		put_str(&w, "created_by", h->created_by, false);
		put_str(&w, "author", h->author, false);
		put_str(&w, "comment", h->comment, false);
		put_bool(&w, "empty_layer", h->empty_layer, false);
		r |= w.result | json_array_append_new(lines, w.obj);
	}
	if (r < 0) {
		json_decref(lines);
		return NULL;
	}
	return lines;
}

static json_t *rootfs_json(const struct image_config *c)
{
	json_t *j = json_object(), *ids = json_array();
	int r = document_set(j, "type", json_string("layers"));

	for (size_t i = 0; i < c->n_diff_ids; i++)
		r |= json_array_append_new(ids, json_string(c->diff_ids[i].text));
	r |= document_set(j, "diff_ids", ids);
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

/* The top level, its keys sorted. */
static json_t *config_json(const struct image_config *c)
{
	struct member_writer w = {.obj = json_object()};

	put(&w, "architecture", json_string(c->platform.architecture));
	put_str(&w, "author", c->author, false);
	put_str(&w, "comment", c->comment, false);
	put(&w, "config", run_json(&c->run, false));
	put_str(&w, "created", c->created, false);
	put_str(&w, "docker_version", c->docker_version, false);
	if (c->n_history)
		put(&w, "history", history_json(c));
	put(&w, "os", json_string(c->platform.os));
	put_str(&w, "os.version", c->platform.os_version, false);
	put(&w, "rootfs", rootfs_json(c));
	put_str(&w, "variant", c->platform.variant, false);
	if (w.result < 0) {
		json_decref(w.obj);
		return NULL;
	}
	return w.obj;
}

int image_config_write(const struct image_config *c, struct buf *out, struct err *e)
{
	return document_write_take(config_json(c), "image configuration", out, e);
}
