/* SPDX-License-Identifier: Apache-2.0 */
/* The writing side of the journal of events, for every program that has something to tell (reading
 * and filtering: engine/event.h). One event is one line of JSON in <run root>/events/journal, in
 * the form of Docker's API (docs/formats/events.md), written by one write(2) to a file opened with
 * O_APPEND: writers never wait for each other, and nothing is synced. A file that has grown past
 * JOURNAL_MAX becomes `journal.1`, whose predecessor goes. It dies with the boot.
 *
 * An event that cannot be written is lost: it never makes a command fail. */
#ifndef KOGGE_MONITOR_JOURNAL_H
#define KOGGE_MONITOR_JOURNAL_H

#include "base/macro.h"

struct buf;

#define JOURNAL_DIR      "events"
#define JOURNAL_FILE     "journal"
#define JOURNAL_OLD      "journal.1"
#define JOURNAL_MAX      ((int64_t)4 << 20) /* bytes of one file */
#define JOURNAL_LINE_MAX ((size_t)1 << 20)  /* bytes of one line */

/* Where events go. Opened at the first event, and anew after a while, so that a program that runs
 * for long follows a rotation. */
struct journal {
	int run_root; /* borrowed: the directory of the run root */
	int fd;       /* the journal, or -1 */
	int64_t opened;
};

#define JOURNAL_INIT(run_root_fd) ((struct journal){.run_root = (run_root_fd), .fd = -1})

/* Closes the journal; the directory stays the caller's. */
void journal_done(struct journal *j);

/* One event. Strings are borrowed. */
struct journal_event {
	const char *type;   /* "container", "image", "volume", "network", ... */
	const char *action; /* "start", "exec_create: ls -l" */
	const char *id;     /* whose: a container's whole ID, an image's reference or ID, a name */
	const char *from;   /* the image of a container; NULL for all else */
	/* The attributes as members of a JSON object without its braces, as journal_put_attribute
	 * makes them; NULL or "": none. */
	const char *attributes;
	int64_t time; /* Unix nanoseconds; 0: now */
};

/* Appends `"KEY":"VALUE"` to OUT, after a comma where OUT is not empty. 0 or a negative errno. */
int journal_put_attribute(struct buf *out, const char *key, const char *value);

/* The line of EV, with its line feed, appended to OUT. 0 or a negative errno. */
int journal_line(const struct journal_event *ev, struct buf *out);

/* Writes EV. 0, or a negative errno, which callers ignore. */
int journal_write(struct journal *j, const struct journal_event *ev);

#endif
