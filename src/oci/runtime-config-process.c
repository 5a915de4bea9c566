/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of `process` (runtime-spec config.md, "Process"). */
#include "oci/runtime-config-internal.h"

#include "base/str.h"

static int read_gids(const struct json_reader *r, struct oci_user *u, struct err *e)
{
	const json_t *list = json_object_get(r->obj, "additionalGids");
	uint32_t *gids;
	size_t n;

	if (json_read_array(r, "additionalGids", OCI_LIST_MAX, &n, e) < 0)
		return -1;
	gids = arena_array(r->arena, n, sizeof(*gids));
	if (!gids)
		return json_read_fail(r, "additionalGids", ERR_LIMIT, e, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const json_t *gid = json_array_get(list, i);
		int64_t v = json_integer_value(gid);

		/* 2^32-1 means "leave it alone" to the kernel */
		if (!json_is_integer(gid) || v < 0 || v >= UINT32_MAX)
			return json_read_fail(r, "additionalGids", ERR_INVALID, e,
					      "element %zu is not a group ID", i);
		gids[i] = (uint32_t)v;
	}
	u->gids = gids;
	u->n_gids = n;
	return 0;
}

static int read_user(const struct json_reader *process, struct oci_user *u, struct err *e)
{
	struct json_reader r;
	uint64_t uid = 0, gid = 0;
	int n = json_read_obj(process, "user", &r, e);

	if (n <= 0)
		return n;
	if (json_read_u64(&r, "uid", UINT32_MAX - 1, &uid, e) < 0 ||
	    json_read_u64(&r, "gid", UINT32_MAX - 1, &gid, e) < 0 ||
	    oci_read_int(&r, "umask", 0, 07777, &u->umask, e) < 0)
		return -1;
	u->uid = (uint32_t)uid;
	u->gid = (uint32_t)gid;
	return read_gids(&r, u, e);
}

static int read_cap_set(const struct json_reader *r, const char *key, uint64_t *ret, struct err *e)
{
	const char **names = NULL;

	*ret = 0;
	if (json_read_strv(r, key, &names, NULL, e) < 0)
		return -1;
	for (; names && *names; names++) {
		int cap = oci_cap_parse(*names);

		/* "Any value which cannot be mapped to a relevant kernel interface [...] MUST be
		 * logged as a warning" (config.md, capabilities): what does not exist is not given
		 */
		if (cap >= 0)
			*ret |= UINT64_C(1) << cap;
	}
	return 0;
}

static int read_caps(const struct json_reader *process, struct oci_process *p, struct err *e)
{
	struct json_reader r;
	int n = json_read_obj(process, "capabilities", &r, e);

	if (n <= 0)
		return n;
	p->has_caps = true;
	if (read_cap_set(&r, "bounding", &p->caps.bounding, e) < 0 ||
	    read_cap_set(&r, "effective", &p->caps.effective, e) < 0 ||
	    read_cap_set(&r, "inheritable", &p->caps.inheritable, e) < 0 ||
	    read_cap_set(&r, "permitted", &p->caps.permitted, e) < 0)
		return -1;
	return read_cap_set(&r, "ambient", &p->caps.ambient, e);
}

static int read_rlimit(const struct json_reader *r, void *elem, struct err *e)
{
	struct oci_rlimit *l = elem;
	const char *type = NULL;

	if (oci_need_str(r, "type", &type, e) < 0 || oci_read_u64(r, "soft", &l->soft, e) < 0 ||
	    oci_read_u64(r, "hard", &l->hard, e) < 0)
		return -1;
	l->resource = oci_rlimit_parse(type);
	if (l->resource < 0)
		return json_read_fail(r, "type", ERR_INVALID, e, "there is no limit '%s'", type);
	return 0;
}

static int read_console_size(const struct json_reader *process, struct oci_process *p,
			     struct err *e)
{
	struct json_reader r;
	uint64_t height = 0, width = 0;
	int n = json_read_obj(process, "consoleSize", &r, e);

	if (n <= 0)
		return n;
	if (json_read_u64(&r, "height", UINT16_MAX, &height, e) < 0 ||
	    json_read_u64(&r, "width", UINT16_MAX, &width, e) < 0)
		return -1;
	p->console_height = (unsigned)height;
	p->console_width = (unsigned)width;
	return 0;
}

static int read_io_priority(const struct json_reader *process, struct oci_io_priority *p,
			    struct err *e)
{
	static const char *const classes[] = {"", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE",
					      "IOPRIO_CLASS_IDLE"};
	struct json_reader r;
	const char *class = NULL;
	int64_t priority = 0;
	int n = json_read_obj(process, "ioPriority", &r, e);

