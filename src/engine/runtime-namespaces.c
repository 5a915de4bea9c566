/* SPDX-License-Identifier: Apache-2.0 */
/* Which namespaces a container has, and which it shares. */
#include "base/str.h"
#include "engine/engine-internal.h"
#include "kernel/cgroup.h"
#include "kernel/ns.h"

#include <errno.h>

static void own(struct runtime_config *c, enum oci_ns ns)
{
	c->linux_.ns[ns] = (struct oci_namespace){.present = true};
}

/* Joins that of another container. */
static int join(struct start_facts *f, struct runtime_config *c, enum oci_ns ns, const char *ref,
		struct err *e)
{
	const struct ns_type *type = ns_find(oci_ns_name(ns));
	char *path;
	int pid;

	if (container_pid_of(f->en, ref, &pid, e) < 0)
		return -1;
	path = arena_printf(&c->arena, "/proc/%d/ns/%s", pid, type ? type->proc : "");
	if (!path)
		return err_set(e, ERR_LIMIT, ENOMEM, "joining namespaces");
	c->linux_.ns[ns] = (struct oci_namespace){.present = true, .path = path};
	return 0;
}

static int put(struct start_facts *f, struct runtime_config *c, enum oci_ns ns,
	       const struct spec_ns *wanted, struct err *e)
{
	switch (wanted->mode) {
	case SPEC_NS_HOST:
		return 0;
	case SPEC_NS_CONTAINER:
		return join(f, c, ns, wanted->ref, e);
	default:
		own(c, ns);
		return 0;
	}
}

/* Docker's default: a namespace of its own on cgroup v2, the host's elsewhere. Looked for in full:
 * the container's cgroup is made and removed by it, too. */
static bool own_cgroup_ns(struct engine *en, const struct spec_ns *wanted)
{
	const struct cgroup_host *host;

	if (wanted->mode != SPEC_NS_DEFAULT)
		return wanted->mode == SPEC_NS_PRIVATE;
	return engine_cgroups(en, &host, NULL) == 0 && host->mode == CGROUP_V2;
}

int runtime_put_namespaces(struct start_facts *f, struct runtime_config *ret, struct err *e)
{
	const struct container_spec *s = &f->c->spec;

	own(ret, OCI_NS_MOUNT);
	if (put(f, ret, OCI_NS_PID, &s->pid, e) < 0 || put(f, ret, OCI_NS_IPC, &s->ipc, e) < 0 ||
	    put(f, ret, OCI_NS_UTS, &s->uts, e) < 0 ||
	    put(f, ret, OCI_NS_NETWORK, &s->network, e) < 0)
		return -1;
	if (s->userns.mode != SPEC_NS_DEFAULT && s->userns.mode != SPEC_NS_HOST)
		return err_set(
			e, ERR_UNSUPPORTED, 0,
			"--userns: this version runs containers in the host's user namespace "
			"only; use --userns host");
	if (own_cgroup_ns(f->en, &s->cgroupns))
		own(ret, OCI_NS_CGROUP);
	return 0;
}
