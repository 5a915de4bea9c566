/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules of a profile hold for a container, and profile files. */
#include "oci/seccomp-profile-internal.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/str.h"
#include "oci/runtime-config-internal.h"

#include <linux/audit.h>

/* Docker's words for the architectures, in includes and excludes. */
static const char *docker_arch(uint32_t arch)
{
	static const struct {
		uint32_t arch;
		const char *word;
	} words[] = {
		{AUDIT_ARCH_X86_64, "amd64"},    {AUDIT_ARCH_I386, "x86"},
		{AUDIT_ARCH_AARCH64, "arm64"},   {AUDIT_ARCH_ARM, "arm"},
		{AUDIT_ARCH_S390X, "s390x"},     {AUDIT_ARCH_S390, "s390"},
		{AUDIT_ARCH_PPC64LE, "ppc64le"}, {AUDIT_ARCH_RISCV64, "riscv64"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].arch == arch)
			return words[i].word;
	return "loongarch64";
}

static bool kernel_at_least(const struct seccomp_when *w, const struct seccomp_target *t)
{
	return t->kernel_major > w->kernel_major ||
	       (t->kernel_major == w->kernel_major && t->kernel_minor >= w->kernel_minor);
}

static bool included(const struct seccomp_when *w, const struct seccomp_target *t)
{
	if (w->impossible || (t->caps & w->caps) != w->caps)
		return false;
	if (w->arches && !strv_has(w->arches, docker_arch(t->arch)))
		return false;
	return kernel_at_least(w, t);
}

static bool excluded(const struct seccomp_when *w, const struct seccomp_target *t)
{
	if (w->arches && strv_has(w->arches, docker_arch(t->arch)))
		return true;
	return (t->caps & w->caps) ||
	       ((w->kernel_major || w->kernel_minor) && kernel_at_least(w, t));
}

int seccomp_resolve(const struct seccomp_entry *entries, size_t n,
		    const struct seccomp_target *target, struct arena *a,
		    struct seccomp_profile *ret)
{
	struct seccomp_rule *rules = arena_array(a, n + 1, sizeof(*rules));

	if (!rules)
		return -1;
	ret->n_rules = 0;
	for (size_t i = 0; i < n; i++)
		if (included(&entries[i].includes, target) &&
		    !excluded(&entries[i].excludes, target))
			rules[ret->n_rules++] = entries[i].rule;
	ret->rules = rules;
	return 0;
}

void seccomp_add_family(const struct seccomp_family *f, const struct seccomp_target *target,
			struct seccomp_profile *ret)
{
	if (f->arch != target->arch || ret->n_arches + 3 > SECCOMP_ARCHES_MAX)
		return;
	ret->arches[ret->n_arches++] = f->arch;
	for (size_t i = 0; i < ARRAY_SIZE(f->sub) && !target->native_only; i++)
		if (f->sub[i])
			ret->arches[ret->n_arches++] = f->sub[i];
}

int seccomp_default_profile(const struct seccomp_target *target, struct arena *a,
			    struct seccomp_profile *ret, struct err *e)
{
	struct seccomp_profile p = {.default_action = SECCOMP_DO_ERRNO,
				    .has_default_errno = true,
				    .default_errno = 1 /* EPERM */};

	if (seccomp_resolve(seccomp_default_entries, seccomp_n_default_entries, target, a, &p) < 0)
		return err_set(e, ERR_LIMIT, 0, "the default seccomp profile: out of memory");
	for (size_t i = 0; i < seccomp_n_families; i++)
		seccomp_add_family(&seccomp_families[i], target, &p);
	*ret = p;
	return 0;
}

/* ---- files --------------------------------------------------------------------------------- */

/* "4.8" */
static int read_kernel(const struct json_reader *r, struct seccomp_when *w, struct err *e)
{
	const char *s = NULL, *rest = NULL;
	const char *major;
	uint32_t v[2];

	if (json_read_str(r, "minKernel", &s, e) < 0)
		return -1;
	if (str_empty(s))
		return 0;
	major = str_cut(r->arena, s, '.', &rest);
	if (!major || !rest || num_u32(major, &v[0]) < 0 || num_u32(rest, &v[1]) < 0)
		return json_read_fail(r, "minKernel", ERR_INVALID, e,
				      "'%s' is no version as \"4.8\"", s);
	w->kernel_major = v[0];
	w->kernel_minor = v[1];
	return 0;
}

static int read_when(const struct json_reader *r, const char *key, struct seccomp_when *w,
		     struct err *e)
{
	struct json_reader in;
	const char **caps = NULL, **arches = NULL;
	size_t n_arches = 0;
	int n = json_read_obj(r, key, &in, e);

