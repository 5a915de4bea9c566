/* SPDX-License-Identifier: Apache-2.0 */
/* A container's row holds one JSON document: Docker's Config and HostConfig, and our State. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/spec-json.h"

#include <errno.h>

enum { DOC_MAX = 8 << 20 };

void container_done(struct container *c)
{
	container_spec_done(&c->spec);
}

const char **container_args(struct container *c, struct err *e)
{
	const char *const *parts[] = {c->spec.entrypoint, c->spec.cmd};
	const char **args = NULL;
	size_t n = 0;

	for (size_t p = 0; p < ARRAY_SIZE(parts); p++) {
		for (size_t i = 0; parts[p] && parts[p][i]; i++) {
			if (arena_strv_push(&c->spec.arena, &args, &n, parts[p][i]) < 0) {
				err_set(e, ERR_LIMIT, ENOMEM, "joining the command");
				return NULL;
			}
		}
	}
	if (n == 0)
		err_set(e, ERR_INVALID, 0,
			"no command specified: the image has none; give one after the image's "
			"name");
	return args;
}

static int state_from_json(const struct json_reader *doc, struct container *c, struct err *e)
{
	struct json_reader s;
	int64_t pid = 0, code = 0, restarts = 0, backoff = 0;

	c->error = "";
	if (json_read_obj(doc, "State", &s, e) <= 0)
		return err_set(e, ERR_CORRUPT, 0, "container %.12s: its state is missing", c->id);
	if (json_read_i64(&s, "Pid", 0, INT32_MAX, &pid, e) < 0 ||
	    json_read_i64(&s, "ExitCode", 0, 255, &code, e) < 0 ||
	    json_read_bool(&s, "OOMKilled", &c->oom, e) < 0 ||
	    json_read_bool(&s, "Paused", &c->paused, e) < 0 ||
	    json_read_str(&s, "Error", &c->error, e) < 0 ||
	    json_read_bool(&s, "Restarting", &c->restarting, e) < 0 ||
	    json_read_bool(&s, "ByHand", &c->by_hand, e) < 0 ||
	    json_read_i64(&s, "RestartCount", 0, INT32_MAX, &restarts, e) < 0 ||
	    json_read_i64(&s, "Backoff", 0, INT32_MAX, &backoff, e) < 0 ||
	    json_read_i64(&s, "LogLost", 0, INT64_MAX, &c->log_lost, e) < 0 ||
	    json_read_str(&s, "Health", &c->health, e) < 0 ||
	    json_read_i64(&s, "Started", 0, INT64_MAX, &c->started, e) < 0 ||
	    json_read_i64(&s, "Finished", 0, INT64_MAX, &c->finished, e) < 0)
		return -1;
	c->pid = (int)pid;
	c->exit_code = (int)code;
	c->restart_count = (int)restarts;
	c->backoff_ms = (int)backoff;
	return 0;
}

int container_from_row(const struct container_row *row, struct container *ret, struct err *e)
{
	struct container c = CONTAINER_INIT;
	_cleanup_(json_unref) json_t *doc = NULL;
	struct json_reader r;
	char what[64];

	memcpy(c.id, row->id, sizeof(c.id));
	memcpy(c.snapshot, row->snapshot, sizeof(c.snapshot));
	snprintf(what, sizeof(what), "the description of container %.12s", row->id);
	doc = json_parse(row->doc, strlen(row->doc), what, e);
	if (!doc || json_reader_init(&r, doc, what, &c.spec.arena, e) < 0 ||
	    spec_from_json(doc, &c.spec, e) < 0 || state_from_json(&r, &c, e) < 0 ||
	    spec_mounts_from_json(&r, "Mounts", &c.spec.points, &c.spec.n_points, e) < 0) {
		container_done(&c);
		return -1;
	}
	c.name = arena_strdup(&c.spec.arena, row->name);
	c.image_id = row->image ? arena_strdup(&c.spec.arena, row->image) : NULL;
	c.state = (enum engine_state)row->state;
	c.created = row->created;
	c.lease = row->lease;
	*ret = c;
	return 0;
}

int container_load(struct engine *en, const char *id, struct container *ret, struct err *e)
{
	_cleanup_(container_record_done) struct container_record rec = CONTAINER_RECORD_INIT;

	if (container_row_get(en->store, id, &rec, e) < 0)
		return -1;
	return container_from_row(&rec.row, ret, e);
}

/* What most containers never have is left out. */
static json_t *state_to_json(const struct container *c)
{
	json_t *o = json_pack("{s:i, s:i, s:b, s:b, s:o, s:I, s:I}", "Pid", c->pid, "ExitCode",
			      c->exit_code, "OOMKilled", c->oom, "Paused", c->paused, "Error",
			      json_text(c->error ? c->error : ""), "Started",
			      (json_int_t)c->started, "Finished", (json_int_t)c->finished);

	if (c->restarting || c->restart_count || c->backoff_ms || c->by_hand)
		json_object_update_new(o, json_pack("{s:b, s:b, s:i, s:i}", "Restarting",
						    c->restarting, "ByHand", c->by_hand,
						    "RestartCount", c->restart_count, "Backoff",
						    c->backoff_ms));
	if (c->log_lost)
		json_object_set_new(o, "LogLost", json_integer((json_int_t)c->log_lost));
	if (c->health)
		json_object_set_new(o, "Health", json_string(c->health));
	return o;
}

static int doc_of(const struct container *c, struct buf *out, struct err *e)
{
	_cleanup_(json_unref) json_t *doc = NULL;
	json_t *config, *host;

	if (spec_to_json(&c->spec, &config, &host, e) < 0)
		return -1;
	doc = json_pack("{s:o, s:o, s:o}", "Config", config, "HostConfig", host, "State",
			state_to_json(c));
	if (doc && c->spec.n_points &&
	    json_object_set_new(doc, "Mounts",
				spec_mounts_to_json(c->spec.points, c->spec.n_points)) < 0)
		return err_set(e, ERR_INVALID, 0,
			       "describing the mounts of container %.12s: a path is no UTF-8",
			       c->id);
	if (!doc || json_write(doc, JSON_COMPACT, out) < 0)
		return err_set(e, ERR_LIMIT, ENOMEM, "describing container %.12s", c->id);
	return 0;
}

int container_store(struct engine *en, const struct container *c, bool add, struct err *e)
{
	_cleanup_(buf_done) struct buf doc = BUF_INIT(DOC_MAX), brief = BUF_INIT(DOC_MAX);
	struct container_row row = {.name = c->name,
				    .image = c->image_id,
				    .state = (int)c->state,
				    .running = c->state == ENGINE_RUNNING,
				    .auto_remove = c->spec.auto_remove,
				    .created = c->created,
				    .lease = c->lease};

	memcpy(row.id, c->id, sizeof(row.id));
	memcpy(row.snapshot, c->snapshot, sizeof(row.snapshot));
	if (doc_of(c, &doc, e) < 0)
		return -1;
	row.doc = buf_str(&doc);
	if (container_brief_write(c, &brief) > 0)
		row.brief = buf_str(&brief);
	return add ? container_row_add(en->store, &row, e) : container_row_put(en->store, &row, e);
}
