/* SPDX-License-Identifier: Apache-2.0 */
/* What a new container's mounts come to, in Docker's order (moby: registerMountPoints): those of
 * --volumes-from, over them -v, over them --mount, and where nothing is yet the volumes of the
 * image and those without a name. One place is given once by -v, --mount and --tmpfs together. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/mount-internal.h"
#include "engine/spec-json.h"
#include "store/image-store.h"
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>

struct points {
	struct engine *en;
	struct container *c;
	struct arena *a;
	struct spec_mount *v;
	size_t n, cap;
	const char **taken; /* by -v and --mount */
	size_t n_taken;
};

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "listing the container's mounts");
}

static struct spec_mount *find(const struct points *p, const char *target)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->v[i].target, target))
			return &p->v[i];
	return NULL;
}

/* What is at the same place already is replaced. */
static int set_point(struct points *p, const struct spec_mount *m, struct err *e)
{
	struct spec_mount *at = find(p, m->target);

	if (!at && p->n == p->cap) {
		struct spec_mount *more =
			arena_array(p->a, p->cap ? 2 * p->cap : 16, sizeof(*more));

		if (!more)
			return fail_oom(e);
		for (size_t i = 0; i < p->n; i++)
			more[i] = p->v[i];
		p->v = more;
		p->cap = p->cap ? 2 * p->cap : 16;
	}
	if (!at)
		at = &p->v[p->n++];
	*at = *m;
	return 0;
}

static int take(struct points *p, const char *target, struct err *e)
{
	bool again = strv_has(p->taken, target);

	for (size_t i = 0; i < p->c->spec.n_tmpfs; i++)
		again = again || str_eq(p->c->spec.tmpfs[i].dest, target);
	if (again)
		return err_set(e, ERR_INVALID, 0, "duplicate mount point: %s", target);
	return arena_strv_push(p->a, &p->taken, &p->n_taken, target) < 0 ? fail_oom(e) : 0;
}

/* A volume without a name gets one; what Docker shows as its mode. */
static int name_volume(struct points *p, struct spec_mount *m, struct err *e)
{
	static const struct spec_pair label = {VOLUME_LABEL_ANONYMOUS, ""};
	char id[ID_SIZE];
	int r;

	if (m->type != SPEC_MOUNT_VOLUME)
		return 0;
	if (!m->driver)
		m->driver = VOLUME_DRIVER;
	if (!str_eq(m->driver, VOLUME_DRIVER))
		return err_set(e, ERR_NOT_FOUND, 0,
			       "error looking up volume plugin %s: plugin \"%s\" not found",
			       m->driver, m->driver);
	if (m->source)
		return 0;
	r = id_new(id);
	if (r < 0)
		return err_errno(e, r, "making an identifier");
	m->source = arena_strdup(p->a, id);
	m->anonymous = true;
	if (m->n_labels == 0) {
		m->labels = &label;
		m->n_labels = 1;
	}
	return m->source ? 0 : fail_oom(e);
}

static const char *mode_or(const char *mode, const char *other)
{
	return str_empty(mode) ? other : mode;
}

/* ---- the sources of points ---- */

/* The points of another container, with strings in our arena. */
static int points_of(struct points *p, const char *ref, const struct spec_mount **ret,
		     size_t *ret_n, struct err *e)
{
	_cleanup_(container_done) struct container other = CONTAINER_INIT;
	_cleanup_(json_unref) json_t *doc = NULL;
	struct json_reader r;
	char id[ID_SIZE];

	if (container_resolve(p->en, ref, id, e) < 0 || container_load(p->en, id, &other, e) < 0)
		return -1;
	doc = json_pack("{s:o}", "Mounts",
			spec_mounts_to_json(other.spec.points, other.spec.n_points));
	if (!doc)
		return fail_oom(e);
	if (json_reader_init(&r, doc, "the mounts of a container", p->a, e) < 0)
		return -1;
	return spec_mounts_from_json(&r, "Mounts", ret, ret_n, e) < 0 ? -1 : 0;
}

