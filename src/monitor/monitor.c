/* SPDX-License-Identifier: Apache-2.0 */
/* States of the monitor, and the function that leaves each:
 *
 *   state     what is                                     event                     then
 *   --------  ------------------------------------------  ------------------------  -----------
 *   RUNNING   PID 1 lives                                 it ends: on_exit_of_init  DRAINING
 *   DRAINING  what it wrote is still being delivered      all is: on_drained        ENDING, or
 *                                                         without an owner          DONE
 *   ENDING    the exit is recorded and told; the client   ENDED, or the client is   DONE
 *             that started it (the owner), or one that    gone: peer_serve
 *             offered it (`rm -f`), does the end
 *   WAITING   nothing runs; it is to be restarted later   the time is up            DONE
 *                                                         a signal by hand          DONE
 *   DONE      left by hand_over: the process becomes      RUNNING of a new monitor (__restart),
 *             `kogge __end`, `__restart`, `__maintain`    WAITING (__end), or its end
 *
 * With a restart policy `kogge __end` executes the monitor anew, in WAITING; that becomes `kogge
 * __restart` after the delay, which starts the container and becomes a monitor in RUNNING. All of
 * it is one process, which has the lock of the run directory and its socket from first to last.
 *
 * Invariants: (1) the exit record is written once a run, after the last byte of output was logged
 * and delivered (where another process, outside of the container, keeps the pipes open, or a client
 * other than the owner takes nothing, DRAIN_MS after it); (2) a client hears MONITOR_EXITED only
 * after the record is there; who waits for the last exit hears nothing of one that is followed by a
 * restart; (3) the monitor leaves only when a client acknowledged the end, or after it started
 * `kogge` to do it. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "monitor/log.h"
#include "monitor/monitor-internal.h"
#include "monitor/protocol.h"
#include "monitor/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DRAIN_MS = 2000, SETTLE_MS = 1000 };

/* A program that writes each line by itself would cost a turn of the loop, and a write to the log,
 * for each. After so many small reads in quick succession its output is left in the pipe for a
 * millisecond. */
enum { REST_AFTER = 32, REST_BYTES = 16384, REST_MS = 1 };

#define NS_PER_MS INT64_C(1000000)

/* ---- the end of a run ---- */

/* "oom_kill N" stands in memory.oom_control (v1, since Linux 4.13) and memory.events (v2). */
static bool killed_for_memory(int fd)
{
	char text[512];
	const char *at;
	ssize_t n = fd >= 0 ? fd_pread_full(fd, text, sizeof(text) - 1, 0) : -1;

	if (n <= 0)
		return false;
	text[n] = '\0';
	at = strstr(text, "oom_kill ");
	return at && at[strlen("oom_kill ")] != '0';
}

static void record(struct monitor *m)
{
	char text[256], when[CLOCK_TEXT_SIZE];
	int n = snprintf(text, sizeof(text),
			 "{\"exitCode\":%d,\"oomKilled\":%s,\"finishedAt\":\"%s\","
			 "\"byHand\":%s,\"logLost\":%llu}\n",
			 m->exit_code, m->oom ? "true" : "false", clock_format(clock_now(), when),
			 m->by_hand ? "true" : "false",
			 (unsigned long long)(m->log ? log_lost(m->log) : 0));

	path_write_file(m->c.run_dir, MONITOR_EXIT_RECORD, text, (size_t)n, 0600);
}

static bool will_restart(const struct monitor *m)
{
	return !m->by_hand && (m->c.restart.always || (m->c.restart.on_failure && m->exit_code));
}

static void tell_exit(struct monitor *m, const struct peer *p)
{
	uint64_t lost = p->out[STREAM_OUT].lost + p->out[STREAM_ERR].lost;

	if (p->fd < 0 || !(p->attached || p->ender || (p->waits && !will_restart(m))))
		return;
	if (lost)
		peer_send(p, MONITOR_LOST, (int32_t)MIN(lost / 1024 + 1, (uint64_t)INT32_MAX), 0);
	peer_send_exited(m, p);
}

static void on_drained(struct monitor *m)
{
	for (size_t i = 0; i < STREAM_N; i++)
		stream_end(m, i);
	if (m->log)
		log_flush(m->log);
	record(m);
	m->state = peer_ender(m) ? ENDING : DONE;
	for (size_t i = 0; i < MONITOR_PEERS_MAX; i++)
		tell_exit(m, &m->peers[i]);
}

