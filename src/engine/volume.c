/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/volume.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/mount-internal.h"
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int check_spec(const struct volume_spec *spec, const char *name, struct err *e)
{
	if (spec->driver && !str_eq(spec->driver, VOLUME_DRIVER))
		return err_set(e, ERR_NOT_FOUND, 0,
			       "create %s: error looking up volume plugin %s: plugin \"%s\" not "
			       "found",
			       name, spec->driver, spec->driver);
	if (volume_name_check(name, e) < 0 || volume_options_check(spec->opts, spec->n_opts, e) < 0)
		return err_wrap(e, "create %s", name);
	return 0;
}

/* The row reaches the disk, and then the directory. */
static int make(struct engine *en, const struct volume_row *row, struct err *e)
{
	int r, fd;

	if (store_begin(en->store, true, e) < 0)
		return -1;
	r = volume_row_add(en->store, row, e);
	if (r < 0) {
		store_abort(en->store);
		return -1;
	}
	if (store_commit(en->store, e) < 0)
		return -1;
	fd = volume_open(en->store, row->name, e);
	if (fd < 0)
		return -1;
	close(fd);
	return r;
}

int volume_create(struct engine *en, const struct volume_spec *spec, char **ret_name, struct err *e)
{
	static const struct spec_pair anonymous = {VOLUME_LABEL_ANONYMOUS, ""};
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const struct spec_pair *labels = spec->labels;
	size_t n_labels = spec->n_labels;
	struct volume_row row = {.driver = VOLUME_DRIVER, .created = clock_now()};
	char id[ID_SIZE];
	int r = id_new(id);

	if (r < 0)
		return err_errno(e, r, "making an identifier");
	row.anonymous = str_empty(spec->name);
	row.name = row.anonymous ? id : spec->name;
	if (row.anonymous && !n_labels) {
		labels = &anonymous;
		n_labels = 1;
	}
	row.labels = volume_pairs_text(&a, labels, n_labels);
	row.options = volume_pairs_text(&a, spec->opts, spec->n_opts);
	if (check_spec(spec, row.name, e) < 0)
		return -1;
	r = make(en, &row, e);
	if (r < 0)
		return -1;
	if (r > 0)
		volume_event(en, row.name, "create");
	if (ret_name)
		*ret_name = strdup(row.name);
	return ret_name && !*ret_name ? err_set(e, ERR_LIMIT, ENOMEM, "making a volume") : 0;
}

/* The object that TEXT is, or null. */
static json_t *object_or_null(const char *text)
{
	json_t *o = text ? json_loads(text, 0, NULL) : NULL;

	return o ? json_sorted(o) : json_null();
}

static json_t *row_view(struct engine *en, const struct volume_row *row)
{
	const int64_t second = 1000000000;
	char when[CLOCK_TEXT_SIZE];

	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:s}", "CreatedAt",
			 clock_format(row->created / second * second, when), "Driver", row->driver,
			 "Labels", object_or_null(row->labels), "Mountpoint",
			 json_sprintf("%s/volumes/%s/_data", en->root, row->name), "Name",
			 row->name, "Options", object_or_null(row->options), "Scope", "local");
}

json_t *volume_inspect(struct engine *en, const char *name, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct volume_row row;

	return volume_row_get(en->store, name, &a, &row, e) < 0 ? NULL : row_view(en, &row);
}

static json_t *list_entry(struct engine *en, const struct volume_row *row, bool with_size,
			  struct arena *a, struct err *e)
{
	struct snapshot_usage usage = {.bytes = 0};
	const char **users;
	json_t *o;

	if (volume_users(en->store, row->name, a, &users, e) < 0)
		return NULL;
	o = row_view(en, row);
	json_object_set_new(o, "Links", json_integer((json_int_t)strv_len(users)));
	json_object_set_new(o, "Anonymous", json_boolean(row->anonymous));
	json_object_set_new(o, "Created", json_integer(row->created));
	/* One that cannot be measured is one without a size: it may be being removed. */
	if (with_size && volume_usage(en->store, row->name, &usage, NULL) == 0)
		json_object_set_new(o, "Size", json_integer((json_int_t)usage.size));
	return o;
}

json_t *volume_list(struct engine *en, bool with_size, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(json_unref) json_t *list = json_array();
	struct volume_row *rows;
	size_t n = 0;

	if (volume_rows(en->store, &a, &rows, &n, e) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		json_t *o = list_entry(en, &rows[i], with_size, &a, e);

		if (!o || json_array_append_new(list, o) < 0)
			return NULL;
	}
	return TAKE_PTR(list);
}

int volume_remove(struct engine *en, const char *name, struct err *e)
{
	if (engine_reconcile(en, e) < 0 || volume_row_remove(en->store, name, e) < 0)
		return -1;
	volume_event(en, name, "destroy");
	/* It is noted as trash: what cannot be removed now goes later. */
	volume_sweep(en->store, NULL);
	return 0;
}
