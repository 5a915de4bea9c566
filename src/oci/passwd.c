/* SPDX-License-Identifier: Apache-2.0 */
/* Fields are looked at in place: a line is a span, a field is a span, and only what is asked for
 * is copied. Where Go's reader takes a number that cannot be read for 0, which is root, the line
 * is skipped here. */
#include "oci/passwd.h"

#include "base/num.h"
#include "base/str.h"

#include <ctype.h>

/* A part of a file; not terminated. */
struct span {
	const char *s;
	size_t n;
};

static bool span_is(struct span t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.s, s, t.n) == 0;
}

/* Cuts the next line off *REST, without blanks around it; false at the end. Lines that are too
 * long are skipped. */
static bool next_line(struct span *rest, struct span *line)
{
	while (rest->n) {
		const char *end = memchr(rest->s, '\n', rest->n);
		size_t n = end ? (size_t)(end - rest->s) : rest->n, used = n + (end != NULL);

		*line = (struct span){rest->s, n};
		*rest = (struct span){rest->s + used, rest->n - used};
		if (n > PASSWD_LINE_MAX)
			continue;
		while (line->n && isspace((unsigned char)line->s[line->n - 1]))
			line->n--;
		while (line->n && isspace((unsigned char)line->s[0]))
			*line = (struct span){line->s + 1, line->n - 1};
		if (line->n)
			return true;
	}
	return false;
}

/* Cuts the next field, which ends at C, off *REST. Past the end: empty. */
static struct span next_field(struct span *rest, char c)
{
	const char *end = rest->n ? memchr(rest->s, c, rest->n) : NULL;
	size_t n = end ? (size_t)(end - rest->s) : rest->n, used = n + (end != NULL);
	struct span field = {rest->s, n};

	*rest = (struct span){rest->s + used, rest->n - used};
	return field;
}

