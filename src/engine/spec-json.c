/* SPDX-License-Identifier: Apache-2.0 */
/* Every plain field is a row of the table: where it stands in Docker's JSON, where in the spec,
 * and which kind it is. A kind is a pair of functions. What has a shape of its own (ulimits,
 * devices) is a kind too. */
#include "engine/spec-json.h"

#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/spec-life.h"
#include "engine/spec-network.h"

#include <errno.h>
#include <stdio.h>

enum section { CONFIG, HOST };

struct field;

struct kind {
	json_t *(*write)(const void *value, const struct field *f);
	int (*read)(const struct json_reader *r, const struct field *f, void *value, struct err *e);
};

struct field {
	enum section section;
	const char *key;
	const struct kind *kind;
	size_t at;
	size_t count_at; /* of the number of elements, for arrays */
};

/* Both pointers of an array field. */
#define COUNT(f, value) (*(size_t *)((char *)(uintptr_t)(value) - (f)->at + (f)->count_at))

static json_t *string_or_empty(const char *s)
{
	return json_text(s ? s : "");
}

static json_t *write_str(const void *v, const struct field *f)
{
	return string_or_empty(*(const char *const *)v);
}

/* Docker writes "" for what was not given. */
static int read_str(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	const char *s = NULL;
	int n = json_read_str(r, f->key, &s, e);

	if (n > 0 && *s)
		*(const char **)v = s;
	return n;
}

static json_t *strv_json(const char *const *v)
{
	json_t *a = json_array();

	for (size_t i = 0; v[i]; i++)
		json_array_append_new(a, json_text(v[i]));
	return a;
}

static json_t *write_strv(const void *v, const struct field *f)
{
	const char *const *strv = *(const char *const *const *)v;

	return strv ? strv_json(strv) : json_null();
}

static int read_strv(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	return json_read_strv(r, f->key, v, NULL, e);
}

static json_t *write_bool(const void *v, const struct field *f)
{
	return json_boolean(*(const bool *)v);
}

static int read_bool(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	return json_read_bool(r, f->key, v, e);
}

static json_t *write_tri(const void *v, const struct field *f)
{
	enum spec_tri t = *(const enum spec_tri *)v;

	return t == SPEC_UNSET ? json_null() : json_boolean(t == SPEC_TRUE);
}

static int read_tri(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	bool on = false;
	int n = json_read_bool(r, f->key, &on, e);

	if (n > 0)
		*(enum spec_tri *)v = on ? SPEC_TRUE : SPEC_FALSE;
	return n;
}

static json_t *write_i64(const void *v, const struct field *f)
{
	return json_integer(*(const int64_t *)v);
}

static int read_i64(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	return json_read_i64(r, f->key, INT64_MIN, INT64_MAX, v, e);
}

static json_t *write_int(const void *v, const struct field *f)
{
	return json_integer(*(const int *)v);
}

static int read_int(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	int64_t n = 0;
	int got = json_read_i64(r, f->key, INT32_MIN, INT32_MAX, &n, e);

	if (got > 0)
		*(int *)v = (int)n;
	return got;
}

/* -1 in the spec is null in Docker's JSON. */
static json_t *write_int_or_null(const void *v, const struct field *f)
{
	return *(const int *)v < 0 ? json_null() : write_int(v, f);
}

static json_t *write_i64_or_null(const void *v, const struct field *f)
{
	return *(const int64_t *)v < 0 ? json_null() : write_i64(v, f);
}

/* Docker's PidsLimit: null where not given, -1 for unlimited. */
static json_t *write_pids(const void *v, const struct field *f)
{
	return *(const int64_t *)v == 0 ? json_null() : write_i64(v, f);
}

static json_t *write_u16(const void *v, const struct field *f)
{
	return json_integer(*(const uint16_t *)v);
}

