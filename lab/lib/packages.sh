# Debian packages: for this machine by apt-get, for any other architecture or suite by unpacking.
# Every address comes from this machine's own apt configuration.

# host_packages PACKAGE…: installs what is not there yet.
host_packages() {
  local package missing=()
  for package; do
    if [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" != "ii " ]; then missing+=("$package"); fi
  done
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  say "installing ${missing[*]}"
  locked apt log host-packages retry install_host_packages "${missing[@]}"
}

install_host_packages() {
  apt-get -qq update &&
    DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "$@"
}

# mirror SUITE: the address this machine itself takes such a suite from.
mirror() {
  local suite=$1 sites kind='^[a-z]+ '
  case $suite in *-security) kind='^[a-z]+-security ' ;; esac
  sites=$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' 'Origin: Debian' | sort -u)
  if [ -z "$sites" ]; then
    locked apt log apt-update retry apt-get -qq update
    sites=$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' 'Origin: Debian' | sort -u)
  fi
  awk -v kind="$kind" '$0 ~ kind { print $2; found = 1; exit } END { exit !found }' <<<"$sites" ||
    die "this machine's apt configuration names no Debian mirror for $suite"
}

# foreign_apt TOOL ARCHITECTURE SUITE ARGUMENT…: an apt with lists of its own, which leaves the machine's alone.
foreign_apt() {
  local tool=$1 architecture=$2 suite=$3
  local state=$CACHE/apt/$architecture-$suite
  shift 3
  "$tool" -oAPT::Architecture="$architecture" -oAPT::Architectures="$architecture" -oAPT::Sandbox::User=root \
    -oDir::State="$state" -oDir::State::Lists="$state/lists" -oDir::State::status="$state/status" -oDir::Cache="$state/cache" \
    -oDir::Etc::sourcelist="$state/sources.list" -oDir::Etc::sourceparts=/dev/null "$@"
}

foreign_update() {
  local architecture=$1 suite=$2 state=$CACHE/apt/$1-$2 site
  site=$(mirror "$suite") || return
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  echo "deb $site $suite main" >"$state/sources.list"
  : >"$state/status"
  foreign_apt apt-get "$architecture" "$suite" -qq -oAPT::Update::Error-Mode=any update
}

# foreign_packages DIRECTORY ARCHITECTURE SUITE PACKAGE…: unpacks packages, none of them installed, none of their scripts run.
foreign_packages() {
  local directory=$1 architecture=$2 suite=$3 debs package
  shift 3
  debs=$(mktemp -d "$CACHE/debs.XXXXXX")
  log "packages-$architecture-$suite" foreign_download "$debs" "$architecture" "$suite" "$@"
  for package in "$debs"/*.deb; do dpkg-deb -x "$package" "$directory"; done
  rm -rf "$debs"
}

# A mirror has bad minutes, and bad days: what its index does not give, the pinned packages may.
foreign_download() {
  twice indexed_download "$@" || pinned_download "$@" || retry indexed_download "$@"
}

twice() { "$@" || { sleep 10 && "$@"; }; }

indexed_download() {
  local debs=$1 architecture=$2 suite=$3
  shift 3
  foreign_update "$architecture" "$suite" && (cd "$debs" && foreign_apt apt-get "$architecture" "$suite" -qq download "$@")
}

# pinned ARCHITECTURE SUITE PATTERN: checksum and path of each pinned package whose name matches.
pinned() {
  awk -v architecture="$1" -v suite="$2" -v pattern="^($3)$" \
    '$1 == architecture && $2 == suite && $3 ~ pattern { print $4, $5 }' "$LAB/packages.pinned"
}

pinned_download() {
  local debs=$1 architecture=$2 suite=$3 site package
  shift 3
  say "the index of $suite for $architecture cannot be used; taking the pinned packages"
  site=$(mirror "$suite") || return
  for package; do pinned_package "$debs" "$architecture" "$suite" "$site" "$package" || return; done
}

# apt's own downloader knows the machine's proxies, and checks the sum.
pinned_package() {
  local debs=$1 architecture=$2 suite=$3 site=$4 package=$5 sum path
  while read -r sum path; do
    if /usr/lib/apt/apt-helper -qq download-file "$site/$path" "$debs/$(basename "$path")" "SHA256:$sum"; then return; fi
    rm -f "$debs/$(basename "$path")"
  done < <(pinned "$architecture" "$suite" "${package//+/[+]}")
  say "no pinned $package of $suite for $architecture is to be had"
  return 1
}

# packages_dir: what the lane's guest has of PACKAGES.
packages_dir() { echo "$CACHE/packages-$ARCH-$(key "${PACKAGES[*]}" "$(declare -f unpack_packages)")"; }

prepare_packages() { if [ ${#PACKAGES[@]} -gt 0 ]; then cached "$(packages_dir)" unpack_packages; fi; }

unpack_packages() {
  foreign_packages "$1" "$ARCH" trixie "${PACKAGES[@]}"
  rm -rf "$1"/usr/share "$1"/etc
}
