// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.number;
import static io.jvfio.lab.Steps.sequence;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_GET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_EXIT;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_PROBE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_SET;

import io.jvfio.linux.uapi.Vfio;
import java.util.List;

/**
 * Resets of whole buses, and features of devices.
 *
 * <p>A wake-up event is never armed: a real device falls asleep some time after a call, and whether
 * the next one wakes it is a matter of luck.
 */
final class FeatureSequences {
  private static final int GET = VFIO_DEVICE_FEATURE_GET;
  private static final int SET = VFIO_DEVICE_FEATURE_SET;
  private static final int PROBE = VFIO_DEVICE_FEATURE_PROBE;
  private static final int CONFIG = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;

  /** All features up to Linux 7.2, and one that no kernel will have. */
  private static final List<Integer> FEATURES =
      List.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0xffff);

  private static final int ENTRY = SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY;
  private static final int EXIT = SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT;
  private static final int HEAD = 8;
  private static final int FULL = 40;
  private static final Operand NONE = number(-1);

  /** The controller's version register. */
  private static final int VERSION = 8;

  private FeatureSequences() {}

  private static Operand file(String name) {
    return new Operand.Descriptor(name);
  }

  static List<Sequence> all(int type) {
    return List.of(
        sequence(
            "hot-reset-info",
            s ->
                s.readyDevice(type)
                    .hotResetInfo("d0", 0)
                    .hotResetInfo("d0", 11)
                    .hotResetInfo("d0", 12)
                    .hotResetInfo("d0", 20)
                    .hotResetInfo("d0", 28)
                    .badAddress("d0", Vfio.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO)),
        sequence(
            "hot-reset-of-a-root-bus",
            s ->
                s.readyDevice(type)
                    .hotReset("d0", 16, 0, 1, file("g0"), NONE)
                    .hotReset("d0", 12, 0, 0, NONE, NONE)
                    .hotReset("d0", 11, 0, 1, file("g0"), NONE)
                    .hotReset("d0", 16, 1, 1, file("g0"), NONE)
                    .hotReset("d0", 16, 0, 1, NONE, NONE)
                    .hotReset("d0", 20, 0, 2, file("g0"), file("g0"))
                    .hotReset("d0", 20, 0, 0xffff_ffffL, file("g0"), file("g0"))
                    .badAddress("d0", Vfio.VFIO_DEVICE_PCI_HOT_RESET)),
        sequence(
            "features-there-are",
            s -> {
              s.readyDevice(type);
              for (int feature : FEATURES) {
                s.feature("d0", PROBE | feature, HEAD, 0)
                    .feature("d0", PROBE | GET | feature, HEAD, 0)
                    .feature("d0", PROBE | SET | feature, HEAD, 0)
                    .feature("d0", PROBE | GET | SET | feature, FULL, 0);
              }
            }),
        sequence(
            "features-used",
            s -> {
              s.readyDevice(type);
              for (int feature : FEATURES) {
                s.feature("d0", GET | feature, FULL, -1)
                    .feature("d0", SET | feature, FULL, -1)
                    .feature("d0", feature, FULL, -1)
                    .feature("d0", SET | feature, HEAD, -1);
              }
            }),
        sequence(
            "feature-arguments",
            s ->
                s.readyDevice(type)
                    .feature("d0", PROBE | SET | 3, 0, 0)
                    .feature("d0", PROBE | SET | 3, 7, 0)
                    .feature("d0", PROBE | SET | 3, 4096, 0)
                    .feature("d0", GET | SET | 3, HEAD, 0)
                    .feature("d0", 1 << 19 | PROBE | SET | 3, HEAD, 0)
                    .feature("d0", 1L << 31 | PROBE | SET | 3, HEAD, 0)
                    .feature("d0", 1 << 19 | SET | 0xffff, HEAD, 0)
                    .feature("d0", GET | SET | 0xffff, HEAD, 0)
                    .feature("d0", SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, 12, -1)
                    .feature("d0", SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, 16, -1)
                    .feature("d0", SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, 16, 9999)
                    .feature("d0", SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, 16, 0)
                    .badAddress("d0", Vfio.VFIO_DEVICE_FEATURE)),
        sequence(
            "low-power",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .region("d0", 0, "bar")
                    .write("d0", "config", 0x04, "0200")
                    .feature("d0", EXIT, HEAD, 0)
                    .feature("d0", ENTRY, HEAD, 0)
                    .feature("d0", ENTRY, HEAD, 0)
                    .deviceInfo("d0", 24)
                    .read("d0", "config", 0x00, 4)
                    .read("d0", "config", 0x04, 2)
                    .read("d0", "bar", VERSION, 4)
                    .feature("d0", ENTRY, HEAD, 0)
                    .feature("d0", EXIT, HEAD, 0)
                    .feature("d0", EXIT, HEAD, 0)
                    .read("d0", "bar", VERSION, 4)
                    .feature("d0", ENTRY, HEAD, 0)
                    .reset("d0")
                    .read("d0", "bar", VERSION, 4)
                    .feature("d0", ENTRY, HEAD, 0)
                    .close("d0")
                    .device("d0", "g0", 0)
                    .feature("d0", ENTRY, HEAD, 0)
                    .device("twin", "g0", 0)
                    .feature("twin", ENTRY, HEAD, 0)
                    .feature("twin", EXIT, HEAD, 0)
                    .feature("d0", ENTRY, HEAD, 0)));
  }

  /** Of devices that are opened by nodes of their own, on a root bus. */
  static List<Sequence> ofNodes() {
    return List.of(
        IommufdSteps.sequence(
            "node-hot-reset",
            s ->
                s.iommufd("f")
                    .node("d", 0)
                    .then(
                        o ->
                            o.hotResetInfo("d", 28)
                                .hotReset("d", 12, 0, 0, NONE, NONE)
                                .feature("d", PROBE | SET | 3, HEAD, 0))
                    .bind("d", "f", "dev")
                    .then(
                        o ->
                            o.hotResetInfo("d", 11)
                                .hotResetInfo("d", 28)
                                .hotReset("d", 12, 0, 0, NONE, NONE)
                                .hotReset("d", 16, 0, 1, NONE, NONE)
                                .hotReset("d", 12, 1, 0, NONE, NONE)
                                .feature("d", ENTRY, HEAD, 0)
                                .feature("d", ENTRY, HEAD, 0)
                                .feature("d", EXIT, HEAD, 0)
                                .feature("d", GET | 1, FULL, 0))));
  }

  /** Of a device that is alone below a bridge, and that no IOMMU covers. */
  static List<Sequence> belowABridge() {
    return List.of(
        sequence(
            "bus-reset-info",
            s ->
                s.unprotectedDevice()
                    .hotResetInfo("d", 11)
                    .hotResetInfo("d", 12)
                    .hotResetInfo("d", 19)
                    .hotResetInfo("d", 20)
                    .hotResetInfo("d", 28)),
        sequence(
            "bus-reset",
            s ->
                s.unprotectedDevice()
                    .region("d", CONFIG, "config")
                    .region("d", 0, "bar")
                    .write("d", "config", 0x04, "0200")
                    .hotReset("d", 12, 0, 0, NONE, NONE)
                    .hotReset("d", 16, 1, 1, file("n"), NONE)
                    .hotReset("d", 16, 0, 1, NONE, NONE)
                    .hotReset("d", 16, 0, 1, file("c"), NONE)
                    .hotReset("d", 16, 0, 1, file("d"), NONE)
                    .hotReset("d", 20, 0, 2, file("n"), file("n"))
                    .hotReset("d", 16, 0, 1, file("n"), NONE)
                    .read("d", "config", 0x04, 2)
                    .read("d", "bar", VERSION, 4)
                    .feature("d", ENTRY, HEAD, 0)
                    .hotReset("d", 16, 0, 1, file("n"), NONE)
                    .read("d", "bar", VERSION, 4)
                    .feature("d", ENTRY, HEAD, 0)
                    .group("g0", 0)
                    .hotReset("d", 16, 0, 1, file("g0"), NONE)));
  }
}
