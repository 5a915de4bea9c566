/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: containers over the store, the runtime and the monitor. No daemon: every process
 * opens it for itself, and what they share is the store's database, the run directory and locks.
 *
 * A container is named by its full identifier, a unique prefix of one, or its name, as Docker
 * resolves them: whole identifier, then name, then prefix. */
#ifndef KOGGE_ENGINE_ENGINE_H
#define KOGGE_ENGINE_ENGINE_H

#include "base/err.h"
#include "base/id.h"

#include <jansson.h>

struct container_spec;
struct engine;
struct store;

struct engine_opts {
	const char *root;     /* NULL: /var/lib/kogge */
	const char *run_root; /* NULL: /run/kogge */
	const char *driver;   /* NULL: the store's own, or the best that works here */
};

/* Opens the store and the run directory, making them where they are missing. */
int engine_open(const struct engine_opts *opts, struct engine **ret, struct err *e);
void engine_free(struct engine *en);
DEFINE_FREEP(struct engine, engine_free)

/* The store, borrowed. */
struct store *engine_store(struct engine *en);

/* Called when the container exists and before it starts, for --cidfile. Returns -1 with E set to
 * stop: then the container is removed. */
typedef int (*container_created_fn)(void *arg, const char *id, struct err *e);

/* What the foreground client of a container wants attached. Descriptors are borrowed and may be
 * -1: nothing attached there. */
struct attach_opts {
	int in, out, err_out;    /* the caller's own stdin, stdout, stderr */
	bool sig_proxy;          /* hand signals on to the container (ignored with a terminal) */
	bool detach;             /* return as soon as the program runs; nothing is attached */
	const char *detach_keys; /* NULL: ctrl-p,ctrl-q */
	container_created_fn created; /* container_run only; may be NULL */
	void *arg;                    /* for created */
};

/* How a foreground container ended. */
struct container_exit {
	int code;      /* 0 to 255: the exit code of PID 1, or 128 + signal */
	bool oom;      /* the kernel killed a process of it for memory */
	bool detached; /* the client left by the detach keys; the container runs on */
	int lost_kb;   /* container_attach: output that the client was too slow for */
};

/* Makes a container from SPEC: image resolved, name taken, writable layer prepared. RET_ID gets
 * the identifier. Nothing is left behind on failure. */
int container_create(struct engine *en, const struct container_spec *spec, char ret_id[ID_SIZE],
		     struct err *e);

/* Starts the created or exited container ID and stays until it ended or the client detached.
 * Where the container was made with auto-remove it is gone when this returns. With attach->detach
 * it returns (RET->detached) when the program runs; the monitor does the container's end. */
int container_start(struct engine *en, const char *id, const struct attach_opts *attach,
		    struct container_exit *ret, struct err *e);

/* container_create and container_start in one: the fast path of `run`. */
int container_run(struct engine *en, const struct container_spec *spec,
		  const struct attach_opts *attach, struct container_exit *ret, struct err *e);

/* The whole identifier that REF names. */
int container_resolve(struct engine *en, const char *ref, char ret_id[ID_SIZE], struct err *e);

/* Sends SIGNO to PID 1 of a running container; one that is paused goes on where the signal is to
 * end it. */
int container_kill(struct engine *en, const char *ref, int signo, struct err *e);

/* Blocks until the container is not running; at once where it is not. */
int container_wait(struct engine *en, const char *ref, int *ret_code, struct err *e);

/* Whether container ID runs, for whoever was told by ERR_CONFLICT that somebody else has it: a
 * start that is going on is waited for, two seconds at most. */
bool container_await_running(struct engine *en, const char *id);

enum container_remove_flags {
	CONTAINER_REMOVE_FORCE = 1 << 0,  /* kill it first where it runs */
	CONTAINER_REMOVE_VOLUMES = 1 << 1 /* its anonymous volumes too */
};

/* Removes the container, its writable layer and its run directory. ERR_CONFLICT where it runs and
 * FORCE is not set. */
int container_remove(struct engine *en, const char *ref, unsigned flags, struct err *e);

/* All containers, or the running ones, newest first, as an array of objects for `ps`: Id, Names
 * (array without a slash), Image, Command (one text), Created (Unix nanoseconds), Status (text as
 * Docker's: "Up 5 minutes"), Ports (""), ImageID, State, ExitCode, Labels (object), Pid, SizeRw,
 * Networks, Mounts. A reference owned by the caller, or NULL with E set. */
json_t *container_list(struct engine *en, bool all, bool with_size, struct err *e);

/* The same one after the other: FN gets each (borrowed) and stops the list with a result other than
 * 0, which is returned then; -1 with E set. */
enum container_list_flags { CONTAINER_LIST_ALL = 1 << 0, CONTAINER_LIST_SIZE = 1 << 1 };
typedef int (*container_list_fn)(void *arg, json_t *container, struct err *e);
int container_list_each(struct engine *en, unsigned flags, container_list_fn fn, void *arg,
			struct err *e);

/* What the plain table of `ps` shows, without JSON on the way: there may be many. */
struct container_brief {
	const char *id, *name, *image;
	const char *command; /* words joined by blanks */
	const char *status;  /* "Up 5 minutes" */
	const char *ports;
	int64_t created; /* Unix nanoseconds */
};

/* All containers, or the running ones, newest first. FN gets each, borrowed; its result is as with
 * container_list_each. */
typedef int (*container_brief_fn)(void *arg, const struct container_brief *b, struct err *e);
int container_brief_each(struct engine *en, bool all, container_brief_fn fn, void *arg,
			 struct err *e);

/* Docker's JSON for `container inspect`. A reference owned by the caller, or NULL with E set. */
json_t *container_inspect(struct engine *en, const char *ref, bool with_size, struct err *e);

/* Ends what dead processes left half done: containers that should be gone, run directories
 * without a monitor, cgroups. Every command that opens the engine for writing calls it. */
int engine_reconcile(struct engine *en, struct err *e);

/* The end of the container ID after its monitor recorded the exit: state into the database,
 * mounts and cgroup gone, auto-remove. Called by the client, or by `kogge` on behalf of a monitor
 * whose client is gone. HOW, which may be NULL, is what the client heard of the exit: it stands in
 * where the record could not be written. Does nothing where another process has done it. */
int container_end(struct engine *en, const char *id, const struct container_exit *how,
		  struct err *e);

/* The same for a monitor, in its process: LOCK and CONTROL are its descriptors, -1 where it left
 * none. Where the restart policy wants it, does not return: the process becomes a monitor that
 * waits for the next start. */
int container_end_monitored(struct engine *en, const char *id, int lock, int control,
			    struct err *e);

/* The start after that, in the process that waited: becomes the new monitor. Returns only on
 * failure; the container has ended then. */
int container_start_monitored(struct engine *en, const char *id, int lock, int control,
			      struct err *e);

/* After a boot: starts what its restart policy wants to run. STARTED gets each (may be NULL).
 * Containers that cannot be started are told by FAILED, and the others are started. */
typedef void (*engine_boot_fn)(void *arg, const char *name, const struct err *why);
int engine_boot(struct engine *en, engine_boot_fn fn, void *arg, struct err *e);

/* Before the machine's end: stops all that runs, at once, each with the signal and the time that it
 * asked for, and not as if its user had stopped it. One after the other is container_halt. */
int engine_halt(struct engine *en, struct err *e);
int container_halt(struct engine *en, const char *id, struct err *e);

/* One health check of the running container ID, for its monitor. *RET_STARTING: it is not known
 * yet whether the container is well. */
int container_check_health(struct engine *en, const char *id, bool *ret_starting, struct err *e);

#endif
