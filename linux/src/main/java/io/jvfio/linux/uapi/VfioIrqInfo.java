// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/** {@code struct vfio_irq_info}: one interrupt index of a device. */
public final class VfioIrqInfo {
  private static final Struct.Builder FIELDS = Struct.named("vfio_irq_info");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** VFIO_IRQ_INFO_ bits. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The index asked about. */
  public static final U32 INDEX = FIELDS.u32("index");

  /** Number of interrupts within it. */
  public static final U32 COUNT = FIELDS.u32("count");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIrqInfo() {}
}
