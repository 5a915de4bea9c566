/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the files of one container's log. */
#ifndef KOGGE_ENGINE_LOG_READER_H
#define KOGGE_ENGINE_LOG_READER_H

#include "engine/container-logs.h"

struct container;

/* Where a reading stands. */
struct log_reader {
	struct engine *en;
	const struct logs_opts *o;
	enum log_driver driver;
	char path[LOG_NAME_SIZE * 2], name[LOG_NAME_SIZE]; /* folder below the root, file in it */
	int dir;                                           /* -1: there is no log yet */
	int fd;                                            /* the file that is read */
	uint64_t at;                                       /* offset in it */
	bool over;                                         /* --until was passed */
	char *data, *text;
};

#define LOG_READER_INIT(engine, opts)                                                              \
	((struct log_reader){.en = (engine), .o = (opts), .dir = -1, .fd = -1})

/* Takes what C's description says of its log. -1 with E; ERR_UNSUPPORTED where its driver keeps
 * nothing. */
int log_reader_start(struct log_reader *r, const struct container *c, struct err *e);
void log_reader_done(struct log_reader *r);

/* Opens the log's folder where it is there now: r->dir. */
int log_reader_open(struct log_reader *r);

/* Gives what is there, from where the options say; what r->o->fn returned, or -1 with E. */
int log_reader_all(struct log_reader *r, struct err *e);

/* Gives what came since, also in files that were begun meanwhile. */
int log_reader_more(struct log_reader *r, struct err *e);

#endif
