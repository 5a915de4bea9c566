/* SPDX-License-Identifier: Apache-2.0 */
/* Talks to systemd over its own socket, that of the system or of the user's manager. A call that
 * starts a job is over when JobRemoved tells how the job ended: on this socket the signal comes
 * without being asked for (systemd: bus_foreach_bus, private buses). */
#include "runtime/systemd.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "runtime/dbus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MANAGER    "org.freedesktop.systemd1.Manager"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define NO_UNIT    "org.freedesktop.systemd1.NoSuchUnit"

static const struct dbus_object manager = {"org.freedesktop.systemd1", "/org/freedesktop/systemd1"};

/* runc waits as long. */
enum { TIMEOUT_S = 30, SOCKET_MAX = 256, UNIT_MAX = 256, SIGNALS_MAX = 10000 };

/* ---- names ---- */

static int socket_path(char out[SOCKET_MAX], struct err *e)
{
	const char *user = geteuid() == 0 ? NULL : getenv("XDG_RUNTIME_DIR");
	int n = snprintf(out, SOCKET_MAX, "%s/systemd/private", user ? user : "/run");
	_cleanup_(fd_close) int fd = -1;

	if (n < SOCKET_MAX)
		fd = path_open_host(out, O_PATH | O_NOFOLLOW, 0);
	if (fd >= 0)
		return 0;
	err_set(e, ERR_UNSUPPORTED, 0,
		"--systemd-cgroup: systemd is not running on this machine (there is no %s)", out);
	return err_hint(e, "without the option cgroups are made directly");
}

/* "a-b.slice" lies in "a.slice"; "-.slice" is the root. The path with a '/' behind each part. */
static const char *expand_slice(const char *slice, struct arena *a)
{
	size_t n = strlen(slice);
	const char *path = "";

	if (!str_ends(slice, ".slice") || strchr(slice, '/'))
		return NULL;
	n -= strlen(".slice");
	if (str_eq(slice, "-.slice"))
		return path;
	if (!n || slice[0] == '-' || slice[n - 1] == '-')
		return NULL;
	for (size_t i = 1; i <= n && path; i++) {
		if (i < n && slice[i] != '-')
			continue;
		if (slice[i - 1] == '-')
			return NULL;
		path = arena_printf(a, "%s%.*s.slice/", path, (int)i, slice);
	}
	return path;
}

/* What systemd lets be in the name of a unit (unit-name.c: VALID_CHARS), and no more than it lets.
 */
static bool is_unit(const char *s)
{
	size_t n =
		strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@+");

	return n && !s[n] && n < UNIT_MAX;
}

/* "SLICE:PREFIX:NAME" */
static int split(const char *text, struct arena *a, const char *ret[3], struct err *e)
{
	const char *first = strchr(text, ':'), *second = first ? strchr(first + 1, ':') : NULL;

	if (!second || strchr(second + 1, ':'))
		return err_set(e, ERR_INVALID, 0,
			       "config.json: linux.cgroupsPath: '%s' is not \"slice:prefix:name\", "
			       "which --systemd-cgroup needs",
			       text);
	ret[0] = arena_strndup(a, text, (size_t)(first - text));
	ret[1] = arena_strndup(a, first + 1, (size_t)(second - first - 1));
	ret[2] = second + 1;
	return ret[0] && ret[1] ? 0 : err_errno(e, ENOMEM, "naming the scope");
}

static int manager_cgroup(struct arena *a, const char **ret, struct err *e);

int systemd_scope_find(const char *cgroups_path, const char *id, struct arena *a,
		       struct systemd_scope *ret, struct err *e)
{
	const char *part[3] = {"", "kogge", id}, *base = "", *slices;
	char socket[SOCKET_MAX];

	if (socket_path(socket, e) < 0 ||
	    (!str_empty(cgroups_path) && split(cgroups_path, a, part, e) < 0))
		return -1;
	ret->slice = *part[0] ? part[0] : geteuid() == 0 ? "system.slice" : "user.slice";
	slices = expand_slice(ret->slice, a);
	ret->unit = arena_printf(a, "%s%s%s.scope", part[1], *part[1] ? "-" : "", part[2]);
	if (!slices || !ret->unit || !*part[2] || !is_unit(ret->unit) || !is_unit(ret->slice))
		return err_set(e, ERR_INVALID, 0,
			       "config.json: linux.cgroupsPath: '%s': no slice and scope of "
			       "systemd can be named so",
			       cgroups_path);
	if (geteuid() != 0 && manager_cgroup(a, &base, e) < 0)
		return -1;
	ret->path = arena_printf(a, "%s%s%s", base, slices, ret->unit);
	return ret->path ? 0 : err_errno(e, ENOMEM, "naming the scope");
}

/* ---- calls ---- */

