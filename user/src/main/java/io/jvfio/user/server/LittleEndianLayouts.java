// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** What a device reads and writes: little-endian on every machine, at any address. */
final class LittleEndianLayouts {
  static final ValueLayout.OfShort U16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfInt U32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong U64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private LittleEndianLayouts() {}
}
