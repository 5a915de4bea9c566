/* SPDX-License-Identifier: Apache-2.0 */
/* Names of signals as docker and POSIX write them. */
#ifndef KOGGE_KERNEL_SIG_H
#define KOGGE_KERNEL_SIG_H

#include "base/macro.h"

#define SIG_NAME_SIZE  16
#define SIG_NUMBER_MAX 64

/* "TERM", "SIGTERM" in either case, "15", "RTMIN", "RTMIN+3", "RTMAX-2". RTMIN is 34, as libc and
 * docker have it. Returns the number 1 to 64, or -EINVAL. */
int sig_number(const char *name);

/* "TERM" for 15, "RTMIN+3" for 37. Returns OUT. */
const char *sig_name(int sig, char out[SIG_NAME_SIZE]);

#endif
