# SPDX-License-Identifier: Apache-2.0
# The files of containers where there is only cgroup v2, with Debian's kernel (6.1).
. /guest/image.sh
make_image bb
cd "$DATA" || exit 1

# same TEXT FILE
same() { [ "$(cat "$2")" = "$1" ] || { echo "got '$(cat "$2")' and not '$1'"; return 1; }; }
# says TEXT COMMAND...
says() {
	local want=$1 got
	shift
	got=$("$@" 2>&1)
	[ "$got" = "$want" ] || { echo "got '$got' and not '$want'"; return 1; }
}
echo in >in
mkdir host
check "a container in the background starts" kogge run --network none -d --name live --tmpfs /m -v vol:/v -v "$PWD/host:/h:ro" bb \
	sh -c "echo out > /m/out; echo v > /v/v; sleep 1000"
check "cp into a tmpfs of a running container" kogge cp in live:/m/in
check "cp out of it" kogge cp live:/m/in back
check "and it is the same" same in back
check "cp into a volume" kogge cp in live:/v/in
check "a read-only mount is refused" says "kogge: mounted volume is marked read-only" kogge cp in live:/h
check "a paused container" kogge pause live
check "is copied from" kogge cp live:/v/in back2
check "is committed" kogge commit live new:1
check "and is paused still" says paused kogge inspect -f '{{.State.Status}}' live
kogge unpause live
check "a running container is committed" kogge commit live new:2
check "diff tells what is new" sh -c 'kogge cp in live:/added && kogge diff live | grep -q "^A /added$"'
check "export has no mounts" sh -c 'kogge export live | tar t | grep -q "^added$" && ! kogge export live | tar t | grep m/in'
check "what runs goes" kogge rm -f live
check "a stopped container with volumes" kogge create --network none --name still -v vol:/v bb cat /v/more
check "gets a file into its volume" kogge cp in still:/v/more
check "and sees it" says in kogge start -a still
check "whiteouts of a commit hide" sh -c 'kogge run --network none --name gone bb /bin/busybox rm /bin/ls && kogge commit gone new:3 &&
	kogge create --network none --name look new:3 x && ! kogge export look | tar t | grep -q "bin/ls$"'
check "nothing is left" sh -c 'kogge rm still gone look && kogge system check'
