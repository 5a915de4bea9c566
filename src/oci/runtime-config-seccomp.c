/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing of `linux.seccomp` (runtime-spec config-linux.md, "Seccomp"). */
#include "oci/runtime-config-internal.h"

#include "base/str.h"

enum { ERRNO_MAX = 4095 };

static int read_action(const struct json_reader *r, const char *key, enum seccomp_action *ret,
		       struct err *e)
{
	const char *s = NULL;

	if (oci_need_str(r, key, &s, e) < 0)
		return -1;
	if (seccomp_action_parse(s, ret) < 0)
		return json_read_fail(r, key, ERR_INVALID, e, "there is no action '%s'", s);
	return 0;
}

static int read_errno(const struct json_reader *r, const char *key, bool *ret_set, uint32_t *ret,
		      struct err *e)
{
	uint64_t v;
	int n = json_read_u64(r, key, ERRNO_MAX, &v, e);

	if (n > 0) {
		*ret_set = true;
		*ret = (uint32_t)v;
	}
	return n < 0 ? -1 : 0;
}

static int read_arg(const struct json_reader *r, void *elem, struct err *e)
{
	struct seccomp_arg *a = elem;
	const char *op = NULL;
	uint64_t index = 0;

	if (json_read_u64(r, "index", 5, &index, e) < 0 ||
	    oci_read_u64(r, "value", &a->value, e) < 0 ||
	    oci_read_u64(r, "valueTwo", &a->value_two, e) < 0 || oci_need_str(r, "op", &op, e) < 0)
		return -1;
	a->index = (uint32_t)index;
	if (seccomp_op_parse(op, &a->op) < 0)
		return json_read_fail(r, "op", ERR_INVALID, e, "there is no comparison '%s'", op);
	return 0;
}

int oci_read_seccomp_rule(const struct json_reader *r, struct seccomp_rule *rule, struct err *e)
{
	struct seccomp_arg *args = NULL;

	if (read_action(r, "action", &rule->action, e) < 0 ||
	    read_errno(r, "errnoRet", &rule->has_errno, &rule->errno_ret, e) < 0 ||
	    oci_read_list(r, "args", OCI_ELEM(args, read_arg), &args, &rule->n_args, e) < 0)
		return -1;
	rule->args = args;
	return 0;
}

static int read_rule(const struct json_reader *r, void *elem, struct err *e)
{
	struct seccomp_rule *rule = elem;
	const char **names = NULL;

	if (json_read_strv(r, "names", &names, &rule->n_names, e) < 0 ||
	    oci_read_seccomp_rule(r, rule, e) < 0)
		return -1;
	if (!rule->n_names)
		return json_read_fail(r, "names", ERR_INVALID, e, "is missing or empty");
	rule->names = names;
	return 0;
}

static int read_arches(const struct json_reader *r, struct seccomp_profile *p, struct err *e)
{
	const char **names = NULL;
	size_t n = 0;

	if (json_read_strv(r, "architectures", &names, &n, e) < 0)
		return -1;
	if (n > SECCOMP_ARCHES_MAX)
		return json_read_fail(r, "architectures", ERR_LIMIT, e, "has more than %d elements",
				      SECCOMP_ARCHES_MAX);
	for (size_t i = 0; i < n; i++)
		if (seccomp_arch_parse(names[i], &p->arches[i]) < 0)
			return json_read_fail(r, "architectures", ERR_INVALID, e,
					      "there is no architecture '%s'", names[i]);
	p->n_arches = n;
	return 0;
}

static int read_flags(const struct json_reader *r, struct seccomp_profile *p, struct err *e)
{
	const char **names = NULL;
	unsigned flag;

	if (json_read_strv(r, "flags", &names, NULL, e) < 0)
		return -1;
	for (; names && *names; names++) {
		if (seccomp_flag_parse(*names, &flag) < 0)
			return json_read_fail(r, "flags", ERR_INVALID, e, "there is no flag '%s'",
					      *names);
		p->flags |= flag;
	}
	return 0;
}

