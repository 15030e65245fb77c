#!/usr/bin/env bash
# start.sh - build gandalf and run a cluster of three nodes on this machine until interrupted.
#
#   ./ci/start.sh               data in a temporary folder, gone at the end
#   ./ci/start.sh --data DIR    data in DIR, kept: the next start goes on from there
#   ./ci/start.sh --database D  each node in front of a database of its own: D is redis (Debian's
#                               redis-server), kvs-server or sqlite; kvs, embedded, is the default
#
# Clients at 127.0.0.1:9876, 9877 and 9878. Interrupt (Ctrl-C) stops the nodes.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

data=
database=kvs
while [ $# -gt 0 ]; do
    case $1 in
    --data) [ $# -ge 2 ] || { say "start.sh: --data wants a directory" >&2; exit 2; }
            data=$2; shift 2 ;;
    --data=*) data=${1#--data=}; shift ;;
    --database) [ $# -ge 2 ] || { say "start.sh: --database wants kvs, redis, kvs-server or sqlite" >&2; exit 2; }
            database=$2; shift 2 ;;
    --database=*) database=${1#--database=}; shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) say "start.sh: unknown flag $1: --data DIR, --database D and --help are all there is" >&2; exit 2 ;;
    esac
done

case $database in
kvs | redis | kvs-server | sqlite) ;;
*) say "start.sh: --database wants kvs, redis, kvs-server or sqlite, not $database" >&2; exit 2 ;;
esac

packages=("${BUILD_PACKAGES[@]}")
[ "$database" != redis ] || packages+=(redis-server)
install_missing "${packages[@]}"
say "building (the first time takes a minute) ..."
log=$(mktemp)
build release -- gandalf gandalf-kvs gandalf-kvs-server >"$log" 2>&1 || {
    tail -40 "$log" >&2
    rm -f "$log"
    die "the build failed: its last lines are above"
}
rm -f "$log"
gandalf=$TOP/build/release/io-real/gandalf
keep=yes
if [ -z "$data" ]; then
    keep=no
    data=$(mktemp -d -t gandalf-XXXXXX)
fi
mkdir -p "$data"
data=$(cd "$data" && pwd)

