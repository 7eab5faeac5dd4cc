// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_GET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_EXIT;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_PROBE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_SET;

import io.jvfio.linux.uapi.Vfio;
import java.util.List;

/**
 * Features of devices, and resets of buses.
 *
 * <p>No wake-up event is armed, for the reason that {@link FeatureSequences} gives: what is given
 * for one is never an eventfd.
 */
final class FeatureCalls implements Subject {
  private static final int HEAD = 8;
  private static final int FULL = 40;

  private static final List<Integer> OPERATIONS =
      List.of(
          VFIO_DEVICE_FEATURE_PROBE,
          VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET,
          VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET,
          VFIO_DEVICE_FEATURE_GET,
          VFIO_DEVICE_FEATURE_SET,
          VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET,
          0);

  private static final List<Integer> LOW_POWER =
      List.of(VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT);

  @Override
  public void offer(Draft draft, Menu menu) {
    if (!draft.devices.isEmpty()) {
      menu.add(6, () -> call(draft, draft.oneOf(List.copyOf(draft.devices.keySet()))));
    }
  }

  /** One call on a device. */
  static void call(Draft draft, String device) {
    switch (draft.below(5)) {
      case 0 -> draft.steps.hotResetInfo(device, draft.argsz(draft.oneOf(List.of(12L, 20L, 28L))));
      case 1 -> hotReset(draft, device);
      case 2 ->
          draft.steps.feature(
              device,
              draft.flags(VFIO_DEVICE_FEATURE_SET | draft.oneOf(LOW_POWER)),
              draft.argsz(HEAD),
              0);
      default ->
          draft.steps.feature(
              device,
              draft.flags(draft.oneOf(OPERATIONS) | draft.below(14)),
              draft.argsz(draft.chance(50) ? HEAD : FULL),
              -1);
    }
  }

  private static void hotReset(Draft draft, String device) {
    if (draft.chance(5)) {
      draft.steps.badAddress(device, Vfio.VFIO_DEVICE_PCI_HOT_RESET);
      return;
    }
    int count = draft.below(3);
    draft.steps.hotReset(
        device, draft.argsz(12 + 4L * count), draft.flags(0), count, file(draft), file(draft));
  }

  private static Operand file(Draft draft) {
    return new Operand.Descriptor(
        draft.chance(80)
            ? draft.oneOf(List.copyOf(draft.groups.keySet()), Draft.NOWHERE)
            : draft.container());
  }
}
