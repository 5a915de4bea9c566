/* SPDX-License-Identifier: Apache-2.0 */
/* Security labels, which only some kernels have. */
#ifndef KOGGE_RUNTIME_LSM_H
#define KOGGE_RUNTIME_LSM_H

#include "base/err.h"
#include "oci/runtime-config.h"

/* Refuses (ERR_UNSUPPORTED) a label of P, or MOUNT_LABEL (NULL: none), that this kernel cannot set.
 * Looks at nothing where there is no label. */
int runtime_lsm_check(const struct oci_process *p, const char *mount_label, struct err *e);

#endif
