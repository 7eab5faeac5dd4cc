# SPDX-License-Identifier: Apache-2.0
# Devices that jvfio serves to the guest from outside of it, each by a process of its own: `jvfio serve` with the arguments in SERVED[NAME].
# A server works in the lane's WORK, where QEMU finds its socket, NAME.sock; NAME.in is its standard input.

# jvfio ARGUMENT…: the command, of the jars under test.
jvfio() { "${JVFIO[@]}" "$@"; }

start_servers() {
  local name
  JVFIO=("$(java_home)/bin/java" -XX:+UseSerialGC --enable-native-access=io.jvfio.linux -p "$LIB" -m io.jvfio.cli/io.jvfio.cli.Main)
  for name in "${!SERVED[@]}"; do
    mkfifo "$WORK/$name.in"
    start_server "$name"
  done
}

# start_server NAME: returns when it listens.
start_server() {
  local name=$1 before arguments deadline=$((SECONDS + 120))
  read -ra arguments <<<"${SERVED[$name]}"
  touch "$OUT/served-$name.err"
  before=$(listening "$name")
  # Opened for reading and writing, a pipe has no end.
  (cd "$WORK" && exec nice -n "${NICE[$name]:-0}" "${JVFIO[@]}" serve "${arguments[@]}" --socket "$name.sock") \
    <>"$WORK/$name.in" >>"$OUT/served-$name.out" 2>>"$OUT/served-$name.err" &
  echo $! >"$WORK/$name.pid"
  disown # or this shell would tell of its end
  until [ "$(listening "$name")" -gt "$before" ]; do
    if ! kill -0 $! 2>/dev/null || [ "$SECONDS" -gt "$deadline" ]; then
      cat "$OUT/served-$name.err" >&2
      die "the server of $name does not listen"
    fi
    sleep 0.2
  done
}

# listening NAME: how many times a server of that name has begun to listen.
listening() { grep -c '^jvfio: serving ' "$OUT/served-$1.err" || true; }

# clients NAME: how many clients servers of that name have had.
clients() { grep -c '^jvfio: a client is here' "$OUT/served-$1.err" || true; }

# kill_server NAME: at once, in the middle of whatever it does.
kill_server() {
  local pid
  pid=$(cat "$WORK/$1.pid")
  rm "$WORK/$1.pid"
  kill -KILL "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

# stop_servers: by SIGTERM. One that does not end is killed, and said to have status 137.
stop_servers() {
  local file name pid deadline
  for file in "$WORK"/*.pid; do
    [ -e "$file" ] || return 0
    name=$(basename "$file" .pid) pid=$(cat "$file") deadline=$((SECONDS + 30))
    rm "$file"
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
    if kill -KILL "$pid" 2>/dev/null; then echo 137; else echo 0; fi >"$OUT/served-$name.rc"
  done
}

# answer_requests QEMU: does what the guest asks for by a line `@@outside COMMAND…` on its channel, until QEMU has ended.
answer_requests() {
  local word request
  tail --pid="$1" -n +1 -s 0.2 -F "$WORK/channel" 2>/dev/null | while read -r word request; do
    if [ "$word" != @@outside ]; then continue; fi
    read -ra request <<<"${request%$'\r'}"
    printf '%s\n' "${request[*]}" >>"$OUT/outside.log"
    case ${request[0]} in
      kill) kill_server "${request[1]}" ;;
      start) start_server "${request[1]}" ;;
      input) echo "${request[2]}" >"$WORK/${request[1]}.in" ;;
      *) echo "no such request" ;;
    esac >>"$OUT/outside.log" 2>&1
  done
}

# outside_step NAME COMMAND…: a step like the guest's, but here.
outside_step() {
  local name=$1 status=0 begin=$SECONDS
  shift
  "$@" >"$OUT/$name.out" 2>"$OUT/$name.err" </dev/null || status=$?
  echo "$status" >"$OUT/$name.rc"
  echo "$((SECONDS - begin))" >"$OUT/$name.seconds"
}

# lab_java CLASS ARGUMENT…: a program of the lab, here.
lab_java() {
  local class=$1
  shift
  "$(java_home)/bin/java" --enable-native-access=io.jvfio.linux -p "$LIB" -m "io.jvfio.lab/io.jvfio.lab.$class" "$@"
}

# end_on_panic QEMU: where a guest may start again, one that panics would do so for ever.
end_on_panic() {
  if grep -q 'Kernel panic' < <(tail --pid="$1" -n +1 -s 1 -F "$WORK/console" 2>/dev/null); then
    sleep 2 # for the rest of its message
    kill "$1"
  fi
}
