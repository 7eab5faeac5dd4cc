# SPDX-License-Identifier: Apache-2.0
# Devices that jvfio serves to the guest from outside of it, each by a process of its own: `jvfio serve` with the arguments in SERVED[NAME],
# or a program of the lab, `@CLASS ARGUMENT…`, which may serve those as well that are WITH it.
# A server works in the lane's WORK, where QEMU finds its socket, NAME.sock; NAME.in is its standard input.

# jvfio ARGUMENT…: the command, of the jars under test.
jvfio() { "${JVFIO[@]}" "$@"; }

# served_device DIRECTORY NAME: QEMU's device for a socket there, as members of JSON. A busy machine may keep a server from answering for longer
# than the five seconds that QEMU waits.
served_device() {
  printf '"driver":"vfio-user-pci","socket":{"path":"%s/%s.sock","type":"unix"},"x-msg-timeout":60000%s' "$1" "$2" "${PLACES[$2]:+,${PLACES[$2]}}"
}

start_servers() {
  local name
  JAVA=("$(java_home)/bin/java" -XX:+UseSerialGC -XX:NativeMemoryTracking=summary --enable-native-access=io.jvfio.linux -p "$LIB" -m)
  JVFIO=("${JAVA[@]}" io.jvfio.cli/io.jvfio.cli.Main)
  for name in "${!SERVED[@]}"; do
    mkfifo "$WORK/$name.in"
    start_server "$name"
  done
}

# start_server NAME: returns when it listens.
start_server() {
  local name=$1 before arguments server deadline=$((SECONDS + 120))
  read -ra arguments <<<"${SERVED[$name]}"
  case ${arguments[0]} in
    @*) server=("${JAVA[@]}" "io.jvfio.lab/io.jvfio.lab.${arguments[0]#@}" "${arguments[@]:1}") ;;
    *) server=("${JVFIO[@]}" serve "${arguments[@]}" --socket "$name.sock") ;;
  esac
  touch "$OUT/served-$name.err"
  before=$(listening "$name")
  # Opened for reading and writing, a pipe has no end.
  (cd "$WORK" && exec nice -n "${NICE[$name]:-0}" "${server[@]}") \
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

# open_control: a pipe into QEMU's monitor, which is spoken to in QMP; what it says is in WORK/control.log.
open_control() {
  mkfifo "$WORK/control"
  exec {CONTROL}<>"$WORK/control" # for reading and writing, so that nobody waits for the other end
  echo '{"execute":"qmp_capabilities"}' >&"$CONTROL"
}

# plug NAME: into the bus that the lane has for it.
plug() {
  echo "{\"execute\":\"device_add\",\"arguments\":{\"id\":\"$1\",\"bus\":\"${PLUGGED[$1]}\",$(served_device "${WORK#"$(qemu_root)"}" "$1")}}" \
    >&"$CONTROL"
}

# unplug NAME: returns when QEMU has no such device any more, and its server no client.
unplug() {
  local deadline=$((SECONDS + 120)) deleted gone
  deleted=$(deletions)
  gone=$(clients_gone "$1")
  echo "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"$1\"}}" >&"$CONTROL"
  until [ "$(deletions)" -gt "$deleted" ] && [ "$(clients_gone "$1")" -gt "$gone" ]; do
    if [ "$SECONDS" -gt "$deadline" ]; then
      echo "the device $1 has not gone"
      return 1
    fi
    sleep 0.2
  done
}

deletions() { grep -c '"DEVICE_DELETED".*"device":' "$WORK/control.log" || true; }

# clients_gone NAME: how many clients servers of that name had, and have no more.
clients_gone() { grep -c '^jvfio: the client has gone' "$OUT/served-$1.err" || true; }

# footprint NAME: what a server has while it has no client, as a line of OUT/footprint-NAME.out: descriptors, threads, files of memory that clients had
# it map; objects that can be reached and memory of arenas, in KiB; and the resident set, which compiled code makes grow as well.
footprint() {
  local pid jcmd live arenas
  pid=$(cat "$WORK/$1.pid")
  jcmd=$(java_home)/bin/jcmd
  live=$("$jcmd" "$pid" GC.class_histogram | awk '/^Total/ { print int($3 / 1024) }')
  arenas=$("$jcmd" "$pid" VM.native_memory summary | sed -n 's/^- *Other (reserved=.*committed=\([0-9]*\)KB.*/\1/p')
  # A JVM begins and ends the threads of its compilers as it likes.
  printf 'descriptors %d, threads %d, mapped %d, live %d, arenas %d, resident %d\n' "$(find "/proc/$pid/fd" -type l | wc -l)" \
    "$(cat "/proc/$pid"/task/*/comm | grep -vc CompilerThre)" "$(grep -c /memfd: "/proc/$pid/maps")" "$live" "$arenas" \
    "$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")" >>"$OUT/footprint-$1.out"
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
      plug) plug "${request[1]}" ;;
      unplug) unplug "${request[1]}" ;;
      footprint) footprint "${request[1]}" ;;
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
