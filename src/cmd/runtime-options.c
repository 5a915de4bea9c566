/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/runtime-options.h"

#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A command line while it is parsed. */
struct parser {
	const struct runtime_command *c;
	int argc, at;
	char **argv;
	void *args;
};

static const struct runtime_option *find(const struct runtime_command *c, const char *name,
					 size_t n)
{
	for (const struct runtime_option *o = c->options; o && o->name; o++)
		if ((strncmp(o->name, name, n) == 0 && !o->name[n]) ||
		    (n == 1 && o->letter == name[0]))
			return o;
	return NULL;
}

static int set_list(struct runtime_args *args, struct runtime_list *list, const char *value)
{
	return arena_strv_push(&args->arena, &list->v, &list->n, value);
}

/* Stores VALUE, NULL for a flag that was just named. */
static int set(const struct parser *p, const struct runtime_option *o, const char *value,
	       struct err *e)
{
	void *to = (char *)p->args + o->at;
	int r = 0;

	switch (o->type) {
	case OPTION_FLAG:
		if (value)
			r = num_bool(value, to);
		else
			*(bool *)to = true;
		break;
	case OPTION_STR:
		*(const char **)to = value;
		break;
	case OPTION_LIST:
		r = set_list(p->args, to, value);
		break;
	case OPTION_U32:
		r = num_u32(value, to);
		break;
	}
	if (r < 0)
		return err_set(e, ERR_INVALID, 0, "%s: --%s: '%s' is not %s", p->c->name, o->name,
			       value, o->type == OPTION_FLAG ? "true or false" : "a number");
	return 0;
}

static int parse_option(struct parser *p, const char *word, struct err *e)
{
	const char *name = word + (word[1] == '-' ? 2 : 1);
	size_t n = strcspn(name, "=");
	const struct runtime_option *o = find(p->c, name, n);
	const char *value = name[n] ? name + n + 1 : NULL;

	if (!o) {
		err_set(e, ERR_INVALID, 0, "%s: there is no option '%s'", p->c->name, word);
		return err_hint(e, "see kogge-runtime %s --help", p->c->name);
	}
	if (!value && o->type != OPTION_FLAG) {
		if (p->at >= p->argc)
			return err_set(e, ERR_INVALID, 0, "%s: --%s needs a value", p->c->name,
				       o->name);
		value = p->argv[p->at++];
	}
	return set(p, o, value, e);
}

static int check_count(const struct runtime_command *c, size_t n, struct err *e)
{
	if (n < c->least)
		return err_set(e, ERR_INVALID, 0, "%s: %s", c->name,
			       n ? "more arguments are needed" : "a container ID is needed");
	if (n > c->most)
		return err_set(e, ERR_INVALID, 0, "%s: too many arguments", c->name);
	return 0;
}

int runtime_options_parse(const struct runtime_command *c, int argc, char **argv, void *args,
			  struct err *e)
{
	struct parser p = {.c = c, .argc = argc, .at = 1, .argv = argv, .args = args};
	struct runtime_args *a = args;
	bool only_arguments = false;

	while (p.at < argc) {
		const char *word = argv[p.at++];
		bool option = !only_arguments && word[0] == '-' && word[1];

		if (option && str_eq(word, "--"))
			only_arguments = true;
		else if (option && parse_option(&p, word, e) < 0)
			return -1;
		else if (!option && arena_strv_push(&a->arena, &a->rest, &a->n_rest, word) < 0)
			return err_errno(e, ENOMEM, "reading the arguments");
		only_arguments |= !option && c->stops;
	}
	return check_count(c, a->n_rest, e);
}

void runtime_options_help(const struct runtime_command *c)
{
	printf("usage: kogge-runtime %s%s %s\n%s\n", c->name, c->options ? " [OPTIONS]" : "",
	       c->usage, c->help);
	for (const struct runtime_option *o = c->options; o && o->name; o++) {
		char name[64];

		snprintf(name, sizeof(name), "--%s%s%s", o->name, o->value ? " " : "",
			 o->value ? o->value : "");
		printf("  %c%c%c %-26s %s\n", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		       o->letter ? ',' : ' ', name, o->help);
	}
}
