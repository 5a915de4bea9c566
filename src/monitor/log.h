/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a container, as its monitor writes it and `kogge logs` reads it: Docker's json-file
 * and local formats in <root>/containers/<id>/ (docs/formats/logs.md), or the journal.
 *
 * The writer makes nothing on disk before the first byte of output. A batch of lines is one
 * write(2). Where the disk is full the container goes on: what could not be written is counted, and
 * a line in the log says so as soon as there is room again. */
#ifndef KOGGE_MONITOR_LOG_H
#define KOGGE_MONITOR_LOG_H

#include "base/err.h"
#include "base/id.h"

#include <stdint.h>

/* Where output goes. */
enum log_driver { LOG_JSON_FILE, LOG_LOCAL, LOG_JOURNALD, LOG_NONE };

/* A longer line is stored as several records of which only the last has the line feed, as Docker
 * has it; readers put them together. */
#define LOG_PART_MAX 16384

#define LOG_DIR           "containers" /* below the store's root */
#define LOG_SIZE_DEFAULT  ((int64_t)20000000)
#define LOG_FILES_DEFAULT 3
#define LOG_NAME_SIZE     160

/* Flat, so that it crosses an exec. */
struct log_config {
	uint32_t driver;               /* enum log_driver */
	uint32_t max_file;             /* files, the current one included; at least 1 */
	int64_t max_size;              /* bytes of one file, after which it is rotated; -1: never */
	char id[ID_SIZE];              /* the container's */
	char name[LOG_NAME_SIZE];      /* the container's; journald only */
	char image[LOG_NAME_SIZE * 2]; /* journald only */
	char tag[LOG_NAME_SIZE];       /* journald only */
};

/* The file of ID's log below <root>/containers/<id>; "" for drivers without one. Returns OUT. */
const char *log_file_name(enum log_driver driver, const char *id, char out[LOG_NAME_SIZE]);

/* The driver that NAME is, or -1. log_driver_name is the way back. */
int log_driver_of(const char *name);
const char *log_driver_name(enum log_driver driver);

/* -- writing ---------------------------------------------------------------------------------- */

struct log;

/* A log below ROOT (borrowed, the store's root directory); nothing is opened. RET is freed by
 * log_free, which writes nothing. */
int log_new(const struct log_config *c, int root, struct log **ret);
void log_free(struct log *l);
DEFINE_FREEP(struct log, log_free)

/* Logs the whole lines in DATA, which came from STREAM (1 or 2) now; with LAST what follows the
 * last line feed, too. Returns how many bytes were taken: what is left, less than LOG_PART_MAX
 * bytes, is to come again with what follows it. Nothing is on disk before log_flush. */
size_t log_add(struct log *l, int stream, const char *data, size_t n, bool last);

/* Writes what was added. */
void log_flush(struct log *l);

/* Lines that could not be written and that the log does not tell of yet. */
uint64_t log_lost(const struct log *l);

/* Gives back memory that an idle container does not need. */
void log_settle(struct log *l);

/* Connects to the journal, to tell early that there is none. Returns a descriptor, or a negative
 * errno. */
int log_journal_open(void);

/* -- formats ---------------------------------------------------------------------------------- */

/* One line, or a part of one. */
struct log_record {
	int64_t time; /* Unix nanoseconds */
	int stream;   /* 1 or 2 */
	bool partial; /* no line feed follows: more of this line may come */
	const char *data;
	size_t n;         /* without the line feed */
	const char *when; /* for writing: TIME as RFC 3339, where the caller has it; else NULL */
};

/* The most bytes that a record of LOG_PART_MAX takes in either format. */
#define LOG_RECORD_MAX (LOG_PART_MAX * 6 + 256)

/* Docker's json-file: one object and a line feed. Writes at most LOG_RECORD_MAX bytes to OUT and
 * returns their number. */
size_t log_json_put(const struct log_record *r, char *out);

/* Reads the record at the start of DATA. Returns its length, 0 where it is not whole yet, -1 where
 * it is damaged (RET_SKIP: how many bytes to leave out). R's data points into TEXT, which has
 * TEXT_SIZE bytes; what has no room is cut. */
ssize_t log_json_get(const char *data, size_t n, struct log_record *r, char *text,
		     size_t text_size);

/* Docker's local: a protobuf message between two copies of its length, big endian. */
size_t log_local_put(const struct log_record *r, char *out);
ssize_t log_local_get(const char *data, size_t n, struct log_record *r);

/* An entry of a log's index, <file>.idx: at OFFSET a record starts, and no record before it is
 * later than TIME. One for about every LOG_INDEX_STEP bytes; none for the start. */
struct log_index_entry {
	uint64_t offset;
	int64_t time;
};
#define LOG_INDEX_STEP   65536
#define LOG_INDEX_SUFFIX ".idx"

#endif
