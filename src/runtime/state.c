/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/state.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/pidfd.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"

#include <errno.h>
#include <string.h>

#define STATE_FILE "state.json"

enum { STATE_VERSION = 1, STATE_MAX = 1 << 20 };

static const char *const status_names[CONTAINER_STATUS_N] = {
	[CONTAINER_NONE] = "none",       [CONTAINER_CREATING] = "creating",
	[CONTAINER_CREATED] = "created", [CONTAINER_RUNNING] = "running",
	[CONTAINER_PAUSED] = "paused",   [CONTAINER_STOPPED] = "stopped",
};

/* What is tried, for messages. */
static const char *const event_names[CONTAINER_EVENT_N] = {
	[CONTAINER_DO_CREATE] = "created",       [CONTAINER_DID_CREATE] = "created",
	[CONTAINER_DO_START] = "started",        [CONTAINER_DO_KILL] = "killed",
	[CONTAINER_DO_PAUSE] = "paused",         [CONTAINER_DO_RESUME] = "resumed",
	[CONTAINER_DID_EXIT] = "stopped",        [CONTAINER_DO_DELETE] = "deleted",
	[CONTAINER_DO_FORCE_DELETE] = "deleted",
};

/* The one table of transitions: next[status][event]; 0 where it is not allowed, else the new
 * status plus one. */
#define TO(status) (CONTAINER_##status + 1)
static const unsigned char next[CONTAINER_STATUS_N][CONTAINER_EVENT_N] = {
	[CONTAINER_NONE] =
		{[CONTAINER_DO_CREATE] = TO(CREATING), [CONTAINER_DO_FORCE_DELETE] = TO(NONE)},
	[CONTAINER_CREATING] = {[CONTAINER_DID_CREATE] = TO(CREATED),
				[CONTAINER_DO_START] = TO(RUNNING), /* run, without a stop */
				[CONTAINER_DID_EXIT] = TO(STOPPED),
				[CONTAINER_DO_FORCE_DELETE] = TO(NONE)},
	[CONTAINER_CREATED] = {[CONTAINER_DO_START] = TO(RUNNING),
			       [CONTAINER_DO_PAUSE] = TO(PAUSED),
			       [CONTAINER_DO_KILL] = TO(CREATED),
			       [CONTAINER_DID_EXIT] = TO(STOPPED),
			       [CONTAINER_DO_FORCE_DELETE] = TO(NONE)},
	[CONTAINER_RUNNING] = {[CONTAINER_DO_KILL] = TO(RUNNING),
			       [CONTAINER_DO_PAUSE] = TO(PAUSED),
			       [CONTAINER_DID_EXIT] = TO(STOPPED),
			       [CONTAINER_DO_FORCE_DELETE] = TO(NONE)},
	[CONTAINER_PAUSED] = {[CONTAINER_DO_KILL] = TO(PAUSED),
			      [CONTAINER_DO_RESUME] = TO(RUNNING),
			      [CONTAINER_DID_EXIT] = TO(STOPPED),
			      [CONTAINER_DO_FORCE_DELETE] = TO(NONE)},
	[CONTAINER_STOPPED] = {[CONTAINER_DO_DELETE] = TO(NONE),
			       [CONTAINER_DID_EXIT] = TO(STOPPED),
			       [CONTAINER_DO_FORCE_DELETE] = TO(NONE)},
};

int container_next(enum container_status status, enum container_event event)
{
	if ((unsigned)status >= CONTAINER_STATUS_N || (unsigned)event >= CONTAINER_EVENT_N)
		return -1;
	return (int)next[status][event] - 1;
}

int container_check(const char *id, enum container_status status, enum container_event event,
		    enum container_status *ret, struct err *e)
{
	int to = container_next(status, event);

	/* containerd and Docker know by these words that it had ended before */
	if (to < 0 && event == CONTAINER_DO_KILL)
		return err_set(e, ERR_CONFLICT, 0, "container not running: '%s' is %s", id,
			       container_status_name(status));
	if (to < 0)
		return err_set(e, ERR_CONFLICT, 0, "container '%s' is %s: it cannot be %s", id,
			       container_status_name(status), event_names[event]);
	*ret = (enum container_status)to;
	return 0;
}

const char *container_status_name(enum container_status s)
{
	return (unsigned)s < CONTAINER_STATUS_N ? status_names[s] : "unknown";
}

int container_status_parse(const char *name)
{
	for (int s = 0; s < CONTAINER_STATUS_N; s++)
		if (str_eq(status_names[s], name))
			return s;
	return -1;
}

void container_state_done(struct container_state *s)
{
	arena_done(&s->arena);
	*s = CONTAINER_STATE_INIT;
}

