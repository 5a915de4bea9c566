/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a configuration that bind several fields, or that one built in memory could break.
 * Nothing here looks at the machine. */
#include "oci/runtime-config-internal.h"

#include "base/num.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

int oci_bad(struct err *e, const char *fmt, ...)
{
	char why[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(e, ERR_INVALID, 0, "config.json: %s", why);
}

/* 1.0 and later of version 1; pre-releases of it too. */
static int check_version(const struct runtime_config *c, struct err *e)
{
	if (!c->oci_version || !str_after(c->oci_version, "1."))
		return oci_bad(e, "ociVersion: '%s' is not a version 1.x", c->oci_version);
	return 0;
}

static int check_caps(const struct oci_caps *c, struct err *e)
{
	/* capset and prctl would refuse these; here the fields can be named */
	if (c->effective & ~c->permitted)
		return oci_bad(
			e, "process.capabilities.effective: has '%s', permitted has not",
			oci_cap_name((unsigned)__builtin_ctzll(c->effective & ~c->permitted)));
	return 0;
}

static int check_env(const char *const *env, struct err *e)
{
	for (size_t i = 0; env && env[i]; i++)
		if (!*env[i] || *env[i] == '=')
			return oci_bad(e, "process.env[%zu]: '%s' has no name", i, env[i]);
	return 0;
}

static int check_rlimits(const struct oci_process *p, struct err *e)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct oci_rlimit *l = &p->rlimits[i];

		if (!oci_rlimit_name(l->resource))
			return oci_bad(e, "process.rlimits[%zu].type: unknown", i);
		if (l->soft > l->hard)
			return oci_bad(e, "process.rlimits[%zu]: %s: soft %llu is above hard %llu",
				       i, oci_rlimit_name(l->resource), (unsigned long long)l->soft,
				       (unsigned long long)l->hard);
		for (size_t k = 0; k < i; k++)
			if (p->rlimits[k].resource == l->resource)
				return oci_bad(e, "process.rlimits[%zu]: %s is given twice", i,
					       oci_rlimit_name(l->resource));
	}
	return 0;
}

static int check_cpus(const char *name, const char *list, struct err *e)
{
	if (!str_empty(list) && num_list_check(list, OCI_CPU_MAX) < 0)
		return oci_bad(e, "process.execCPUAffinity.%s: '%s' is no list of CPUs", name,
			       list);
	return 0;
}

/* What sched_setattr(2) would refuse without saying why. */
static int check_scheduler(const struct oci_scheduler *s, struct err *e)
{
	bool real_time = s->policy == OCI_SCHED_FIFO || s->policy == OCI_SCHED_RR;

	if (!s->set)
		return 0;
	if (real_time && s->priority < 1)
		return oci_bad(e, "process.scheduler.priority: is 1 to 99 with SCHED_FIFO and "
				  "SCHED_RR");
	if (!real_time && s->priority)
		return oci_bad(e, "process.scheduler.priority: is for SCHED_FIFO and SCHED_RR");
	if (s->policy != OCI_SCHED_DEADLINE)
		return 0;
	if (!s->runtime || s->runtime > s->deadline || s->deadline > s->period)
		return oci_bad(e, "process.scheduler: SCHED_DEADLINE needs 0 < runtime <= "
				  "deadline <= period");
	return 0;
}

int runtime_config_validate_process(const struct oci_process *p, struct err *e)
{
	if (!p->args || !p->args[0])
		return oci_bad(e, "process.args: is missing or empty");
	if (!oci_is_absolute(p->cwd))
		return oci_bad(e, "process.cwd: '%s' is not an absolute path",
			       p->cwd ? p->cwd : "");
	if (check_env((const char *const *)p->env, e) < 0 || check_caps(&p->caps, e) < 0 ||
	    check_cpus("initial", p->affinity.initial, e) < 0 ||
	    check_cpus("final", p->affinity.final, e) < 0 || check_scheduler(&p->scheduler, e) < 0)
		return -1;
	return check_rlimits(p, e);
}

static int check_mounts(const struct runtime_config *c, struct err *e)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct oci_mount *m = &c->mounts[i];

		if (str_empty(m->destination))
			return oci_bad(e, "mounts[%zu].destination: is missing or empty", i);
		if ((m->uid_maps.n > 0) != (m->gid_maps.n > 0))
			return oci_bad(
				e, "mounts[%zu]: uidMappings and gidMappings need each other", i);
	}
	return 0;
}

static int check_hooks(const struct runtime_config *c, struct err *e)
{
	for (enum oci_hook_point p = 0; p < OCI_HOOK_N; p++)
		for (size_t i = 0; i < c->hooks[p].n; i++)
			if (!oci_is_absolute(c->hooks[p].v[i].path))
				return oci_bad(e,
					       "hooks.%s[%zu].path: '%s' is not an absolute path",
					       oci_hook_name(p), i, c->hooks[p].v[i].path);
	return 0;
}

int runtime_config_validate(const struct runtime_config *c, struct err *e)
{
	const struct oci_namespace *ns = c->linux_.ns;

	if (check_version(c, e) < 0 ||
	    (c->has_process && runtime_config_validate_process(&c->process, e) < 0) ||
	    check_mounts(c, e) < 0 || check_hooks(c, e) < 0 || oci_check_linux(&c->linux_, e) < 0)
		return -1;
	if (!str_empty(c->hostname) && !ns[OCI_NS_UTS].present)
		return oci_bad(e, "hostname: needs a uts namespace");
	if (!str_empty(c->domainname) && !ns[OCI_NS_UTS].present)
		return oci_bad(e, "domainname: needs a uts namespace");
	return oci_check_sysctls(c, e);
}
