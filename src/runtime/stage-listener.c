/* SPDX-License-Identifier: Apache-2.0 */
/* A filter that notifies is in force from the moment at which it gives its descriptor, and it may
 * hold back any system call of this thread, the one that would hand the descriptor over too. So a
 * second thread, made before, on which the filter does not lie, sends it. The first one makes no
 * system call until that is done. exec ends the second thread where it is still there. */
#include "runtime/stage-internal.h"

#include "base/seccomp-profile.h"
#include "kernel/seccomp-filter.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK_SIZE = 256 << 10, NO_FD_YET = -1, GIVEN_UP = -2 };

/* Between the two threads. */
struct handover {
	const struct stage *st;
	atomic_int listener; /* NO_FD_YET, GIVEN_UP, or the descriptor */
	atomic_int result;   /* 1 until the descriptor was sent: then 0 or a negative errno */
};

/* The other thread. It waits for as long as loading a filter takes. */
static int deliver(void *arg)
{
	const struct stage_msg m = {.kind = STAGE_LISTENER};
	struct handover *h = arg;
	int fd;

	while ((fd = atomic_load(&h->listener)) == NO_FD_YET)
		sched_yield();
	if (fd >= 0)
		atomic_store(&h->result, stage_send(h->st, &m, fd));
	syscall(SYS_exit, 0);
	return 0;
}

static int start_thread(struct handover *h)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int flags =
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

	if (stack == MAP_FAILED)
		return -errno;
	return clone(deliver, stack + STACK_SIZE, flags, h) < 0 ? -errno : 0;
}

int stage_load_notifier(const struct stage *st, struct plan_blob filter, uint64_t flags,
			struct err *e)
{
	struct handover h = {.st = st, .listener = NO_FD_YET, .result = 1};
	/* The other thread must stay free of it */
	unsigned own = (unsigned)flags & ~(unsigned)SECCOMP_WITH_TSYNC;
	int listener = GIVEN_UP, r = start_thread(&h);

	if (r == -EINVAL)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "config.json: linux.seccomp.listenerPath: not together with a new "
			       "time namespace");
	if (r < 0)
		return err_errno(e, r, "preparing the seccomp listener");
	r = seccomp_filter_load(filter.data, filter.len, own, &listener);
	atomic_store(&h.listener, r < 0 ? GIVEN_UP : listener);
	if (r < 0)
		return err_errno(e, r, "loading the seccomp filter");
	while (atomic_load(&h.result) > 0)
		;
	r = atomic_load(&h.result);
	return r < 0 ? err_errno(e, r, "handing over the seccomp listener") : 0;
}
