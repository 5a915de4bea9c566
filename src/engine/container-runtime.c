/* SPDX-License-Identifier: Apache-2.0 */
/* From a container's spec to the configuration that the runtime executes. The defaults are
 * Docker's (moby: oci/defaults.go, daemon/oci_linux.go). */
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "kernel/caps.h"
#include "oci/passwd.h"
#include "oci/seccomp-profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- environment ---- */

struct env {
	struct arena *arena;
	const char **v;
	size_t n;
	bool failed;
};

/* Sets "KEY=value" in place, or at the end; "KEY" alone removes it. */
static void env_put(struct env *env, const char *entry)
{
	size_t key = strcspn(entry, "=");

	for (size_t i = 0; i < env->n; i++) {
		if (strncmp(env->v[i], entry, key) != 0 || env->v[i][key] != '=')
			continue;
		if (entry[key]) {
			env->v[i] = entry;
		} else {
			memmove(&env->v[i], &env->v[i + 1], (env->n - i) * sizeof(*env->v));
			env->n--;
		}
		return;
	}
	if (entry[key] && arena_strv_push(env->arena, &env->v, &env->n, entry) < 0)
		env->failed = true;
}

static int put_env(const struct start_facts *f, const char *home, struct runtime_config *ret,
		   struct err *e)
{
	const struct container_spec *s = &f->c->spec;
	struct env env = {.arena = &ret->arena};
	const char *host = arena_printf(&ret->arena, "HOSTNAME=%s", s->hostname);

	env_put(&env, "PATH=" DEFAULT_PATH);
	if (host)
		env_put(&env, host);
	if (s->tty)
		env_put(&env, "TERM=xterm");
	for (size_t i = 0; s->env && s->env[i]; i++)
		env_put(&env, s->env[i]);
	if (!strv_env_get(env.v, "HOME"))
		env_put(&env, arena_printf(&ret->arena, "HOME=%s", home));
	if (env.failed || !host)
		return err_set(e, ERR_LIMIT, ENOMEM, "making the environment");
	ret->process.env = env.v;
	return 0;
}

/* ---- identity ---- */