static int read_u16(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	uint64_t n = 0;
	int got = json_read_u64(r, f->key, UINT16_MAX, &n, e);

	if (got > 0)
		*(uint16_t *)v = (uint16_t)n;
	return got;
}

static json_t *write_pairs(const void *v, const struct field *f)
{
	const struct spec_pair *p = *(const struct spec_pair *const *)v;
	json_t *o = json_object();

	for (size_t i = 0; i < COUNT(f, v); i++)
		json_put_text(o, p[i].key, p[i].value);
	return o;
}

static int read_pairs(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	struct json_reader o;
	struct spec_pair *p;
	const char *key;
	json_t *value;
	size_t n = 0;
	int got = json_read_obj(r, f->key, &o, e);

	if (got <= 0)
		return got;
	p = arena_array(r->arena, json_object_size(o.obj), sizeof(*p));
	if (!p)
		return err_set(e, ERR_LIMIT, ENOMEM, "reading '%s'", f->key);
	json_object_foreach ((json_t *)(uintptr_t)o.obj, key, value) {
		if (!json_is_string(value))
			return json_read_fail(&o, key, ERR_INVALID, e, "is not a string");
		p[n].key = arena_strdup(r->arena, key);
		p[n++].value = arena_strdup(r->arena, json_string_value(value));
	}
	*(const struct spec_pair **)v = p;
	COUNT(f, v) = n;
	return 1;
}

/* Docker's ExtraHosts: an array of "host:address". */
static json_t *write_hosts(const void *v, const struct field *f)
{
	const struct spec_pair *p = *(const struct spec_pair *const *)v;
	json_t *a = json_array();

	for (size_t i = 0; i < COUNT(f, v); i++)
		json_array_append_new(a, json_sprintf("%s:%s", p[i].key, p[i].value));
	return a;
}

static int read_hosts(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	const char **strv = NULL;
	struct spec_pair *p;
	size_t n = 0;
	int got = json_read_strv(r, f->key, &strv, &n, e);

	if (got <= 0)
		return got;
	p = arena_array(r->arena, n, sizeof(*p));
	for (size_t i = 0; p && i < n; i++) {
		p[i].key = str_cut(r->arena, strv[i], ':', &p[i].value);
		if (!p[i].key || !p[i].value)
			return json_read_fail(r, f->key, ERR_INVALID, e, "'%s' is not host:address",
					      strv[i]);
	}
	*(const struct spec_pair **)v = p;
	COUNT(f, v) = p ? n : 0;
	return 1;
}

static json_t *write_tmpfs(const void *v, const struct field *f)
{
	const struct spec_tmpfs *t = *(const struct spec_tmpfs *const *)v;
	json_t *o;

	if (COUNT(f, v) == 0)
		return NULL;
	o = json_object();
	for (size_t i = 0; i < COUNT(f, v); i++)
		json_object_set_new(o, t[i].dest, json_string(t[i].options));
	return o;
}

/* Docker's Volumes: an object whose keys are the paths. */
static json_t *write_set(const void *v, const struct field *f)
{
	const char *const *strv = *(const char *const *const *)v;
	json_t *o;

	if (!strv || !strv[0])
		return json_null();
	o = json_object();
	for (size_t i = 0; strv[i]; i++)
		json_object_set_new(o, strv[i], json_object());
	return o;
}

static int read_set(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	struct json_reader o;
	const char **strv = NULL;
	const char *key;
	json_t *value;
	size_t n = 0;
	int got = json_read_obj(r, f->key, &o, e);

	if (got <= 0)
		return got;
	json_object_foreach ((json_t *)(uintptr_t)o.obj, key, value)
		if (arena_strv_push(r->arena, &strv, &n, arena_strdup(r->arena, key)) < 0)
			return err_set(e, ERR_LIMIT, ENOMEM, "reading '%s'", f->key);
	*(const char ***)v = strv;
	return 1;
}