pids=()
databases=()
told=()
stopping=no
stop() {
    stopping=yes
    trap '' INT TERM
    [ ${#pids[@]} -gt 0 ] && kill -TERM "${pids[@]}" 2>/dev/null
    wait "${pids[@]}" 2>/dev/null || true
    [ ${#databases[@]} -gt 0 ] && kill -TERM "${databases[@]}" 2>/dev/null
    [ ${#databases[@]} -gt 0 ] && wait "${databases[@]}" 2>/dev/null || true
    for n in 1 2 3; do # One that was killed, and started again by hand?
        holder=$(tr -dc 0-9 2>/dev/null <"$data/node$n/LOCK") || holder=
        if [ -n "$holder" ] && [ "/proc/$holder/exe" -ef "$gandalf" ]; then
            say "node $n still runs, as process $holder: this script did not start it"
            keep=yes
        fi
    done
    if [ "$keep" = no ]; then rm -rf "$data"; else say "data kept in $data"; fi
    say "stopped."
}
trap 'exit 130' INT
trap 'exit 143' TERM
trap stop EXIT

# Databases of their own, in sessions of their own; each stops with the nodes.
options=()
uri() { # uri N: what node N is told of its database
    if [ "$database" = sqlite ]; then say sqlite; else say "resp://127.0.0.1:$((7610 + $1))"; fi
}
for n in 1 2 3; do
    port=$((7610 + n))
    case $database in
    redis | kvs-server) mkdir -p "$data/database$n" ;;
    esac
    case $database in
    redis)
        setsid redis-server --port "$port" --bind 127.0.0.1 --dir "$data/database$n" --save '' \
            --appendonly yes >>"$data/database$n.log" 2>&1 &
        databases+=($!) ;;
    kvs-server)
        setsid "$TOP/build/release/kvs/gandalf-kvs-server" --port "$port" \
            --dir "$data/database$n" 2>>"$data/database$n.log" &
        databases+=($!) ;;
    esac
done

for n in 1 2 3; do
    mkdir -p "$data/node$n"
    [ "$database" = kvs ] || options=(--database "$(uri $n)")
    # A session of its own: Ctrl-C reaches this script, which then stops the nodes in good order.
    setsid "$gandalf" --config "$TOP/ci/gandalf_$n.conf" --data_dir "$data/node$n" \
        "${options[@]}" 2>>"$data/node$n.log" &
    pids+=($!)
done

# Asks the first node for a key that nobody has, or one row: the answer comes only from a cluster with a leader.
serves() {
    local answer
    exec 3<>/dev/tcp/127.0.0.1/9876 || return 1
    if [ "$database" = sqlite ]; then
        printf 'SQL.QUERY "SELECT 1"\r\n' >&3
    else
        printf 'GET gandalf:started\r\n' >&3
    fi
    read -r -t 5 answer <&3 || answer=
    exec 3>&- 3<&-
    [[ $answer == '$'* || $answer == '*'* ]]
}

ready=no
for _ in $(seq 150); do
    for i in 0 1 2; do
        kill -0 "${pids[$i]}" 2>/dev/null || {
            tail -3 "$data/node$((i + 1)).log" >&2
            die "node $((i + 1)) did not start: its last lines are above"
        }
    done
    if (serves) 2>/dev/null; then
        ready=yes
        break
    fi
    sleep 0.2
done
[ "$ready" = yes ] || {
    tail -3 "$data"/node*.log >&2
    die "no leader within 30 seconds: the nodes' last lines are above"
}

set_it='set greeting hello'
get_it='get greeting'
own=
case $database in
redis | kvs-server) own="Their databases, a $database each: 127.0.0.1:7611, 7612 and 7613
" ;;
sqlite) own="Their databases: $data/node1/database.sqlite, node2/ and node3/
" ;;
esac
if [ "$database" = sqlite ]; then
    set_it='sql.exec "CREATE TABLE IF NOT EXISTS t(v); INSERT INTO t VALUES(?)" hello'
    get_it='sql.query "SELECT v FROM t"'
fi
cat <<TEXT

A cluster of three nodes serves clients at 127.0.0.1:9876, 9877 and 9878.
Logs and data: $data
$own
In another terminal:
  export PATH=$TOP/build/release/kvs:\$PATH
  gandalf-kvs --port 9876 $set_it
  gandalf-kvs --port 9877 $get_it     # any node answers, and never with old data
  gandalf-kvs --port 9878 status           # who leads

Kill the leader, and see that nothing is lost:
  kill -9 PID                              # node 1: ${pids[0]}   node 2: ${pids[1]}   node 3: ${pids[2]}
  gandalf-kvs --port 987X status           # ask one that lives: 9876, 9877 or 9878
  gandalf-kvs --port 987X $get_it

Any Redis client works as well: redis-cli -p 9876
Ctrl-C stops the cluster.
TEXT

# One dead node is part of the show; the script ends when all are gone or it is interrupted. The shell's own
# word about a killed one is not shown.
alive=3
while [ "$alive" -gt 0 ]; do
    alive=0
    for i in 0 1 2; do
        if [ -n "${pids[$i]:-}" ] && kill -0 "${pids[$i]}" 2>/dev/null; then
            alive=$((alive + 1))
        elif [ -n "${told[$i]:-}" ]; then :; else
            told[i]=yes
            say "node $((i + 1)) has gone. Start it again with:"
            again="$gandalf --config $TOP/ci/gandalf_$((i + 1)).conf --data_dir $data/node$((i + 1))"
            [ "$database" = kvs ] || again+=" --database $(uri $((i + 1)))"
            say "  $again"
        fi
    done
    sleep 1 &
    wait $! || true
done 2>/dev/null
[ "$stopping" = yes ] || die "all nodes have gone: see $data/node*.log"
