/* SPDX-License-Identifier: Apache-2.0 */
/* COPY, ADD and WORKDIR: files from one tree into another, as BuildKit's copier places them
 * (github.com/tonistiigi/fsutil, copy/copy.go). Both trees are data of somebody else: every path is
 * resolved below the descriptor of its root, links included, and nothing but regular files is
 * opened for reading. */
#ifndef KOGGE_ENGINE_BUILD_COPY_H
#define KOGGE_ENGINE_BUILD_COPY_H

#include "base/err.h"
#include "base/hash.h"
#include "dockerfile/ignore.h"

struct buf;
struct build_hashes;

/* Who owns what is made. */
struct build_owner {
	bool given; /* else as in the source, or root where there is none */
	uint32_t uid, gid;
};

/* Reads "user", "uid", "user:group", ... with the passwd and group files of the tree ROOT. "" or
 * NULL: not given. */
int build_owner_parse(int root, const char *text, struct build_owner *ret, struct err *e);

/* A source of COPY --parents: out of the folder FROM comes what PATTERN matches, with the folders
 * that it is in. */
struct build_parents {
	struct ignore only;
	const char *from, *pattern;
	const char *literal; /* of PATTERN, the folders in front of its first wildcard */
	bool wild;           /* it has wildcards: it may find nothing */
};

/* Reads TEXT, the source as it is written, with a slash at its start. What RET points to is in A or
 * its own; build_parents_done is due in any case. */
int build_parents_read(const char *text, struct arena *a, struct build_parents *ret, struct err *e);
void build_parents_done(struct build_parents *p);

/* Whether PATH below p->from is left out; then *RET_ENTER says whether something in it may not be.
 */
bool build_parents_hides(const struct build_parents *p, const char *path, bool *ret_enter);

/* A tree to copy from. */
struct build_source {
	int root;                    /* readable or O_PATH, borrowed */
	const struct ignore *ignore; /* of a context: what is left out; NULL: nothing */
	bool to_root;     /* a context: what it holds belongs to root, whoever has it here */
	bool literal;     /* names mean themselves: no wildcards */
	const char *name; /* for messages: "the context" */
};

struct build_copy {
	struct build_source from;
	const char *const *paths; /* as written, with wildcards; NULL-terminated */
	const char *dest;         /* absolute; a slash at its end, or "/.", makes it a folder */
	struct build_owner owner;
	const char *mode;             /* --chmod: as mode_change takes it; NULL: the source's */
	const struct ignore *exclude; /* --exclude; NULL: nothing */
	/* --parents: what is taken of the folders that PATHS names; NULL: all */
	const struct build_parents *parents;
	bool *found; /* set when something is copied; may be NULL */
	bool unpack; /* ADD: what is an archive is unpacked */
};

/* Copies into the tree ROOT. A source that is not there: ERR_NOT_FOUND; one with wildcards that
 * finds nothing copies nothing, as with BuildKit. */
int build_copy_run(int root, const struct build_copy *c, struct err *e);

/* Makes the folder PATH with those above it, 0755; those that are there stay as they are. */
int build_make_dirs(int root, const char *path, const struct build_owner *owner, struct err *e);

/* A file of MODE with N bytes of DATA at DEST as COPY would place one called NAME: a
 * here-document. */
struct build_file {
	const char *name, *dest;
	const void *data;
	size_t n;
	unsigned mode;
	struct build_owner owner;
};
int build_make_file(int root, const struct build_file *f, struct err *e);

/* The sources that C->paths name, as paths in the tree, links resolved where BuildKit resolves
 * them: what build_copy_run goes through, in its order. FN returns 0, or what ends it. */
typedef int (*build_match_fn)(void *arg, const char *path, struct err *e);
int build_copy_match(const struct build_source *from, const char *pattern, build_match_fn fn,
		     void *arg, struct err *e);

/* Digests what C copies: names, types, modes, owners, links and data; no times. */
struct build_digest {
	struct sha256 hash;          /* running */
	struct build_hashes *hashes; /* remembers the digests of files; may be NULL */
	struct buf *files;           /* gets "PATH TAB DIGEST LF" of each file; may be NULL */
	int64_t newest;              /* Unix nanoseconds of the newest file */
};
int build_copy_digest(const struct build_copy *c, struct build_digest *d, struct err *e);

#endif
