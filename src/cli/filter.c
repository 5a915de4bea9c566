/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/filter.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

enum { TIME_TEXT = 64 };

/* RFC 3339 without its end: "2024-05-01", "2024-05-01T10:00", ... is completed as UTC. */
static int time_short(const char *s, int64_t *ret)
{
	static const char *const ends[] = {"", "Z", ":00Z", ":00:00Z", "T00:00:00Z"};
	char text[TIME_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		int n = snprintf(text, sizeof(text), "%s%s", s, ends[i]);

		if (n > 0 && (size_t)n < sizeof(text) && clock_parse(text, ret) == 0)
			return 0;
	}
	return -1;
}

/* "1700000000", "1700000000.5". */
static int time_unix(const char *s, int64_t *ret)
{
	size_t n = strcspn(s, "."), digits = s[n] ? strlen(s + n + 1) : 0;
	char text[TIME_TEXT], fraction[10] = "000000000";
	int64_t seconds, ns = 0;

	if (n == 0 || n >= sizeof(text) || digits > 9 || (s[n] && digits == 0))
		return -1;
	memcpy(text, s, n);
	text[n] = '\0';
	if (digits > 0)
		memcpy(fraction, s + n + 1, digits);
	if (num_i64(text, 0, INT64_MAX / (int64_t)NUM_NS_PER_S - 1, &seconds) < 0 ||
	    strspn(fraction, "0123456789") != 9)
		return -1;
	for (const char *p = fraction; *p; p++)
		ns = 10 * ns + (*p - '0');
	*ret = seconds * (int64_t)NUM_NS_PER_S + ns;
	return 0;
}

int filter_time(const char *name, const char *s, int64_t *ret, struct err *e)
{
	int64_t ago;

	if (time_short(s, ret) == 0 || time_unix(s, ret) == 0)
		return 0;
	if (num_duration(s, &ago) == 0) {
		*ret = clock_now() - ago;
		return 0;
	}
	return err_set(e, ERR_INVALID, 0, "invalid filter '%s=[%s]'", name, s);
}

int filter_until(const char *s, int64_t *ret, struct err *e)
{
	int64_t ago;

	if (filter_time("until", s, ret, e) < 0)
		return -1;
	if (num_duration(s, &ago) == 0)
		*ret -= *ret % (int64_t)NUM_NS_PER_S;
	return 0;
}

static bool has_label(const json_t *labels, const char *want)
{
	const char *eq = strchr(want, '=');
	const char *value;
	char key[4096];

	if (snprintf(key, sizeof(key), "%.*s", (int)(eq ? eq - want : (ptrdiff_t)strlen(want)),
		     want) >= (int)sizeof(key))
		return false;
	value = json_string_value(json_object_get(labels, key));
	return value && (!eq || str_eq(value, eq + 1));
}

bool filter_has_labels(const json_t *labels, const char *const *want)
{
	for (; want && *want; want++)
		if (!has_label(labels, *want))
			return false;
	return true;
}

bool filter_lacks_labels(const json_t *labels, const char *const *unwanted)
{
	for (; unwanted && *unwanted; unwanted++)
		if (has_label(labels, *unwanted))
			return false;
	return true;
}

int prune_filter_read(struct cli_context *c, const struct cli_list *filters,
		      struct prune_filter *ret, struct err *e)
{
	const char *const *until = filter_values(c, filters, "until");
	struct prune_filter f = {
		.label = filter_values(c, filters, "label"),
		.label_not = filter_values(c, filters, "label!"),
	};

	if (!until || !f.label || !f.label_not)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (until[0] && until[1])
		return err_set(e, ERR_INVALID, 0, "more than one until filter specified");
	if (until[0] && filter_until(until[0], &f.until, e) < 0)
		return -1;
	*ret = f;
	return 0;
}

bool prune_filter_match(const struct prune_filter *f, int64_t created, const json_t *labels)
{
	return (!f->until || created < f->until) && filter_has_labels(labels, f->label) &&
	       filter_lacks_labels(labels, f->label_not);
}
