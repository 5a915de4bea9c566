/* SPDX-License-Identifier: Apache-2.0 */
/* Steps for `mounts`. Bind sources are cloned here as detached mounts that already have their
 * flags, propagation and identity map; file systems are made by the stage, because most of them
 * show the namespaces of who makes them. */
#include "runtime/plan-build-internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/mount-option.h"
#include "kernel/mount.h"
#include "kernel/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { PROC_MAGIC = 0x9fa0 };

/* A mount's options, cut into what the kernel takes and what the file system takes. */
struct split {
	struct mount_options o;
	const char **data; /* NULL-terminated, in the arena */
	size_t n_data;
};

static int split_options(struct plan_builder *b, const struct oci_mount *m, struct split *s)
{
	const char *keys[MOUNT_SB_KEYS_MAX];
	size_t n;

	for (const char **opt = m->options; opt && *opt; opt++) {
		char *copy, *next;

		if (mount_option_add(&s->o, *opt))
			continue;
		/* Some callers put several options into one string, as for mount(8) */
		copy = arena_strdup(&b->arena, *opt);
		for (; copy && *copy; copy = next) {
			next = strchrnul(copy, ',');
			if (*next)
				*next++ = '\0';
			if (*copy && !mount_option_add(&s->o, copy) &&
			    arena_strv_push(&b->arena, &s->data, &s->n_data, copy) < 0)
				return -ENOMEM;
		}
		if (!copy)
			return -ENOMEM;
	}
	n = mount_option_sb_keys(&s->o, keys);
	for (size_t i = 0; i < n; i++)
		if (arena_strv_push(&b->arena, &s->data, &s->n_data, keys[i]) < 0)
			return -ENOMEM;
	return 0;
}

static bool has_data(const struct split *s, const char *key)
{
	for (size_t i = 0; i < s->n_data; i++)
		if (str_after(s->data[i], key))
			return true;
	return false;
}

/* A path for comparisons by its text. */
static const char *tidy(struct plan_builder *b, const char *path)
{
	const char *out = str_path_clean(&b->arena, path);

	return out ? out : path;
}

/* What may be bound over files of /proc, as runc allows it (for lxcfs). */
static bool may_cover(const char *path)
{
	static const char *const files[] = {"/proc/cpuinfo",
					    "/proc/diskstats",
					    "/proc/meminfo",
					    "/proc/stat",
					    "/proc/swaps",
					    "/proc/uptime",
					    "/proc/loadavg",
					    "/proc/slabinfo",
					    "/proc/net/dev",
					    "/proc/sys/kernel/ns_last_pid",
					    "/proc/sys/crypto/fips_enabled",
					    NULL};

	return strv_has(files, path);
}

/* Whether the text of a destination says that it is /proc or below: then check_proc or add_fs
 * decides, else the stage refuses a procfs that it is led to. */
static uint32_t on_proc(struct plan_builder *b, const struct oci_mount *m)
{
	const char *below = str_after(tidy(b, m->destination), "/proc");

	return below && (!*below || *below == '/') ? PLAN_MOUNT_ON_PROC : 0;
}

/* A volume over /proc would defeat labels, sysctls and masks (CVE-2019-16884). */
static int check_proc(struct plan_builder *b, const struct oci_mount *m, int source, struct err *e)
{
	const char *path = tidy(b, m->destination);
	const char *below = str_after(path, "/proc");
	struct statfs fs;

	if (!below || (*below && *below != '/') || may_cover(path))
		return 0;
	if (!*below && fstatfs(source, &fs) == 0 && fs.f_type == PROC_MAGIC)
		return 0;
	return err_set(e, ERR_HOSTILE, 0, "mounting '%s': nothing may be mounted over /proc",
		       m->destination);
}

/* The user namespace whose maps an idmapped mount takes: the mount's own, or the container's. */
static int open_userns(const struct oci_id_maps *uids, const struct oci_id_maps *gids)
{
	_cleanup_(fd_close) int proc = proc_open(0);
	struct proc_idmap u[64], g[64];

	if (proc < 0 || uids->n > ARRAY_SIZE(u) || gids->n > ARRAY_SIZE(g))
		return proc < 0 ? proc : -E2BIG;
	for (size_t i = 0; i < uids->n; i++)
		u[i] = (struct proc_idmap){uids->v[i].container_id, uids->v[i].host_id,
					   uids->v[i].size};
	for (size_t i = 0; i < gids->n; i++)
		g[i] = (struct proc_idmap){gids->v[i].container_id, gids->v[i].host_id,
					   gids->v[i].size};
	return ns_user_new(proc, u, uids->n, g, gids->n);
}