static int read_annotations(const struct json_reader *r, struct oci_map *ret, struct err *e)
{
	struct json_reader map;
	const char *key;
	json_t *value;
	int n = json_read_obj(r, "annotations", &map, e);

	if (n <= 0)
		return n;
	ret->v = arena_array(r->arena, json_object_size(map.obj), sizeof(*ret->v));
	if (!ret->v)
		return json_read_fail(r, "annotations", ERR_LIMIT, e, "out of memory");
	json_object_foreach ((json_t *)(uintptr_t)map.obj, key, value) {
		struct oci_pair *p = &ret->v[ret->n++];

		p->key = arena_strdup(r->arena, key);
		p->value = "";
		if (!p->key || json_read_str(&map, key, &p->value, e) < 0)
			return -1;
	}
	return 0;
}

static int read_fields(const struct json_reader *r, struct container_state *s, struct err *e)
{
	const char *status = NULL;
	uint64_t pid = 0, owner = 0, flags = 0, version = STATE_VERSION;
	int n;

	if (json_read_u64(r, "version", INT32_MAX, &version, e) < 0)
		return -1;
	if (version != STATE_VERSION)
		return json_read_fail(r, "version", ERR_CORRUPT, e,
				      "is %llu, this program knows %d: another version of it made "
				      "the container",
				      (unsigned long long)version, STATE_VERSION);
	if (json_read_str(r, "id", &s->id, e) < 0 || json_read_str(r, "status", &status, e) < 0 ||
	    json_read_u64(r, "pid", INT32_MAX, &pid, e) < 0 ||
	    json_read_u64(r, "startTime", INT64_MAX, &s->start_time, e) < 0 ||
	    json_read_str(r, "bootID", &s->boot_id, e) < 0 ||
	    json_read_str(r, "bundle", &s->bundle, e) < 0 ||
	    json_read_str(r, "rootfs", &s->rootfs, e) < 0 ||
	    json_read_str(r, "cgroup", &s->cgroup_path, e) < 0 ||
	    json_read_str(r, "rootMount", &s->root_mount, e) < 0 ||
	    json_read_u64(r, "rootBelow", INT64_MAX, &s->root_below, e) < 0 ||
	    json_read_i64(r, "created", INT64_MIN, INT64_MAX, &s->created, e) < 0 ||
	    json_read_u64(r, "owner", UINT32_MAX, &owner, e) < 0 ||
	    json_read_u64(r, "seccompFlags", UINT32_MAX, &flags, e) < 0 ||
	    json_read_str(r, "scope", &s->scope, e) < 0 ||
	    json_read_str(r, "rdtClass", &s->rdt_class, e) < 0 ||
	    json_read_bool(r, "rdtOwn", &s->rdt_own, e) < 0 ||
	    json_read_str(r, "listenerPath", &s->listener_path, e) < 0 ||
	    json_read_str(r, "listenerMetadata", &s->listener_metadata, e) < 0 ||
	    json_read_bool(r, "personality32", &s->personality_32bit, e) < 0 ||
	    json_read_bool(r, "sharedRoot", &s->shared_root, e) < 0 ||
	    json_read_bool(r, "noKeyring", &s->no_keyring, e) < 0 ||
	    read_annotations(r, &s->annotations, e) < 0)
		return -1;
	n = status ? container_status_parse(status) : -1;
	if (n < 0 || !s->id)
		return json_read_fail(r, "status", ERR_CORRUPT, e, "is missing or not known");
	s->status = (enum container_status)n;
	s->pid = (pid_t)pid;
	s->owner = (uint32_t)owner;
	s->seccomp_flags = (uint32_t)flags;
	return 0;
}

int container_state_parse(const char *text, size_t n, struct container_state *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *j = json_parse(text, n, STATE_FILE, e);
	struct json_reader r;

	if (!j || json_reader_init(&r, j, STATE_FILE, &ret->arena, e) < 0 ||
	    read_fields(&r, ret, e) < 0) {
		if (e)
			e->class = ERR_CORRUPT;
		return -1;
	}
	return 0;
}

int container_state_read(int dir, struct container_state *ret, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	size_t n = 0;
	int err = path_read_file(dir, STATE_FILE, STATE_MAX, &text, &n);

	if (err < 0)
		return err_errno(e, err, "reading %s", STATE_FILE);
	return container_state_parse(text, n, ret, e);
}

static void put_str(json_t *j, const char *key, const char *value)
{
	if (value)
		json_object_set_new(j, key, json_string_nocheck(value));
}

