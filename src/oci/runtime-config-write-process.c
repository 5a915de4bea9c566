/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of `process`. */
#include "oci/runtime-config-internal.h"

static json_t *cap_set_json(uint64_t set)
{
	json_t *j = json_array();

	for (unsigned cap = 0; oci_cap_name(cap); cap++)
		if (set & (UINT64_C(1) << cap))
			json_array_append_new(j, json_string(oci_cap_name(cap)));
	return j;
}

static json_t *caps_json(const struct oci_caps *c)
{
	json_t *j = json_object();

	oci_put(j, "bounding", cap_set_json(c->bounding));
	oci_put(j, "effective", cap_set_json(c->effective));
	oci_put(j, "inheritable", cap_set_json(c->inheritable));
	oci_put(j, "permitted", cap_set_json(c->permitted));
	oci_put(j, "ambient", cap_set_json(c->ambient));
	return j;
}

static json_t *user_json(const struct oci_user *u)
{
	json_t *j = json_object(), *gids;

	oci_put(j, "uid", json_integer(u->uid));
	oci_put(j, "gid", json_integer(u->gid));
	oci_put_int(j, "umask", &u->umask);
	if (!u->n_gids)
		return j;
	gids = json_array();
	for (size_t i = 0; i < u->n_gids; i++)
		json_array_append_new(gids, json_integer(u->gids[i]));
	oci_put(j, "additionalGids", gids);
	return j;
}

static json_t *rlimits_json(const struct oci_process *p)
{
	json_t *list = p->n_rlimits ? json_array() : NULL;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct oci_rlimit *l = &p->rlimits[i];
		json_t *j = json_object();

		oci_put(j, "type", oci_str_json(oci_rlimit_name(l->resource)));
		oci_put(j, "soft", json_integer((json_int_t)l->soft));
		oci_put(j, "hard", json_integer((json_int_t)l->hard));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *console_json(const struct oci_process *p)
{
	json_t *j;

	if (!p->console_height && !p->console_width)
		return NULL;
	j = json_object();
	oci_put(j, "height", json_integer(p->console_height));
	oci_put(j, "width", json_integer(p->console_width));
	return j;
}

static json_t *affinity_json(const struct oci_affinity *a)
{
	json_t *j = a->initial || a->final ? json_object() : NULL;

	if (!j)
		return NULL;
	oci_put(j, "initial", oci_str_json(a->initial));
	oci_put(j, "final", oci_str_json(a->final));
	return j;
}

static json_t *sched_flags_json(uint64_t flags)
{
	json_t *j = flags ? json_array() : NULL;

	for (size_t i = 0; j && i < OCI_SCHED_FLAG_N; i++)
		if (flags & (UINT64_C(1) << i))
			json_array_append_new(j, json_string(oci_sched_flags[i]));
	return j;
}

static json_t *scheduler_json(const struct oci_scheduler *s)
{
	static const char *const policies[] = {"SCHED_OTHER",   "SCHED_FIFO", "SCHED_RR",
					       "SCHED_BATCH",   "",           "SCHED_IDLE",
					       "SCHED_DEADLINE"};
	json_t *j = s->set ? json_object() : NULL;

	if (!j)
		return NULL;
	oci_put(j, "policy", oci_str_json(policies[s->policy % ARRAY_SIZE(policies)]));
	oci_put(j, "nice", json_integer(s->nice));
	oci_put(j, "priority", json_integer(s->priority));
	oci_put(j, "flags", sched_flags_json(s->flags));
	oci_put(j, "runtime", json_integer((json_int_t)s->runtime));
	oci_put(j, "deadline", json_integer((json_int_t)s->deadline));
	oci_put(j, "period", json_integer((json_int_t)s->period));
	return j;
}

static json_t *io_priority_json(const struct oci_io_priority *p)
{
	static const char *const classes[] = {"IOPRIO_CLASS_NONE", "IOPRIO_CLASS_RT",
					      "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"};
	json_t *j = p->set ? json_object() : NULL;

	if (!j)
		return NULL;
	oci_put(j, "class", oci_str_json(classes[p->class % ARRAY_SIZE(classes)]));
	oci_put(j, "priority", json_integer(p->priority));
	return j;
}

json_t *oci_process_json(const struct oci_process *p)
{
	json_t *j = json_object();

	oci_put(j, "terminal", json_boolean(p->terminal));
	oci_put(j, "consoleSize", console_json(p));
	oci_put(j, "user", user_json(&p->user));
	oci_put(j, "args", oci_strv_json((const char *const *)p->args));
	oci_put(j, "env", oci_strv_json((const char *const *)p->env));
	oci_put(j, "cwd", oci_str_json(p->cwd));
	if (p->has_caps)
		oci_put(j, "capabilities", caps_json(&p->caps));
	oci_put(j, "rlimits", rlimits_json(p));
	oci_put(j, "noNewPrivileges", json_boolean(p->no_new_privileges));
	oci_put(j, "apparmorProfile", oci_str_json(p->apparmor_profile));
	oci_put(j, "selinuxLabel", oci_str_json(p->selinux_label));
	oci_put_int(j, "oomScoreAdj", &p->oom_score_adj);
	oci_put(j, "scheduler", scheduler_json(&p->scheduler));
	oci_put(j, "ioPriority", io_priority_json(&p->io_priority));
	oci_put(j, "execCPUAffinity", affinity_json(&p->affinity));
	return j;
}
