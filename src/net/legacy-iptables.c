/* SPDX-License-Identifier: Apache-2.0 */
/* The FORWARD chain of iptables as it was before nf_tables ("iptables-legacy"): a packet passes
 * only where it lets it through, too, and Docker, among others, sets its policy to drop. Two rules
 * for each bridge go to its end, as in the chains of nf_tables (net/rules-foreign.c). The kernel
 * takes such a table only as a whole, and who writes one holds a lock that belongs to the program
 * iptables; so this is the one place where a program is started for a network, and only where the
 * kernel has such a table (docs/design/0092-*.md). */
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "base/trace.h"
#include "kernel/proc.h"
#include "net/net-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT "--comment \"kogge: "

/* Somebody changes rules while they are read. */
enum { LIST_MAX = 1 << 20, CHANGES_MAX = 1 << 18, TRIES = 3 };

/* One of the two. */
struct family {
	const char *names; /* of its tables, below /proc/<pid> */
	const char *list[6], *restore[5];
	const char *lister[2], *restorer[2]; /* where they are */
};

static const struct family families[] = {
	{.names = "net/ip_tables_names",
	 .list = {"iptables-legacy", "-w", "5", "-S", "FORWARD"},
	 .lister = {"/usr/sbin/iptables-legacy", "/sbin/iptables-legacy"},
	 .restore = {"iptables-legacy-restore", "-w", "5", "--noflush"},
	 .restorer = {"/usr/sbin/iptables-legacy-restore", "/sbin/iptables-legacy-restore"}},
	{.names = "net/ip6_tables_names",
	 .list = {"ip6tables-legacy", "-w", "5", "-S", "FORWARD"},
	 .lister = {"/usr/sbin/ip6tables-legacy", "/sbin/ip6tables-legacy"},
	 .restore = {"ip6tables-legacy-restore", "-w", "5", "--noflush"},
	 .restorer = {"/usr/sbin/ip6tables-legacy-restore", "/sbin/ip6tables-legacy-restore"}},
};

/* Whether the kernel has this family's table "filter": to look by iptables would make it. */
static bool has_filter(const struct family *f)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(4096);
	_cleanup_(fd_close) int proc = proc_open(0);
	_cleanup_(fd_close) int fd =
		proc < 0 ? proc : proc_open_file(proc, PROC_SELF, f->names, O_RDONLY);

	return fd >= 0 && fd_read_all(fd, &text, 4096) == 0 && strstr(buf_str(&text), "filter\n");
}

static int open_first(const char *const paths[2])
{
	int fd = path_open_host(paths[0], O_PATH, 0);

	return fd == -ENOENT ? path_open_host(paths[1], O_PATH, 0) : fd;
}

/* Runs a program of iptables with IN as its input and OUT for what it prints, either may be NULL.
 * -EIO where it does not end well. */
static int run(const char *const paths[2], const char *const *argv, const struct buf *in,
	       struct buf *out)
{
	_cleanup_(fd_close) int program = open_first(paths);
	_cleanup_(process_done) struct process child = PROCESS_INIT;
	int ends[2], status = -1, r = program < 0 ? program : fd_pipe(ends);
	int fds[] = {-1, -1, -1};
	struct process_spawn s = PROCESS_SPAWN_INIT;

	if (r < 0)
		return r;
	fds[in ? 0 : 1] = ends[in ? 0 : 1];
	s.exe = program;
	s.argv = argv;
	s.fds = fds;
	s.n_fds = ARRAY_SIZE(fds);
	s.pdeathsig = SIGKILL;
	r = process_spawn(&s, &child);
	fd_close(&ends[in ? 0 : 1]);
	if (r == 0 && in)
		r = fd_write_full(ends[1], in->data, in->len);
	if (r == 0 && out)
		r = fd_read_all(ends[0], out, LIST_MAX);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	if (child.pidfd >= 0 && process_wait(&child, &status) == 0 && r >= 0 && status != 0)
		r = -EIO;
	return r < 0 ? r : 0;
}

/* The link of a rule of ours, as iptables lists it, or false. */
static bool is_ours(const char *line, size_t n, char link[NET_LINK_SIZE])
{
	const char *tag = str_after(line, "-A FORWARD ")
				  ? memmem(line, n, COMMENT, sizeof(COMMENT) - 1)
				  : NULL;
	size_t len = tag ? strcspn(tag + sizeof(COMMENT) - 1, "\"\n") : 0;

	if (len == 0 || len >= NET_LINK_SIZE)
		return false;
	memcpy(link, tag + sizeof(COMMENT) - 1, len);
	link[len] = '\0';
	return true;
}

static int put_rules(struct buf *out, const char *link)
{
	static const char format[] = "-A FORWARD -%c %s -m comment " COMMENT "%s\" -j ACCEPT\n";
	int r = buf_printf(out, format, 'i', link, link);

	return r < 0 ? r : buf_printf(out, format, 'o', link, link);
}

/* What is to be changed in what is listed, as iptables-restore reads it. */
static int compare(const char *list, const struct foreign_wish *wish, struct buf *out)
{
	_cleanup_(freep) bool *have = calloc(wish->n + 1, sizeof(*have));
	bool drops = strstr(list, "-P FORWARD DROP\n") != NULL;
	char link[NET_LINK_SIZE];
	int r = have ? 0 : -ENOMEM;

	for (size_t n; r == 0 && *list; list += n + (list[n] == '\n')) {
		n = strcspn(list, "\n");
		if (!is_ours(list, n, link))
			continue;
		for (size_t i = 0; i < wish->n; i++)
			have[i] |= str_eq(wish->links[i], link);
		if (foreign_stale(wish, link))
			r = buf_printf(out, "-D%.*s\n", (int)n - 2, list + 2);
	}
	for (size_t i = 0; r == 0 && drops && i < wish->n; i++)
		if (!have[i])
			r = put_rules(out, wish->links[i]);
	return r;
}

static int settle(const struct family *f, const struct foreign_wish *wish)
{
	_cleanup_(buf_done) struct buf list = BUF_INIT(LIST_MAX + 1);
	_cleanup_(buf_done) struct buf changes = BUF_INIT(CHANGES_MAX);
	int r = run(f->lister, f->list, NULL, &list);

	if (r == 0)
		r = buf_puts(&changes, "*filter\n");
	if (r == 0)
		r = compare(buf_str(&list), wish, &changes);
	if (r < 0 || changes.len == sizeof("*filter\n") - 1)
		return r;
	r = buf_puts(&changes, "COMMIT\n");
	return r < 0 ? r : run(f->restorer, f->restore, &changes, NULL);
}

void legacy_iptables_settle(const struct foreign_wish *wish)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		int r = has_filter(&families[i]) ? -EIO : 0;

		for (int try = 0; r == -EIO && try < TRIES; try++)
			r = settle(&families[i], wish);
		if (r < 0)
			TRACE("%s: %d", families[i].list[0], r);
	}
}
