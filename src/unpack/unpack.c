/* SPDX-License-Identifier: Apache-2.0 */
/* The way of the bytes: input -> counted -> decompressed, with limits -> hashed -> tar reader ->
 * files. After the archive's end the stream is read to its own, so that the digest covers all of
 * it (U19). */
#include "unpack/unpack.h"

#include "base/fd.h"
#include "base/path.h"
#include "unpack/unpack-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { FILTER_BUFFER = 128 * 1024 };

struct counter {
	struct stream stream;
	struct stream *in;
	uint64_t *n;
};

static ssize_t counter_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct counter *c = (struct counter *)s;
	ssize_t r = stream_read(c->in, data, n, e);

	if (r > 0)
		*c->n += (uint64_t)r;
	return r;
}

int unpack_set_opaque(void *unused, int dir, struct err *e)
{
	if (fsetxattr(dir, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_errno(e, errno, "marking a directory as opaque");
	return 0;
}

static int count_entry(struct unpack *u, const struct tar_entry *t, struct err *e)
{
	const struct unpack_limits *l = &u->limits;
	uint64_t n = t->type == TAR_SYMLINK ? strlen(t->linkname) : t->size;

	u->result.entries++;
	u->inodes++;
	if (l->max_inodes && u->inodes > l->max_inodes)
		return err_set(e, ERR_LIMIT, 0, "more than %llu files",
			       (unsigned long long)l->max_inodes);
	if (l->max_bytes && n > l->max_bytes - u->result.bytes)
		return err_set(e, ERR_LIMIT, 0, "more than %llu bytes of files",
			       (unsigned long long)l->max_bytes);
	u->result.bytes += n;
	return 0;
}

static int one_entry(struct unpack *u, const struct tar_entry *t, struct err *e)
{
	struct tar_entry entry = *t;
	struct unpack_name name;
	int rc;

	if (count_entry(u, t, e) < 0 || unpack_name_set(&name, u->prefix, t->name, e) < 0)
		return -1;
	if (u->owner == UNPACK_OWNER_GIVEN) {
		entry.uid = u->uid;
		entry.gid = u->gid;
	}
	rc = u->mode == UNPACK_COPY ? 0 : unpack_whiteout(u, &name, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return unpack_entry(u, &name, &entry, e);
}

static int all_entries(struct unpack *u, struct err *e)
{
	const struct tar_entry *t;
	int rc;

	while ((rc = tar_reader_next(u->tar, &t, e)) > 0) {
		char quoted[TAR_QUOTE_SIZE];

		if (one_entry(u, t, e) < 0)
			return err_wrap(e, "unpacking '%s'",
					tar_name_quote(t->name, quoted, sizeof(quoted)));
	}
	return rc;
}

static int run(struct unpack *u, const struct unpack_request *req, struct err *e)
{
	static const struct stream_ops counter_ops = {counter_read, NULL};
	const struct stream_limits limits = {.max_out = u->limits.max_bytes,
					     .max_ratio = u->limits.max_ratio,
					     .ratio_slack = u->limits.ratio_slack};
	_cleanup_(stream_freep) struct stream *in = stream_from_fd(req->input, e);
	struct counter counter = {{&counter_ops}, in, &u->result.input_size};
	_cleanup_(stream_freep) struct stream *plain = NULL;
	_cleanup_(stream_freep) struct stream *tee = NULL;
	_cleanup_(tar_reader_freep) struct tar_reader *tar = NULL;

	if (!in)
		return -1;
	plain = stream_decompress_with(&counter.stream, &limits, u->hooks.foreign,
				       &u->result.compression, e);
	if (!plain)
		return -1;
	if (!req->hashed || u->result.compression != COMPRESSION_NONE) {
		tee = stream_tee(plain, e);
		if (!tee)
			return -1;
	}
	u->tar = tar = tar_reader_new(tee ? tee : plain, e);
	if (!tar || all_entries(u, e) < 0 || tar_reader_drain(tar, e) < 0 ||
	    unpack_dir_times_set(u, e) < 0)
		return -1;
	if (tee)
		stream_tee_result(tee, u->result.diff_id, &u->result.diff_size);
	else
		u->result.diff_size = u->result.input_size;
	return 0;
}

static void unpack_done(struct unpack *u)
{
	unpack_parents_forget(u);
	for (size_t i = 0; i < u->n_dirs; i++)
		free(u->dirs[i].path);
	free(u->dirs);
	inode_set_done(&u->touched);
}

/* Whether new files in the root may get other owners or modes than asked for. */
static int look_at_root(struct unpack *u, struct err *e)
{
	struct stat st;

	if (fstat(u->root, &st) < 0)
		return err_errno(e, errno, "looking at the directory to unpack to");
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_INVALID, ENOTDIR, "unpacking a layer");
	u->careful = u->mode != UNPACK_OVERLAY || st.st_gid != 0 || st.st_mode & S_ISGID ||
		     getauxval(AT_EUID) != 0 || getauxval(AT_EGID) != 0 ||
		     fgetxattr(u->root, "system.posix_acl_default", NULL, 0) > 0;
	return 0;
}

int unpack_layer(const struct unpack_request *req, const struct unpack_hooks *hooks,
		 struct unpack_result *ret, struct err *e)
{
	struct unpack u = {.root = req->target,
			   .mode = req->mode,
			   .prefix = req->prefix ? req->prefix : "",
			   .path_flags = req->mode == UNPACK_COPY ? 0 : PATH_NO_XDEV,
			   .owner = req->owner,
			   .uid = req->uid,
			   .gid = req->gid,
			   .limits = req->limits};
	int rc;

	for (size_t i = 0; i < PARENT_SLOTS; i++)
		u.parents[i].fd = -1;
	if (hooks)
		u.hooks = *hooks;
	else
		u.hooks.opaque = unpack_set_opaque;
	rc = look_at_root(&u, e);
	if (rc == 0)
		rc = run(&u, req, e);
	if (rc == 0)
		*ret = u.result;
	unpack_done(&u);
	return rc;
}

/* write(2) is not among the calls that the jail allows, sendmsg(2) is. */
static int send_full(int fd, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		struct iovec io = {.iov_base = (char *)(uintptr_t)p, .iov_len = n};
		const struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
		ssize_t w = sendmsg(fd, &m, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return err_errno(e, errno, "handing on what was decompressed");
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int unpack_filter(const struct unpack_request *req, const struct unpack_hooks *hooks,
		  struct unpack_result *ret, struct err *e)
{
	const struct stream_limits limits = {.max_out = req->limits.max_bytes,
					     .max_ratio = req->limits.max_ratio,
					     .ratio_slack = req->limits.ratio_slack};
	_cleanup_(freep) char *data = malloc(FILTER_BUFFER);
	_cleanup_(stream_freep) struct stream *in = stream_from_fd(req->input, e);
	_cleanup_(stream_freep) struct stream *plain = NULL;
	ssize_t n;

	if (!data || !in)
		return err_errno(e, ENOMEM, "decompressing");
	*ret = (struct unpack_result){.diff_size = 0};
	plain = stream_decompress_with(in, &limits, hooks->foreign, &ret->compression, e);
	if (!plain)
		return -1;
	while ((n = stream_read(plain, data, FILTER_BUFFER, e)) > 0) {
		if (send_full(req->output, data, (size_t)n, e) < 0)
			return -1;
		ret->diff_size += (uint64_t)n;
	}
	return n < 0 ? -1 : 0;
}
