/* SPDX-License-Identifier: Apache-2.0 */
/* The driver `local`. Without options a volume is its directory; with `type`, `device` and `o` it
 * is what mount(8) would make of them, mounted detached for each container that uses it. Disks and
 * servers are the same file system then; a tmpfs would be another one each time, so that it is
 * cloned from a container that has it and runs. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/event.h"
#include "engine/mount-internal.h"
#include "kernel/mount-option.h"
#include "kernel/mount.h"
#include "kernel/ns.h"
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { PARAMS_MAX = 64 };

struct local {
	struct arena arena;
	const char *type, *device, *o;
};

static void local_done(struct local *l)
{
	arena_done(&l->arena);
}

static const char *option(const struct spec_pair *v, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].key, key))
			return v[i].value;
	return NULL;
}

int volume_options_check(const struct spec_pair *v, size_t n, struct err *e)
{
	static const char *const known[] = {"type", "o", "device", "size", NULL};
	static const char *const need[][2] = {
		{"type", "device"}, {"device", "type"}, {"o", "device"}, {"o", "type"}};

	for (size_t i = 0; i < n; i++)
		if (!strv_has(known, v[i].key))
			return err_set(e, ERR_INVALID, 0, "invalid option: \"%s\"", v[i].key);
	for (size_t i = 0; i < ARRAY_SIZE(need); i++)
		if (option(v, n, need[i][0]) && str_empty(option(v, n, need[i][1])))
			return err_set(e, ERR_INVALID, 0, "missing required option: \"%s\"",
				       need[i][1]);
	if (option(v, n, "size"))
		return err_set(e, ERR_UNSUPPORTED, 0, "quota size requested but no quota support");
	return 0;
}

static int local_read(struct engine *en, const char *name, struct local *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *doc = NULL;
	struct json_reader r;
	struct volume_row row;

	if (volume_row_get(en->store, name, &ret->arena, &row, e) < 0)
		return -1;
	if (!row.options)
		return 0;
	doc = json_parse(row.options, strlen(row.options), "the options of a volume", e);
	if (!doc || json_reader_init(&r, doc, "the options of a volume", &ret->arena, e) < 0 ||
	    json_read_str(&r, "type", &ret->type, e) < 0 ||
	    json_read_str(&r, "device", &ret->device, e) < 0 ||
	    json_read_str(&r, "o", &ret->o, e) < 0)
		return -1;
	return 0;
}

int volume_is_mounted(struct engine *en, const char *name, struct err *e)
{
	_cleanup_(local_done) struct local l = {.arena = ARENA_INIT};

	return local_read(en, name, &l, e) < 0 ? -1 : l.device != NULL;
}

/* ---- mounting ---- */

/* The options, cut into what the kernel and what the file system takes. */
static int split(struct local *l, struct mount_options *o, struct mount_param *params,
		 size_t *ret_n)
{
	const char *keys[MOUNT_SB_KEYS_MAX];
	const char **v = str_split(&l->arena, l->o ? l->o : "", ',', NULL);
	size_t n = 0, n_keys;

	for (; v && *v; v++) {
		const char *value;
		const char *key = str_cut(&l->arena, *v, '=', &value);

		if (!**v || mount_option_add(o, *v))
			continue;
		if (!key || n == PARAMS_MAX - MOUNT_SB_KEYS_MAX)
			return -E2BIG;
		params[n++] = (struct mount_param){.key = key, .value = value};
	}
	n_keys = mount_option_sb_keys(o, keys);
	for (size_t i = 0; i < n_keys; i++)
		params[n++] = (struct mount_param){.key = keys[i]};
	*ret_n = n;
	return 0;
}

static int mount_bind_option(const struct local *l, const struct mount_options *o)
{
	_cleanup_(fd_close) int at = path_open_host(l->device, O_PATH, 0), mnt = -1;
	struct mount_change c = {.set = o->set | o->rec_set,
				 .clear = o->clear | o->rec_clear,
				 .propagation = MS_PRIVATE};
	int r;

	mnt = at < 0 ? at : mount_clone_peer(at, (o->bits & MOUNT_RBIND) != 0);
	r = mnt < 0 ? mnt : mount_set(mnt, &c, (o->bits & MOUNT_RBIND) != 0);
	return r < 0 ? r : TAKE_FD(mnt);
}

static int local_mount(struct local *l)
{
	struct mount_param params[PARAMS_MAX];
	struct mount_options o = {.set = 0};
	size_t n = 0;
	int r = split(l, &o, params, &n);

	if (r < 0)
		return r;
	if (o.bits & MOUNT_BIND)
		return mount_bind_option(l, &o);
	return mount_fs_new(l->type, l->device, params, n, o.set | o.rec_set);
}