static int set_idmap(struct plan_builder *b, const struct oci_mount *m, const struct split *s,
		     int mnt)
{
	bool own = m->uid_maps.n > 0;
	_cleanup_(fd_close) int ns = -1;
	struct mount_change c = {.set = MOUNT_ATTR_IDMAP};

	if (!own && !(s->o.bits & MOUNT_IDMAP))
		return 0;
	if (own)
		ns = open_userns(&m->uid_maps, &m->gid_maps);
	else
		ns = open_userns(&b->c->linux_.uid_maps, &b->c->linux_.gid_maps);
	if (ns < 0)
		return ns;
	c.userns = ns;
	return mount_set(mnt, &c, (s->o.bits & MOUNT_RIDMAP) != 0);
}

/* Gives the detached clone what its options say. Propagation is private unless asked for. */
static int set_bind(struct plan_builder *b, const struct oci_mount *m, const struct split *s,
		    int mnt)
{
	bool unbindable = s->o.propagation == MS_UNBINDABLE;
	struct mount_change change = {.propagation =
					      s->o.propagation ? s->o.propagation : MS_PRIVATE};
	int r;

	if (b->in_order && unbindable) /* the stage's matter: it clones once more */
		change.propagation = MS_PRIVATE;
	r = mount_set(mnt, &change, true);

	if (r >= 0 && (s->o.set || s->o.clear)) {
		change = (struct mount_change){.set = s->o.set, .clear = s->o.clear};
		r = mount_set(mnt, &change, false);
	}
	if (r >= 0 && (s->o.rec_set || s->o.rec_clear)) {
		change = (struct mount_change){.set = s->o.rec_set, .clear = s->o.rec_clear};
		r = mount_set(mnt, &change, true);
	}
	return r < 0 ? r : set_idmap(b, m, s, mnt);
}

static int open_source(struct plan_builder *b, const struct oci_mount *m, struct err *e)
{
	int fd;

	if (str_empty(m->source))
		return err_set(e, ERR_INVALID, 0, "mounting '%s': a bind mount needs a source",
			       m->destination);
	if (*m->source == '/')
		fd = path_open_host(m->source, O_PATH, 0);
	else
		fd = path_open(b->in->o->bundle_fd, m->source, O_PATH, 0);
	if (fd < 0)
		return err_errno(e, fd, "mounting '%s' from '%s'", m->destination, m->source);
	return fd;
}

/* For kernels without detached mounts. */
static int add_classic(struct plan_builder *b, const struct oci_mount *m, const struct split *s,
		       int source, struct err *e)
{
	struct plan_bind bind = {
		.own = {.set = s->o.set, .clear = s->o.clear, .propagation = s->o.propagation},
		.all = {.set = s->o.rec_set, .clear = s->o.rec_clear},
		.recursive = s->o.bits & MOUNT_RBIND,
		.idmap = m->uid_maps.n > 0 || s->o.bits & MOUNT_IDMAP};
	struct stat sb;

	if (fstat(source, &sb) < 0)
		return err_errno(e, errno, "mounting '%s'", m->destination);
	bind.flags = (S_ISDIR(sb.st_mode) ? 0 : PLAN_MOUNT_FILE) | on_proc(b, m);
	return plan_bind_classic(b, m->destination, source, &bind, e);
}

static int add_bind(struct plan_builder *b, const struct oci_mount *m, const struct split *s,
		    struct err *e)
{
	_cleanup_(fd_close) int source = open_source(b, m, e);
	struct stat sb;
	int mnt, r;

	if (source < 0 || check_proc(b, m, source, e) < 0)
		return -1;
	if (b->classic)
		return add_classic(b, m, s, source, e);
	mnt = mount_clone_peer(source, (s->o.bits & MOUNT_RBIND) != 0);
	/* A source that is detached itself, as another container's /dev/shm is, cannot be cloned
	 * before Linux 6.15: it is moved. What is mounted anywhere cannot be moved from there. */
	if (mnt == -EINVAL)
		mnt = fcntl(source, F_DUPFD_CLOEXEC, 3);
	r = mnt < 0 ? mnt : set_bind(b, m, s, mnt);
	if (r >= 0 && fstat(source, &sb) < 0)
		r = -errno;
	if (r < 0) {
		fd_close(&mnt);
		return err_errno(e, r, "mounting '%s' from '%s'", m->destination, m->source);
	}
	plan_add(b->plan, (struct plan_step){.op = PLAN_MOUNT_TREE,
					     .flags = (S_ISDIR(sb.st_mode) ? 0 : PLAN_MOUNT_FILE) |
						      (b->in_order ? PLAN_MOUNT_IN_ORDER : 0) |
						      on_proc(b, m),
					     .num = {0, 0, 0, 0, s->o.propagation},
					     .str = {plan_str(m->destination)},
					     .fd = {plan_fd(b->plan, mnt, true)}});
	return 0;
}