static json_t *write_mounts(const void *v, const struct field *f)
{
	return COUNT(f, v) ? spec_mounts_to_json(*(const struct spec_mount *const *)v, COUNT(f, v))
			   : NULL;
}

static int read_mounts(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	return spec_mounts_from_json(r, f->key, v, &COUNT(f, v), e);
}

/* A tmpfs is a pair of strings like a label; the types differ only by name. */
_Static_assert(sizeof(struct spec_tmpfs) == sizeof(struct spec_pair), "both are two strings");

static json_t *write_ulimits(const void *v, const struct field *f)
{
	const struct spec_ulimit *u = *(const struct spec_ulimit *const *)v;
	json_t *a = json_array();

	for (size_t i = 0; i < COUNT(f, v); i++)
		json_array_append_new(a, json_pack("{s:s, s:I, s:I}", "Name", u[i].name, "Hard",
						   (json_int_t)u[i].hard, "Soft",
						   (json_int_t)u[i].soft));
	return a;
}

static int read_ulimits(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	struct spec_ulimit *u;
	size_t n;

	if (json_read_array(r, f->key, 64, &n, e) < 0)
		return -1;
	u = arena_array(r->arena, n, sizeof(*u));
	for (size_t i = 0; u && i < n; i++) {
		struct json_reader o;

		if (json_read_elem(r, f->key, i, &o, e) < 0 ||
		    json_read_str(&o, "Name", &u[i].name, e) < 0 ||
		    json_read_i64(&o, "Hard", -1, INT64_MAX, &u[i].hard, e) < 0 ||
		    json_read_i64(&o, "Soft", -1, INT64_MAX, &u[i].soft, e) < 0)
			return -1;
		if (!u[i].name)
			return json_read_fail(&o, "Name", ERR_INVALID, e, "is missing");
	}
	*(const struct spec_ulimit **)v = u;
	COUNT(f, v) = u ? n : 0;
	return 1;
}

/* Docker's name of the number. */
static const char *io_value(const struct field *f)
{
	return str_eq(f->key, "BlkioWeightDevice") ? "Weight" : "Rate";
}

static json_t *write_io(const void *v, const struct field *f)
{
	const struct spec_io_limit *l = *(const struct spec_io_limit *const *)v;
	json_t *a = COUNT(f, v) ? json_array() : NULL;

	for (size_t i = 0; i < COUNT(f, v); i++)
		json_array_append_new(a, json_pack("{s:s, s:I}", "Path", l[i].path, io_value(f),
						   (json_int_t)l[i].value));
	return a;
}

static int read_io(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	struct spec_io_limit *l;
	size_t n;

	if (json_read_array(r, f->key, 64, &n, e) < 0)
		return -1;
	l = arena_array(r->arena, n, sizeof(*l));
	for (size_t i = 0; l && i < n; i++) {
		struct json_reader o;

		if (json_read_elem(r, f->key, i, &o, e) < 0 ||
		    json_read_str(&o, "Path", &l[i].path, e) < 0 ||
		    json_read_u64(&o, io_value(f), INT64_MAX, &l[i].value, e) < 0)
			return -1;
		if (!l[i].path)
			return json_read_fail(&o, "Path", ERR_INVALID, e, "is missing");
	}
	*(const struct spec_io_limit **)v = l;
	COUNT(f, v) = l ? n : 0;
	return 1;
}

static json_t *write_devices(const void *v, const struct field *f)
{
	const struct spec_device *d = *(const struct spec_device *const *)v;
	json_t *a = json_array();

	for (size_t i = 0; i < COUNT(f, v); i++)
		json_array_append_new(a, json_pack("{s:s, s:s, s:s}", "PathOnHost", d[i].host,
						   "PathInContainer", d[i].container,
						   "CgroupPermissions", d[i].perms));
	return a;
}

