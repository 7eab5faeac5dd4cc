# Makes target/dist, from which jvfio runs; sourced by ./jvfio and lab/run.

# Whether target/dist is there, complete, and newer than every source; says nothing.
dist_is_fresh() {
  local top=$1 java_home=$2 built=$1/target/dist/built
  [ -e "$built" ] && [ "$(<"$built")" = "$java_home" ] || return 1
  local newer
  newer=$(cd "$top" && find pom.xml scripts/dist.sh ./*/pom.xml ./*/src/main -newer "$built" -print -quit)
  [ -z "$newer" ]
}

# Builds target/dist where it is missing or old: jars in lib, an archive that makes the JVM start faster, and its options.
# One line on standard error says that it takes a while; what the build prints goes to target/build.log.
ensure_dist() {
  local top=$1 java_home=$2
  dist_is_fresh "$top" "$java_home" && return
  mkdir -p "$top/target"
  (
    # two commands started at once: the second waits for the build of the first
    flock 9
    dist_is_fresh "$top" "$java_home" && exit
    build_dist "$top" "$java_home"
  ) 9>"$top/target/.build.lock"
}

build_dist() {
  local top=$1 java_home=$2 log=$1/target/build.log dist=$1/target/dist
  echo "jvfio: building (a minute or two the first time; log in target/build.log)" >&2
  rm -rf "$dist"
  if ! "$top/build" -Dmaven.test.skip=true -Dspotless.check.skip=true -Pdist -pl cli,examples,lab -am package >"$log" 2>&1; then
    echo "jvfio: the build failed:" >&2
    grep -m 20 '^\[ERROR\]' "$log" >&2 || tail -n 20 "$log" >&2
    return 1
  fi
  for module in linux core model sim nvme user usertools cli examples lab; do
    cp "$top/$module"/target/jvfio-*.jar "$dist/lib/"
  done
  cat >"$dist/java.options" <<OPTIONS
--module-path "$dist/lib"
--enable-native-access=io.jvfio.linux
--add-modules java.desktop
-XX:+UseSerialGC
-XX:TieredStopAtLevel=1
-XX:-UsePerfData
OPTIONS
  train_archive "$java_home" "$dist" >>"$log" 2>&1 ||
    echo "jvfio: no start-up archive could be made (see target/build.log); commands start a little slower" >&2
  echo "$java_home" >"$dist/built"
}

# An archive of the classes that short commands load; tied to this JDK and these jars, so it is made here.
train_archive() {
  local java_home=$1 dist=$2
  "$java_home/bin/java" "@$dist/java.options" "-XX:AOTCacheOutput=$dist/jvfio.aot" \
    -m io.jvfio.cli/io.jvfio.cli.Main --host sim:pseries-5.10 list &&
    [ -s "$dist/jvfio.aot" ] &&
    printf '%s\n' "-XX:AOTCache=$dist/jvfio.aot" -Xlog:aot=off -Xlog:cds=off >>"$dist/java.options"
}
