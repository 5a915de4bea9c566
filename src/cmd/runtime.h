/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of kogge-runtime: what the global options say, the verbs, and what they
 * share. */
#ifndef KOGGE_CMD_RUNTIME_H
#define KOGGE_CMD_RUNTIME_H

#include "base/err.h"
#include "cmd/runtime-options.h"
#include "oci/runtime-config.h"
#include "runtime/container.h"

#define RUNTIME_ROOT_DEFAULT "/run/kogge-runtime"

struct runtime_verb;

/* The global options. */
struct runtime_program {
	struct runtime_args args;
	const char *root;
	const char *log, *log_format, *rootless, *criu;
	bool debug, systemd_cgroup, version, help;
	const struct runtime_verb *verb;
};

/* A verb: gets its own arguments, ARGV[0] being its name. Returns the exit code, or -1 with E
 * set. */
struct runtime_verb {
	struct runtime_command command;
	int (*fn)(const struct runtime_program *p, int argc, char **argv, struct err *e);
};

/* The tables of options, each beside its verb. */
extern const struct runtime_option runtime_create_options[], runtime_run_options[],
	runtime_exec_options[], runtime_kill_options[], runtime_delete_options[],
	runtime_list_options[], runtime_ps_options[], runtime_update_options[],
	runtime_events_options[], runtime_spec_options[];

/* The verbs. */
int verb_create(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_start(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_run(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_exec(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_state(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_kill(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_delete(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_list(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_ps(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_pause(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_resume(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_update(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_events(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_spec(const struct runtime_program *p, int argc, char **argv, struct err *e);
int verb_features(const struct runtime_program *p, int argc, char **argv, struct err *e);

/* Tells what went wrong and changes nothing, on stderr and in the log; nothing where W is not set.
 */
void runtime_warn(const struct runtime_program *p, const struct err *w);

/* Opens the folder of all states, making it where it is missing. */
int runtime_root_open(const struct runtime_program *p, struct err *e);

/* Opens the state directory of ID below ROOT. With LOCK it is locked against other commands until
 * it is closed or unlocked; waits for them, but not for ever. */
int runtime_state_open(int root, const char *id, bool lock, struct err *e);

/* Lets other commands at a state directory. */
void runtime_state_unlock(int dir);

/* As runtime_state_open with LOCK for a new container: made, or taken over from a creation that was
 * killed (whose rests are removed first). ERR_EXISTS where there is such a container. */
int runtime_state_make(int root, const char *id, struct err *e);

/* Reads config.json below DIR, a bundle or a state directory. The text is left in TEXT. */
int runtime_config_load(int dir, struct buf *text, struct runtime_config *ret, struct err *e);

/* A container that a verb works on: its state directory and state. */
struct runtime_target {
	int root, dir;
	struct container_state state;
};

#define RUNTIME_TARGET_INIT ((struct runtime_target){.root = -1, .dir = -1})

/* Opens the container ID, locked where LOCK is set. RET needs runtime_target_done also after a
 * failure. */
int runtime_target_open(const struct runtime_program *p, const char *id, bool lock,
			struct runtime_target *ret, struct err *e);
void runtime_target_done(struct runtime_target *t);

/* Reads the configuration that the container was created with. */
int runtime_target_config(const struct runtime_target *t, struct runtime_config *ret,
			  struct err *e);

/* What create, run and exec hand to a process beside stdio. */
struct runtime_handover {
	int fds[64];
	size_t n;         /* descriptors 3 to 2 + N */
	const char **env; /* the process's environment with what tells of sockets (LISTEN_FDS) */
};

/* Looks at the descriptors to preserve: PRESERVE and those of socket activation
 * (sd_listen_fds(3)). What is added to the variables ENV lives in A. To be called before anything
 * is opened that could take their numbers. */
int runtime_handover_init(struct runtime_handover *h, uint32_t preserve, struct err *e);
int runtime_handover_env(struct runtime_handover *h, const char **env, struct arena *a,
			 struct err *e);

/* Connects to the socket that takes the terminal's master; -1 with E set. */
int runtime_console_connect(const char *path, struct err *e);

/* Refuses what does not fit: a terminal that nobody would get, a console socket without one. */
int runtime_console_check(bool terminal, bool detach, const char *socket, struct err *e);

/* Writes PID into the file PATH (NULL: nothing to do). */
int runtime_pid_write(const char *path, pid_t pid, struct err *e);

/* Writes OUT and a newline to stdout. */
int runtime_print(struct buf *out, struct err *e);

/* Stays until the process ends: hands signals on, and copies between the terminal and PTY where
 * that is not -1. Returns the exit code (128 + n for a signal), or -1 with E set. */
int runtime_foreground(int pidfd, int pty, struct err *e);

#endif
