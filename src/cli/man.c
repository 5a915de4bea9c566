/* SPDX-License-Identifier: Apache-2.0 */
/* man(7) macros. A page is called as the path with dashes: kogge-image-ls(1). */
#include "cli/man.h"

#include "base/str.h"
#include "cli/help.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* TEXT with what troff minds escaped. */
static void put(const char *text, FILE *to)
{
	for (const char *s = text; *s; s++) {
		if (*s == '\\')
			fputs("\\e", to);
		else if (*s == '-')
			fputs("\\-", to);
		else if ((*s == '.' || *s == '\'') && (s == text || s[-1] == '\n'))
			fprintf(to, "\\&%c", *s);
		else
			fputc(*s, to);
	}
}

static void put_name(const char *path, FILE *to)
{
	for (const char *s = path; *s; s++)
		fputc(*s == ' ' ? '-' : *s, to);
}

static void put_title(const char *path, FILE *to)
{
	fputs(".TH ", to);
	for (const char *s = path; *s; s++)
		fputc(*s == ' ' ? '-' : toupper((unsigned char)*s), to);
	fprintf(to, " 1 \"\" \"Kogge %s\" \"Kogge\"\n", KOGGE_VERSION);
}

static void put_option(const struct cli_option *o, FILE *to)
{
	const char *word = cli_option_word(o);
	char title[80];

	fputs(".TP\n\\fB", to);
	put(cli_option_title(o, title), to);
	fputs("\\fR", to);
	if (*word) {
		fputs(" \\fI", to);
		put(word, to);
		fputs("\\fR", to);
	}
	fputc('\n', to);
	for (const char *s = o->help; *s;) {
		size_t n = strcspn(s, "\n");
		char line[600];

		(void)snprintf(line, sizeof(line), "%.*s", (int)n, s);
		put(line, to);
		fputs(s[n] ? "\n.br\n" : "", to);
		s += n + (s[n] == '\n');
	}
	if (o->default_text) {
		fputs(" (default ", to);
		put(o->default_text, to);
		fputc(')', to);
	}
	fputc('\n', to);
}

static void put_options(const char *title, const struct cli_option *options, FILE *to)
{
	if (!options || !options->name)
		return;
	fprintf(to, ".SH %s\n", title);
	for (const struct cli_option *o = options; o->name; o++)
		if (!(o->flags & CLI_HIDDEN))
			put_option(o, to);
}

static void put_children(const struct cli_command *cmd, const char *path, FILE *to)
{
	fputs(".SH COMMANDS\n", to);
	for (size_t i = 0; cmd->children && cmd->children[i]; i++) {
		const struct cli_command *child = cmd->children[i];

		if (child->flags & (CLI_HIDE | CLI_NOT_YET))
			continue;
		fputs(".TP\n\\fB", to);
		put_name(path, to);
		fprintf(to, "-%s\\fR(1)\n", child->name);
		put(child->summary, to);
		fputc('\n', to);
	}
}

static void put_aliases(const char *aliases, FILE *to)
{
	fputs(".SH ALIASES\n", to);
	while (*aliases) {
		size_t n = strcspn(aliases, ",");

		fprintf(to, "kogge %.*s\n", (int)n, aliases);
		aliases += n + (aliases[n] == ',');
		if (*aliases)
			fputs(".br\n", to);
	}
}

void cli_man(const struct cli_command *cmd, const char *path, FILE *to)
{
	bool top = !strchr(path, ' ');

	put_title(path, to);
	fputs(".SH NAME\n", to);
	put_name(path, to);
	fputs(" \\- ", to);
	put(cmd->summary, to);
	fprintf(to, "\n.SH SYNOPSIS\n\\fB%s\\fR ", path);
	put(cmd->usage      ? cmd->usage
	    : top           ? "[OPTIONS] COMMAND"
	    : cmd->children ? "COMMAND"
			    : "",
	    to);
	fputc('\n', to);
	if (cmd->aliases)
		put_aliases(cmd->aliases, to);
	put_options(top ? "GLOBAL OPTIONS" : "OPTIONS", top ? cli_global_options : cmd->options,
		    to);
	if (cmd->children)
		put_children(cmd, path, to);
	if (!top)
		fputs(".SH SEE ALSO\n\\fBkogge\\fR(1)\n", to);
}

void cli_man_list(const struct cli_command *cmd, const char *path, FILE *to)
{
	fprintf(to, "%s\n", path);
	for (size_t i = 0; cmd->children && cmd->children[i]; i++) {
		char below[200];

		if (cmd->children[i]->flags & (CLI_HIDE | CLI_NOT_YET))
			continue;
		(void)snprintf(below, sizeof(below), "%s %s", path, cmd->children[i]->name);
		cli_man_list(cmd->children[i], below, to);
	}
}
