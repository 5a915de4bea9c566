/* SPDX-License-Identifier: Apache-2.0 */
/* The layout is that of pflag's FlagUsagesWrapped and of docker/cli's templates. */
#include "cli/help.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define HELP_COLUMNS 80

static int columns_of(FILE *to)
{
	struct winsize w;

	if (ioctl(fileno(to), TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		return w.ws_col;
	return HELP_COLUMNS;
}

const char *cli_option_word(const struct cli_option *o)
{
	static const char *const words[] = {
		[CLI_BOOL] = "",           [CLI_STRING] = "string",
		[CLI_INT] = "int",         [CLI_UINT] = "uint",
		[CLI_UINT16] = "uint16",   [CLI_LIST] = "list",
		[CLI_MAP] = "map",         [CLI_BYTES] = "bytes",
		[CLI_DECIMAL] = "decimal", [CLI_DURATION] = "duration",
		[CLI_OTHER] = "list",
	};

	return o->word ? o->word : words[o->type];
}

/* "  -m, --memory bytes". Returns its length. */
static size_t left_column(const struct cli_option *o, char *out, size_t n)
{
	const char *word = cli_option_word(o);
	int len = o->letter ? snprintf(out, n, "  -%c, --%s%s%s", o->letter, o->name,
				       *word ? " " : "", word)
			    : snprintf(out, n, "      --%s%s%s", o->name, *word ? " " : "", word);

	return len < 0 ? 0 : MIN((size_t)len, n - 1);
}

/* Where to cut S so that at most N characters stay in the line, a little more for the last word.
 * Stores where the rest starts. */
static size_t cut(const char *s, size_t n, size_t *ret_next)
{
	const size_t slop = 5;
	size_t len = strlen(s), blank = 0, newline = 0;

	*ret_next = len;
	if (n + slop > len && !strchr(s, '\n'))
		return len;
	for (size_t i = 1; i < n && i < len; i++) {
		if (s[i] == ' ' || s[i] == '\n')
			blank = i;
		if (s[i] == '\n' && !newline)
			newline = i;
	}
	if (newline)
		blank = newline;
	if (n + slop > len && !newline)
		return len;
	if (!blank)
		return len;
	*ret_next = blank + 1;
	return blank;
}

static void put_wrapped(const char *s, int indent, int columns, FILE *to)
{
	size_t width = columns - indent >= 24 ? (size_t)(columns - indent) - 5 : 60;

	while (*s) {
		size_t next, n = cut(s, width, &next);

		fprintf(to, "%.*s\n", (int)n, s);
		s += next;
		if (*s)
			fprintf(to, "%*s", indent, "");
	}
}

static void put_option(const struct cli_option *o, size_t width, int columns, FILE *to)
{
	char left[80], text[600];

	(void)left_column(o, left, sizeof(left));
	(void)snprintf(text, sizeof(text), "%s%s%s%s", o->help, o->default_text ? " (default " : "",
		       o->default_text ? o->default_text : "", o->default_text ? ")" : "");
	fprintf(to, "%-*s   ", (int)width, left);
	put_wrapped(text, (int)width + 3, columns, to);
}

static int compare_options(const void *a, const void *b)
{
	return strcmp((*(const struct cli_option *const *)a)->name,
		      (*(const struct cli_option *const *)b)->name);
}

void cli_help_options(const struct cli_option *options, int columns, FILE *to)
{
	const struct cli_option *sorted[160];
	size_t n = 0, width = 0;
	char left[80];

	for (const struct cli_option *o = options; o->name && n < ARRAY_SIZE(sorted); o++) {
		if (o->flags & CLI_HIDDEN)
			continue;
		sorted[n++] = o;
		width = MAX(width, left_column(o, left, sizeof(left)));
	}
	qsort(sorted, n, sizeof(sorted[0]), compare_options);
	for (size_t i = 0; i < n; i++)
		put_option(sorted[i], width, columns, to);
}

void cli_usage_line(const struct cli_command *cmd, const char *path, FILE *to)
{
	const char *options = cmd->children && !strchr(path, ' ') ? " [OPTIONS] COMMAND"
			      : cmd->children                     ? " COMMAND"
								  : "";

	fprintf(to, "Usage:  %s%s%s%s\n", path, options, cmd->usage ? " " : "",
		cmd->usage ? cmd->usage : "");
}

static int compare_commands(const void *a, const void *b)
{
	return strcmp((*(const struct cli_command *const *)a)->name,
		      (*(const struct cli_command *const *)b)->name);
}

/* The groups of `kogge --help`. */
enum group { GROUP_COMMON, GROUP_MANAGEMENT, GROUP_PLAIN, GROUP_LATER, GROUP_N };

static enum group group_of(const struct cli_command *cmd, bool top)
{
	if (cmd->flags & CLI_NOT_YET)
		return GROUP_LATER;
	if (top && (cmd->flags & CLI_COMMON))
		return GROUP_COMMON;
	return top && cmd->children ? GROUP_MANAGEMENT : GROUP_PLAIN;
}

static void put_group(const struct cli_command *cmd, enum group group, bool top, FILE *to)
{
	static const char *const titles[] = {"Common Commands", "Management Commands", "Commands",
					     "Not in this version yet"};
	const struct cli_command *sorted[100];
	size_t n = 0;

	for (size_t i = 0; cmd->children[i] && n < ARRAY_SIZE(sorted); i++)
		if (group_of(cmd->children[i], top) == group &&
		    !(cmd->children[i]->flags & CLI_HIDE))
			sorted[n++] = cmd->children[i];
	if (n == 0)
		return;
	fprintf(to, "\n%s:\n", titles[group]);
	if (group != GROUP_COMMON)
		qsort(sorted, n, sizeof(sorted[0]), compare_commands);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "  %-11s %s\n", sorted[i]->name, sorted[i]->summary);
}

static void put_aliases(const struct cli_context *c, const struct cli_command *cmd, FILE *to)
{
	const char *rest = cmd->aliases;

	if (!rest)
		return;
	fprintf(to, "\nAliases:\n  ");
	while (*rest) {
		size_t n = strcspn(rest, ",");

		fprintf(to, "%s%s %.*s", rest == cmd->aliases ? "" : ", ", c->program, (int)n,
			rest);
		rest += n + (rest[n] == ',');
	}
	fputc('\n', to);
}

void cli_help(const struct cli_context *c, const struct cli_command *cmd, const char *path,
	      FILE *to)
{
	bool top = cmd == c->root;

	cli_usage_line(cmd, path, to);
	fprintf(to, "\n%s\n", cmd->summary);
	put_aliases(c, cmd, to);
	if (cmd->options && cmd->options->name) {
		fprintf(to, "\nOptions:\n");
		cli_help_options(cmd->options, columns_of(to), to);
	}
	if (!cmd->children)
		return;
	for (enum group g = GROUP_COMMON; g < GROUP_N; g++)
		put_group(cmd, g, top, to);
	if (top) {
		fprintf(to, "\nGlobal Options:\n");
		cli_help_options(cli_global_options, columns_of(to), to);
	}
	fprintf(to, "\nRun '%s COMMAND --help' for more information on a command.\n", path);
}
