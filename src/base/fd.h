/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: owned integers that start at -1, and whole reads and writes. Everything here
 * returns a negative errno on failure, retries EINTR, and is safe after clone. */
#ifndef KOGGE_BASE_FD_H
#define KOGGE_BASE_FD_H

#include "base/macro.h"

#include <sys/types.h>

struct buf;

/* Closes *FD where it is not negative and sets it to -1; keeps errno. For _cleanup_(fd_close). */
void fd_close(int *fd);

/* Reads exactly N bytes, or fewer where the stream ends. Returns the count. */
ssize_t fd_read_full(int fd, void *data, size_t n);

/* As fd_read_full, at an offset. */
ssize_t fd_pread_full(int fd, void *data, size_t n, off_t at);

/* Writes all N bytes. Returns 0. */
int fd_write_full(int fd, const void *data, size_t n);

/* Appends all of FD to OUT, which ends with a NUL byte that is not counted. -EFBIG where more
 * than MAX bytes come. */
int fd_read_all(int fd, struct buf *out, size_t max);

/* Copies N bytes (or to the end where N is UINT64_MAX) by copy_file_range, sendfile, or read and
 * write, whichever works. Stores the count where RET_N is not NULL. */
int fd_copy(int in, int out, uint64_t n, uint64_t *ret_n);

/* Sets or clears close-on-exec. */
int fd_cloexec(int fd, bool on);

/* Makes every descriptor from FIRST on close-on-exec; one by one, up to 65536, where the kernel
 * has no close_range with that flag (before 5.11). */
void fd_cloexec_from(int first);

/* Sets or clears O_NONBLOCK. */
int fd_nonblock(int fd, bool on);

/* Opens what FD refers to once more, with a file description of its own, through the caller's
 * /proc/self/fd: for another access mode, or to set O_NONBLOCK without changing the description
 * that is shared with other processes. Only where the caller's /proc is the host's. Returns the
 * new descriptor, close-on-exec. */
int fd_reopen(int fd, int flags);

/* A pipe, close-on-exec on both ends. */
int fd_pipe(int ret_read_write[2]);

/* A memfd, close-on-exec, with the bytes of DATA, its offset at 0, sealed against every change
 * where SEAL is set. Returns the descriptor. */
int fd_memfd(const char *name, const void *data, size_t n, bool seal);

/* Sends or receives N_FDS descriptors (at most 16) with up to N bytes of DATA over a unix socket.
 * fd_recv returns the number of bytes, 0 at the end; the received descriptors are close-on-exec
 * and owned by the caller; unused slots are -1; more descriptors than slots: -EPROTO. */
int fd_send(int sock, const void *data, size_t n, const int *fds, size_t n_fds);
ssize_t fd_recv(int sock, void *data, size_t n, int *ret_fds, size_t n_fds);

#endif
