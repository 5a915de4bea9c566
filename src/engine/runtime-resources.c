/* SPDX-License-Identifier: Apache-2.0 */
/* Limits and devices of a container. */
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { DEVICES_MAX = 4096, DEVICE_DEPTH_MAX = 8, CPU_PERIOD = 100000 };

static struct oci_int given(int64_t value)
{
	return (struct oci_int){.set = value != 0, .value = value};
}

/* Docker's rule: a limit without --memory-swap allows as much swap again. */
static int64_t swap_of(const struct spec_resources *r)
{
	if (r->memory_swap || !r->memory)
		return r->memory_swap;
	return r->memory > INT64_MAX / 2 ? -1 : (int64_t)r->memory * 2;
}

/* A disk is limited by its number, which is looked up at each start. */
static int put_disk(const struct spec_io_limit *l, bool weight, struct oci_blkio_device *ret,
		    struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_host(l->path, O_PATH, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, fd < 0 ? fd : errno, "finding the device '%s' to limit",
				 l->path);
	if (!S_ISBLK(st.st_mode))
		return err_set(e, ERR_INVALID, ENOTBLK, "limiting '%s': it is no disk", l->path);
	*ret = (struct oci_blkio_device){.major = major(st.st_rdev), .minor = minor(st.st_rdev)};
	if (weight)
		ret->weight = given((int64_t)l->value);
	else
		ret->rate = l->value;
	return 0;
}

static int put_io(const struct spec_resources *s, struct runtime_config *c, struct err *e)
{
	struct oci_blkio *b = &c->linux_.resources.blkio;
	struct oci_blkio_list *const to[SPEC_IO_KINDS] = {
		&b->weight_device, &b->read_bps, &b->write_bps, &b->read_iops, &b->write_iops};

	b->weight = given(s->blkio_weight);
	for (size_t k = 0; k < SPEC_IO_KINDS; k++) {
		size_t n = s->n_io[k];

		if (n && !(to[k]->v = arena_array(&c->arena, n, sizeof(*to[k]->v))))
			return err_set(e, ERR_LIMIT, ENOMEM, "limiting disks");
		for (to[k]->n = 0; to[k]->n < n; to[k]->n++)
			if (put_disk(&s->io[k][to[k]->n], k == SPEC_IO_WEIGHT, &to[k]->v[to[k]->n],
				     e) < 0)
				return -1;
	}
	return 0;
}

int runtime_put_resources(struct start_facts *f, struct runtime_config *ret, struct err *e)
{
	const struct spec_resources *s = &f->c->spec.resources;
	struct oci_resources *r = &ret->linux_.resources;

	r->memory.limit = given((int64_t)s->memory);
	r->memory.swap = given(swap_of(s));
	r->memory.reservation = given((int64_t)s->memory_reservation);
	r->memory.swappiness = (struct oci_int){s->memory_swappiness >= 0, s->memory_swappiness};
	if (s->oom_kill_disable != SPEC_UNSET)
		r->memory.disable_oom_killer =
			(struct oci_flag){true, s->oom_kill_disable == SPEC_TRUE};
	r->cpu.shares = given((int64_t)s->cpu_shares);
	r->cpu.period = given(s->cpu_period);
	r->cpu.quota = given(s->cpu_quota);
	if (s->nano_cpus) {
		r->cpu.period = given(CPU_PERIOD);
		r->cpu.quota = given(s->nano_cpus / (1000000000 / CPU_PERIOD));
	}
	r->cpu.cpus = str_empty(s->cpuset_cpus) ? NULL : s->cpuset_cpus;
	r->cpu.mems = str_empty(s->cpuset_mems) ? NULL : s->cpuset_mems;
	r->pids_limit = given(s->pids_limit);
	return put_io(s, ret, e);
}

/* ---- devices ---- */

struct devices {
	struct runtime_config *c;
	size_t cap_rules, cap_devices;
};

static int rule(struct devices *d, bool allow, const struct spec_device_rule *r, struct err *e)
{
	struct oci_resources *res = &d->c->linux_.resources;

	if (res->n_devices == d->cap_rules)
		return err_set(e, ERR_LIMIT, 0, "more than %zu device rules", d->cap_rules);
	res->devices[res->n_devices++] = (struct oci_device_rule){
		.allow = allow,
		.type = r->type,
		.major = r->major,
		.minor = r->minor,
		.read = strchr(r->perms, 'r') != NULL,
		.write = strchr(r->perms, 'w') != NULL,
		.mknod = strchr(r->perms, 'm') != NULL,
	};
	return 0;
}

/* Docker's: everything may be made, these may be used; fuse is named because the kernel would let
 * anybody mount with it. */
