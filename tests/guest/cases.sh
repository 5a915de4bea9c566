# SPDX-License-Identifier: Apache-2.0
# What runs the cases that the kernel's command line names, in both kinds of guest.
STAGE=1 CASES= MEMORY=
for word in $(cat /proc/cmdline); do
	case $word in
	kogge.stage=*) STAGE=${word#*=} ;;
	kogge.memory=*) MEMORY=$(echo "${word#*=}" | tr , ' ') ;;
	kogge.cases=*) CASES=$(echo "${word#*=}" | tr , ' ') ;;
	esac
done
mkdir -p /data/work
export STAGE MEMORY DATA=/data/work HOME=/root
. /guest/lib.sh

run_cases() {
	for name in $CASES; do
		echo "== $name, stage $STAGE"
		printf 'B\t%s\n' "$name" >/dev/ttyS1
		(. "/guest/cases/$name.sh")
		printf 'E\t%s\t%s\n' "$name" $? >/dev/ttyS1
	done
}
