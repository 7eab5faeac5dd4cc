# SPDX-License-Identifier: Apache-2.0
# Debian packages: for this machine by apt-get, for any other architecture or suite by unpacking.
# Every address comes from this machine's own apt configuration.
#
# A mirror has bad minutes, and bad days: an index that does not verify, an index that names files which are not there. So for each package
# there is a list of files to take, the best first: the newest by the index, then what lab/*.pinned has of it, known by checksum. The first that
# can be had is taken, whatever kept the others away. No file is asked for more than twice, and one that is missing (404) once.

PINS=("$LAB/packages.pinned" "$LAB/qemu.pinned")
PAUSE=10 # seconds before something is tried again

# host_packages PACKAGE…: installs what is not there yet.
host_packages() {
  local package missing=()
  for package; do
    if [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" != "ii " ]; then missing+=("$package"); fi
  done
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  step "installing ${missing[*]}" "a minute or two on one processor" locked apt log host-packages install_host_packages "${missing[@]}"
}

# Where the newest version cannot be had, as of an update in the middle of a mirror's synchronisation, the release's own may be there.
install_host_packages() {
  update_host_lists
  apt_install "$@" || {
    sleep "$PAUSE"
    apt_install -t "$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")" "$@"
  }
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Acquire::Retries=0 install "$@"
}

# What there is of lists may do: it is told, and no failure.
update_host_lists() {
  apt-get -qq -o Acquire::Retries=1 update || echo "lab: this machine's package lists could not be brought up to date"
}

# mirror SUITE: the address this machine itself takes such a suite from.
mirror() {
  local suite=$1 sites kind='^[a-z]+ '
  case $suite in *-security) kind='^[a-z]+-security ' ;; esac
  sites=$(mirrors)
  if [ -z "$sites" ]; then
    locked apt log apt-update update_host_lists
    sites=$(mirrors)
  fi
  awk -v kind="$kind" '$0 ~ kind { print $2; found = 1; exit } END { exit !found }' <<<"$sites" ||
    die "this machine's apt configuration names no Debian mirror for $suite, or its lists cannot be had: see apt-get update"
}

mirrors() { apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' 'Origin: Debian' | sort -u; }

# foreign_apt TOOL ARCHITECTURE SUITE ARGUMENT…: an apt with lists of its own, which leaves the machine's alone.
foreign_apt() {
  local tool=$1 architecture=$2 suite=$3
  local state=$CACHE/apt/$architecture-$suite
  shift 3
  "$tool" -oAPT::Architecture="$architecture" -oAPT::Architectures="$architecture" -oAPT::Sandbox::User=root \
    -oDir::State="$state" -oDir::State::Lists="$state/lists" -oDir::State::status="$state/status" -oDir::Cache="$state/cache" \
    -oDir::Etc::sourcelist="$state/sources.list" -oDir::Etc::sourceparts=/dev/null "$@"
}

# foreign_update ARCHITECTURE SUITE: asks for the suite's index, once in a run, however that ends; the status is remembered.
foreign_update() {
  locked "apt-$1-$2" foreign_update_once "$@"
}

foreign_update_once() {
  local architecture=$1 suite=$2 state=$CACHE/apt/$1-$2 run='' status=0 site
  if [ -e "$state/updated" ]; then read -r run status <"$state/updated"; fi
  if [ "$run" = "$RUN" ]; then return "$status"; fi
  site=$(mirror "$suite") || return
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$CACHE/logs"
  case $suite in
    *-backports) printf "deb $site %s main\n" "$suite" "${suite%-backports}" ;;
    *) echo "deb $site $suite main" ;;
  esac >"$state/sources.list"
  : >"$state/status"
  status=0
  index "$@" || status=$?
  echo "$RUN $status" >"$state/updated"
  return "$status"
}

index() {
  local file=$CACHE/logs/index-$1-$2 round
  for round in 1 2; do
    if [ "$round" = 2 ]; then sleep "$PAUSE"; fi
    if foreign_apt apt-get "$@" -qq -oAPT::Update::Error-Mode=any -oAcquire::Retries=0 update >"$file" 2>&1; then return; fi
    if ! grep '^[EW]: Failed to fetch ' "$file" | grep -qv '  404 '; then break; fi
  done
  say "the index of $2 for $1 cannot be had (all of it in $file):"
  grep '^[EW]: ' "$file" | head -n 3 >&2
  return 1
}

# indexed ARCHITECTURE SUITE PACKAGE…: a line `PACKAGE SHA256 PATH` for each version that the index has, the newest first. The index may be
# that of an earlier run, which apt verified, where there is none now.
indexed() {
  local architecture=$1 suite=$2
  shift 2
  foreign_update "$architecture" "$suite" || true
  foreign_apt apt-cache "$architecture" "$suite" show "$@" 2>>"$CACHE/logs/index-$architecture-$suite" | awk -F': ' '
    { field[$1] = $2 }
    /^$/ { print field["Package"], field["SHA256"], field["Filename"]; delete field }' || true
}

# newest: of such lines, the first of each package.
newest() { awk '!seen[$1]++'; }