static int add_from(struct points *p, const char *raw, struct err *e)
{
	const struct spec_mount *v = NULL;
	bool read_only = false;
	const char *ref;
	size_t n = 0;

	if (mount_parse_from(p->a, raw, &ref, &read_only, e) < 0 ||
	    points_of(p, ref, &v, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct spec_mount m = v[i];

		/* A view of an image belongs to one container. */
		if (m.type == SPEC_MOUNT_IMAGE)
			continue;
		m.read_only = m.read_only || read_only;
		m.no_copy = true;
		m.mode = "";
		if (set_point(p, &m, e) < 0)
			return -1;
	}
	return 0;
}

static int add_bind(struct points *p, const char *raw, struct err *e)
{
	struct spec_mount m;

	if (mount_parse_bind(p->a, raw, p->c->spec.volume_driver, &m, e) < 0 ||
	    take(p, m.target, e) < 0 || name_volume(p, &m, e) < 0)
		return -1;
	if (m.type == SPEC_MOUNT_VOLUME)
		m.mode = mode_or(m.mode, "z");
	return set_point(p, &m, e);
}

static int check_bind_source(const struct spec_mount *m, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_host(m->source, O_PATH, 0);

	if (fd == -ENOENT || fd == -ENOTDIR)
		return err_set(e, ERR_INVALID, 0,
			       "invalid mount config for type \"bind\": bind source path does not "
			       "exist: %s",
			       m->source);
	return fd < 0 ? err_errno(e, fd, "looking at '%s'", m->source) : 0;
}

static int add_mount(struct points *p, const struct spec_mount *given, struct err *e)
{
	struct spec_mount m = *given;

	if (mount_check(p->a, &m, e) < 0 ||
	    (m.type == SPEC_MOUNT_BIND && !m.make_source && check_bind_source(&m, e) < 0) ||
	    take(p, m.target, e) < 0)
		return -1;
	if (m.type == SPEC_MOUNT_VOLUME &&
	    volume_options_check(m.driver_opts, m.n_driver_opts, e) < 0)
		return err_wrap(e, "create %s", m.source ? m.source : "a volume");
	m.mode = m.type == SPEC_MOUNT_VOLUME ? "z" : "";
	return name_volume(p, &m, e) < 0 ? -1 : set_point(p, &m, e);
}

/* A path of the image or of `-v /path`. */
static int add_volume(struct points *p, const char *path, struct err *e)
{
	struct spec_mount m = {.type = SPEC_MOUNT_VOLUME,
			       .target = path[0] == '/' ? path : arena_printf(p->a, "/%s", path),
			       .driver = p->c->spec.volume_driver,
			       .mode = ""};

	if (!m.target)
		return fail_oom(e);
	if (mount_check(p->a, &m, e) < 0)
		return -1;
	if (find(p, m.target))
		return 0;
	/* A tmpfs there hides it, as Docker has it. */
	return name_volume(p, &m, e) < 0 ? -1 : set_point(p, &m, e);
}

int mount_points_make(struct engine *en, struct container *c, struct err *e)
{
	struct container_spec *s = &c->spec;
	struct points p = {.en = en, .c = c, .a = &s->arena};

	for (size_t i = 0; s->volumes_from && s->volumes_from[i]; i++)
		if (add_from(&p, s->volumes_from[i], e) < 0)
			return -1;
	for (size_t i = 0; s->binds && s->binds[i]; i++)
		if (add_bind(&p, s->binds[i], e) < 0)
			return -1;
	for (size_t i = 0; i < s->n_mounts; i++)
		if (add_mount(&p, &s->mounts[i], e) < 0)
			return -1;
	for (size_t i = 0; s->volumes && s->volumes[i]; i++)
		if (add_volume(&p, s->volumes[i], e) < 0)
			return -1;
	s->points = p.v;
	s->n_points = p.n;
	return 0;
}

/* ---- the database ---- */

int mount_points_need_sync(struct engine *en, const struct container *c, struct err *e)
{
	for (size_t i = 0; i < c->spec.n_points; i++) {
		_cleanup_(arena_done) struct arena a = ARENA_INIT;
		const struct spec_mount *m = &c->spec.points[i];
		struct err why = ERR_INIT;
		struct volume_row row;

		if (m->type != SPEC_MOUNT_VOLUME || (m->anonymous && c->spec.auto_remove))
			continue;
		if (volume_row_get(en->store, m->source, &a, &row, &why) == 0)
			continue;
		return why.class == ERR_NOT_FOUND ? 1 : (*e = why, -1);
	}
	return 0;
}

const char *volume_pairs_text(struct arena *a, const struct spec_pair *v, size_t n)
{
	_cleanup_(json_unref) json_t *o = n ? json_object() : NULL;
	_cleanup_(freep) char *text = NULL;

	for (size_t i = 0; i < n; i++)
		if (json_put_text(o, v[i].key, v[i].value) < 0)
			return NULL;
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	return text ? arena_strdup(a, text) : NULL;
}

static int publish_volume(struct engine *en, struct container *c, const struct spec_mount *m,
			  struct err *e)
{
	struct arena *a = &c->spec.arena;
	struct volume_row row = {.name = m->source,
				 .driver = m->driver ? m->driver : VOLUME_DRIVER,
				 .labels = volume_pairs_text(a, m->labels, m->n_labels),
				 .options = volume_pairs_text(a, m->driver_opts, m->n_driver_opts),
				 .anonymous = m->anonymous,
				 .created = clock_now()};
	int r = volume_row_add(en->store, &row, e);

	return r < 0 || volume_use(en->store, m->source, c->id, e) < 0 ? -1 : r;
}

static int publish_view(struct engine *en, struct container *c, struct spec_mount *m, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	char id[SNAPSHOT_ID_SIZE];

	if (image_resolve(en->store, m->source, 0, &img, e) < 0 ||
	    snapshot_view(en->store, img.chain, id, e) < 0)
		return -1;
	m->snapshot = arena_strdup(&c->spec.arena, id);
	return m->snapshot ? 0 : fail_oom(e);
}

int mount_points_publish(struct engine *en, struct container *c, const char ***ret_new,
			 struct err *e)
{
	/* They were made by mount_points_make, and are ours to change. */
	struct spec_mount *v = (struct spec_mount *)(uintptr_t)c->spec.points;
	const char **new = NULL;
	size_t n_new = 0;

	for (size_t i = 0; i < c->spec.n_points; i++) {
		int r = v[i].type == SPEC_MOUNT_VOLUME  ? publish_volume(en, c, &v[i], e)
			: v[i].type == SPEC_MOUNT_IMAGE ? publish_view(en, c, &v[i], e)
							: 0;

		if (r < 0)
			return -1;
		if (r > 0 && arena_strv_push(&c->spec.arena, &new, &n_new, v[i].source) < 0)
			return fail_oom(e);
	}
	*ret_new = new;
	return 0;
}

static int release_one(struct engine *en, const struct spec_mount *m, bool anonymous, struct err *e)
{
	if (m->type == SPEC_MOUNT_IMAGE)
		return m->snapshot ? snapshot_remove(en->store, m->snapshot, e) : 0;
	if (m->type != SPEC_MOUNT_VOLUME || !anonymous || !m->anonymous)
		return 0;
	return volume_row_remove_unused(en->store, m->source, e);
}

int mount_points_release(struct engine *en, const struct container *c, bool anonymous,
			 struct arena *a, const char ***ret_gone, struct err *e)
{
	const char **gone = NULL;
	size_t n = 0;

	*ret_gone = NULL;
	if (c->spec.n_points == 0)
		return 0;
	if (volume_unuse(en->store, c->id, e) < 0)
		return -1;
	for (size_t i = 0; i < c->spec.n_points; i++) {
		const struct spec_mount *m = &c->spec.points[i];
		int r = release_one(en, m, anonymous, e);

		if (r < 0)
			return -1;
		if (r > 0 && arena_strv_push(a, &gone, &n, arena_strdup(a, m->source)) < 0)
			return fail_oom(e);
	}
	*ret_gone = gone;
	return 0;
}

/* ---- what is shown ---- */

static json_t *point_view(struct engine *en, const struct spec_mount *m)
{
	static const char *const types[] = {"bind", "volume", "tmpfs", "image"};
	bool volume = m->type == SPEC_MOUNT_VOLUME;
	json_t *o = json_pack("{s:s}", "Type", types[m->type]);

	if (volume) {
		json_object_set_new(o, "Name", json_string(m->source));
		json_object_set_new(o, "Source",
				    json_sprintf("%s/volumes/%s/_data", en->root, m->source));
	} else {
		json_object_set_new(o, "Source", json_string(m->source ? m->source : ""));
	}
	json_object_set_new(o, "Destination", json_string(m->target));
	if (volume)
		json_object_set_new(o, "Driver", json_string(m->driver ? m->driver : "local"));
	json_object_set_new(o, "Mode", json_string(m->mode ? m->mode : ""));
	json_object_set_new(o, "RW", json_boolean(!m->read_only && m->type != SPEC_MOUNT_IMAGE));
	json_object_set_new(o, "Propagation",
			    json_string(m->propagation               ? m->propagation
					: m->type == SPEC_MOUNT_BIND ? "rprivate"
								     : ""));
	return o;
}

json_t *mount_points_view(struct engine *en, const struct container *c)
{
	json_t *a = json_array();

	for (size_t i = 0; i < c->spec.n_points; i++)
		json_array_append_new(a, point_view(en, &c->spec.points[i]));
	return a;
}

int mount_points_list(const struct container *c, json_t *row)
{
	json_t *names = json_array(), *targets = json_array();
	json_int_t local = 0;

	for (size_t i = 0; i < c->spec.n_points; i++) {
		const struct spec_mount *m = &c->spec.points[i];

		local += m->type == SPEC_MOUNT_VOLUME;
		json_array_append_new(names, json_string(m->source ? m->source : ""));
		json_array_append_new(targets, json_string(m->target));
	}
	return json_object_set_new(row, "Mounts", names) |
	       json_object_set_new(row, "Destinations", targets) |
	       json_object_set_new(row, "LocalVolumes", json_integer(local));
}
