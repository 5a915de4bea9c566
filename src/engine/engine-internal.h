/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of engine/ share. */
#ifndef KOGGE_ENGINE_ENGINE_INTERNAL_H
#define KOGGE_ENGINE_ENGINE_INTERNAL_H

#include "engine/container-spec.h"
#include "engine/engine.h"
#include "kernel/cgroup.h"
#include "monitor/journal.h"
#include "oci/runtime-config.h"
#include "store/container-store.h"
#include "store/store.h"

struct engine {
	struct store *store;
	char *root,
		*run_root; /* absolute paths, for the program that a monitor leaves the end to */
	struct journal journal;
	struct cgroup_host cgroups; /* by engine_cgroups alone */
	bool has_cgroups;
};

/* The machine's cgroups, looked for once in an engine's life; a child that was forked later has
 * them, too. *RET is borrowed. */
int engine_cgroups(struct engine *en, const struct cgroup_host **ret, struct err *e);
/* For a process that outlives its caller: where a service manager started it, it leaves that
 * service, and is not ended with it. As far as it may. */
void engine_leave_service(struct engine *en);

/* The states of a container, as the database has them. RUNNING is only believed while a monitor
 * holds the lock of the run directory (container_refresh).
 *
 *   CREATED -> RUNNING      container_start
 *   RUNNING -> EXITED       container_end
 *   EXITED  -> RUNNING      container_start
 *   any but RUNNING -> gone container_remove, auto-remove */
enum engine_state { ENGINE_CREATED, ENGINE_RUNNING, ENGINE_EXITED };

/* A container in memory. Strings and the spec's arrays live in the spec's arena. */
struct container {
	char id[ID_SIZE];
	const char *name;
	const char *image_id; /* "sha256:..." */
	char snapshot[SNAPSHOT_ID_SIZE];
	struct container_spec spec; /* with the image's defaults merged in */
	enum engine_state state;
	int64_t created, started, finished; /* Unix nanoseconds; 0: never */
	int64_t lease;
	int pid;
	int exit_code;
	bool oom;
	bool paused;     /* RUNNING, but frozen */
	bool restarting; /* RUNNING, but it waits for its next start */
	bool by_hand;    /* somebody stopped it: no restart of "unless-stopped" */
	int restart_count, backoff_ms;
	int64_t log_lost; /* lines of output that the log lacks */
	const char
		*health;   /* the last state of its health check, JSON as inspect has it; or NULL */
	const char *error; /* why the last start failed; "" */
};

#define CONTAINER_INIT ((struct container){.spec = CONTAINER_SPEC_INIT})

void container_done(struct container *c);

/* container-record.c: a container as a row of the store. */
int container_load(struct engine *en, const char *id, struct container *ret, struct err *e);
int container_from_row(const struct container_row *row, struct container *ret, struct err *e);
/* Writes the row; with ADD a new one. */
int container_store(struct engine *en, const struct container *c, bool add, struct err *e);

/* container-brief.c */
/* The row's text for lists into OUT: 1, 0 where a list needs the document, -ENOMEM. */
int container_brief_write(const struct container *c, struct buf *out);
void container_status_text(const struct container *c, const char *health, char out[96]);
void container_command_text(const struct container *c, struct buf *out);

/* container-query.c */
/* The container of ROW as it is now: 1 with RET, which the caller frees; 0 where it is none for the
 * list of ALL, or of those that run; -1 with E. */
int container_listed(struct engine *en, const struct container_row *row, bool all,
		     struct container *ret, struct err *e);
/* " (healthy)" and so on; "" without a health check. */
const char *container_health_word(struct engine *en, const struct container *c);

/* The program and its arguments: entrypoint and command together; in the arena. */
const char **container_args(struct container *c, struct err *e);

/* container-create.c */
int container_make(struct engine *en, const struct container_spec *spec, bool leased,
		   struct container *ret, struct err *e);

/* container-live.c: the run directory and what lives in it. */

/* Whether somebody has the container's lock, in as few steps as it takes: lists ask for each. */
bool container_held(struct engine *en, const char *id);

/* Opens the container's run directory; with MAKE it is made. -1 with E; ERR_NOT_FOUND. */
int container_run_dir(struct engine *en, const char *id, bool make, struct err *e);
/* Takes the lock of the run directory, which is made where it is not there. 1; 0 where somebody
 * else has it; -1 with E. */
int container_own(struct engine *en, const char *id, int *ret_run_dir, int *ret_lock,
		  struct err *e);
/* container_own for a start: reads C anew and puts this process's lease into its row. */
int container_claim(struct engine *en, struct container *c, int *ret_run_dir, int *ret_lock,
		    struct err *e);