/* One conversation: a call, its answer, and where a job was started its end. */
struct talk {
	struct dbus bus;
	const char *unit;           /* whose job is waited for, or NULL */
	bool removed;               /* the job has ended */
	bool no_unit;               /* the error was that there is no such unit */
	char result[32], text[256]; /* how; the first string of the answer */
};

static void talk_done(struct talk *t)
{
	dbus_done(&t->bus);
}

static int talk_open(struct talk *t, struct err *e)
{
	char path[SOCKET_MAX];
	int r;

	if (socket_path(path, e) < 0)
		return -1;
	r = dbus_open(&t->bus, path, TIMEOUT_S);
	return r < 0 ? err_errno(e, r, "reaching systemd at %s", path) : 0;
}

static void on_signal(struct talk *t, const struct dbus_message *m)
{
	struct dbus_reader r = dbus_reader_of(m);
	const char *unit, *result;

	if (!t->unit || !m->member || !str_eq(m->member, "JobRemoved") ||
	    !str_eq(m->signature, "uoss"))
		return;
	dbus_get_u32(&r);
	dbus_get_str(&r);
	unit = dbus_get_str(&r);
	result = dbus_get_str(&r);
	if (r.bad || !str_eq(unit, t->unit))
		return;
	t->removed = true;
	snprintf(t->result, sizeof(t->result), "%s", result);
}

static int on_error(struct talk *t, const struct dbus_message *m, const char *what, struct err *e)
{
	struct dbus_reader r = dbus_reader_of(m);
	const char *text = m->signature[0] == 's' ? dbus_get_str(&r) : "";

	t->no_unit = m->error && str_eq(m->error, NO_UNIT);
	return err_set(e, ERR_IO, 0, "systemd: %s: %.200s (%.100s)", what, text,
		       m->error ? m->error : "");
}

static void keep_answer(struct talk *t, const struct dbus_message *m)
{
	struct dbus_reader r = dbus_reader_of(m);
	const char *s = "";

	if (str_eq(m->signature, "v") && str_eq(dbus_get_signature(&r), "s"))
		s = dbus_get_str(&r);
	snprintf(t->text, sizeof(t->text), "%s", r.bad ? "" : s);
}

/* Calls C, and waits for the job where T has a unit. */
static int ask(struct talk *t, const struct dbus_call *c, struct err *e)
{
	struct dbus_message m;
	bool answered = false;
	uint32_t serial;
	int r = dbus_send(&t->bus, c, &serial);

	for (int i = 0; r == 0 && i < SIGNALS_MAX && !(answered && (!t->unit || t->removed)); i++) {
		r = dbus_receive(&t->bus, &m);
		if (r < 0)
			break;
		if (m.type == DBUS_SIGNAL)
			on_signal(t, &m);
		if (m.reply_to != serial || m.type == DBUS_SIGNAL)
			continue;
		if (m.type == DBUS_ERROR)
			return on_error(t, &m, c->member, e);
		answered = true;
		keep_answer(t, &m);
	}
	if (r < 0)
		return err_errno(e, r, "systemd: %s", c->member);
	if (t->unit && !str_eq(t->result, "done"))
		return err_set(e, ERR_IO, 0, "systemd: %s of '%s': the job ended with '%s'",
			       c->member, t->unit, t->result);
	return 0;
}

/* Where the user's manager may make cgroups: "user.slice/.../user@1000.service/". */
static int manager_cgroup(struct arena *a, const char **ret, struct err *e)
{
	_cleanup_(talk_done) struct talk t = {.bus = DBUS_INIT};
	_cleanup_(dbus_body_done) struct dbus_body body = DBUS_BODY_INIT;
	const struct dbus_call call = {PROPERTIES, "Get", "ss", &body, &manager};
	const char *path = t.text;

	dbus_put_str(&body, MANAGER);
	dbus_put_str(&body, "ControlGroup");
	if (talk_open(&t, e) < 0 || ask(&t, &call, e) < 0)
		return -1;
	path += strspn(path, "/");
	*ret = *path ? arena_printf(a, "%s/", path) : "";
	return *ret ? 0 : err_errno(e, ENOMEM, "naming the scope");
}

/* ---- properties ---- */

static void put_name(struct dbus_body *b, const char *name, const char *type)
{
	dbus_align(b, 8);
	dbus_put_str(b, name);
	dbus_put_signature(b, type);
}

static void put_text(struct dbus_body *b, const char *name, const char *value)
{
	put_name(b, name, "s");
	dbus_put_str(b, value);
}

static void put_bool(struct dbus_body *b, const char *name, bool value)
{
	put_name(b, name, "b");
	dbus_put_u32(b, value);
}

/* A limit; -1 is none. */
static void put_limit(struct dbus_body *b, const char *name, int64_t value)
{
	put_name(b, name, "t");
	dbus_put_u64(b, value < 0 ? UINT64_MAX : (uint64_t)value);
}

