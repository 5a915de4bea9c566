# SPDX-License-Identifier: Apache-2.0
# For the cases (tests/guest/cases/*.sh), which run in the guest under busybox sh as
# `sh CASE.sh` with $STAGE (1, and one more after each power cut), $MEMORY and $DATA, a directory on
# the disk that survives cuts. Results go to the second serial line, everything else to the console.

report() { printf 'R\t%s\t%s\t%s\n' "$1" "$2" "$3" >/dev/ttyS1; }
pass() { report passed "$1" ""; }
fail() { report failed "$1" "$2"; }
skip() { report skipped "$1" "$2"; }

# check NAME COMMAND...: passed where the command succeeds; its output is the reason otherwise.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		pass "$name"
	else
		fail "$name" "$(printf '%s' "ended with $?: $out" | tr '\n\t' '  ' | tail -c 300)"
	fi
}

# A cmocka program: each of its tests is a result.
cmocka() {
	local program=$1 out rc
	out=$(CMOCKA_MESSAGE_OUTPUT=TAP "/tests/$program" 2>/tmp/cmocka.err)
	rc=$?
	printf '%s\n' "$out" | sed -n \
		-e "s/^ok [0-9]* # SKIP \(.*\)/R\tskipped\t$program: \1\tskipped in the guest/p" \
		-e t \
		-e "s/^ok [0-9]* - \(.*\)/R\tpassed\t$program: \1\t/p" \
		-e "s/^not ok [0-9]* - \(.*\)/R\tfailed\t$program: \1\tsee build\/guest\/console.log/p" >/dev/ttyS1
	cat /tmp/cmocka.err
	printf '%s\n' "$out" | grep -q '^ok\|^not ok' || fail "$program" "ended with $rc and no result"
}

# load_modules LIST: of /modules, with those that they need; some may be there.
load_modules() {
	local module
	while read -r module; do
		[ -d "/sys/module/$(basename "$module" .ko | tr - _)" ] || insmod "/modules/$module"
	done <"/modules/$1"
}

# remember WORD: the host keeps it, and $MEMORY has all words of this case after a cut.
remember() { printf 'M\t%s\n' "$1" >/dev/ttyS1; }

# Shuts the guest down as its owner would; the case runs again after the boot with STAGE one higher.
# Does not return. In a guest with systemd alone.
reboot_now() {
	printf 'N\n' >/dev/ttyS1
	systemctl reboot
	while :; do sleep 1; done
}

# The host cuts the power: now, or in so many milliseconds while the case goes on. After the cut
# the case runs again with STAGE one higher. `cut` does not return.
cut_in() { printf 'C\t%s\n' "$1" >/dev/ttyS1; }
cut() {
	cut_in 0
	while :; do :; done
}