static void on_exit_of_init(struct monitor *m)
{
	siginfo_t info = {0};

	errno = 0;
	if (waitid(P_PIDFD, (id_t)m->c.pidfd, &info, WEXITED | WNOHANG) < 0 && errno != ECHILD)
		return;
	/* It has ended, but a debugger has not let go of it. */
	if (info.si_code == 0 && errno != ECHILD)
		return;
	m->exit_code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	m->oom = killed_for_memory(m->c.oom_events);
	m->state = DRAINING;
	m->check_at = 0;
	fd_close(&m->c.pidfd);
	m->c.pid = 0;
	for (size_t i = 0; i < MONITOR_PEERS_MAX; i++)
		pump_done(&m->peers[i].in);
	fd_close(&m->c.in_to);
	if (m->c.shared_pids && m->c.cgroup_kill >= 0)
		(void)!write(m->c.cgroup_kill, "1", 1);
}

/* ---- health ---- */

int run_kogge(const struct monitor *m, const char *verb, const char *const args[4], const int *fds,
	      size_t n_fds)
{
	const char *argv[] = {"kogge", "--root", m->c.root, "--run-root", m->c.run_root, verb,
			      m->c.id, NULL,     NULL,      NULL,         NULL,          NULL};
	struct process_spawn s = PROCESS_SPAWN_INIT;
	struct process p;
	int r;

	for (size_t i = 0; args && i < 4 && args[i]; i++)
		argv[7 + i] = args[i];
	s.exe = m->c.kogge;
	s.argv = argv;
	s.fds = fds;
	s.n_fds = n_fds;
	r = process_spawn(&s, &p);
	return r < 0 ? r : p.pidfd;
}

/* Checks come sooner while the container starts. */
static void plan_check(struct monitor *m)
{
	const struct monitor_health *h = &m->c.health;
	int64_t now = clock_monotonic();
	bool early = m->starting && h->start_interval && now - m->started_at < h->start_period;

	m->check_at = now + (early ? h->start_interval : h->interval);
}

static void start_check(struct monitor *m)
{
	m->check_at = 0;
	m->check = run_kogge(m, "__health", NULL, NULL, 0);
	if (m->check < 0)
		plan_check(m);
}

/* `kogge __health` exits with 0 once the container is known to be well or ill. */
static void on_check_done(struct monitor *m)
{
	int status;

	if (process_wait_pidfd(m->check, true, &status) < 0)
		return;
	fd_close(&m->check);
	m->starting = status != 0;
	if (m->state == RUNNING)
		plan_check(m);
}

/* ---- the loop ---- */