static int default_rules(struct devices *d, struct err *e)
{
	static const struct {
		bool allow;
		struct spec_device_rule rule;
	} table[] = {
		{false, {'a', -1, -1, "rwm"}}, {true, {'c', -1, -1, "m"}},
		{true, {'b', -1, -1, "m"}},    {true, {'c', 1, 5, "rwm"}},
		{true, {'c', 1, 3, "rwm"}},    {true, {'c', 1, 9, "rwm"}},
		{true, {'c', 1, 8, "rwm"}},    {true, {'c', 5, 0, "rwm"}},
		{true, {'c', 5, 1, "rwm"}},    {false, {'c', 10, 229, "rwm"}},
		{true, {'c', 1, 7, "rwm"}},    {true, {'c', 136, -1, "rwm"}},
		{true, {'c', 5, 2, "rwm"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (rule(d, table[i].allow, &table[i].rule, e) < 0)
			return -1;
	return 0;
}

static int add_device(struct devices *d, const struct stat *st, const char *path, const char *perms,
		      struct err *e)
{
	struct oci_linux *l = &d->c->linux_;
	struct spec_device_rule r = {.type = S_ISBLK(st->st_mode) ? 'b' : 'c',
				     .major = major(st->st_rdev),
				     .minor = minor(st->st_rdev),
				     .perms = perms};

	if (l->n_devices == d->cap_devices)
		return err_set(e, ERR_LIMIT, 0, "more than %zu devices", d->cap_devices);
	l->devices[l->n_devices++] = (struct oci_device){
		.type = r.type,
		.path = path,
		.major = r.major,
		.minor = r.minor,
		.file_mode = {true, st->st_mode & 07777},
		.uid = {true, st->st_uid},
		.gid = {true, st->st_gid},
	};
	return rule(d, true, &r, e);
}

/* Adds the devices below the host's directory FD (taken) as PATH, down to a depth. */
static int add_tree(struct devices *d, int fd, const struct spec_device *as, int depth,
		    struct err *e)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		close(fd);
		return err_errno(e, errno, "reading device folder '%s'", as->host);
	}
	while (r == 0 && (entry = readdir(dir))) {
		_cleanup_(fd_close) int sub = -1;
		struct spec_device below = *as;
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		sub = path_open_own(dirfd(dir), entry->d_name, O_PATH | O_NOFOLLOW, 0);
		if (sub < 0 || fstat(sub, &st) < 0)
			continue;
		below.container = arena_printf(&d->c->arena, "%s/%s", as->container, entry->d_name);
		if (!below.container)
			r = err_set(e, ERR_LIMIT, ENOMEM, "listing devices");
		else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			r = add_device(d, &st, below.container, as->perms, e);
		else if (S_ISDIR(st.st_mode) && depth < DEVICE_DEPTH_MAX) {
			int next =
				path_open_own(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY, 0);

			r = next < 0 ? 0 : add_tree(d, next, &below, depth + 1, e);
		}
	}
	closedir(dir);
	return r;
}

static int add_given(struct devices *d, const struct spec_device *g, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_host(g->host, O_PATH, 0);
	struct stat st;
	int dir;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, fd < 0 ? fd : errno,
				 "error gathering device information while adding custom device "
				 "\"%s\"",
				 g->host);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return add_device(d, &st, g->container, g->perms, e);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_INVALID, 0,
			       "error gathering device information while adding custom device "
			       "\"%s\": not a device node",
			       g->host);
	dir = path_open_host(g->host, O_RDONLY | O_DIRECTORY, 0);
	return dir < 0 ? err_errno(e, dir, "reading device folder '%s'", g->host)
		       : add_tree(d, dir, g, 0, e);
}

/* Every device of the host, but what the container gets of its own. */
static int add_host_devices(struct devices *d, struct err *e)
{
	static const char *const own[] = {
		"/dev/pts",     "/dev/shm",  "/dev/mqueue", "/dev/fd",  "/dev/console",
		"/dev/null",    "/dev/zero", "/dev/full",   "/dev/tty", "/dev/random",
		"/dev/urandom", "/dev/ptmx", NULL};
	static const struct spec_device all = {"/dev", "/dev", "rwm"};
	struct oci_linux *l = &d->c->linux_;
	size_t kept = 0;

	if (add_given(d, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < l->n_devices; i++)
		if (!strv_has(own, l->devices[i].path) &&
		    !str_after(l->devices[i].path, "/dev/pts/"))
			l->devices[kept++] = l->devices[i];
	l->n_devices = kept;
	return 0;
}

static int privileged_devices(struct devices *d, struct err *e)
{
	static const struct spec_device_rule all = {'a', -1, -1, "rwm"};

	if (add_host_devices(d, e) < 0)
		return -1;
	d->c->linux_.resources.n_devices = 0;
	return rule(d, true, &all, e);
}

int runtime_put_devices(struct start_facts *f, struct runtime_config *ret, struct err *e)
{
	const struct container_spec *s = &f->c->spec;
	const struct spec_resources *res = &s->resources;
	size_t extra = s->privileged || res->n_devices ? DEVICES_MAX : 0;
	struct devices d = {
		.c = ret, .cap_devices = extra, .cap_rules = extra + 32 + res->n_device_rules};

	ret->linux_.devices = arena_array(&ret->arena, d.cap_devices, sizeof(struct oci_device));
	ret->linux_.resources.devices =
		arena_array(&ret->arena, d.cap_rules, sizeof(struct oci_device_rule));
	if (!ret->linux_.devices || !ret->linux_.resources.devices)
		return err_set(e, ERR_LIMIT, ENOMEM, "listing devices");
	if (s->privileged)
		return privileged_devices(&d, e);
	if (default_rules(&d, e) < 0)
		return -1;
	for (size_t i = 0; i < res->n_devices; i++)
		if (add_given(&d, &res->devices[i], e) < 0)
			return -1;
	for (size_t i = 0; i < res->n_device_rules; i++)
		if (rule(&d, true, &res->device_rules[i], e) < 0)
			return -1;
	return 0;
}