static uint32_t fs_flags(struct plan_builder *b, const struct oci_mount *m, const struct split *s)
{
	const char *place = tidy(b, m->destination);
	uint32_t flags = on_proc(b, m);

	if (str_eq(m->type, "proc") || str_eq(m->type, "sysfs"))
		flags |= PLAN_MOUNT_REAL_DIR;
	if (str_eq(m->type, "proc") && str_eq(place, "/proc") && !s->n_data)
		flags |= PLAN_MOUNT_IS_PROC;
	if (str_eq(m->type, "devpts") && str_eq(place, "/dev/pts"))
		flags |= PLAN_MOUNT_IS_PTS;
	if (str_eq(m->type, "tmpfs") && !has_data(s, "mode="))
		flags |= PLAN_MOUNT_KEEP_MODE;
	if (str_eq(m->type, "tmpfs") && s->o.bits & MOUNT_TMPCOPYUP)
		flags |= PLAN_MOUNT_COPY_UP;
	return flags;
}

static int add_fs(struct plan_builder *b, const struct oci_mount *m, const struct split *s,
		  struct err *e)
{
	struct plan_step step = {.op = PLAN_MOUNT_FS,
				 .flags = fs_flags(b, m, s),
				 .num = {s->o.set | s->o.rec_set, s->o.propagation},
				 .str = {plan_str(m->destination), plan_str(m->type),
					 plan_str(m->source),
					 plan_strv(b, (const char *const *)s->data)}};

	if (str_after(tidy(b, m->destination), "/proc/") && !str_eq(m->type, "tmpfs"))
		return err_set(e, ERR_HOSTILE, 0,
			       "mounting '%s': nothing may be mounted over /proc", m->destination);
	plan_add(b->plan, step);
	return 0;
}

/* Changes what is mounted at the destination already, as an entry before made it. */
static int add_remount(struct plan_builder *b, const struct oci_mount *m, const struct split *s,
		       struct err *e)
{
	if (s->n_data)
		return err_set(
			e, ERR_UNSUPPORTED, 0,
			"remounting '%s': the option '%s' of a file system cannot be changed",
			m->destination, s->data[0]);
	plan_add(b->plan, (struct plan_step){.op = PLAN_REMOUNT,
					     .num = {s->o.set, s->o.clear, s->o.rec_set,
						     s->o.rec_clear, s->o.propagation},
					     .str = {plan_str(m->destination)}});
	return 0;
}

/* File systems that the kernel labels itself are not told a label. */
static int add_label(struct plan_builder *b, const struct oci_mount *m, struct split *s)
{
	const char *label = b->c->linux_.mount_label, *option;

	if (str_empty(label) || str_eq(m->type, "proc") || str_eq(m->type, "sysfs") ||
	    str_eq(m->type, "mqueue") || has_data(s, "context="))
		return 0;
	option = arena_printf(&b->arena, "context=%s", label);
	return option ? arena_strv_push(&b->arena, &s->data, &s->n_data, option) : -ENOMEM;
}

static int add_mount(struct plan_builder *b, const struct oci_mount *m, struct err *e)
{
	struct split s = {.data = NULL};

	if (split_options(b, m, &s) < 0)
		return err_errno(e, ENOMEM, "mounting '%s'", m->destination);
	if (s.o.bits & MOUNT_REMOUNT)
		return add_remount(b, m, &s, e);
	if (s.o.bits & MOUNT_BIND || str_eq0(m->type, "bind"))
		return add_bind(b, m, &s, e);
	if (str_empty(m->type) || str_eq(m->type, "none"))
		return err_set(e, ERR_INVALID, 0,
			       "mounting '%s': neither a type nor the option bind", m->destination);
	if (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"))
		return plan_build_cgroup_mount(b, m, s.o.set, e);
	if (m->uid_maps.n || s.o.bits & MOUNT_IDMAP)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "mounting '%s': identity maps are for bind mounts", m->destination);
	if (add_label(b, m, &s) < 0)
		return err_errno(e, ENOMEM, "mounting '%s'", m->destination);
	return add_fs(b, m, &s, e);
}

int plan_build_mounts(struct plan_builder *b, struct err *e)
{
	for (size_t i = 0; i < b->c->n_mounts; i++)
		if (add_mount(b, &b->c->mounts[i], e) < 0)
			return -1;
	return 0;
}