/* ---- a tmpfs that another container has ---- */

/* The volume as the container ID has it: a descriptor of its root, or a negative errno. */
static int clone_of(struct engine *en, const char *id, const char *name)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(fd_close) int proc = -1, root = -1, at = -1, ns = -1;
	const char *target = NULL;
	struct err ignored = ERR_INIT;

	if (container_load(en, id, &c, &ignored) < 0 || c.state != ENGINE_RUNNING || c.pid <= 0)
		return -ENOENT;
	for (size_t i = 0; i < c.spec.n_points; i++)
		if (c.spec.points[i].type == SPEC_MOUNT_VOLUME && !c.spec.points[i].read_only &&
		    !c.spec.points[i].subpath && str_eq(c.spec.points[i].source, name))
			target = c.spec.points[i].target;
	if (!target)
		return -ENOENT;
	proc = proc_open(PROC_PID_ONLY);
	root = proc < 0 ? proc : proc_open_magic(proc, c.pid, "root", O_PATH | O_DIRECTORY);
	ns = root < 0 ? root : ns_open(proc, c.pid, CLONE_NEWNS);
	at = ns < 0 ? ns : path_open(root, target, O_PATH | O_DIRECTORY, 0);
	return at < 0 ? at : mount_clone_in(ns, at);
}

static int shared_tmpfs(struct engine *en, struct local *l, const char *name)
{
	struct err ignored = ERR_INIT;
	const char **users = NULL;

	if (!str_eq0(l->type, "tmpfs") ||
	    volume_users(en->store, name, &l->arena, &users, &ignored) < 0)
		return -ENOENT;
	for (; *users; users++) {
		int fd = clone_of(en, *users, name);

		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

/* What the file system was given, as mount(2) would get it: ", data: addr=10.0.0.1,nfsvers=4". */
static const char *data_of(struct local *l)
{
	struct mount_param params[PARAMS_MAX];
	struct mount_options o = {.set = 0};
	const char *text = "";
	size_t n = 0;

	if (split(l, &o, params, &n) < 0)
		return "";
	for (size_t i = 0; i < n && text; i++)
		text = arena_printf(&l->arena, "%s%s%s%s%s", text,
				    i ? "," : ", data: ", params[i].key, params[i].value ? "=" : "",
				    params[i].value ? params[i].value : "");
	return text ? text : "";
}

/* The kernel takes addresses of servers, no names: that is mount.nfs's work, which is not called.
 */
static int mount_failed(struct engine *en, struct local *l, const char *name, int r, struct err *e)
{
	bool remote = str_after(l->type ? l->type : "", "nfs") || str_eq0(l->type, "cifs");

	(void)err_errno(e, r, "failed to mount local volume: mount %s:%s/volumes/%s/_data%s",
			l->device, en->root, name, data_of(l));
	if (remote && r == -ENODEV)
		err_hint(e, "this kernel has no file system '%s'; load its module", l->type);
	else if (remote)
		err_hint(e, "a server is named by its address, 'addr=' among the options of 'o'");
	return -1;
}

int volume_source(struct engine *en, const char *name, struct err *e)
{
	_cleanup_(local_done) struct local l = {.arena = ARENA_INIT};
	int fd;

	if (local_read(en, name, &l, e) < 0)
		return -1;
	if (!l.device)
		return volume_open(en->store, name, e);
	fd = shared_tmpfs(en, &l, name);
	if (fd < 0)
		fd = local_mount(&l);
	return fd < 0 ? mount_failed(en, &l, name, fd, e) : fd;
}

/* ---- events ---- */

void volume_event(struct engine *en, const char *name, const char *action)
{
	static const char *const extra[] = {"driver", VOLUME_DRIVER, NULL};

	event_object(en, EVENT_VOLUME, action, name, extra);
}

void volume_events_mounted(struct engine *en, const struct container *c, bool mounted)
{
	for (size_t i = 0; i < c->spec.n_points; i++) {
		const struct spec_mount *m = &c->spec.points[i];
		const char *const extra[] = {"container",
					     c->id,
					     "driver",
					     VOLUME_DRIVER,
					     mounted ? "destination" : NULL,
					     m->target,
					     "propagation",
					     m->propagation ? m->propagation : "",
					     "read/write",
					     m->read_only ? "false" : "true",
					     NULL};

		if (m->type == SPEC_MOUNT_VOLUME)
			event_object(en, EVENT_VOLUME, mounted ? "mount" : "unmount", m->source,
				     extra);
	}
}