/* Brings a container that was loaded as running in line with what is: where its monitor is gone
 * it is ended. C is then what the row says now; ERR_NOT_FOUND where it has gone meanwhile. */
int container_refresh(struct engine *en, struct container *c, struct err *e);
/* The same, and a start that is going on is waited for. Not inside a transaction: C is read anew.
 */
int container_refresh_started(struct engine *en, struct container *c, struct err *e);
/* The container REF as it is now: reconciled, loaded, refreshed. */
int container_load_now(struct engine *en, const char *ref, struct container *c, struct err *e);
/* One question to its monitor; M gets the answer. ERR_NOT_FOUND where there is no monitor. */
struct monitor_msg;
int container_ask(struct engine *en, const char *id, struct monitor_msg *m, struct err *e);
/* The same with an answer of up to N bytes: its length, at least that of a struct monitor_msg. */
ssize_t container_ask_text(struct engine *en, const char *id, const struct monitor_msg *m,
			   void *answer, size_t n, struct err *e);
/* Waits until the container's row has its exit code: its monitor has ended, or is about to. */
int container_await_end(struct engine *en, const char *id, int *ret_code, struct err *e);
/* A start that failed: the run directory and the cgroup go; the row keeps the reason, or goes too
 * where the container removes itself. */
int container_failed(struct engine *en, struct container *c, struct err *e);
/* Takes the container out of the database, with its writable layer and what it has of volumes and
 * images, in one transaction; then its files go. With VOLUMES those that were made for it, too. */
int container_forget(struct engine *en, const struct container *c, bool volumes, struct err *e);
/* Descriptors that the monitor holds of the container's cgroup (may be NULL), or -1: the file that
 * counts what was killed for memory, and cgroup.kill. */
struct runtime_cgroup;
int container_oom_events(const struct runtime_cgroup *cg);
int container_cgroup_kill(const struct runtime_cgroup *cg);
/* Its cgroup below each hierarchy's root. */
const char *container_cgroup_path(const struct container *c, char out[192]);

/* Reads the row anew, for the owner of the lock: it may have changed before the lock was had. Where
 * it is gone so is the run directory; ERR_NOT_FOUND. */
int container_reload(struct engine *en, struct container *c, struct err *e);

/* Waits until nobody has the container's lock. */
void container_await_lock(struct engine *en, const char *id);

/* container-await.c: waits until the container that somebody has may be had, or may have begun to
 * run: its lock is free, or who has it listens or answers. For at most TIMEOUT_MS; the caller looks
 * again, and may find that nothing has changed for it. */
void container_await_change(struct engine *en, const char *id, int timeout_ms);

/* container-end.c */

bool container_has_record(int run_dir);
/* How an end is told where the exit record is missing. HOW may be NULL. */
void container_exit_unknown(struct container *c, const struct container_exit *how);
int container_cgroup_remove(struct engine *en, const struct container *c, struct err *e);
/* For the owner of the lock. The lock's file goes last. */
void container_run_dir_remove(struct engine *en, const char *id);
/* The end of a container that ran, for whoever owns its lock or acts for its monitor. */
int container_end_owned(struct engine *en, struct container *c, int run_dir,
			const struct container_exit *how, struct err *e);

/* The end of a run together with the container's removal, for who acts for its monitor; VOLUMES:
 * its anonymous volumes, too. -1 with E set: the monitor does the end itself. */
int container_end_removed(struct engine *en, const char *id, bool volumes, struct err *e);
/* Whether its policy starts it again after the exit that C tells of. */
bool container_wants_restart(const struct container *c);

/* container-attach.c: the descriptor of the terminal whose size the container has and follows, or
 * -1. */
int attach_screen(const struct attach_opts *a);

/* container-start.c: what every monitor of the container is told. */
struct monitor_config;
void container_monitor_config(struct engine *en, const struct container *c,
			      struct monitor_config *ret);

/* container-health.c */

/* What the monitor needs to know of the health check. */
struct monitor_health;
void container_health_plan(const struct container_spec *s, struct monitor_health *ret);

/* Docker's State.Health of a running container from its run directory, or of the last run. NULL
 * where it has no check. */
json_t *container_health_json(struct engine *en, const struct container *c);
/* Keeps what the run directory has of it in C, at the end. */
void container_health_keep(struct container *c, int run_dir);

/* container-rootfs.c: the writable layer on its image as a detached mount. For the owner of the
 * lock alone: the kernel must not mount one writable layer twice. A descriptor, or -1. */
int container_mount_rootfs(struct engine *en, const struct container *c, struct err *e);

/* container-control.c */

