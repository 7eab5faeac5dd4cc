// SPDX-License-Identifier: Apache-2.0
/**
 * The messages of vfio-user as bytes, without any I/O. Each class has one struct: static accessors
 * over a segment that begins with the message's header, 8-byte aligned, in the byte order of the
 * machine. What has the layout of a struct of the kernel's is in {@code io.jvfio.linux.uapi}, and
 * begins at {@link Header#SIZE}. Source: QEMU, {@code docs/interop/vfio-user.rst}.
 */
package io.jvfio.user.wire;
