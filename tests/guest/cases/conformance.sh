# SPDX-License-Identifier: Apache-2.0
# The OCI's validation suite on cgroup v2, with runc and with kogge-runtime: where runc passes a case
# kogge-runtime has to. The suite comes from the host (KOGGE_RUNTIME_TOOLS, see tests/guest/run).
if [ ! -d /tools/validation ]; then
	skip "OCI validation on cgroup v2" "KOGGE_RUNTIME_TOOLS does not name an installed runtime-tools"
	return 0
fi

# passes RUNTIME CASE: whether its program ends well, with assertions and none that fails.
passes() {
	local dir=/tmp/conformance/$1 rc
	mkdir -p "$dir/tmp" "$dir/states"
	printf '#!/bin/sh\nexec /bin/%s --root %s/states "$@"\n' "$1" "$dir" >"$dir/runtime"
	chmod 755 "$dir/runtime"
	(cd /tools && RUNTIME=$dir/runtime TMPDIR=$dir/tmp timeout 120 "validation/$2.t") >"$dir/out" 2>&1
	rc=$?
	[ $rc -eq 0 ] || tail -n 3 "$dir/out"
	for id in $(ls "$dir/states"); do "$dir/runtime" delete --force "$id" >/dev/null 2>&1; done
	rm -rf "$dir/tmp"
	[ $rc -eq 0 ] && grep -q '^ *ok ' "$dir/out" && ! grep -q '^ *not ok ' "$dir/out"
}

for program in /tools/validation/*.t; do
	name=$(basename "$program" .t)
	theirs=fails ours=fails
	passes runc "$name" && theirs=passes
	passes kogge-runtime "$name" && ours=passes
	echo "$name: runc $theirs, kogge-runtime $ours"
	if [ $ours = passes ]; then
		pass "validation $name on cgroup v2 (runc $theirs)"
	elif [ $theirs = passes ]; then
		fail "validation $name on cgroup v2" "$(tail -c 300 /tmp/conformance/kogge-runtime/out | tr '\n\t' '  ')"
	else
		skip "validation $name on cgroup v2" "runc does not pass it here either"
	fi
done
rm -rf /tmp/conformance