static void on_connection(struct monitor *m)
{
	int fd = accept4(m->c.control, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		peer_add(m, fd, false);
}

static int ms_until(int64_t when)
{
	int64_t left = when - clock_monotonic();

	return left <= 0 ? 0 : (int)MIN(left / NS_PER_MS + 1, (int64_t)INT32_MAX);
}

/* Milliseconds until something is to be done without an event. */
static int patience(const struct monitor *m)
{
	/* Nothing but a write end that the container gave away, or a slow client, is left. */
	if (m->state == DRAINING && !targets_pending(m, true))
		return DRAIN_MS;
	if (m->restart_at)
		return ms_until(m->restart_at);
	if (m->check_at && m->dirty)
		return MIN(ms_until(m->check_at), SETTLE_MS);
	return m->check_at ? ms_until(m->check_at) : m->dirty ? SETTLE_MS : -1;
}

static void settle(struct monitor *m)
{
	m->dirty = false;
	if (m->log)
		log_settle(m->log);
	for (size_t i = 0; i < STREAM_N; i++)
		stream_settle(m, i);
	memory_settle();
}

/* Nothing happened for the time that patience gave. */
static void on_time(struct monitor *m)
{
	int64_t now = clock_monotonic();

	if (m->state == DRAINING)
		on_drained(m);
	else if (m->restart_at && now >= m->restart_at)
		m->state = DONE;
	else if (m->check_at && now >= m->check_at && m->state == RUNNING)
		start_check(m);
	else if (m->dirty)
		settle(m);
}

static void moderate(struct monitor *m, size_t moved)
{
	int64_t now;

	if (moved == 0)
		return;
	now = clock_monotonic();
	if (moved < REST_BYTES && now - m->last_read < 2 * REST_MS * NS_PER_MS)
		m->quick++;
	else
		m->quick = 0;
	m->last_read = now;
	m->rest_until = m->quick >= REST_AFTER ? now + REST_MS * NS_PER_MS : 0;
}

static bool rests(const struct monitor *m)
{
	return m->rest_until && m->state == RUNNING && clock_monotonic() < m->rest_until;
}

/* The descriptors of one turn: FIXED, then the streams, then of each peer its socket, its stdin and
 * its outputs. */
enum { F_INIT, F_CONTROL, F_CHECK, F_WATCH, FIXED, PER_PEER = 2 + STREAM_N };
enum { F_MAX = FIXED + STREAM_N + MONITOR_PEERS_MAX * PER_PEER };

static void peer_polls(const struct peer *p, struct pollfd *f)
{
	f[0] = (struct pollfd){.fd = p->fd, .events = POLLIN};
	if (p->fd < 0 || !pump_poll(&p->in, &f[1]))
		f[1] = (struct pollfd){.fd = -1};
	for (size_t i = 0; i < STREAM_N; i++)
		f[2 + i] = (struct pollfd){.fd = p->fd >= 0 && p->out[i].n ? p->out[i].fd : -1,
					   .events = POLLOUT};
}

static nfds_t fill_polls(const struct monitor *m, bool resting, struct pollfd *f)
{
	nfds_t n = FIXED + STREAM_N;

	f[F_INIT] = (struct pollfd){.fd = m->c.pidfd, .events = POLLIN};
	f[F_CONTROL] = (struct pollfd){.fd = m->c.control, .events = POLLIN};
	f[F_CHECK] = (struct pollfd){.fd = m->check, .events = POLLIN};
	f[F_WATCH] = (struct pollfd){.fd = m->watch, .events = POLLIN};
	for (size_t i = 0; i < STREAM_N; i++)
		f[FIXED + i] = (struct pollfd){
			.fd = !resting && stream_wanted(m, i) ? m->streams[i].from : -1,
			.events = POLLIN};
	for (size_t i = 0; i < MONITOR_PEERS_MAX; i++) {
		if (m->peers[i].fd < 0)
			continue;
		peer_polls(&m->peers[i], &f[n]);
		n += PER_PEER;
	}
	return n;
}

static void serve_peers(struct monitor *m, const struct pollfd *f)
{
	for (size_t i = 0; i < MONITOR_PEERS_MAX; i++) {
		struct peer *p = &m->peers[i];

		if (p->fd < 0)
			continue;
		for (size_t s = 0; s < STREAM_N; s++)
			if (f[2 + s].revents && p->out[s].n)
				target_flush(m, p, s);
		if (f[1].revents)
			peer_run_in(m, p);
		if (f[0].revents)
			peer_serve(m, p);
		f += PER_PEER;
	}
}

static void serve_once(struct monitor *m)
{
	struct pollfd f[F_MAX];
	bool resting = rests(m);
	nfds_t n = fill_polls(m, resting, f);
	int r = poll(f, n, resting ? REST_MS : patience(m));
	size_t moved = 0;

	if (r <= 0) {
		if (r == 0 && !resting)
			on_time(m);
		return;
	}
	for (size_t i = 0; i < STREAM_N; i++)
		if (f[FIXED + i].revents)
			moved += stream_run(m, i);
	moderate(m, moved);
	serve_peers(m, f + FIXED + STREAM_N);
	if (f[F_INIT].revents && m->state == RUNNING)
		on_exit_of_init(m);
	if (f[F_CHECK].revents)
		on_check_done(m);
	if (f[F_WATCH].revents)
		watch_serve(m);
	if (f[F_CONTROL].revents)
		on_connection(m);
	/* Timers must not wait for a quiet moment. */
	if (m->state == RUNNING && m->check_at && clock_monotonic() >= m->check_at)
		start_check(m);
	if (m->state == DRAINING && streams_ended(m) && !targets_pending(m, true) &&
	    !targets_pending(m, false))
		on_drained(m);
}

/* ---- start and end ---- */

/* Leaves what is still to do to `kogge`, which opens the database: the container's end, its
 * restart, or only the store's maintenance. Returns only where that fails or nothing is to do; then
 * the next command that opens the engine does it. */
static int hand_over(struct monitor *m)
{
	char lock[16], control[16];
	const struct peer *owner = peer_owner(m);
	const char *verb = m->ended ? "__maintain" : m->restart_at ? "__restart" : "__end";
	char *const argv[] = {(char[]){"kogge"},
			      (char[]){"--root"},
			      m->c.root,
			      (char[]){"--run-root"},
			      m->c.run_root,
			      (char *)(uintptr_t)verb,
			      m->ended ? NULL : m->c.id,
			      lock,
			      control,
			      NULL};
	char *const envp[] = {NULL};

	if (m->ended && !m->maintain)
		return 0;
	snprintf(lock, sizeof(lock), "%d", m->c.lock);
	snprintf(control, sizeof(control), "%d", m->c.control);
	/* Of this program's descriptors these alone are for the next. An owner waits until its
	 * socket is closed: until the end is done. */
	fd_cloexec_from(3);
	fd_cloexec(m->c.lock, false);
	if (owner)
		fd_cloexec(owner->fd, false);
	/* So do those who wait: until the container's row tells of the end. */
	for (size_t i = 0; !m->ended && i < MONITOR_PEERS_MAX; i++)
		if (m->peers[i].fd >= 0 && m->peers[i].waits)
			fd_cloexec(m->peers[i].fd, false);
	if (!m->ended)
		fd_cloexec(m->c.control, false);
	if (m->c.kogge >= 0)
		execveat(m->c.kogge, "", argv, envp, AT_EMPTY_PATH);
	return 1;
}

static int read_config(int fd, struct monitor_config *ret)
{
	ssize_t n = fd_read_full(fd, ret, sizeof(*ret));

	close(fd);
	return n == (ssize_t)sizeof(*ret) && ret->version == MONITOR_VERSION ? 0 : -EPROTO;
}

static void attach_owner(struct monitor *m)
{
	const int out[] = {m->c.client_out, m->c.client_err};
	struct peer *p;

	if (m->c.client < 0)
		return;
	p = peer_add(m, m->c.client, true);
	p->waits = true;
	if (m->c.client_in >= 0)
		peer_attach_in(m, p, m->c.client_in);
	for (size_t i = 0; i < STREAM_N; i++)
		target_init_take(&p->out[i], out[i]);
}

static void begin(struct monitor *m)
{
	for (size_t i = 0; i < MONITOR_PEERS_MAX; i++)
		m->peers[i] = (struct peer){.fd = -1, .in = PUMP_INIT};
	m->check = m->watch = -1;
	if (m->c.log.driver != LOG_NONE && m->c.root_dir >= 0)
		(void)log_new(&m->c.log, m->c.root_dir, &m->log);
	streams_init(m);
	m->started_at = clock_monotonic();
	if (m->c.restart.wait_ms > 0) {
		m->state = WAITING;
		m->exit_code = m->c.restart.exit_code;
		m->restart_at = m->started_at + m->c.restart.wait_ms * NS_PER_MS;
	}
	m->starting = true;
	if (m->c.health.interval > 0 && m->state == RUNNING)
		plan_check(m);
	attach_owner(m);
}

static void end(struct monitor *m)
{
	for (size_t i = 0; i < MONITOR_PEERS_MAX; i++) {
		struct peer *p = &m->peers[i];

		if (p->fd < 0)
			continue;
		pump_done(&p->in);
		for (size_t s = 0; s < STREAM_N; s++)
			target_done(&p->out[s]);
		fd_close(&p->fd);
	}
	streams_done(m);
	watch_done(m);
	log_free(m->log);
	free(m);
}

int monitor_main(int config_fd)
{
	struct monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m || read_config(config_fd, &m->c) < 0) {
		free(m);
		return 2;
	}
	begin(m);
	memory_settle();
	while (m->state != DONE)
		serve_once(m);
	/* A restart that was called off: the end of the run before is told once more, as by hand.
	 */
	if (m->c.restart.wait_ms > 0 && m->by_hand)
		record(m);
	r = hand_over(m);
	end(m);
	return r;
}