/* An ID in a file. The highest 32-bit number means "none" to the kernel and is refused. */
static bool read_id(struct span t, uint32_t *ret)
{
	char text[12];
	uint64_t v;

	if (t.n >= sizeof(text))
		return false;
	memcpy(text, t.s, t.n);
	text[t.n] = '\0';
	if (num_u64(text, 0, UINT32_MAX - 1, &v) < 0)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* One line of /etc/passwd. */
struct user {
	struct span name, home;
	uint32_t uid, gid;
};

static bool next_user(struct span *rest, struct user *ret)
{
	struct span line, uid, gid;

	while (next_line(rest, &line)) {
		ret->name = next_field(&line, ':');
		next_field(&line, ':');
		uid = next_field(&line, ':');
		gid = next_field(&line, ':');
		next_field(&line, ':');
		ret->home = next_field(&line, ':');
		if (ret->name.n && read_id(uid, &ret->uid) && read_id(gid, &ret->gid))
			return true;
	}
	return false;
}

/* One line of /etc/group. */
struct group {
	struct span name, members;
	uint32_t gid;
};

static bool next_group(struct span *rest, struct group *ret)
{
	struct span line, gid;

	while (next_line(rest, &line)) {
		ret->name = next_field(&line, ':');
		next_field(&line, ':');
		gid = next_field(&line, ':');
		ret->members = next_field(&line, ':');
		if (ret->name.n && read_id(gid, &ret->gid))
			return true;
	}
	return false;
}

static bool has_member(struct span members, const char *name)
{
	while (members.n) {
		if (span_is(next_field(&members, ','), name))
			return true;
	}
	return false;
}

/* A user or group as it was given: a number, or a name where IS_NUMBER is not set. */
struct who {
	const char *text;
	bool is_number;
	uint32_t number;
};

static bool all_digits(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* Whether S is no plain number but would be one to some reader: signs, other bases. */
static bool is_almost_number(const char *s)
{
	if (*s == '+' || *s == '-')
		return all_digits(s + 1) || !s[1];
	return s[0] == '0' && (s[1] ? strchr("xXoObB_", s[1]) != NULL || all_digits(s + 1) : false);
}

static int read_who(const char *what, const char *s, struct who *ret, struct err *e)
{
	uint64_t v = 0;
	size_t n = strlen(s);

	*ret = (struct who){.text = s};
	for (size_t i = 0; i < n; i++) {
		if (isspace((unsigned char)s[i]) || iscntrl((unsigned char)s[i]))
			return err_set(e, ERR_INVALID, 0, "invalid %s '%.60s': it has a blank",
				       what, s);
	}
	if (is_almost_number(s))
		return err_set(e, ERR_INVALID, 0,
			       "invalid %s '%.60s': a number has decimal digits only", what, s);
	if (all_digits(s)) {
		if (num_u64(s, 0, PASSWD_ID_MAX, &v) < 0)
			return err_set(e, ERR_INVALID, 0,
				       "invalid %s '%.60s': uids and gids must be in range 0-%u",
				       what, s, PASSWD_ID_MAX);
		ret->is_number = true;
		ret->number = (uint32_t)v;
		return 0;
	}
	if (n > sizeof(((struct passwd_identity *)0)->name) - 1)
		return err_set(e, ERR_INVALID, 0, "invalid %s '%.60s...': it is too long", what, s);
	return 0;
}

static int add_gid(struct passwd_identity *i, uint32_t gid, struct err *e)
{
	uint32_t *more;

	/* Grows at each power of two. */
	if ((i->n_gids & (i->n_gids - 1)) == 0) {
		more = reallocarray(i->gids, i->n_gids ? i->n_gids * 2 : 1, sizeof(*more));
		if (!more)
			return err_set(e, ERR_LIMIT, 0, "out of memory");
		i->gids = more;
	}
	/* Twice the limit, because doubles are still among them. */
	if (i->n_gids >= (size_t)2 * PASSWD_GROUPS_MAX)
		return err_set(e, ERR_LIMIT, 0, "the user is in more than %d groups",
			       PASSWD_GROUPS_MAX);
	i->gids[i->n_gids++] = gid;
	return 0;
}

static void take_user(struct passwd_identity *i, const struct user *u)
{
	i->uid = u->uid;
	i->gid = u->gid;
	if (u->name.n < sizeof(i->name) && !memchr(u->name.s, '\0', u->name.n)) {
		memcpy(i->name, u->name.s, u->name.n);
		i->name[u->name.n] = '\0';
	}
	if (u->home.n && u->home.n < sizeof(i->home) && u->home.s[0] == '/' &&
	    !memchr(u->home.s, '\0', u->home.n)) {
		memcpy(i->home, u->home.s, u->home.n);
		i->home[u->home.n] = '\0';
	}
}

static int resolve_user(const struct who *who, const struct passwd_files *f,
			struct passwd_identity *i, struct err *e)
{
	struct span rest = {f->passwd, f->passwd ? f->n_passwd : 0};
	struct user u;

	while (next_user(&rest, &u)) {
		if (who->is_number ? u.uid == who->number : span_is(u.name, who->text)) {
			take_user(i, &u);
			return 0;
		}
	}
	if (!who->is_number)
		return err_set(e, ERR_NOT_FOUND, 0,
			       "unable to find user %s: no matching entries in passwd file",
			       who->text);
	i->uid = who->number;
	return 0;
}

static int resolve_group(const struct who *who, const struct passwd_files *f, uint32_t *ret,
			 struct err *e)
{
	struct span rest = {f->group, f->group ? f->n_group : 0};
	struct group g;

	if (who->is_number) {
		*ret = who->number;
		return 0;
	}
	while (next_group(&rest, &g)) {
		if (span_is(g.name, who->text)) {
			*ret = g.gid;
			return 0;
		}
	}
	return err_set(e, ERR_NOT_FOUND, 0,
		       "unable to find group %s: no matching entries in group file", who->text);
}

static int add_memberships(const struct passwd_files *f, struct passwd_identity *i, struct err *e)
{
	struct span rest = {f->group, f->group ? f->n_group : 0};
	struct group g;

	if (!i->name[0])
		return 0;
	while (next_group(&rest, &g)) {
		if (has_member(g.members, i->name) && add_gid(i, g.gid, e) < 0)
			return -1;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts the groups and drops doubles; the primary group is always one of them, without which a
 * file of mode 0604 would not be closed to it (CVE-2022-36109, CVE-2023-25173). */
static int finish_groups(struct passwd_identity *i, struct err *e)
{
	size_t n = 0;

	if (add_gid(i, i->gid, e) < 0)
		return -1;
	qsort(i->gids, i->n_gids, sizeof(*i->gids), by_number);
	for (size_t k = 0; k < i->n_gids; k++) {
		if (n == 0 || i->gids[n - 1] != i->gids[k])
			i->gids[n++] = i->gids[k];
	}
	i->n_gids = n;
	if (n > PASSWD_GROUPS_MAX)
		return err_set(e, ERR_LIMIT, 0, "the user is in more than %d groups",
			       PASSWD_GROUPS_MAX);
	return 0;
}

/* "user", "user:", "user:group", ":group". */
static int read_spec(char *spec, struct who *user, struct who *group, bool *ret_has_group,
		     struct err *e)
{
	char *colon = strchr(spec, ':');

	if (colon && strchr(colon + 1, ':'))
		return err_set(e, ERR_INVALID, 0, "invalid user '%.60s': more than one ':'", spec);
	if (colon)
		*colon = '\0';
	*ret_has_group = colon && colon[1];
	if (*ret_has_group && read_who("group", colon + 1, group, e) < 0)
		return -1;
	return read_who("user", *spec ? spec : "0", user, e);
}

static int resolve(const char *spec, const char *const *group_add, const struct passwd_files *f,
		   struct passwd_identity *i, struct err *e)
{
	_cleanup_(freep) char *copy = strdup(str_empty(spec) ? "0" : spec);
	struct who user, group;
	bool has_group = false;
	uint32_t gid;

	if (!copy)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (read_spec(copy, &user, &group, &has_group, e) < 0 || resolve_user(&user, f, i, e) < 0)
		return -1;
	if (has_group ? resolve_group(&group, f, &i->gid, e) < 0 : add_memberships(f, i, e) < 0)
		return -1;
	for (; group_add && *group_add; group_add++) {
		if (!**group_add || strchr(*group_add, ':'))
			return err_set(e, ERR_INVALID, 0, "invalid group '%.60s'", *group_add);
		if (read_who("group", *group_add, &group, e) < 0 ||
		    resolve_group(&group, f, &gid, e) < 0 || add_gid(i, gid, e) < 0)
			return -1;
	}
	return finish_groups(i, e);
}

void passwd_identity_done(struct passwd_identity *i)
{
	free(i->gids);
	*i = PASSWD_IDENTITY_INIT;
}

int passwd_resolve(const char *spec, const char *const *group_add, const struct passwd_files *files,
		   struct passwd_identity *ret, struct err *e)
{
	struct passwd_identity i = {.home = "/"};

	if (files->n_passwd > PASSWD_SIZE_MAX || files->n_group > PASSWD_SIZE_MAX)
		return err_set(e, ERR_LIMIT, 0, "passwd or group file larger than %zu bytes",
			       PASSWD_SIZE_MAX);
	if (resolve(spec, group_add, files, &i, e) < 0) {
		passwd_identity_done(&i);
		return -1;
	}
	*ret = i;
	return 0;
}
