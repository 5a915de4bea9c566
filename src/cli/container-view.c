/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/container-view.h"

#include "base/num.h"
#include "base/str.h"
#include "cli/image-view.h"

#include <string.h>

#define COMMAND_MAX 20

enum { MOUNT_LETTERS = 15 };

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

/* The bytes of the first N characters of S; all where it has no more than MAX. */
static size_t cut_at(const char *s, size_t n, size_t max)
{
	size_t seen = 0, at = 0;

	for (const char *p = s; *p; p++)
		if (((unsigned char)*p & 0xc0) != 0x80 && seen++ == n)
			at = (size_t)(p - s);
	return seen > max ? at : strlen(s);
}

/* Go's strconv.Quote of the first N bytes of S, with an ellipsis where CUT. */
static char *quoted(struct cli_context *c, const char *s, size_t n, bool cut)
{
	static const char plain[] = "\a\b\f\n\r\t\v\"\\", letters[] = "abfnrtv\"\\";
	struct buf b = BUF_INIT((size_t)1 << 22);
	char *out;

	(void)buf_putc(&b, '"');
	for (size_t i = 0; i < n; i++) {
		const char *at = strchr(plain, s[i]);

		if (at)
			(void)buf_printf(&b, "\\%c", letters[at - plain]);
		else if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			(void)buf_printf(&b, "\\x%02x", (unsigned)(unsigned char)s[i]);
		else
			(void)buf_putc(&b, s[i]);
	}
	(void)buf_puts(&b, cut ? "…\"" : "\"");
	out = arena_strdup(&c->arena, buf_str(&b));
	buf_done(&b);
	return out;
}

/* The command in quotation marks, cut to 20 characters with an ellipsis. */
static char *command(struct cli_context *c, const char *words, bool no_trunc)
{
	size_t all = strlen(words);
	size_t n = no_trunc ? all : cut_at(words, COMMAND_MAX - 1, COMMAND_MAX);
	char *out = quoted(c, words, n, n < all);

	return out ? out : arena_strdup(&c->arena, "");
}

static char *joined_names(struct cli_context *c, const json_t *j)
{
	char *out = arena_strdup(&c->arena, "");
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(j, "Names"), i, name)
		out = arena_printf(&c->arena, "%s%s%s", out ? out : "", i ? "," : "",
				   json_string_value(name));
	return out;
}

static char *joined_labels(struct cli_context *c, const json_t *j)
{
	char *out = arena_strdup(&c->arena, "");
	const char *key, *sep = "";
	json_t *value;

	json_object_foreach (json_object_get(j, "Labels"), key, value) {
		out = arena_printf(&c->arena, "%s%s%s=%s", out ? out : "", sep, key,
				   json_string_value(value));
		sep = ",";
	}
	return out;
}

/* What comes as text or as an array of texts, each of at most MAX letters. */
static char *joined(struct cli_context *c, const json_t *v, size_t max)
{
	char *out = arena_strdup(&c->arena, json_string_value(v) ? json_string_value(v) : "");
	json_t *element;
	size_t i;

	json_array_foreach (v, i, element) {
		const char *s = json_string_value(element) ? json_string_value(element) : "";
		bool cut = strlen(s) > max;

		out = arena_printf(&c->arena, "%s%s%.*s%s", out ? out : "", i ? "," : "",
				   (int)(cut ? max - 1 : strlen(s)), s, cut ? "\u2026" : "");
	}
	return out;
}

static size_t id_length(const char *id, bool no_trunc)
{
	return no_trunc ? strlen(id) : MIN(strlen(id), (size_t)12);
}

static json_t *first_half(struct cli_context *c, const json_t *j, bool no_trunc)
{
	int64_t created = json_integer_value(json_object_get(j, "Created"));
	const char *id = text(j, "Id");
	char since[64];

	return json_pack("{s:s, s:s%, s:s, s:s, s:s, s:s, s:s}", "Command",
			 command(c, text(j, "Command"), no_trunc), "ID", id,
			 id_length(id, no_trunc), "Image", text(j, "Image"), "Names",
			 joined_names(c, j), "RunningFor", time_show_since(created, since), "Ports",
			 text(j, "Ports"), "Status", text(j, "Status"));
}

const char *container_line(struct cli_context *c, const struct container_brief *b, bool no_trunc,
			   bool quiet)
{
	int n = (int)id_length(b->id, no_trunc);
	char since[64];

	if (quiet)
		return arena_printf(&c->arena, "%.*s", n, b->id);
	return arena_printf(&c->arena, "%.*s\t%s\t%s\t%s\t%s\t%s\t%s", n, b->id, b->image,
			    command(c, b->command, no_trunc), time_show_since(b->created, since),
			    b->status, b->ports, b->name);
}

json_t *container_row(struct cli_context *c, const json_t *container, bool no_trunc, struct err *e)
{
	int64_t created = json_integer_value(json_object_get(container, "Created"));
	json_int_t size = json_integer_value(json_object_get(container, "SizeRw"));
	json_t *row = first_half(c, container, no_trunc);
	const json_t *labels = json_object_get(container, "Labels");
	json_int_t whole = json_integer_value(json_object_get(container, "SizeRootFs"));
	char human[96], part[32], all[32], volumes[24], at[64];

	(void)snprintf(volumes, sizeof(volumes), "%lld",
		       (long long)json_integer_value(json_object_get(container, "LocalVolumes")));
	(void)snprintf(human, sizeof(human), "%s", num_human_size((double)size, part));
	if (whole > 0)
		(void)snprintf(human, sizeof(human), "%s (virtual %s)", part,
			       num_human_size((double)whole, all));
	if (row &&
	    json_object_update_new(
		    row,
		    json_pack("{s:s, s:s, s:s, s:s, s:n, s:s, s:s, s:s, s:O?}", "CreatedAt",
			      time_show_at(created, at), "Labels", joined_labels(c, container),
			      "LocalVolumes", volumes, "Mounts",
			      joined(c, json_object_get(container, "Mounts"),
				     no_trunc ? INT32_MAX : MOUNT_LETTERS),
			      "Platform", "Networks",
			      joined(c, json_object_get(container, "Networks"), INT32_MAX), "Size",
			      human, "State", text(container, "State"), ".labels", labels)) == 0)
		return row;
	json_decref(row);
	(void)err_set(e, ERR_LIMIT, 0, "out of memory");
	return NULL;
}
