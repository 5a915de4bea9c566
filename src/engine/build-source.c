/* SPDX-License-Identifier: Apache-2.0 */
/* The tree that is copied from: finding sources, wildcards, and the walk without what is left out.
 */
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "dockerfile/ignore.h"
#include "engine/build-copy-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

int build_source_open(const struct build_source *from, const char *path, struct build_found *ret,
		      struct err *e)
{
	int fd = path_open(from->root, path, O_PATH, 0);

	if (fd == -ENOENT || fd == -ENOTDIR)
		return err_set(e, ERR_NOT_FOUND, 0, "\"/%s\": not found in %s", path, from->name);
	if (fd < 0)
		return err_errno(e, fd, "opening '%s' of %s", path, from->name);
	ret->fd = fd;
	ret->path = path;
	if (fstat(fd, &ret->st) == 0)
		return 0;
	fd_close(&ret->fd);
	return err_errno(e, errno, "looking at '%s' of %s", path, from->name);
}

bool build_source_hides(const struct build_source *from, const struct ignore *exclude,
			const char *path, bool *ret_enter)
{
	bool ignored = from->ignore && *path && ignore_matches(from->ignore, path);
	bool excluded = exclude && *path && ignore_matches(exclude, path);

	*ret_enter = (!ignored || from->ignore->exceptions) && (!excluded || exclude->exceptions);
	return ignored || excluded;
}

/* ---- the walk ---- */

struct walk {
	struct build_walk *w;
	struct buf full; /* the path in the tree */
};

/* Whether PATH below the source is left out: .dockerignore counts from the context, --exclude from
 * the source. */
static bool hides(struct walk *k, const char *path, bool *ret_enter)
{
	const struct build_copy *c = k->w->copy;
	bool enter_ignored = true, enter_excluded = true, enter_parents = true, hidden;

	buf_clear(&k->full);
	if (buf_printf(&k->full, "%s%s%s", k->w->found->path,
		       *k->w->found->path && *path ? "/" : "", path) < 0)
		return true;
	hidden = build_source_hides(&c->from, NULL, buf_str(&k->full), &enter_ignored);
	if (c->exclude) {
		struct build_source none = {.ignore = NULL};

		hidden |= build_source_hides(&none, c->exclude, path, &enter_excluded);
	}
	if (c->parents)
		hidden |= build_parents_hides(c->parents, path, &enter_parents);
	*ret_enter = enter_ignored && enter_excluded && enter_parents;
	return hidden;
}

static int walk_entry(void *arg, const struct tree_entry *t, struct err *e)
{
	struct walk *k = arg;
	bool enter = true;
	bool hidden = hides(k, t->path, &enter);

	if (S_ISSOCK(t->st.st_mode) || (hidden && !(S_ISDIR(t->st.st_mode) && enter)))
		return TREE_SKIP;
	if (!hidden && k->w->copy->found)
		*k->w->copy->found = true;
	return k->w->entry(k->w->arg, t, hidden, e) < 0 ? -1 : TREE_GO;
}

static int walk_leave(void *arg, int dir, struct err *e)
{
	struct walk *k = arg;

	return k->w->leave ? k->w->leave(k->w->arg, e) : 0;
}

/* A file that is a source itself is excluded by its own name. */
static bool is_excluded_file(const struct build_walk *w)
{
	const char *last = strrchr(w->found->path, '/');
	const struct build_source none = {.ignore = NULL};
	bool enter;

	return w->copy->exclude && build_source_hides(&none, w->copy->exclude,
						      last ? last + 1 : w->found->path, &enter);
}

int build_walk_run(struct build_walk *w, struct err *e)
{
	static const struct tree_ops ops = {
		.entry = walk_entry, .leave = walk_leave, .sorted = true};
	struct tree_entry self = {.dir = w->found->fd, .name = "", .path = "", .st = w->found->st};
	struct walk k = {.w = w, .full = BUF_INIT(1 << 20)};
	_cleanup_(fd_close) int fd = -1;
	bool enter = true, hidden = hides(&k, "", &enter);
	int r;

	if (w->copy->parents && !S_ISDIR(self.st.st_mode))
		return 0; /* what is in front of "/./" is a folder */
	if (S_ISDIR(self.st.st_mode) ? hidden && !enter : hidden || is_excluded_file(w)) {
		buf_done(&k.full);
		return 0;
	}
	r = S_ISSOCK(self.st.st_mode) ? 0 : w->entry(w->arg, &self, hidden, e);
	if (r == 0 && S_ISDIR(self.st.st_mode)) {
		fd = path_open_own(w->found->fd, ".", O_RDONLY | O_DIRECTORY, 0);
		r = fd < 0 ? err_errno(e, fd, "reading '%s'", w->found->path)
			   : tree_walk(fd, &ops, &k, e);
	}
	buf_done(&k.full);
	return r;
}