# with_dependencies ARCHITECTURE SUITE PACKAGE…: their names and those of all packages that they depend on, by the index.
with_dependencies() {
  local architecture=$1 suite=$2
  shift 2
  foreign_update "$architecture" "$suite" || true
  foreign_apt apt-get "$architecture" "$suite" -qq -s --no-install-recommends -t "$suite" install "$@" \
    2>>"$CACHE/logs/index-$architecture-$suite" | awk '$1 == "Inst" { print $2 }'
}

# pinned ARCHITECTURE SUITE PATTERN…: the same lines of pinned packages, whose names match one of the extended regular expressions.
pinned() {
  local architecture=$1 suite=$2
  shift 2
  awk -v where="$architecture $suite" -v patterns="$(printf '|%s' "$@")" '
    BEGIN { patterns = "^(" substr(patterns, 2) ")$" }
    $1 " " $2 == where && $3 ~ patterns { print $3, $4, $5 }' "${PINS[@]}"
}

# literal WORD…: extended regular expressions that match the words and nothing else.
literal() { printf '%s\n' "${@//+/[+]}" | sed 's/\./[.]/g'; }

# candidates SITE ORIGIN: makes lines `PACKAGE SHA256 URL ORIGIN` of lines `PACKAGE SHA256 PATH`.
candidates() { awk -v site="$1" -v origin="$2" '{ print $1, $2, site "/" $3, origin }'; }

# foreign_packages DIRECTORY ARCHITECTURE SUITE PACKAGE…: unpacks packages, none of them installed, none of their scripts run. Most of what backports
# need comes from the release that they are for, and so may pins.
foreign_packages() {
  local directory=$1 architecture=$2 suite=$3 site table
  shift 3
  site=$(mirror "$suite")
  table=$(
    indexed "$architecture" "$suite" "$@" | newest | candidates "$site" index
    pinned "$architecture" "$suite" $(literal "$@") | candidates "$site" pinned
    case $suite in *-backports) pinned "$architecture" "${suite%-backports}" $(literal "$@") | candidates "$site" pinned ;; esac
  )
  unpack "$directory" "$suite for $architecture" "$table" "$@"
}

