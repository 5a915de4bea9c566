# SPDX-License-Identifier: Apache-2.0
# `kogge run` with limits where there is only cgroup v2.
. /guest/image.sh
make_image bb

# in_container EXPECTED COMMAND OPTION...: what COMMAND prints in a container with these options.
in_container() {
	local want=$1 command=$2 got
	shift 2
	got=$(kogge run --network none --rm "$@" bb sh -c "$command" 2>&1)
	[ "$got" = "$want" ] || { echo "got '$got' and not '$want'"; return 1; }
}
# ends_with CODE COMMAND OPTION...
ends_with() {
	local want=$1 command=$2 rc
	shift 2
	kogge run --network none --rm "$@" bb sh -c "$command"
	rc=$?
	[ $rc = "$want" ] || { echo "ended with $rc and not $want"; return 1; }
}
cg=/sys/fs/cgroup
check "a container sees its own cgroup as the root test_E27" in_container 0::/ "cat /proc/self/cgroup"
check "memory and swap are limited" in_container "67108864 0" "echo \$(cat $cg/memory.max $cg/memory.swap.max)" \
	-m 64m --memory-swap 64m
check "memory has as much swap again by default" in_container 67108864 "cat $cg/memory.swap.max" -m 64m
check "a reservation is memory.low" in_container 33554432 "cat $cg/memory.low" --memory-reservation 32m
check "processes are limited test_X01" in_container 33 "cat $cg/pids.max" --pids-limit 33
check "CPUs are a quota test_X12" in_container "50000 100000" "cat $cg/cpu.max" --cpus 0.5
check "shares are a weight" in_container "100 39" "echo \$(cat $cg/cpu.weight) 39" --cpu-shares 1024
check "CPUs are chosen" in_container 1 "cat $cg/cpuset.cpus" --cpuset-cpus 1
check "too much memory ends with 137 test_X02" ends_with 137 "dd if=/dev/zero of=/dev/null bs=100M count=1" \
	-m 32m --memory-swap 32m
check "devices that are not listed are refused test_E24" ends_with 0 \
	"mknod /n c 1 1 && ! cat /n 2>/dev/null && cat /dev/null"
check "a device that is given works" ends_with 0 "dd if=/dev/given of=/dev/null bs=512 count=1" \
	--device /dev/vda:/dev/given:r
check "and only as far as it is given" ends_with 1 "dd if=/dev/zero of=/dev/given bs=512 count=1 2>/dev/null" \
	--device /dev/vda:/dev/given:r
check "privileged has all devices" ends_with 0 "mknod /n c 1 1 && dd if=/n of=/dev/null bs=1 count=1" --privileged
check "a disk is held back test_X13" in_container "254:0 rbps=max wbps=1048576 riops=7 wiops=max" "cat $cg/io.max" \
	--device-write-bps /dev/vda:1mb --device-read-iops /dev/vda:7
check "what version 2 has not is named" sh -c \
	'kogge run --network none --rm --cpu-rt-runtime 1000 bb true 2>&1 | grep -q "cpu\|unknown flag"'
check "no cgroup is left" sh -c '! ls -d /sys/fs/cgroup/kogge/*/ 2>/dev/null'