	if (n <= 0)
		return n;
	if (json_read_strv(&in, "caps", &caps, NULL, e) < 0 ||
	    json_read_strv(&in, "arches", &arches, &n_arches, e) < 0 || read_kernel(&in, w, e) < 0)
		return -1;
	for (; caps && *caps; caps++) {
		int cap = oci_cap_parse(*caps);

		/* A container never has a capability that there is not. */
		if (cap < 0 || cap > 63)
			w->impossible = true;
		else
			w->caps |= UINT64_C(1) << cap;
	}
	if (n_arches)
		w->arches = arches;
	return 0;
}

/* The older form has `name` in place of `names`. */
static int read_names(const struct json_reader *r, struct seccomp_rule *rule, struct err *e)
{
	const char **names = NULL, *name = NULL;

	if (json_read_strv(r, "names", &names, &rule->n_names, e) < 0 ||
	    json_read_str(r, "name", &name, e) < 0)
		return -1;
	rule->names = names;
	if (str_empty(name))
		return 0;
	if (rule->n_names)
		return json_read_fail(r, "name", ERR_INVALID, e, "and 'names' exclude each other");
	names = NULL;
	if (arena_strv_push(r->arena, &names, &rule->n_names, name) < 0)
		return json_read_fail(r, "name", ERR_LIMIT, e, "out of memory");
	rule->names = names;
	return 0;
}

static int read_entry(const struct json_reader *r, void *elem, struct err *e)
{
	struct seccomp_entry *entry = elem;

	if (read_names(r, &entry->rule, e) < 0 || oci_read_seccomp_rule(r, &entry->rule, e) < 0 ||
	    read_when(r, "includes", &entry->includes, e) < 0 ||
	    read_when(r, "excludes", &entry->excludes, e) < 0)
		return -1;
	return 0; /* a rule for no call says nothing, and Docker takes it */
}

static int read_family(const struct json_reader *r, void *elem, struct err *e)
{
	struct seccomp_family *f = elem;
	const char *arch = NULL, **sub = NULL;
	size_t n = 0;

	if (oci_need_str(r, "architecture", &arch, e) < 0 ||
	    json_read_strv(r, "subArchitectures", &sub, &n, e) < 0)
		return -1;
	if (seccomp_arch_parse(arch, &f->arch) < 0)
		return json_read_fail(r, "architecture", ERR_INVALID, e,
				      "there is no architecture '%s'", arch);
	if (n > ARRAY_SIZE(f->sub))
		return json_read_fail(r, "subArchitectures", ERR_LIMIT, e,
				      "has more than %zu elements", ARRAY_SIZE(f->sub));
	for (size_t i = 0; i < n; i++)
		if (seccomp_arch_parse(sub[i], &f->sub[i]) < 0)
			return json_read_fail(r, "subArchitectures", ERR_INVALID, e,
					      "there is no architecture '%s'", sub[i]);
	return 0;
}

static int read_families(const struct json_reader *r, const struct seccomp_target *target,
			 struct seccomp_profile *p, struct err *e)
{
	struct seccomp_family *families = NULL;
	size_t n = 0;

	if (oci_read_list(r, "archMap", OCI_ELEM(families, read_family), &families, &n, e) < 0)
		return -1;
	if (n && p->n_arches)
		return json_read_fail(r, "archMap", ERR_INVALID, e,
				      "and 'architectures' exclude each other");
	for (size_t i = 0; i < n && !p->n_arches; i++)
		seccomp_add_family(&families[i], target, p);
	return 0;
}

static int read_profile(const struct json_reader *r, const struct seccomp_target *target,
			struct seccomp_profile *ret, struct err *e)
{
	struct seccomp_profile p = {.default_action = SECCOMP_DO_ALLOW};
	struct seccomp_entry *entries = NULL;
	const char *action = NULL;
	size_t n = 0;

	if (json_read_str(r, "defaultAction", &action, e) < 0 ||
	    oci_read_list(r, "syscalls", OCI_ELEM(entries, read_entry), &entries, &n, e) < 0)
		return -1;
	/* Nothing said means no filter, as in Docker. */
	if (str_empty(action) && n == 0) {
		*ret = p;
		return 0;
	}
	if (oci_read_seccomp_head(r, &p, e) < 0 || read_families(r, target, &p, e) < 0)
		return -1;
	if (seccomp_resolve(entries, n, target, r->arena, &p) < 0)
		return json_read_fail(r, "syscalls", ERR_LIMIT, e, "out of memory");
	*ret = p;
	return 0;
}

int seccomp_profile_parse(const struct buf *json, const struct seccomp_target *target,
			  struct arena *a, struct seccomp_profile *ret, struct err *e)
{
	static const char what[] = "seccomp profile";
	_cleanup_(json_unref) json_t *root = oci_parse_json(buf_str(json), json->len, what, e);
	struct json_reader r;

	if (!root || json_reader_init(&r, root, what, a, e) < 0)
		return -1;
	return read_profile(&r, target, ret, e);
}
