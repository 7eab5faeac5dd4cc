// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct vfio_irq_set}: head of SET_IRQS: what to do with interrupts of one index. The data
 * follows: a byte (BOOL) or a descriptor (EVENTFD) for each interrupt.
 */
public final class VfioIrqSet {
  private static final Struct.Builder FIELDS = Struct.named("vfio_irq_set");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** One VFIO_IRQ_SET_DATA_ bit and one VFIO_IRQ_SET_ACTION_ bit. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** The interrupt index. */
  public static final U32 INDEX = FIELDS.u32("index");

  /** The first interrupt. */
  public static final U32 START = FIELDS.u32("start");

  /** Number of interrupts. */
  public static final U32 COUNT = FIELDS.u32("count");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioIrqSet() {}
}