static void put_cpu(struct dbus_body *b, bool v2, const struct oci_cpu *c)
{
	int64_t period = c->period.set && c->period.value ? c->period.value : 100000;

	if (c->shares.set && c->shares.value > 1)
		put_limit(b, v2 ? "CPUWeight" : "CPUShares",
			  v2 ? 1 + (c->shares.value - 2) * 9999 / 262142 : c->shares.value);
	if (c->quota.set && c->quota.value)
		put_limit(b, "CPUQuotaPerSecUSec",
			  c->quota.value < 0 ? -1 : c->quota.value * 1000000 / period);
}

static void put_limits(struct dbus_body *b, enum cgroup_mode mode, const struct oci_resources *r)
{
	bool v2 = mode == CGROUP_V2;

	if (r->memory.limit.set && r->memory.limit.value)
		put_limit(b, v2 ? "MemoryMax" : "MemoryLimit", r->memory.limit.value);
	if (v2 && r->memory.reservation.set && r->memory.reservation.value)
		put_limit(b, "MemoryLow", r->memory.reservation.value);
	if (r->pids_limit.set && r->pids_limit.value)
		put_limit(b, "TasksMax", r->pids_limit.value);
	put_cpu(b, v2, &r->cpu);
}

static void put_scope(struct dbus_body *b, const struct systemd_scope *s, pid_t pid,
		      enum cgroup_mode mode)
{
	static const char *const counted[] = {"CPUAccounting", "MemoryAccounting",
					      "TasksAccounting"};
	char text[UNIT_MAX + 32];
	size_t pids;

	snprintf(text, sizeof(text), "container %s", s->unit);
	put_text(b, "Description", text);
	put_text(b, "Slice", s->slice);
	put_name(b, "PIDs", "au");
	pids = dbus_array_begin(b, 4);
	dbus_put_u32(b, (uint32_t)pid);
	dbus_array_end(b, pids, 4);
	put_bool(b, "Delegate", true);
	put_bool(b, "DefaultDependencies", false);
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		put_bool(b, counted[i], true);
	put_bool(b, mode == CGROUP_V2 ? "IOAccounting" : "BlockIOAccounting", true);
}

int systemd_scope_start(const struct systemd_scope *s, pid_t pid, enum cgroup_mode mode,
			const struct oci_resources *res, struct err *e)
{
	_cleanup_(talk_done) struct talk t = {.bus = DBUS_INIT, .unit = s->unit};
	_cleanup_(dbus_body_done) struct dbus_body body = DBUS_BODY_INIT;
	const struct dbus_call call = {MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body,
				       &manager};
	size_t properties, others;

	dbus_put_str(&body, s->unit);
	dbus_put_str(&body, "replace");
	properties = dbus_array_begin(&body, 8);
	put_scope(&body, s, pid, mode);
	put_limits(&body, mode, res);
	dbus_array_end(&body, properties, 8);
	others = dbus_array_begin(&body, 8);
	dbus_array_end(&body, others, 8);
	return talk_open(&t, e) < 0 || ask(&t, &call, e) < 0 ? -1 : 0;
}

int systemd_scope_update(const char *unit, enum cgroup_mode mode, const struct oci_resources *res,
			 struct err *e)
{
	_cleanup_(talk_done) struct talk t = {.bus = DBUS_INIT};
	_cleanup_(dbus_body_done) struct dbus_body body = DBUS_BODY_INIT;
	const struct dbus_call call = {MANAGER, "SetUnitProperties", "sba(sv)", &body, &manager};
	size_t properties;

	dbus_put_str(&body, unit);
	dbus_put_u32(&body, true); /* until the next boot */
	properties = dbus_array_begin(&body, 8);
	put_limits(&body, mode, res);
	dbus_array_end(&body, properties, 8);
	return talk_open(&t, e) < 0 || ask(&t, &call, e) < 0 ? -1 : 0;
}

int systemd_scope_stop(const char *unit, struct err *e)
{
	_cleanup_(talk_done) struct talk t = {.bus = DBUS_INIT, .unit = unit};
	_cleanup_(dbus_body_done) struct dbus_body body = DBUS_BODY_INIT;
	const struct dbus_call call = {MANAGER, "StopUnit", "ss", &body, &manager};
	struct err why = ERR_INIT;

	dbus_put_str(&body, unit);
	dbus_put_str(&body, "replace");
	if (talk_open(&t, &why) == 0 && ask(&t, &call, &why) == 0)
		return 0;
	/* It goes by itself when its last process has gone; and so does what a systemd that is not
	 * there any more had. */
	if (t.no_unit || why.class == ERR_UNSUPPORTED)
		return 0;
	if (e)
		*e = why;
	return -1;
}
