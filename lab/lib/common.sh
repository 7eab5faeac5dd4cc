# SPDX-License-Identifier: Apache-2.0
# What every part of the lab shares: where things are, how to say what happens, how to wait for each other.
# Sourced, never run.

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CHECKOUT=$(dirname "$LAB")
CACHE=${JVFIO_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/jvfio-lab}
RESULTS=${JVFIO_LAB_OUT:-$CHECKOUT/target/lab}
RUN=$$-$EPOCHSECONDS # this run, in all its subshells

source "$CHECKOUT/scripts/jdk.sh"
source "$CHECKOUT/scripts/dist.sh"

say() { printf 'lab: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# step WHAT TAKES COMMAND…: does something that takes its time: tells what it is and how long it may take before, and how long it took behind.
step() {
  local what=$1 takes=$2
  shift 2
  say "$what: begins; may take $takes"
  (
    ended='' # not by a signal
    trap "step_ended $(printf '%q' "$what") $SECONDS \$?\$ended" EXIT
    "$@"
    status=$? ended=yes
    exit "$status"
  )
}

step_ended() {
  if [ "$3" = 0yes ]; then say "$1: done in $((SECONDS - $2)) s"; else say "$1: FAILED after $((SECONDS - $2)) s"; fi
}

# processors: how many a step has that uses all of them, as words.
processors() { case $(nproc) in 1) echo "one processor" ;; *) echo "$(nproc) processors" ;; esac }

# key TEXT…: a short name for a recipe; what was made by another recipe is then not found and made anew.
key() { printf '%s\n' "$@" | sha256sum | cut -c1-12; }

# locked NAME COMMAND…: one process at a time, whether lane, `lab/setup` or a second `lab/run`.
locked() {
  local name=$1
  shift
  mkdir -p "$CACHE/locks"
  (
    flock -n 9 || {
      say "waiting for another process, which has $name"
      flock 9
    }
    "$@" 9>&-
  ) 9>"$CACHE/locks/$name"
}

# cached DIRECTORY WHAT TAKES COMMAND…: DIRECTORY as COMMAND (called with DIRECTORY added) fills it: once, and wholly or not at all. WHAT that is
# and how long it TAKES are told.
cached() {
  local directory=$1
  shift
  if [ ! -e "$directory/.complete" ]; then
    locked "$(basename "$directory")" fill "$directory" "$@"
  fi
}

fill() {
  local directory=$1
  shift
  if [ -e "$directory/.complete" ]; then return; fi # another process was first
  rm -rf "$directory"
  mkdir -p "$directory"
  step "$@" "$directory"
  touch "$directory/.complete"
}

# log NAME COMMAND…: keeps a long command's output in a file and shows its end only when it fails.
log() {
  local file=$CACHE/logs/$1
  shift
  mkdir -p "$CACHE/logs"
  if ! "$@" >"$file" 2>&1; then
    tail -n 40 "$file" >&2
    die "failed: $* (all of it in $file)"
  fi
}

# The JDK that links the guests' runtimes and runs the reports.
java_home() { find_jdk_25 || exit 1; }

# The project's jars, built if they are missing or older than their sources.
jars_dir() {
  if [ -n "${JVFIO_LIB:-}" ]; then
    compgen -G "$JVFIO_LIB/*.jar" >/dev/null || die "no jars in $JVFIO_LIB"
    echo "$JVFIO_LIB"
    return
  fi
  ensure_dist "$CHECKOUT" "$(java_home)" >&2 || exit 1
  echo "$CHECKOUT/target/dist/lib"
}
