// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;
import io.jvfio.linux.uapi.Field.U64;

/**
 * {@code struct vfio_eeh_pe_op}: an operation of Enhanced Error Handling on the partitionable
 * endpoint of a sPAPR container.
 */
public final class VfioEehPeOp {
  private static final Struct.Builder FIELDS = Struct.named("vfio_eeh_pe_op");

  /** Size of the struct, and of what follows it, in bytes. */
  public static final U32 ARGSZ = FIELDS.byteSize("argsz");

  /** Must be 0. */
  public static final U32 FLAGS = FIELDS.u32("flags");

  /** VFIO_EEH_PE_ operation. */
  public static final U32 OP = FIELDS.u32("op");

  /** VFIO_EEH error type: 0 is 32-bit, 1 is 64-bit. */
  public static final U32 ERR_TYPE = FIELDS.padding(4).begin("err").u32("type");

  /** Error function. */
  public static final U32 ERR_FUNC = FIELDS.u32("func");

  /** Address of the error. */
  public static final U64 ERR_ADDR = FIELDS.u64("addr");

  /** Mask of the address. */
  public static final U64 ERR_MASK = FIELDS.u64("mask");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.end().build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioEehPeOp() {}
}