static int read_devices(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	struct spec_device *d;
	size_t n;

	if (json_read_array(r, f->key, 1024, &n, e) < 0)
		return -1;
	d = arena_array(r->arena, n, sizeof(*d));
	for (size_t i = 0; d && i < n; i++) {
		struct json_reader o;

		if (json_read_elem(r, f->key, i, &o, e) < 0 ||
		    json_read_str(&o, "PathOnHost", &d[i].host, e) < 0 ||
		    json_read_str(&o, "PathInContainer", &d[i].container, e) < 0 ||
		    json_read_str(&o, "CgroupPermissions", &d[i].perms, e) < 0)
			return -1;
		if (!d[i].host || !d[i].container || !d[i].perms)
			return json_read_fail(&o, NULL, ERR_INVALID, e, "is incomplete");
	}
	*(const struct spec_device **)v = d;
	COUNT(f, v) = d ? n : 0;
	return 1;
}

static const char *device_number(int64_t n, char out[24])
{
	if (n == SPEC_DEV_ANY)
		return "*";
	snprintf(out, 24, "%lld", (long long)n);
	return out;
}

/* Docker's DeviceCgroupRules: an array of "c 1:3 rwm". */
static json_t *write_device_rules(const void *v, const struct field *f)
{
	const struct spec_device_rule *d = *(const struct spec_device_rule *const *)v;
	json_t *a;

	if (COUNT(f, v) == 0)
		return json_null();
	a = json_array();
	for (size_t i = 0; i < COUNT(f, v); i++) {
		char major[24], minor[24];

		json_array_append_new(
			a, json_sprintf("%c %s:%s %s", d[i].type, device_number(d[i].major, major),
					device_number(d[i].minor, minor), d[i].perms));
	}
	return a;
}

static bool read_device_number(const char *s, int64_t *ret)
{
	if (s && str_eq(s, "*")) {
		*ret = SPEC_DEV_ANY;
		return true;
	}
	return s && num_i64(s, 0, UINT32_MAX, ret) == 0;
}

static bool read_device_rule(struct arena *a, const char *text, struct spec_device_rule *ret)
{
	const char *rest, *minor, *major;

	if (!strchr("abc", text[0]) || text[0] == '\0' || text[1] != ' ')
		return false;
	ret->type = text[0];
	major = str_cut(a, text + 2, ' ', &rest);
	ret->perms = rest;
	major = major ? str_cut(a, major, ':', &minor) : NULL;
	return major && rest && read_device_number(major, &ret->major) &&
	       read_device_number(minor, &ret->minor);
}

static int read_device_rules(const struct json_reader *r, const struct field *f, void *v,
			     struct err *e)
{
	struct spec_device_rule *d;
	const char **strv = NULL;
	size_t n = 0;
	int got = json_read_strv(r, f->key, &strv, &n, e);

	if (got <= 0)
		return got;
	d = arena_array(r->arena, n, sizeof(*d));
	for (size_t i = 0; d && i < n; i++)
		if (!read_device_rule(r->arena, strv[i], &d[i]))
			return json_read_fail(r, f->key, ERR_INVALID, e, "'%s' is no device rule",
					      strv[i]);
	*(const struct spec_device_rule **)v = d;
	COUNT(f, v) = d ? n : 0;
	return 1;
}

static const char *const ns_words[] = {
	[SPEC_NS_DEFAULT] = "",  [SPEC_NS_PRIVATE] = "private",     [SPEC_NS_HOST] = "host",
	[SPEC_NS_NONE] = "none", [SPEC_NS_SHAREABLE] = "shareable", [SPEC_NS_CONTAINER] = NULL,
	[SPEC_NS_NAMED] = NULL,
};

static json_t *write_ns(const void *v, const struct field *f)
{
	const struct spec_ns *ns = v;

	if (ns->mode == SPEC_NS_CONTAINER)
		return json_sprintf("container:%s", ns->ref);
	return json_string(ns->mode == SPEC_NS_NAMED ? ns->ref : ns_words[ns->mode]);
}