/* A file of the container, read with bounds; absent or no regular file counts as empty. */
static int read_container_file(int rootfs, const char *rel, struct buf *out, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open(rootfs, rel, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	int r;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = fd_read_all(fd, out, PASSWD_SIZE_MAX);
	return r < 0 ? err_errno(e, r, "reading /%s of the image", rel) : 0;
}

static int put_user(const struct start_facts *f, struct runtime_config *ret, char **ret_home,
		    struct err *e)
{
	_cleanup_(buf_done) struct buf passwd = BUF_INIT(PASSWD_SIZE_MAX);
	_cleanup_(buf_done) struct buf group = BUF_INIT(PASSWD_SIZE_MAX);
	_cleanup_(passwd_identity_done) struct passwd_identity who = PASSWD_IDENTITY_INIT;
	struct passwd_files files;
	uint32_t *gids;

	if (read_container_file(f->rootfs, "etc/passwd", &passwd, e) < 0 ||
	    read_container_file(f->rootfs, "etc/group", &group, e) < 0)
		return -1;
	files = (struct passwd_files){passwd.data, passwd.len, group.data, group.len};
	if (passwd_resolve(f->c->spec.user, f->c->spec.group_add, &files, &who, e) < 0)
		return -1;
	gids = arena_array(&ret->arena, who.n_gids, sizeof(*gids));
	*ret_home = arena_strdup(&ret->arena, who.home);
	if (!gids || !*ret_home)
		return err_set(e, ERR_LIMIT, ENOMEM, "resolving the user");
	memcpy(gids, who.gids, who.n_gids * sizeof(*gids));
	ret->process.user = (struct oci_user){
		.uid = who.uid, .gid = who.gid, .gids = gids, .n_gids = who.n_gids};
	return 0;
}

/* ---- capabilities and seccomp ---- */

static int caps_of(const char *const *names, const char *option, uint64_t *ret, struct err *e)
{
	*ret = 0;
	for (size_t i = 0; names && names[i]; i++) {
		uint64_t bits;

		if (caps_parse(names[i], &bits) < 0)
			return err_set(e, ERR_INVALID, 0, "invalid %s: unknown capability: \"%s\"",
				       option, names[i]);
		*ret |= bits;
	}
	return 0;
}

/* A single capability that this process lacks cannot be given; "ALL" is all that it has. */
static int check_owned(uint64_t wanted, uint64_t owned, struct err *e)
{
	for (unsigned i = 0; i < CAPS_N; i++)
		if (wanted & ~owned & CAPS_BIT(i))
			return err_set(
				e, ERR_DENIED, 0,
				"giving the container %s: kogge does not have it here itself "
				"(leave it out, or run kogge with it)",
				cap_name(i));
	return 0;
}

/* "ALL" is where the set starts from; single names then add to or take from it. */
int container_capabilities(const struct container_spec *s, uint64_t *ret, struct err *e)
{
	uint64_t add, drop, caps = SECCOMP_DEFAULT_CAPS;
	uint64_t own;
	int r = caps_get_permitted(&own);

	if (r < 0)
		return err_errno(e, r, "reading the own capabilities");
	if (s->privileged) {
		*ret = CAPS_ALL & own;
		return 0;
	}
	if (caps_of(s->cap_add, "CapAdd", &add, e) < 0 ||
	    caps_of(s->cap_drop, "CapDrop", &drop, e) < 0)
		return -1;
	if (add != CAPS_ALL && check_owned(add, own, e) < 0)
		return -1;
	if (add == CAPS_ALL)
		caps = CAPS_ALL & ~(drop == CAPS_ALL ? 0 : drop);
	else if (drop == CAPS_ALL)
		caps = add;
	else
		caps = (caps & ~drop) | add;
	*ret = caps & own;
	return 0;
}

static int put_caps(const struct start_facts *f, struct runtime_config *ret, struct err *e)
{
	uint64_t caps;

	if (container_capabilities(&f->c->spec, &caps, e) < 0)
		return -1;
	/* Nothing inheritable and nothing ambient (CVE-2022-24769). */
	ret->process.has_caps = true;
	ret->process.caps =
		(struct oci_caps){.bounding = caps, .effective = caps, .permitted = caps};
	return 0;
}

/* ---- the process ---- */

static int put_rlimits(const struct start_facts *f, struct runtime_config *ret, struct err *e)
{
	const struct spec_resources *res = &f->c->spec.resources;
	struct oci_rlimit *v = arena_array(&ret->arena, res->n_ulimits, sizeof(*v));

	if (!v)
		return err_set(e, ERR_LIMIT, ENOMEM, "setting limits");
	for (size_t i = 0; i < res->n_ulimits; i++) {
		const struct spec_ulimit *u = &res->ulimits[i];
		const char *name = arena_printf(&ret->arena, "RLIMIT_%s", u->name);

		for (char *p = (char *)(uintptr_t)name; p && *p; p++)
			if (*p >= 'a' && *p <= 'z')
				*p = (char)(*p - 'a' + 'A');
		v[i].resource = name ? oci_rlimit_parse(name) : -1;
		if (v[i].resource < 0)
			return err_set(e, ERR_INVALID, 0, "invalid ulimit type: %s", u->name);
		v[i].soft = u->soft < 0 ? UINT64_MAX : (uint64_t)u->soft;
		v[i].hard = u->hard < 0 ? UINT64_MAX : (uint64_t)u->hard;
	}
	ret->process.rlimits = v;
	ret->process.n_rlimits = res->n_ulimits;
	return 0;
}

static int put_args(const struct start_facts *f, const char *const *args,
		    struct runtime_config *ret, struct err *e)
{
	static const char *const init[] = {"/sbin/docker-init", "--"};
	const char **v = NULL;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; f->c->spec.init && i < ARRAY_SIZE(init) && r == 0; i++)
		r = arena_strv_push(&ret->arena, &v, &n, init[i]);
	for (size_t i = 0; args[i] && r == 0; i++)
		r = arena_strv_push(&ret->arena, &v, &n, args[i]);
	ret->process.args = v;
	return r < 0 ? err_set(e, ERR_LIMIT, -r, "making the arguments") : 0;
}

