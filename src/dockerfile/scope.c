/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerfile/scope.h"

#include "base/str.h"

int scope_set(struct scope *s, const char *name, const char *value)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->names[i], name)) {
			s->values[i] = value;
			return 0;
		}
	if (arena_strv_push(s->arena, &s->names, &s->n, name) < 0)
		return -1;
	return arena_strv_push(s->arena, &s->values, &s->n_values, value) < 0 ? -1 : 0;
}

int scope_set_env(struct scope *s, const char *const *env)
{
	for (; env && *env; env++) {
		const char *value, *name = str_cut(s->arena, *env, '=', &value);

		if (!name || scope_set(s, name, value ? value : "") < 0)
			return -1;
	}
	return 0;
}

const char *scope_get(void *scope, const char *name)
{
	const struct scope *s = scope;

	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->names[i], name))
			return s->values[i];
	return NULL;
}

int scope_copy(const struct scope *s, struct scope *ret)
{
	*ret = (struct scope){.arena = s->arena};
	for (size_t i = 0; i < s->n; i++)
		if (scope_set(ret, s->names[i], s->values[i]) < 0)
			return -1;
	return 0;
}