/* ---- wildcards ---- */

static bool has_wildcards(const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		else if (strchr("*?[", *s))
			return true;
	}
	return false;
}

struct match {
	const struct build_source *from;
	const char *base;    /* the folder that the walk starts in, "" or "a/b" */
	const char *pattern; /* cleaned, whole */
	bool deep;           /* has ** */
	build_match_fn fn;
	void *arg;
	struct buf full;
	int result;
};

/* "**" stands for any number of folders; the rest as filepath.Match of Go. */
static bool matches(const char *pattern, const char *path)
{
	const char *rest = str_after(pattern, "**/");
	size_t n, m;

	if (rest) {
		for (const char *p = path;; p++) {
			if (matches(rest, p))
				return true;
			p = strchr(p, '/');
			if (!p)
				return false;
		}
	}
	if (str_eq(pattern, "**"))
		return true;
	n = strcspn(pattern, "/");
	m = strcspn(path, "/");
	if (n >= PATH_SIZE || m >= PATH_SIZE)
		return false;
	if (pattern[n] && path[m]) {
		char a[PATH_SIZE], b[PATH_SIZE];

		memcpy(a, pattern, n);
		memcpy(b, path, m);
		a[n] = b[m] = '\0';
		return fnmatch(a, b, 0) == 0 && matches(pattern + n + 1, path + m + 1);
	}
	return !pattern[n] && !path[m] && fnmatch(pattern, path, 0) == 0;
}

static int match_entry(void *arg, const struct tree_entry *t, struct err *e)
{
	struct match *m = arg;
	bool enter = true, hidden;

	buf_clear(&m->full);
	if (buf_printf(&m->full, "%s%s%s", m->base, *m->base ? "/" : "", t->path) < 0)
		return err_errno(e, ENAMETOOLONG, "'%s'", t->path);
	hidden = build_source_hides(m->from, NULL, buf_str(&m->full), &enter);
	if (hidden && !(S_ISDIR(t->st.st_mode) && enter))
		return TREE_SKIP;
	if (!matches(m->pattern, buf_str(&m->full)))
		return TREE_GO;
	/* A folder that is hidden but for exceptions is found by those. */
	m->result = m->fn(m->arg, buf_str(&m->full), e);
	return m->result ? -1 : TREE_SKIP;
}

/* The folders of PATTERN in front of the first wildcard, in BASE. */
static void split_base(const char *pattern, char base[PATH_SIZE])
{
	size_t end = 0;

	snprintf(base, PATH_SIZE, "%s", pattern);
	for (size_t i = 0; pattern[i] && i < PATH_SIZE - 1; i++) {
		if (pattern[i] == '/')
			end = i;
		if (strchr("*?[\\", pattern[i]))
			break;
	}
	base[end] = '\0';
}

static int match_walk(struct match *m, const char *base, struct err *e)
{
	static const struct tree_ops ops = {.entry = match_entry, .sorted = true};
	_cleanup_(fd_close) int fd = path_open(m->from->root, base, O_RDONLY | O_DIRECTORY, 0);

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return err_errno(e, fd, "reading '%s' of %s", base, m->from->name);
	m->base = base;
	return tree_walk(fd, &ops, m, e);
}

/* Nothing is hidden below, or not even a file that is an exception is in it: then it is as if it
 * was not there. */
static int match_plain(const struct build_source *from, const char *path, build_match_fn fn,
		       void *arg, struct err *e)
{
	struct build_found found = {.fd = -1};
	bool enter = true;
	bool hidden = build_source_hides(from, NULL, path, &enter);

	if (build_source_open(from, path, &found, e) < 0)
		return -1;
	fd_close(&found.fd);
	if (hidden && !(enter && S_ISDIR(found.st.st_mode)))
		return err_set(e, ERR_NOT_FOUND, 0,
			       "\"/%s\": not found in %s (.dockerignore leaves it out)", path,
			       from->name);
	return fn(arg, path, e);
}

int build_copy_match(const struct build_source *from, const char *pattern, build_match_fn fn,
		     void *arg, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char *clean = str_path_clean(&a, pattern);
	struct match m = {.from = from, .fn = fn, .arg = arg, .full = BUF_INIT(1 << 20)};
	char base[PATH_SIZE];
	int r;

	if (!clean)
		return err_errno(e, ENOMEM, "copying '%s'", pattern);
	m.pattern = clean + 1;
	if (from->literal || !has_wildcards(m.pattern))
		return match_plain(from, m.pattern, fn, arg, e);
	split_base(m.pattern, base);
	r = match_walk(&m, base, e);
	buf_done(&m.full);
	return m.result ? m.result : r;
}