int oci_read_seccomp_head(const struct json_reader *r, struct seccomp_profile *p, struct err *e)
{
	if (read_action(r, "defaultAction", &p->default_action, e) < 0 ||
	    read_errno(r, "defaultErrnoRet", &p->has_default_errno, &p->default_errno, e) < 0 ||
	    read_arches(r, p, e) < 0 || read_flags(r, p, e) < 0 ||
	    json_read_str(r, "listenerPath", &p->listener_path, e) < 0 ||
	    json_read_str(r, "listenerMetadata", &p->listener_metadata, e) < 0)
		return -1;
	return 0;
}

int oci_read_seccomp(const struct json_reader *r, struct seccomp_profile *p, struct err *e)
{
	struct seccomp_rule *rules = NULL;

	if (oci_read_seccomp_head(r, p, e) < 0)
		return -1;
	if (oci_read_list(r, "syscalls", OCI_ELEM(rules, read_rule), &rules, &p->n_rules, e) < 0)
		return -1;
	p->rules = rules;
	return 0;
}

static json_t *arg_json(const struct seccomp_arg *a)
{
	json_t *j = json_object();

	oci_put(j, "index", json_integer(a->index));
	oci_put(j, "value", json_integer((json_int_t)a->value));
	if (a->value_two)
		oci_put(j, "valueTwo", json_integer((json_int_t)a->value_two));
	oci_put(j, "op", oci_str_json(seccomp_op_word(a->op)));
	return j;
}

static json_t *rule_json(const struct seccomp_rule *rule)
{
	json_t *j = json_object(), *names = json_array(), *args = json_array();

	for (size_t i = 0; i < rule->n_names; i++)
		json_array_append_new(names, oci_str_json(rule->names[i]));
	oci_put(j, "names", names);
	oci_put(j, "action", oci_str_json(seccomp_action_word(rule->action)));
	if (rule->has_errno)
		oci_put(j, "errnoRet", json_integer(rule->errno_ret));
	for (size_t i = 0; i < rule->n_args; i++)
		json_array_append_new(args, arg_json(&rule->args[i]));
	if (rule->n_args)
		oci_put(j, "args", json_incref(args));
	json_decref(args);
	return j;
}

static json_t *flags_json(unsigned flags)
{
	static const struct {
		unsigned flag;
		const char *word;
	} words[] = {
		{SECCOMP_WITH_TSYNC, "SECCOMP_FILTER_FLAG_TSYNC"},
		{SECCOMP_WITH_LOG, "SECCOMP_FILTER_FLAG_LOG"},
		{SECCOMP_WITH_SPEC_ALLOW, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
		{SECCOMP_WITH_WAIT_KILLABLE, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
	};
	json_t *j = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (flags & words[i].flag)
			json_array_append_new(j, json_string(words[i].word));
	return j;
}

json_t *oci_seccomp_json(const struct seccomp_profile *p)
{
	json_t *j = json_object(), *arches = json_array(), *rules = json_array();

	oci_put(j, "defaultAction", oci_str_json(seccomp_action_word(p->default_action)));
	if (p->has_default_errno)
		oci_put(j, "defaultErrnoRet", json_integer(p->default_errno));
	for (size_t i = 0; i < p->n_arches; i++)
		json_array_append_new(arches, oci_str_json(seccomp_arch_word(p->arches[i])));
	oci_put(j, "architectures", arches);
	if (p->flags)
		oci_put(j, "flags", flags_json(p->flags));
	oci_put(j, "listenerPath", oci_str_json(p->listener_path));
	oci_put(j, "listenerMetadata", oci_str_json(p->listener_metadata));
	for (size_t i = 0; i < p->n_rules; i++)
		json_array_append_new(rules, rule_json(&p->rules[i]));
	oci_put(j, "syscalls", rules);
	return j;
}
