/* SPDX-License-Identifier: Apache-2.0 */
/* A container's state: the machine with its transitions in one table, and the file `state.json`
 * in the container's state directory. The file holds a process by PID, start time and boot ID, so
 * that a reused PID is never taken for the container's. */
#ifndef KOGGE_RUNTIME_STATE_H
#define KOGGE_RUNTIME_STATE_H

#include "base/arena.h"
#include "base/err.h"
#include "oci/runtime-config.h"

#include <sys/types.h>

/* Runtime-spec's states (runtime.md, State) and paused. NONE: no such container. */
enum container_status {
	CONTAINER_NONE,
	CONTAINER_CREATING,
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_STOPPED,
	CONTAINER_STATUS_N,
};

enum container_event {
	CONTAINER_DO_CREATE, /* the intent is recorded */
	CONTAINER_DID_CREATE,
	CONTAINER_DO_START,
	CONTAINER_DO_KILL, /* keeps the state */
	CONTAINER_DO_PAUSE,
	CONTAINER_DO_RESUME,
	CONTAINER_DID_EXIT,
	CONTAINER_DO_DELETE,
	CONTAINER_DO_FORCE_DELETE,
	CONTAINER_EVENT_N,
};

/* The state that EVENT leads to from STATUS, or -1 where it is not allowed. */
int container_next(enum container_status status, enum container_event event);

/* As container_next, with a message for the user (ERR_CONFLICT). ID names the container. */
int container_check(const char *id, enum container_status status, enum container_event event,
		    enum container_status *ret, struct err *e);

const char *container_status_name(enum container_status s); /* "created" */
int container_status_parse(const char *name);               /* or -1 */

struct container_state {
	struct arena arena; /* owns the strings of a state that was read */
	const char *id;
	enum container_status
		status;      /* as recorded; container_state_refresh looks at the process */
	pid_t pid;           /* 0: none yet */
	uint64_t start_time; /* of PID, clock ticks since boot */
	const char *boot_id;
	const char *bundle;
	const char *rootfs;      /* absolute; NULL where the caller mounted it */
	const char *cgroup_path; /* below each hierarchy's root; NULL: none of its own */
	const char *scope;       /* the unit of systemd that has the cgroup; NULL: none has it */
	const char *rdt_class;   /* its class of resctrl, or NULL */
	bool rdt_own;            /* made for it */
	const char *root_mount; /* the root is attached there in the caller's own mount table; NULL:
				   in a namespace of its own (runtime/root-mount.h) */
	uint64_t root_below;    /* the mount that was there before */
	int64_t created;        /* ns since 1970 */
	uint32_t owner;         /* UID that created it */
	uint32_t seccomp_flags; /* the filter in the file `seccomp`, for later processes */
	const char *listener_path, *listener_metadata; /* the agent of a filter that notifies */
	bool personality_32bit; /* as linux.personality, for later processes */
	bool shared_root;       /* its root is its processes' own, not its mount namespace's */
	bool no_keyring;        /* it has no session keyring of its own */
	struct oci_map annotations;
};

#define CONTAINER_STATE_INIT ((struct container_state){.id = NULL})

void container_state_done(struct container_state *s);

/* Beside state.json: the compiled filter of the container (struct sock_filter), where it has one,
 * and the configuration as it was read at its creation. Later processes get the same filter, and
 * later verbs the same hooks, whatever the bundle has become. */
#define CONTAINER_FILTER_FILE "seccomp"
#define CONTAINER_CONFIG_FILE "config.json"

/* Parses N bytes of state.json into *RET (CONTAINER_STATE_INIT), whose arena owns the strings, also
 * after a failure. ERR_CORRUPT: damaged. */
int container_state_parse(const char *text, size_t n, struct container_state *ret, struct err *e);

/* Reads state.json below DIR. ERR_NOT_FOUND: not there; ERR_CORRUPT: damaged. */
int container_state_read(int dir, struct container_state *ret, struct err *e);

/* Replaces state.json below DIR atomically. Not synced: it dies with the boot. */
int container_state_write(int dir, const struct container_state *s, struct err *e);

/* Sets the status to stopped where the process is gone, a zombie, or not the same (other start
 * time, other boot). RET_PIDFD (may be NULL) gets a pidfd of the living process, or -1. */
int container_state_refresh(struct container_state *s, int *ret_pidfd, struct err *e);

/* The state as runtime-spec's JSON for hooks and the verb `state`; PID 0 once stopped. */
int container_state_json(const struct container_state *s, struct buf *out, struct err *e);

#endif