/* Changes the row of container ID in one transaction: loads it anew into C, which is
 * CONTAINER_INIT, calls FN, and writes it where FN returned 0. What FN returned, or -1 with E. */
typedef int (*container_change_fn)(struct container *c, void *arg, struct err *e);
int container_change(struct engine *en, const char *id, container_change_fn fn, void *arg,
		     struct err *e);
/* Opens the container's cgroup; both are to be closed (cgroup_done, cgroup_host_done). */
struct cgroup;
struct cgroup_host;
int container_cgroup_open(const struct container *c, struct cgroup_host *host, struct cgroup *cg,
			  struct err *e);
/* Lets a frozen container go on; no error where it is not, or is gone. The row stays. */
int container_thaw(const struct container *c, struct err *e);
/* -1 with E in Docker's words where C does not run, or (with EVEN_PAUSED unset) is paused. */
int container_need_running(const struct container *c, bool even_paused, struct err *e);

/* container-compose.c: ROOT, the detached root file system of a container that does not run, with
 * its volumes and binds: a detached mount. ROOT can only be closed then. */
int container_compose(struct engine *en, const struct container *c, int root, struct err *e);

/* container-changes.c: what a start makes in the root file system for its mounts. */
extern const char *const container_made_for_mounts[];

/* container-inspect.c, for `ps` as well. */

/* "created", "running", "paused", "exited". */
const char *container_state_word(const struct container *c);
/* Where the network is: "none", "host", "container:x". */
const char *container_network_word(const struct container_spec *s);
/* The size of its image, 0 where that is not known. */
uint64_t container_image_size(struct engine *en, const struct container *c);

/* container-files.c: hosts, hostname and resolv.conf in the run directory. */
/* EPS may be NULL: no networks. */
struct endpoints;
int container_files_write(const struct container *c, const struct endpoints *eps, int run_dir,
			  struct err *e);

/* container-runtime.c and its parts: from the spec to the runtime's configuration. */

/* The open sources of a container that is being started: one for each of its points, -1 where it
 * needs none, and the directories that were made for them on the host. */
struct mount_sources {
	int *fds;
	size_t n;
	struct mount_made *made;
	size_t n_made;
};

/* network-view.c: Docker's NetworkSettings. A new reference. */
json_t *container_network_settings(struct engine *en, const struct container *c);
/* Ports, Networks, ExposedPorts and PublishedPorts of ROW for ps, where the container has any. */
void container_network_list(struct engine *en, const struct container *c, json_t *row);
/* The ports alone, as ps has them. */
void container_ports_text(struct engine *en, const struct container *c, struct buf *out);

/* What is known only at the start. */
struct start_facts {
	struct engine *en;
	const struct container *c;
	int rootfs;          /* descriptor of the mounted root file system */
	const char *run_dir; /* path of the run directory */
	unsigned rows, columns;
	bool own_hostname;            /* /etc/hostname is the image's, as in steps of a build */
	const char *init;             /* path of kogge-init, where the spec asks for it */
	int shared_shm;               /* another container's /dev/shm; owned, -1 for none */
	struct mount_sources sources; /* of its mounts; owned */
};

int container_runtime_config(struct start_facts *f, const char *const *args,
			     struct runtime_config *ret, struct err *e);
/* What is masked and what is read-only in a container that is not privileged; NULL at the end. */
extern const char *const runtime_masked_paths[], *const runtime_readonly_paths[];
/* The process alone: of F only c, rootfs, rows and columns are used. */
int runtime_put_process(const struct start_facts *f, const char *const *args,
			struct runtime_config *ret, struct err *e);
int runtime_put_mounts(struct start_facts *f, struct runtime_config *ret, struct err *e);
int runtime_put_resources(struct start_facts *f, struct runtime_config *ret, struct err *e);
int runtime_put_devices(struct start_facts *f, struct runtime_config *ret, struct err *e);
int runtime_put_namespaces(struct start_facts *f, struct runtime_config *ret, struct err *e);
/* The capabilities that the spec adds up to. */
int container_capabilities(const struct container_spec *s, uint64_t *ret, struct err *e);
/* The bytes of the seccomp filter for the capabilities CAPS, appended to OUT; none where the spec
 * wants none. */
struct buf;
int container_seccomp(const struct container_spec *s, uint64_t caps, struct buf *out,
		      struct err *e);

/* PID of the running container REF, for joining its namespaces. */
int container_pid_of(struct engine *en, const char *ref, int *ret_pid, struct err *e);

/* name.c: a name such as "brave_hopper"; TRY > 0 appends a digit. OUT has 64 bytes. */
const char *container_name_new(int try, char out[64]);

#endif
