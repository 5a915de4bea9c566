/* SPDX-License-Identifier: Apache-2.0 */
/* The names of capabilities, for the kernel's interface and the runtime specification alike. */
#ifndef KOGGE_BASE_CAP_NAMES_H
#define KOGGE_BASE_CAP_NAMES_H

#define CAP_NAMES_N 41 /* CAP_CHOWN to CAP_CHECKPOINT_RESTORE */

/* "CAP_CHOWN", ... by number (linux/capability.h). */
extern const char *const cap_names[CAP_NAMES_N];

#endif