static int read_ns(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	struct spec_ns *ns = v;
	const char *s = NULL, *ref;
	int got = json_read_str(r, f->key, &s, e);

	if (got <= 0)
		return got;
	ref = str_after(s, "container:");
	*ns = (struct spec_ns){.mode = ref ? SPEC_NS_CONTAINER : SPEC_NS_NAMED,
			       .ref = ref ? ref : s};
	for (size_t i = 0; i < ARRAY_SIZE(ns_words); i++)
		if (ns_words[i] && str_eq(s, ns_words[i]))
			*ns = (struct spec_ns){.mode = (enum spec_ns_mode)i};
	return 1;
}

static json_t *write_security(const void *v, const struct field *f)
{
	const struct spec_security *s = v;

	return s->opts && s->opts[0] ? strv_json(s->opts) : json_null();
}

static int read_security(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	const char **opts = NULL;
	int got = json_read_strv(r, f->key, &opts, NULL, e);

	if (got <= 0)
		return got;
	return spec_security_parse(r->arena, opts, v, e) < 0 ? -1 : 1;
}

static json_t *write_restart(const void *v, const struct field *f)
{
	return spec_restart_json(v);
}

static int read_restart(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	return spec_restart_read(r, f->key, v, e);
}

static json_t *write_log(const void *v, const struct field *f)
{
	return spec_log_json(v);
}

static int read_log(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	return spec_log_read(r, f->key, v, e);
}

static json_t *write_health(const void *v, const struct field *f)
{
	return spec_health_json(v);
}

static int read_health(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	return spec_health_read(r, f->key, v, e);
}

static json_t *write_ports(const void *v, const struct field *f)
{
	return spec_ports_json(*(const struct spec_port *const *)v, COUNT(f, v));
}

static int read_ports(const struct json_reader *r, const struct field *f, void *v, struct err *e)
{
	return spec_ports_read(r, f->key, v, &COUNT(f, v), e);
}

/* A list that is absent where it is empty. */
static json_t *write_words(const void *v, const struct field *f)
{
	const char *const *strv = *(const char *const *const *)v;

	return strv && strv[0] ? strv_json(strv) : json_null();
}

static const struct kind k_ports = {write_ports, read_ports}, k_words = {write_words, read_strv};
static const struct kind k_restart = {write_restart, read_restart}, k_log = {write_log, read_log},
			 k_health = {write_health, read_health};
static const struct kind k_str = {write_str, read_str}, k_strv = {write_strv, read_strv},
			 k_bool = {write_bool, read_bool}, k_tri = {write_tri, read_tri},
			 k_i64 = {write_i64, read_i64}, k_int = {write_int, read_int},
			 k_int_or_null = {write_int_or_null, read_int},
			 k_i64_or_null = {write_i64_or_null, read_i64},
			 k_pids = {write_pids, read_i64}, k_u16 = {write_u16, read_u16},
			 k_pairs = {write_pairs, read_pairs}, k_hosts = {write_hosts, read_hosts},
			 k_tmpfs = {write_tmpfs, read_pairs},
			 k_ulimits = {write_ulimits, read_ulimits}, k_io = {write_io, read_io},
			 k_devices = {write_devices, read_devices},
			 k_device_rules = {write_device_rules, read_device_rules},
			 k_set = {write_set, read_set}, k_mounts = {write_mounts, read_mounts},
			 k_ns = {write_ns, read_ns}, k_security = {write_security, read_security};

#define PLAIN(section, key, kind, member)                                                          \
	{                                                                                          \
		section, key, &(kind), offsetof(struct container_spec, member), 0                  \
	}
#define COUNTED(section, key, kind, member, count)                                                 \
	{                                                                                          \
		section, key, &(kind), offsetof(struct container_spec, member),                    \
			offsetof(struct container_spec, count)                                     \
	}

