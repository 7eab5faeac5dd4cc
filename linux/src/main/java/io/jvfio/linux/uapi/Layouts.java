// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import java.lang.foreign.ValueLayout;

/** The kernel's fixed-width types, in the byte order of the machine. */
public final class Layouts {
  /** {@code __u8}. */
  public static final ValueLayout.OfByte U8 = ValueLayout.JAVA_BYTE;

  /** {@code __u16}. */
  public static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT;

  /** {@code __s32}, {@code __u32}. */
  public static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT;

  /** {@code __u64}. */
  public static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG;

  private Layouts() {}
}
