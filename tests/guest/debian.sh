# SPDX-License-Identifier: Apache-2.0
# The cases in a Debian with systemd, each boot once.
stty -F /dev/ttyS1 raw -echo
. /guest/cases.sh
run_cases
sync
printf 'D\n' >/dev/ttyS1
systemctl poweroff --force