#define IO(key, kind) COUNTED(HOST, key, k_io, resources.io[kind], resources.n_io[kind])

static const struct field fields[] = {
	PLAIN(CONFIG, "Hostname", k_str, hostname),
	PLAIN(CONFIG, "Domainname", k_str, domainname),
	PLAIN(CONFIG, "User", k_str, user),
	PLAIN(CONFIG, "AttachStdin", k_bool, attach_in),
	PLAIN(CONFIG, "AttachStdout", k_bool, attach_out),
	PLAIN(CONFIG, "AttachStderr", k_bool, attach_err),
	PLAIN(CONFIG, "Tty", k_bool, tty),
	PLAIN(CONFIG, "OpenStdin", k_bool, interactive),
	PLAIN(CONFIG, "Env", k_strv, env),
	PLAIN(CONFIG, "Cmd", k_strv, cmd),
	PLAIN(CONFIG, "Image", k_str, image),
	PLAIN(CONFIG, "WorkingDir", k_str, workdir),
	PLAIN(CONFIG, "Entrypoint", k_strv, entrypoint),
	COUNTED(CONFIG, "Labels", k_pairs, labels, n_labels),
	PLAIN(CONFIG, "Volumes", k_set, volumes),
	PLAIN(CONFIG, "ExposedPorts", k_set, exposed),
	PLAIN(CONFIG, "MacAddress", k_str, mac),
	PLAIN(CONFIG, "StopSignal", k_str, stop_signal),
	PLAIN(CONFIG, "StopTimeout", k_int_or_null, stop_timeout),
	PLAIN(CONFIG, "Healthcheck", k_health, health),

	PLAIN(HOST, "Binds", k_strv, binds),
	PLAIN(HOST, "VolumeDriver", k_str, volume_driver),
	PLAIN(HOST, "VolumesFrom", k_strv, volumes_from),
	COUNTED(HOST, "Mounts", k_mounts, mounts, n_mounts),
	PLAIN(HOST, "NetworkMode", k_ns, network),
	COUNTED(HOST, "PortBindings", k_ports, ports, n_ports),
	PLAIN(HOST, "PublishAllPorts", k_bool, publish_all),
	PLAIN(HOST, "Dns", k_words, dns),
	PLAIN(HOST, "DnsOptions", k_words, dns_options),
	PLAIN(HOST, "DnsSearch", k_words, dns_search),
	PLAIN(HOST, "AutoRemove", k_bool, auto_remove),
	PLAIN(HOST, "LogConfig", k_log, log),
	PLAIN(HOST, "RestartPolicy", k_restart, restart),
	COUNTED(HOST, "Annotations", k_pairs, annotations, n_annotations),
	PLAIN(HOST, "CapAdd", k_strv, cap_add),
	PLAIN(HOST, "CapDrop", k_strv, cap_drop),
	PLAIN(HOST, "CgroupnsMode", k_ns, cgroupns),
	COUNTED(HOST, "ExtraHosts", k_hosts, extra_hosts, n_extra_hosts),
	PLAIN(HOST, "GroupAdd", k_strv, group_add),
	PLAIN(HOST, "IpcMode", k_ns, ipc),
	PLAIN(HOST, "OomScoreAdj", k_int, resources.oom_score_adj),
	PLAIN(HOST, "PidMode", k_ns, pid),
	PLAIN(HOST, "Privileged", k_bool, privileged),
	PLAIN(HOST, "ReadonlyRootfs", k_bool, read_only),
	PLAIN(HOST, "SecurityOpt", k_security, security),
	PLAIN(HOST, "UTSMode", k_ns, uts),
	PLAIN(HOST, "UsernsMode", k_ns, userns),
	PLAIN(HOST, "ShmSize", k_i64, shm_size),
	COUNTED(HOST, "Sysctls", k_pairs, sysctls, n_sysctls),
	COUNTED(HOST, "Tmpfs", k_tmpfs, tmpfs, n_tmpfs),
	PLAIN(HOST, "Init", k_bool, init),
	PLAIN(HOST, "CpuShares", k_i64, resources.cpu_shares),
	PLAIN(HOST, "Memory", k_i64, resources.memory),
	PLAIN(HOST, "NanoCpus", k_i64, resources.nano_cpus),
	PLAIN(HOST, "CgroupParent", k_str, resources.cgroup_parent),
	PLAIN(HOST, "BlkioWeight", k_u16, resources.blkio_weight),
	IO("BlkioWeightDevice", SPEC_IO_WEIGHT),
	IO("BlkioDeviceReadBps", SPEC_IO_READ_BPS),
	IO("BlkioDeviceWriteBps", SPEC_IO_WRITE_BPS),
	IO("BlkioDeviceReadIOps", SPEC_IO_READ_IOPS),
	IO("BlkioDeviceWriteIOps", SPEC_IO_WRITE_IOPS),
	PLAIN(HOST, "CpuPeriod", k_i64, resources.cpu_period),
	PLAIN(HOST, "CpuQuota", k_i64, resources.cpu_quota),
	PLAIN(HOST, "CpusetCpus", k_str, resources.cpuset_cpus),
	PLAIN(HOST, "CpusetMems", k_str, resources.cpuset_mems),
	COUNTED(HOST, "Devices", k_devices, resources.devices, resources.n_devices),
	COUNTED(HOST, "DeviceCgroupRules", k_device_rules, resources.device_rules,
		resources.n_device_rules),
	PLAIN(HOST, "MemoryReservation", k_i64, resources.memory_reservation),
	PLAIN(HOST, "MemorySwap", k_i64, resources.memory_swap),
	PLAIN(HOST, "MemorySwappiness", k_i64_or_null, resources.memory_swappiness),
	PLAIN(HOST, "OomKillDisable", k_tri, resources.oom_kill_disable),
	PLAIN(HOST, "PidsLimit", k_pids, resources.pids_limit),
	COUNTED(HOST, "Ulimits", k_ulimits, resources.ulimits, resources.n_ulimits),
};

