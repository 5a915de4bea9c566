/* SPDX-License-Identifier: Apache-2.0 */
/* Applies one layer (OCI image-spec, layer.md; a tar stream, perhaps compressed) to a directory.
 * The stream is hostile: every name is resolved below the directory and never leaves it, the last
 * component of a name is never followed, and everything is done on descriptors. Names that climb
 * out of the root are refused, absolute ones start at the root. Nothing is synced. Whatever was
 * made before an error stays and is the caller's to remove. */
#ifndef KOGGE_UNPACK_UNPACK_H
#define KOGGE_UNPACK_UNPACK_H

#include "base/err.h"
#include "base/hash.h"
#include "codec/stream.h"

enum unpack_mode {
	/* The directory is an empty layer of overlayfs. Whiteouts become character devices 0:0,
	 * opaque directories get trusted.overlay.opaque=y. */
	UNPACK_OVERLAY,
	/* The directory holds the layers below. Whiteouts remove what came from them. */
	UNPACK_APPLY,
	/* What `cp` copies into a directory that is in use, with whatever is mounted below it. A
	 * directory stays where a directory comes, with what it holds; it is never replaced, nor is
	 * anything replaced by one (ERR_CONFLICT). No name means anything but itself. An entry of
	 * the directory itself is left out. */
	UNPACK_COPY,
	/* Nothing is unpacked: what comes out of the decompressor goes to the request's output. */
	UNPACK_FILTER,
};

/* Who owns what is unpacked. */
enum unpack_owner {
	UNPACK_OWNER_ARCHIVE, /* as the archive says */
	UNPACK_OWNER_GIVEN,   /* everything the request's uid and gid */
	UNPACK_OWNER_NONE,    /* what is new the caller; what is there keeps its owner */
};

/* 0 is no limit. Passing one is ERR_LIMIT. */
struct unpack_limits {
	uint64_t max_bytes;  /* of files, holes counted, and of the uncompressed stream */
	uint64_t max_inodes; /* entries made */
	uint32_t max_ratio;  /* as in struct stream_limits */
	uint64_t ratio_slack;
};

/* 1 TiB, 16 Mi entries, 1,100 : 1 (what deflate can reach at most) after 256 MiB. */
#define UNPACK_LIMITS_DEFAULT                                                                      \
	((struct unpack_limits){.max_bytes = UINT64_C(1) << 40,                                    \
				.max_inodes = UINT64_C(1) << 24,                                   \
				.max_ratio = 1100,                                                 \
				.ratio_slack = UINT64_C(256) << 20})

struct unpack_request {
	int input;  /* the stream, read from where it stands; borrowed */
	int target; /* the directory; borrowed */
	int output; /* UNPACK_FILTER: a stream socket; borrowed */
	enum unpack_mode mode;
	struct unpack_limits limits;
	/* UNPACK_COPY: below the target, where names start; its links stay in the target. NULL:
	 * the target itself. */
	const char *prefix;
	bool detached; /* the target is a detached mount, given away with all that is mounted in it;
			* else the directory alone is seen */
	enum unpack_owner owner;
	uint32_t uid;
	uint32_t gid;
	bool hashed; /* the caller hashes the input: where that is not compressed, its digest is
		      * the diff ID, and the result's diff_id stays zero */
};

struct unpack_result {
	unsigned char diff_id[SHA256_SIZE]; /* of the uncompressed stream, all of it; see
					     * unpack_request.hashed */
	uint64_t diff_size;                 /* its bytes */
	uint64_t input_size;                /* bytes read, compressed as they came */
	enum compression compression;       /* what the input was */
	uint64_t entries;                   /* of the archive */
	uint64_t bytes;                     /* of files, holes counted, and of the texts of
					     * symbolic links: what Docker calls the size */
	uint64_t xattrs_dropped;            /* attributes that a layer may not set, or that the
					     * file system does not take */
	bool opaque_root;                   /* hides all layers below: overlayfs does not look
					     * at a layer's root for that, its caller must */
	uint32_t confined;                  /* enum unpack_confined; 0 where run in-process */
};

/* Marks the open directory DIR as opaque; how, the caller decides (trusted.* needs CAP_SYS_ADMIN,
 * which kogge-unpack does not keep). */
struct unpack_hooks {
	int (*opaque)(void *data, int dir, struct err *e);
	stream_foreign_fn foreign; /* NULL: xz and bzip2 are refused */
	void *data;
};

/* Sets trusted.overlay.opaque=y on DIR; for the hook and for the parent of kogge-unpack. */
int unpack_set_opaque(void *unused, int dir, struct err *e);

/* Unpacks in this process; HOOKS may be NULL:
 * then opaque directories are marked directly. The process's umask must be 0.
 * ERR_HOSTILE: an entry reaches out, or forges what overlayfs would take for its own; ERR_CORRUPT,
 * ERR_INVALID, ERR_UNSUPPORTED: see codec/tar.h; ERR_LIMIT: limits above, or the disk is full. */
int unpack_layer(const struct unpack_request *req, const struct unpack_hooks *hooks,
		 struct unpack_result *ret, struct err *e);

/* UNPACK_FILTER. The output must be writable to its end: who closes it early makes it fail. */
int unpack_filter(const struct unpack_request *req, const struct unpack_hooks *hooks,
		  struct unpack_result *ret, struct err *e);

#endif
