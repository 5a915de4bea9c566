/* SPDX-License-Identifier: Apache-2.0 */
/* What `ps` shows. */
#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/mount-internal.h"
#include "engine/spec-json.h"
#include "store/snapshot.h"

#include <errno.h>
#include <stdio.h>

enum { COMMAND_MAX = 1 << 22 };

/* "healthy" and so on, or "none". */
static void health_of(struct engine *en, const struct container *c, char out[16])
{
	_cleanup_(json_unref) json_t *o = container_health_json(en, c);
	const char *status = json_string_value(json_object_get(o, "Status"));

	snprintf(out, 16, "%s", status ? status : "none");
}

const char *container_health_word(struct engine *en, const struct container *c)
{
	char status[16];

	health_of(en, c, status);
	if (str_eq(status, "none"))
		return "";
	return str_eq(status, "healthy")     ? " (healthy)"
	       : str_eq(status, "unhealthy") ? " (unhealthy)"
					     : " (health: starting)";
}

static json_t *labels(const struct container_spec *s)
{
	json_t *o = json_object();

	for (size_t i = 0; i < s->n_labels; i++)
		json_put_text(o, s->labels[i].key, s->labels[i].value);
	return o;
}

static void put_size(struct engine *en, const struct container *c, json_t *o)
{
	struct snapshot_usage usage;
	struct err ignored = ERR_INIT;

	if (snapshot_usage(en->store, c->snapshot, &usage, &ignored) < 0)
		return;
	json_object_set_new(o, "SizeRw", json_integer((json_int_t)usage.size));
	json_object_set_new(o, "SizeRootFs",
			    json_integer((json_int_t)(usage.size + container_image_size(en, c))));
}

/* What a short list has, too. */
static json_t *first_half(struct engine *en, struct container *c)
{
	_cleanup_(buf_done) struct buf command = BUF_INIT(COMMAND_MAX);
	char status[96];

	container_command_text(c, &command);
	container_status_text(c, container_health_word(en, c), status);
	return json_pack("{s:s, s:[s], s:s, s:o, s:I, s:s, s:s}", "Id", c->id, "Names", c->name,
			 "Image", c->spec.image, "Command", json_text(buf_str(&command)), "Created",
			 (json_int_t)c->created, "Status", status, "Ports", "");
}

static json_t *list_entry(struct engine *en, struct container *c, unsigned flags, struct err *e)
{
	json_t *o = first_half(en, c);
	char health[16];

	health_of(en, c, health);
	if (!o ||
	    json_object_update_new(o, json_pack("{s:s, s:s, s:i, s:o, s:i, s:s, s:s}", "ImageID",
						c->image_id ? c->image_id : "", "State",
						container_state_word(c), "ExitCode", c->exit_code,
						"Labels", labels(&c->spec), "Pid", c->pid,
						"Networks", container_network_word(&c->spec),
						"Health", health)) < 0 ||
	    mount_points_list(c, o) < 0) {
		json_decref(o);
		err_set(e, ERR_LIMIT, ENOMEM, "listing containers");
		return NULL;
	}
	if (flags & CONTAINER_LIST_SIZE)
		put_size(en, c, o);
	container_network_list(en, c, o);
	return o;
}

struct list_arg {
	struct engine *en;
	unsigned flags;
	container_list_fn fn;
	void *arg;
};

int container_listed(struct engine *en, const struct container_row *row, bool all,
		     struct container *ret, struct err *e)
{
	struct container c = CONTAINER_INIT;
	struct err why = ERR_INIT;
	bool ran, gone;

	if (!all && row->state != ENGINE_RUNNING)
		return 0;
	if (container_from_row(row, &c, e) < 0)
		return -1;
	ran = c.state == ENGINE_RUNNING;
	if (container_refresh(en, &c, &why) < 0) {
		container_done(&c);
		return why.class == ERR_NOT_FOUND ? 0 : (*e = why, -1);
	}
	gone = ran && c.state == ENGINE_EXITED && c.spec.auto_remove;
	if (gone || (!all && c.state != ENGINE_RUNNING)) {
		container_done(&c);
		return 0;
	}
	*ret = c;
	return 1;
}

static int list_one(void *arg, const struct container_row *row, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(json_unref) json_t *o = NULL;
	struct list_arg *l = arg;
	int r = container_listed(l->en, row, l->flags & CONTAINER_LIST_ALL, &c, e);

	if (r <= 0)
		return r;
	o = list_entry(l->en, &c, l->flags, e);
	return o ? l->fn(l->arg, o, e) : -1;
}

int container_list_each(struct engine *en, unsigned flags, container_list_fn fn, void *arg,
			struct err *e)
{
	struct list_arg l = {.en = en, .flags = flags, .fn = fn, .arg = arg};

	if (engine_reconcile(en, e) < 0)
		return -1;
	return flags & CONTAINER_LIST_ALL ? container_row_each(en->store, list_one, &l, e)
					  : container_row_each_running(en->store, list_one, &l, e);
}

static int keep(void *list, json_t *container, struct err *e)
{
	return json_array_append(list, container) < 0
		       ? err_set(e, ERR_LIMIT, ENOMEM, "listing containers")
		       : 0;
}

json_t *container_list(struct engine *en, bool all, bool with_size, struct err *e)
{
	_cleanup_(json_unref) json_t *list = json_array();
	unsigned flags = (all ? CONTAINER_LIST_ALL : 0) | (with_size ? CONTAINER_LIST_SIZE : 0);

	return container_list_each(en, flags, keep, list, e) == 0 ? TAKE_PTR(list) : NULL;
}