/* What reading takes for granted where it is absent. 0 is a value of its own where -1 is "not
 * given", and so is false where neither is. */
static bool is_default(const struct field *f, const json_t *v)
{
	const char *type = json_string_value(json_object_get(v, "Type"));
	const char *name = json_string_value(json_object_get(v, "Name"));

	if (f->kind == &k_restart)
		return name && str_eq(name, "no");
	if (f->kind == &k_log)
		return type && str_eq(type, "json-file") &&
		       json_object_size(json_object_get(v, "Config")) == 0;
	if (json_is_integer(v))
		return json_integer_value(v) == 0 && f->kind != &k_int_or_null &&
		       f->kind != &k_i64_or_null;
	if (json_is_false(v))
		return f->kind != &k_tri;
	if (json_is_string(v))
		return json_string_length(v) == 0;
	if (json_is_array(v))
		return json_array_size(v) == 0 && f->kind != &k_strv;
	return json_is_null(v) || (json_is_object(v) && json_object_size(v) == 0);
}

int spec_to_json(const struct container_spec *spec, json_t **ret_config, json_t **ret_host_config,
		 struct err *e)
{
	_cleanup_(json_unref) json_t *config = json_object(), *host = json_object();
	int bad = !config || !host;

	for (size_t i = 0; i < ARRAY_SIZE(fields) && !bad; i++) {
		const struct field *f = &fields[i];
		json_t *v = f->kind->write((const char *)spec + f->at, f);

		if (v && is_default(f, v))
			json_decref(v);
		else if (v)
			bad = json_object_set_new(f->section == CONFIG ? config : host, f->key, v);
	}
	if (bad)
		return err_set(e, ERR_LIMIT, ENOMEM, "describing the container");
	if (spec->interactive && spec->attach_in)
		json_object_set_new(config, "StdinOnce", json_true());
	*ret_config = TAKE_PTR(config);
	*ret_host_config = TAKE_PTR(host);
	return 0;
}

