# SPDX-License-Identifier: Apache-2.0
# The guests' user space: busybox, libc and a Java 25 runtime of the guest's architecture, packed as the first part of an initramfs.

JAVA_MODULES=java.base,java.logging,java.management,java.sql,java.xml,jdk.jfr,jdk.unsupported

# runtime_dir ARCHITECTURE: the directory that holds `runtime.cpio`.
runtime_dir() { echo "$CACHE/runtime-$1-$(key "$JAVA_MODULES" "$(declare -f build_runtime)")"; }

prepare_runtime() {
  host_packages cpio
  cached "$(runtime_dir "$1")" "Java runtime of the $1 guests" "two minutes on one processor, most of it java under emulation" build_runtime "$1" "$TRIPLET"
}

build_runtime() {
  local architecture=$1 triplet=$2 directory=$3 jdk=$3/jdk chroot home root
  home=$(java_home)
  chroot=$(qemu_root)
  root=$chroot/lab/runtime-$architecture # inside the chroot, for QEMU runs its java below
  rm -rf "$root"
  foreign_packages "$jdk" "$architecture" trixie openjdk-25-jdk-headless
  foreign_packages "$root" "$architecture" trixie libc6 libgcc-s1 libstdc++6 zlib1g busybox-static
  # Debug symbols stay: stripping them needs an objcopy that knows the foreign format.
  log "jlink-$architecture" "$home/bin/jlink" --module-path "$jdk/usr/lib/jvm/java-25-openjdk-$architecture/jmods" \
    --add-modules "$JAVA_MODULES" --no-man-pages --no-header-files --output "$root/jre"
  # None of it is needed by Java, and every byte is unpacked into the guest's memory. Some versions of the package have debug symbols in their
  # modules, more than 700 MB of them.
  rm -rf "$root/usr/share" "$root/usr/lib/$triplet/gconv"
  find "$root/jre" -name '*.debuginfo' -delete
  mkdir -p "$root"/{dev,etc,proc,run,sys,tmp,root,usr/{bin,lib,lib64}}
  ln -s usr/bin "$root/bin"
  ln -s usr/bin "$root/sbin"
  ln -s usr/lib "$root/lib"
  ln -s usr/lib64 "$root/lib64"
  # An archive of its own classes saves java some three seconds of every start in an emulated machine.
  # Only a java of that architecture can write one. It notes the size and time of lib/modules: cpio keeps both.
  log "jsa-$architecture" chroot "$chroot" "$USER_BINARY" -L "${root#"$chroot"}" "${root#"$chroot"}/jre/bin/java" -Xshare:dump
  pack "$root" "$directory/runtime.cpio"
  rm -rf "$root" "$jdk"
}

# pack DIRECTORY FILE: an initramfs; the kernel takes several, one after the other, in one file.
pack() { (cd "$1" && find . | sort | cpio --quiet -o -H newc -R 0:0) >"$2"; }
