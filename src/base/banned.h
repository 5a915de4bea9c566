/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that no file of the project may make. Every file is compiled with `-include` of this
 * header. What to use instead stands beside each. Calls that take path strings (open, mkdir,
 * mount, ...) are checked by tools/check-paths, because a few modules must make them. */
#ifndef KOGGE_BASE_BANNED_H
#define KOGGE_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Fortified headers make some of these macros. */
#undef sprintf
#undef vsprintf
#undef stpcpy
#undef strncpy
#undef strncat
#undef strcpy
#undef strcat
/* strings: struct buf, arena_printf, snprintf with a checked result, str_split */
#pragma GCC poison strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets strtok strtok_r
/* numbers: base/num.h, which knows overflow, ends and ranges */
#pragma GCC poison atoi atol atoll atof strtol strtoul strtoll strtoull sscanf fscanf scanf
/* programs: base/process.h, which takes descriptors and no shell */
#pragma GCC poison system popen execlp execvpe
#ifndef KOGGE_ALLOW_EXECVP /* kogge-init, inside the container */
#pragma GCC poison execvp
#endif
/* paths: base/path.h */
#pragma GCC poison realpath canonicalize_file_name tmpnam tempnam mktemp chroot
/* identities: oci/passwd.h parses the container's own file; NSS never loads code of others */
#pragma GCC poison getpwnam getpwuid getgrnam getgrgid getpwent getgrent
/* time and waiting: base/clock.h, pidfds */
#pragma GCC poison gmtime localtime asctime ctime usleep

#endif