/* A bit for a key: most documents have few of the keys, and a lookup costs more than this. */
static uint64_t key_bit(const char *key)
{
	const unsigned char *k = (const unsigned char *)key;
	size_t n = strlen(key);

	return n ? UINT64_C(1) << ((n * 7 + k[0] * 3U + k[n - 1] + k[n / 2] * 5U) & 63) : 0;
}

static uint64_t keys_of(const struct json_reader *section)
{
	json_t *o = (json_t *)(uintptr_t)section->obj, *value;
	uint64_t bits = 0;
	const char *key;

	json_object_foreach (o, key, value)
		bits |= key_bit(key);
	return bits;
}

int spec_from_json(const json_t *doc, struct container_spec *spec, struct err *e)
{
	struct json_reader root, section[2];
	uint64_t keys[2];

	if (json_reader_init(&root, doc, "the container's description", &spec->arena, e) < 0)
		return -1;
	if (json_read_obj(&root, "Config", &section[CONFIG], e) <= 0 ||
	    json_read_obj(&root, "HostConfig", &section[HOST], e) <= 0)
		return err_set(e, ERR_CORRUPT, 0,
			       "the container's description: Config or HostConfig is missing");
	for (int i = 0; i < 2; i++)
		keys[i] = keys_of(&section[i]);
	/* To read what is absent changes nothing, whatever its kind. */
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct field *f = &fields[i];

		if (!(keys[f->section] & key_bit(f->key)))
			continue;
		if (f->kind->read(&section[f->section], f, (char *)spec + f->at, e) < 0)
			return -1;
	}
	return 0;
}

/* "key=value" or, as old versions had it, "key:value". */
static const char *option_value(struct arena *a, const char *opt, const char **ret_key)
{
	const char *rest;
	const char *key = str_cut(a, opt, strchr(opt, '=') ? '=' : ':', &rest);

	*ret_key = key;
	return rest;
}

int spec_security_parse(struct arena *a, const char *const *opts, struct spec_security *ret,
			struct err *e)
{
	const char **labels = NULL;
	size_t n_labels = 0;
	struct spec_security s = {.opts = opts};

	for (size_t i = 0; opts && opts[i]; i++) {
		const char *key, *value = option_value(a, opts[i], &key);
		bool on = true;

		if (str_eq(key, "no-new-privileges") && (!value || num_bool(value, &on) == 0)) {
			s.no_new_privileges = on;
		} else if (!value) {
			return err_set(e, ERR_INVALID, 0, "invalid --security-opt: '%s'", opts[i]);
		} else if (str_eq(key, "seccomp")) {
			s.seccomp = str_eq(value, "unconfined") ? SPEC_SECCOMP_UNCONFINED
				    : str_eq(value, "builtin")  ? SPEC_SECCOMP_DEFAULT
								: SPEC_SECCOMP_PROFILE;
			s.seccomp_profile = s.seccomp == SPEC_SECCOMP_PROFILE ? value : NULL;
		} else if (str_eq(key, "apparmor")) {
			s.apparmor = value;
		} else if (str_eq(key, "systempaths") && str_eq(value, "unconfined")) {
			s.systempaths_unconfined = true;
		} else if (str_eq(key, "label") && str_eq(value, "disable")) {
			s.label_disable = true;
		} else if (str_eq(key, "label")) {
			if (arena_strv_push(a, &labels, &n_labels, value) < 0)
				return err_set(e, ERR_LIMIT, ENOMEM, "reading --security-opt");
		} else {
			return err_set(e, ERR_INVALID, 0, "invalid --security-opt: '%s'", opts[i]);
		}
	}
	s.label_options = labels;
	*ret = s;
	return 0;
}
