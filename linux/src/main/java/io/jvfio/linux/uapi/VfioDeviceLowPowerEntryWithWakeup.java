// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux.uapi;

import io.jvfio.linux.uapi.Field.U32;

/**
 * {@code struct vfio_device_low_power_entry_with_wakeup}: feature: low power with a notice when the
 * device was woken.
 */
public final class VfioDeviceLowPowerEntryWithWakeup {
  private static final Struct.Builder FIELDS =
      Struct.named("vfio_device_low_power_entry_with_wakeup");

  /** Signalled when it was woken. */
  public static final U32 WAKEUP_EVENTFD = FIELDS.u32("wakeup_eventfd");

  /** The struct as the C compiler lays it out. */
  public static final Struct STRUCT = FIELDS.unused32("reserved").build();

  /** Size in bytes. */
  public static final long BYTES = STRUCT.byteSize();

  private VfioDeviceLowPowerEntryWithWakeup() {}
}