# foreign_packages_with_dependencies DIRECTORY ARCHITECTURE SUITE PACKAGE…: the same, with all that they need. Without an index only those whose
# names are in lab/qemu.pinned are known to be needed, and then they are taken from there.
foreign_packages_with_dependencies() {
  local directory=$1 architecture=$2 suite=$3 names=() table
  mapfile -t names < <(with_dependencies "${@:2}")
  if [ ${#names[@]} -gt 0 ]; then
    foreign_packages "$directory" "$architecture" "$suite" "${names[@]}"
    return
  fi
  say "what $suite has for $architecture is not known; taking the pinned packages"
  table=$(pinned "$architecture" "$suite" '.*' | candidates "$(mirror "$suite")" pinned)
  shift 3
  mapfile -t names < <({
    printf '%s\n' "$@"
    awk -v where="$architecture $suite" '$1 " " $2 == where { print $3 }' "${PINS[-1]}"
  } | newest)
  unpack "$directory" "$suite for $architecture" "$table" "${names[@]}"
}

# unpack DIRECTORY WHERE TABLE PACKAGE…: obtains and unpacks.
unpack() {
  local directory=$1 debs package
  debs=$(mktemp -d "$CACHE/debs.XXXXXX")
  obtain "$debs" "${@:2}" || {
    rm -rf "$debs"
    exit 1
  }
  for package in "$debs"/*.deb; do dpkg-deb -x "$package" "$directory"; done
  rm -rf "$debs"
}

# obtain DIRECTORY WHERE TABLE PACKAGE…: fetches one file of each package, the first of its lines `PACKAGE SHA256 URL ORIGIN` in TABLE that can be
# had. Packages of one source belong together: when one of them has to be another version, the others are, too, where they can.
obtain() {
  local directory=$1 where=$2 table=$3 name sum url other origin left wave sources lost
  local -A rows=() count=() at=() asked=()
  shift 3
  while read -r name sum url origin; do
    if [ -z "$name" ] || [ -n "${asked[$name $url]:-}" ]; then continue; fi
    asked[$name $url]=yes
    rows[$name ${count[$name]:-0}]="$sum $url $origin"
    count[$name]=$((${count[$name]:-0} + 1))
  done <<<"$table"
  declare -A TROUBLE=() # by URL, why it could not be had
  left=() lost=()
  for name; do
    at[$name]=0
    if [ -n "${count[$name]:-}" ]; then left+=("$name"); else lost+=("$name"); fi
  done
  say "fetching ${#left[@]} $([ ${#left[@]} -eq 1 ] && echo package || echo packages) of $where"
  while [ ${#left[@]} -gt 0 ]; do
    wave=()
    for name in "${left[@]}"; do wave+=("${rows[$name ${at[$name]}]}"); done
    fetch "$directory" "${wave[@]}"
    sources=' '
    for name in "${left[@]}"; do
      read -r sum url origin <<<"${rows[$name ${at[$name]}]}"
      if [ ! -e "$directory/${url##*/}" ]; then sources+="${url%/*} "; fi
    done
    left=()
    for name in "${!count[@]}"; do
      if [ -z "${at[$name]:-}" ]; then continue; fi # in the table, and not asked for
      read -r sum url origin <<<"${rows[$name ${at[$name]}]}"
      if [[ $sources != *" ${url%/*} "* ]]; then continue; fi
      read -r _ other origin <<<"${rows[$name $((at[$name] + 1))]:-}"
      if [ -n "$other" ]; then
        say "${url##*/} of $where: ${TROUBLE[$url]:-has to fit the others of its source}; taking ${other##*/}, $origin"
        rm -f "$directory/${url##*/}"
        at[$name]=$((at[$name] + 1))
        left+=("$name")
      elif [ ! -e "$directory/${url##*/}" ]; then
        lost+=("$name")
      fi
    done
  done
  if [ ${#lost[@]} -eq 0 ]; then return; fi
  for name in "${lost[@]}"; do
    say "package $name of $where cannot be had:"
    awk -v name="$name" '$1 == name && !seen[$3]++ { print $3, $4 }' <<<"$table" | while read -r url origin; do
      case $origin in index) origin="newest by the index" ;; esac
      say "  ${url##*/}, $origin: ${TROUBLE[$url]:-not asked for}"
    done
    if [ -z "${count[$name]:-}" ]; then say "  neither in the index nor pinned"; fi
  done
  say "Start again later: a mirror that is being synchronised gets right by itself. Or let this machine's apt use another mirror, for the lab"
  say "takes its packages from there. Or add a version that can be had to lab/packages.pinned; lab/pin prints such lines where the index is right."
  return 1
}

# fetch DIRECTORY "SHA256 URL …"…: fetches files, all at once, by apt's own downloader, which knows the machine's proxies and checks the sums. What
# failed is asked for once more, unless it is missing; what was missing before in this run is not asked for. TROUBLE says why a file is not there
# in the end.
fetch() {
  local directory=$1 round left=() row sum url arguments said again
  mkdir -p "$CACHE/logs"
  for row in "${@:2}"; do
    read -r sum url _ <<<"$row"
    if was_missing "$url"; then TROUBLE[$url]="404  Not Found"; else left+=("$row"); fi
  done
  for round in 1 2; do
    if [ ${#left[@]} -eq 0 ]; then return; fi
    if [ "$round" = 2 ]; then sleep "$PAUSE"; fi
    arguments=()
    for row in "${left[@]}"; do
      read -r sum url _ <<<"$row"
      arguments+=("$url" "$directory/${url##*/}" "SHA256:$sum")
    done
    said=$(/usr/lib/apt/apt-helper -qq -oAPT::Sandbox::User=root -oAcquire::Retries=0 download-file "${arguments[@]}" 2>&1) || true
    printf '%s\n' "$said" >>"$CACHE/logs/fetch"
    again=()
    for row in "${left[@]}"; do
      read -r sum url _ <<<"$row"
      if sha256sum --status -c <<<"$sum  $directory/${url##*/}" 2>/dev/null; then continue; fi
      rm -f "$directory/${url##*/}" "$directory/${url##*/}.FAILED"
      TROUBLE[$url]=$(reason "$url" "$said")
      case ${TROUBLE[$url]} in 404*) remember_missing "$url" ;; *) again+=("$row") ;; esac
    done
    left=("${again[@]}")
  done
}

# The file `missing` has the name of a run, and the addresses that were missing in it.
was_missing() { [ "$(head -n 1 "$CACHE/missing" 2>/dev/null)" = "$RUN" ] && grep -qxF -- "$1" "$CACHE/missing"; }

remember_missing() {
  if [ "$(head -n 1 "$CACHE/missing" 2>/dev/null)" != "$RUN" ]; then echo "$RUN" >"$CACHE/missing"; fi
  echo "$1" >>"$CACHE/missing"
}

# reason URL TEXT: what apt says there of that address, in which it writes some characters in another way.
reason() {
  local said
  said=$(sed -E 's/%2b/+/Ig; s/%7e/~/Ig; s/%3a/:/Ig' <<<"$2" | awk -v start="E: Failed to fetch $1  " '
    index($0, start) == 1 { print substr($0, length(start) + 1) }' | sed 's/ \[IP: .*//')
  echo "${said:-not fetched}"
}

# packages_dir: what the lane's guest has of PACKAGES.
packages_dir() { echo "$CACHE/packages-$ARCH-$(key "${PACKAGES[*]}" "$(declare -f unpack_packages)")"; }

prepare_packages() {
  if [ ${#PACKAGES[@]} -eq 0 ]; then return; fi
  cached "$(packages_dir)" "packages of the $ARCH guest of $LANE" "half a minute on one processor" unpack_packages
}

unpack_packages() {
  foreign_packages "$1" "$ARCH" trixie "${PACKAGES[@]}"
  rm -rf "$1"/usr/share "$1"/etc
}
