/**
 * The VFIO user API: one class per struct, named after it, and the constants under the kernel's own
 * names.
 *
 * <p>Source: {@code include/uapi/linux/vfio.h}. A test compiles the same facts against the C
 * headers.
 */
package io.jvfio.linux.uapi;
