// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * {@code struct vfio_device_bind_iommufd}: gives a device of a character device of its own to an
 * iommufd.
 */
public final class VfioDeviceBindIommufd {
  private static final Struct.Builder FIELDS = Struct.named("vfio_device_bind_iommufd");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** 0, or that there is a token. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** Descriptor of the iommufd. */
  public static final U32 IOMMUFD = FIELDS.u32("iommufd");

  /** The device in the iommufd, written by the kernel. */
  public static final U32 OUT_DEVID = FIELDS.u32("out_devid");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  /** {@code VFIO_DEVICE_BIND_FLAG_TOKEN}. */
  private static final int FLAG_TOKEN = 1;

  private VfioDeviceBindIommufd() {}

  /**
   * A struct as kernels since 6.17 take it: eight bytes longer, with the process address of a VF
   * token of 16 bytes, and the flag that says so.
   */
  public static MemorySegment allocate(SegmentAllocator allocator, MemorySegment token) {
    var struct = allocator.allocate(BYTES + Long.BYTES, Long.BYTES);
    ARGSZ.set(struct, (int) struct.byteSize());
    FLAGS.set(struct, FLAG_TOKEN);
    struct.set(Layouts.U64, BYTES, token.address());
    return struct;
  }
}