int runtime_put_process(const struct start_facts *f, const char *const *args,
			struct runtime_config *ret, struct err *e)
{
	const struct container_spec *s = &f->c->spec;
	char *home = NULL;

	ret->has_process = true;
	ret->process.terminal = s->tty;
	ret->process.console_height = f->rows;
	ret->process.console_width = f->columns;
	ret->process.cwd = str_empty(s->workdir) ? "/" : s->workdir;
	ret->process.no_new_privileges = s->security.no_new_privileges;
	ret->process.oom_score_adj =
		(struct oci_int){s->resources.oom_score_adj != 0, s->resources.oom_score_adj};
	if (s->security.apparmor && !str_eq(s->security.apparmor, "unconfined") && !s->privileged)
		ret->process.apparmor_profile = s->security.apparmor;
	if (put_args(f, args, ret, e) < 0 || put_user(f, ret, &home, e) < 0 ||
	    put_env(f, home, ret, e) < 0 || put_caps(f, ret, e) < 0)
		return -1;
	return put_rlimits(f, ret, e);
}

/* Docker's sysctls for unprivileged ports and ping, where the network is the container's own. */
static int put_sysctls(const struct start_facts *f, struct runtime_config *ret, struct err *e)
{
	static const struct oci_pair defaults[] = {
		{"net.ipv4.ip_unprivileged_port_start", "0"},
		{"net.ipv4.ping_group_range", "0 2147483647"},
	};
	const struct container_spec *s = &f->c->spec;
	bool own_net = s->network.mode != SPEC_NS_HOST && s->network.mode != SPEC_NS_CONTAINER;
	size_t n = 0, n_defaults = own_net ? ARRAY_SIZE(defaults) : 0;
	struct oci_pair *v = arena_array(&ret->arena, s->n_sysctls + n_defaults, sizeof(*v));

	if (!v)
		return err_set(e, ERR_LIMIT, ENOMEM, "setting sysctls");
	for (size_t i = 0; i < n_defaults; i++) {
		bool given = false;

		for (size_t k = 0; k < s->n_sysctls; k++)
			given |= str_eq(s->sysctls[k].key, defaults[i].key);
		if (!given)
			v[n++] = defaults[i];
	}
	for (size_t i = 0; i < s->n_sysctls; i++)
		v[n++] = (struct oci_pair){s->sysctls[i].key, s->sysctls[i].value};
	ret->linux_.sysctl = (struct oci_map){v, n};
	return 0;
}

int container_runtime_config(struct start_facts *f, const char *const *args,
			     struct runtime_config *ret, struct err *e)
{
	const struct container_spec *s = &f->c->spec;

	ret->root_path = "rootfs"; /* never opened: the root file system is given as a mount */
	ret->root_readonly = s->read_only;
	if (s->uts.mode != SPEC_NS_HOST) {
		ret->hostname = s->hostname;
		ret->domainname = str_empty(s->domainname) ? NULL : s->domainname;
	}
	if (runtime_put_process(f, args, ret, e) < 0 || runtime_put_namespaces(f, ret, e) < 0 ||
	    runtime_put_mounts(f, ret, e) < 0 || runtime_put_devices(f, ret, e) < 0 ||
	    runtime_put_resources(f, ret, e) < 0)
		return -1;
	return put_sysctls(f, ret, e);
}