	if (n <= 0)
		return n;
	if (oci_need_str(&r, "class", &class, e) < 0 ||
	    json_read_i64(&r, "priority", 0, 7, &priority, e) < 0)
		return -1;
	p->priority = (int)priority;
	for (unsigned i = 1; i < ARRAY_SIZE(classes); i++)
		if (str_eq(class, classes[i]))
			p->class = i;
	if (!p->class)
		return json_read_fail(&r, "class", ERR_INVALID, e, "there is no class '%s'", class);
	p->set = true;
	return 0;
}

const char *const oci_sched_flags[OCI_SCHED_FLAG_N] = {
	"SCHED_FLAG_RESET_ON_FORK",  "SCHED_FLAG_RECLAIM",     "SCHED_FLAG_DL_OVERRUN",
	"SCHED_FLAG_KEEP_POLICY",    "SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_UTIL_CLAMP_MIN",
	"SCHED_FLAG_UTIL_CLAMP_MAX",
};

static int read_sched_flags(const struct json_reader *r, uint64_t *ret, struct err *e)
{
	const char **flags = NULL;

	if (json_read_strv(r, "flags", &flags, NULL, e) < 0)
		return -1;
	for (; flags && *flags; flags++) {
		size_t i = 0;

		while (i < OCI_SCHED_FLAG_N && !str_eq(oci_sched_flags[i], *flags))
			i++;
		if (i == OCI_SCHED_FLAG_N)
			return json_read_fail(r, "flags", ERR_INVALID, e, "there is no flag '%s'",
					      *flags);
		*ret |= UINT64_C(1) << i;
	}
	return 0;
}

static int read_scheduler(const struct json_reader *process, struct oci_scheduler *s, struct err *e)
{
	static const char *const policies[] = {
		[OCI_SCHED_OTHER] = "SCHED_OTHER", [OCI_SCHED_FIFO] = "SCHED_FIFO",
		[OCI_SCHED_RR] = "SCHED_RR",       [OCI_SCHED_BATCH] = "SCHED_BATCH",
		[OCI_SCHED_IDLE] = "SCHED_IDLE",   [OCI_SCHED_DEADLINE] = "SCHED_DEADLINE",
	};
	struct json_reader r;
	const char *policy = NULL;
	int64_t nice = 0, priority = 0;
	int n = json_read_obj(process, "scheduler", &r, e);

	if (n <= 0)
		return n;
	if (oci_need_str(&r, "policy", &policy, e) < 0 ||
	    json_read_i64(&r, "nice", -20, 19, &nice, e) < 0 ||
	    json_read_i64(&r, "priority", 0, 99, &priority, e) < 0 ||
	    oci_read_u64(&r, "runtime", &s->runtime, e) < 0 ||
	    oci_read_u64(&r, "deadline", &s->deadline, e) < 0 ||
	    oci_read_u64(&r, "period", &s->period, e) < 0 || read_sched_flags(&r, &s->flags, e) < 0)
		return -1;
	s->nice = (int32_t)nice;
	s->priority = (int32_t)priority;
	for (unsigned i = 0; i < ARRAY_SIZE(policies); i++) {
		if (!policies[i] || !str_eq(policies[i], policy))
			continue;
		s->policy = i;
		s->set = true;
	}
	if (!s->set)
		return json_read_fail(&r, "policy", ERR_INVALID, e, "there is no policy '%s'",
				      policy);
	return 0;
}

static int read_affinity(const struct json_reader *process, struct oci_affinity *a, struct err *e)
{
	struct json_reader r;
	int n = json_read_obj(process, "execCPUAffinity", &r, e);

	if (n <= 0)
		return n;
	if (json_read_str(&r, "initial", &a->initial, e) < 0)
		return -1;
	return json_read_str(&r, "final", &a->final, e);
}

int oci_read_process(const struct json_reader *r, struct oci_process *p, struct err *e)
{
	if (json_read_bool(r, "terminal", &p->terminal, e) < 0 || read_console_size(r, p, e) < 0 ||
	    read_user(r, &p->user, e) < 0 || json_read_strv(r, "args", &p->args, NULL, e) < 0 ||
	    json_read_strv(r, "env", &p->env, NULL, e) < 0 ||
	    json_read_str(r, "cwd", &p->cwd, e) < 0 || read_caps(r, p, e) < 0 ||
	    oci_read_list(r, "rlimits", OCI_ELEM(p->rlimits, read_rlimit), &p->rlimits,
			  &p->n_rlimits, e) < 0)
		return -1;
	if (json_read_bool(r, "noNewPrivileges", &p->no_new_privileges, e) < 0 ||
	    json_read_str(r, "apparmorProfile", &p->apparmor_profile, e) < 0 ||
	    json_read_str(r, "selinuxLabel", &p->selinux_label, e) < 0 ||
	    oci_read_int(r, "oomScoreAdj", -1000, 1000, &p->oom_score_adj, e) < 0)
		return -1;
	if (read_scheduler(r, &p->scheduler, e) < 0 || read_affinity(r, &p->affinity, e) < 0)
		return -1;
	return read_io_priority(r, &p->io_priority, e);
}