static void put_annotations(json_t *j, const struct container_state *s)
{
	json_t *map;

	if (!s->annotations.n)
		return;
	map = json_object();
	for (size_t i = 0; i < s->annotations.n; i++)
		put_str(map, s->annotations.v[i].key, s->annotations.v[i].value);
	json_object_set_new(j, "annotations", map);
}

int container_state_write(int dir, const struct container_state *s, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(STATE_MAX);
	_cleanup_(json_unref) json_t *j = json_object();
	int r;

	json_object_set_new(j, "version", json_integer(STATE_VERSION));
	put_str(j, "id", s->id);
	put_str(j, "status", container_status_name(s->status));
	json_object_set_new(j, "pid", json_integer(s->pid));
	json_object_set_new(j, "startTime", json_integer((json_int_t)s->start_time));
	put_str(j, "bootID", s->boot_id);
	put_str(j, "bundle", s->bundle);
	put_str(j, "rootfs", s->rootfs);
	put_str(j, "cgroup", s->cgroup_path);
	put_str(j, "scope", s->scope);
	put_str(j, "rdtClass", s->rdt_class);
	if (s->rdt_class)
		json_object_set_new(j, "rdtOwn", json_boolean(s->rdt_own));
	put_str(j, "rootMount", s->root_mount);
	if (s->root_mount)
		json_object_set_new(j, "rootBelow", json_integer((json_int_t)s->root_below));
	json_object_set_new(j, "created", json_integer(s->created));
	json_object_set_new(j, "owner", json_integer(s->owner));
	json_object_set_new(j, "seccompFlags", json_integer(s->seccomp_flags));
	put_str(j, "listenerPath", s->listener_path);
	put_str(j, "listenerMetadata", s->listener_metadata);
	json_object_set_new(j, "personality32", json_boolean(s->personality_32bit));
	json_object_set_new(j, "sharedRoot", json_boolean(s->shared_root));
	json_object_set_new(j, "noKeyring", json_boolean(s->no_keyring));
	put_annotations(j, s);
	r = json_write(j, 0, &out);
	if (r >= 0)
		r = path_write_file(dir, STATE_FILE, out.data, out.len, 0600 | PATH_VOLATILE);
	return r < 0 ? err_errno(e, r, "writing %s", STATE_FILE) : 0;
}

/* Whether the process that STATE names is alive and the same; a pidfd of it in *RET. */
static int find_process(const struct container_state *s, int proc, int *ret)
{
	_cleanup_(freep) char *boot_id = NULL;
	struct proc_stat stat;
	int r = proc_sysctl_read(proc, "kernel.random.boot_id", &boot_id);

	if (s->pid <= 0 || (r >= 0 && s->boot_id && !str_eq(boot_id, s->boot_id)))
		return -ESRCH;
	r = pidfd_of(proc, s->pid, s->start_time);
	if (r < 0)
		return r;
	*ret = r;
	r = proc_stat(proc, s->pid, &stat);
	return r < 0 ? r : stat.state == 'Z' || stat.state == 'X' ? -ESRCH : 0;
}

int container_state_refresh(struct container_state *s, int *ret_pidfd, struct err *e)
{
	_cleanup_(fd_close) int proc = -1, pidfd = -1;
	int r;

	if (ret_pidfd)
		*ret_pidfd = -1;
	if (s->status == CONTAINER_STOPPED || s->status == CONTAINER_NONE)
		return 0;
	proc = proc_open(0);
	if (proc < 0)
		return err_errno(e, proc, "opening /proc");
	r = find_process(s, proc, &pidfd);
	if (r == -ESRCH || r == -ENOENT) {
		if (s->pid > 0)
			s->status = CONTAINER_STOPPED;
		return 0;
	}
	if (r < 0)
		return err_errno(e, r, "looking for process %d", s->pid);
	if (ret_pidfd)
		*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}

int container_state_json(const struct container_state *s, struct buf *out, struct err *e)
{
	_cleanup_(json_unref) json_t *j = json_object();
	char created[CLOCK_TEXT_SIZE];
	bool stopped = s->status == CONTAINER_STOPPED;
	int r;

	put_str(j, "ociVersion", OCI_RUNTIME_VERSION);
	put_str(j, "id", s->id);
	put_str(j, "status", container_status_name(s->status));
	json_object_set_new(j, "pid", json_integer(stopped ? 0 : s->pid));
	put_str(j, "bundle", s->bundle);
	put_str(j, "rootfs", s->rootfs);
	if (s->created)
		put_str(j, "created", clock_format(s->created, created));
	put_annotations(j, s);
	r = json_write(j, JSON_INDENT(2), out);
	return r < 0 ? err_errno(e, r, "writing the state") : 0;
}
