// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_GET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_PCI_VF_TOKEN;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_PROBE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_SET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RESUMING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP_COPY;
import static io.jvfio.linux.uapi.Vfio.VFIO_MIG_GET_PRECOPY_INFO;
import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1v2_IOMMU;
import static io.jvfio.sim.Guest.answer;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.VfioDeviceFeature;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigState;
import io.jvfio.testkit.CopyEngine;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** VFIO_DEVICE_FEATURE, call by call, of a device whose driver has all features. */
class FeatureCallTest {
  private static final String DEVICE = "0000:00:01.0";
  private static final int GET = VFIO_DEVICE_FEATURE_GET;
  private static final int SET = VFIO_DEVICE_FEATURE_SET;
  private static final int PROBE = VFIO_DEVICE_FEATURE_PROBE;

  private final CopyEngine engine = new CopyEngine(0x1000);
  private final Guest guest =
      new Guest(
          "x86-6.12",
          HostOptions.defaults()
              .withLockedMemoryLimit(Kernel.NO_LIMIT)
              .withOpenFileLimit(12)
              .withMigration(DEVICE, true, true)
              .withVirtualFunction("0000:00:01.4", DEVICE)
              .withModels(address -> address.equals(DEVICE) ? engine : null));
  private final int group = guest.group(1);
  private final int container = guest.container(group, VFIO_TYPE1v2_IOMMU);
  private final int device = guest.device(group, DEVICE);

  @AfterEach
  void close() {
    guest.close(device, container, group);
    guest.close();
  }

  private MemorySegment struct(int flags, long... data) {
    var struct = guest.arena.allocate(VfioDeviceFeature.BYTES + 8L * data.length, 8);
    VfioDeviceFeature.ARGSZ.set(struct, (int) struct.byteSize());
    VfioDeviceFeature.FLAGS.set(struct, flags);
    for (int i = 0; i < data.length; i++) {
      struct.setAtIndex(ValueLayout.JAVA_LONG, 1 + i, data[i]);
    }
    return struct;
  }

  private String call(int flags, long... data) {
    return answer(guest.kernel.ioctl(device, VFIO_DEVICE_FEATURE, struct(flags, data)));
  }

  /** A new stream of data, or a negated errno. */
  private int enter(int state) {
    var struct = struct(SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, state);
    int result = guest.kernel.ioctl(device, VFIO_DEVICE_FEATURE, struct);
    return result < 0
        ? result
        : VfioDeviceFeatureMigState.DATA_FD.get(struct.asSlice(VfioDeviceFeature.BYTES));
  }

  @Test
  void onlyWhatAFeatureIsForIsAllowed() {
    for (int readOnly : new int[] {1, 8, 9}) {
      assertThat(call(PROBE | GET | readOnly)).isEqualTo("0");
      assertThat(call(PROBE | SET | readOnly)).isEqualTo("EINVAL");
      assertThat(call(SET | readOnly, 0, 0, 0, 0)).isEqualTo("EINVAL");
      assertThat(call(GET | readOnly)).as("no room for data").isEqualTo("EINVAL");
    }
    for (int writeOnly : new int[] {0, 3, 4, 5, 6, 7}) {
      assertThat(call(PROBE | SET | writeOnly)).isEqualTo("0");
      assertThat(call(PROBE | GET | writeOnly)).isEqualTo("EINVAL");
      assertThat(call(writeOnly, 0, 0, 0, 0)).as("neither").isEqualTo("EINVAL");
    }
    assertThat(call(PROBE | GET | SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE)).isEqualTo("0");
    assertThat(call(GET | SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, 0)).isEqualTo("EINVAL");
    assertThat(call(PROBE | GET | 10)).isEqualTo("ENOTTY");
    assertThat(call(PROBE | GET | 11)).isEqualTo("ENOTTY");
    assertThat(call(SET | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, 1)).isEqualTo("EINVAL");
    assertThat(call(SET | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, 1, 2)).isEqualTo("0");
  }

  @Test
  void aLogRefusesWhatLinuxRefuses() {
    int start = SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
    var ranges = guest.arena.allocate(1024 * 16L, 8);
    long address = ranges.address();
    ranges.set(ValueLayout.JAVA_LONG, 8, 0x2000);
    assertThat(call(start, 4096, 0, address)).as("no range").isEqualTo("EINVAL");
    assertThat(call(start, 4096, 257, address)).as("too many").isEqualTo("E2BIG");
    assertThat(call(start, 4096, 2, 8)).as("no memory there").isEqualTo("EFAULT");
    assertThat(call(start, 0x4000, 1, address)).as("misaligned").isEqualTo("EINVAL");
    ranges.set(ValueLayout.JAVA_LONG, 16, 0x1000);
    ranges.set(ValueLayout.JAVA_LONG, 24, 0x1000);
    assertThat(call(start, 4096, 2, address)).as("overlapping").isEqualTo("EINVAL");
    ranges.set(ValueLayout.JAVA_LONG, 16, -0x1000);
    ranges.set(ValueLayout.JAVA_LONG, 24, 0x2000);
    assertThat(call(start, 4096, 2, address)).as("wrapping").isEqualTo("EOVERFLOW");

    int report = GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
    long bitmap = guest.arena.allocate(8, 8).address();
    assertThat(call(report, 0, 0x1000, 4096, bitmap)).as("not running").isEqualTo("EINVAL");
    assertThat(call(start, 4096, 1, address)).isEqualTo("0");
    assertThat(call(start, 4096, 1, address)).as("running").isEqualTo("EINVAL");
    assertThat(call(report, 0, 0x1000, 2048, bitmap)).as("small page").isEqualTo("EINVAL");
    assertThat(call(report, 0, 0x1000, 0x3000, bitmap)).as("odd page").isEqualTo("EINVAL");
    assertThat(call(report, -0x1000, 0x2000, 4096, bitmap)).isEqualTo("EOVERFLOW");
    assertThat(call(report, 0, 0x1000, 4096, 8)).isEqualTo("EFAULT");
    assertThat(call(report, 0, 0x1000, 4096, bitmap)).isEqualTo("0");
    assertThat(call(SET | 7)).isEqualTo("0");
    assertThat(call(SET | 7)).as("stopping twice").isEqualTo("0");
  }

  @Test
  void aBitmapKeepsTheBitsThatItHas() {
    var ranges = guest.arena.allocate(16, 8);
    ranges.set(ValueLayout.JAVA_LONG, 8, 0x10000);
    call(SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START, 4096, 1, ranges.address());
    var bitmap = guest.arena.allocate(8, 8);
    bitmap.set(ValueLayout.JAVA_LONG, 0, 0x8000);
    call(GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, 0, 0x10000, 4096, bitmap.address());
    assertThat(bitmap.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0x8000);
  }

  @Test
  void streamsAreStreams() {
    var bytes = guest.arena.allocate(16, 8);
    int source = enter(VFIO_DEVICE_STATE_STOP_COPY);
    assertThat(answer(guest.kernel.pread(source, bytes, 0))).isEqualTo("ESPIPE");
    assertThat(answer(guest.kernel.pwrite(source, bytes, 0))).isEqualTo("ESPIPE");
    assertThat(answer(guest.kernel.write(source, bytes))).isEqualTo("EBADF");
    assertThat(answer(guest.kernel.read(source, bytes))).isEqualTo("16");
    assertThat(answer(guest.kernel.ioctl(source, VFIO_MIG_GET_PRECOPY_INFO, bytes)))
        .isEqualTo("EFAULT");
    assertThat(answer(guest.kernel.ioctl(source, VFIO_DEVICE_FEATURE, bytes))).isEqualTo("ENOTTY");
    int sink = enter(VFIO_DEVICE_STATE_RESUMING);
    assertThat(answer(guest.kernel.read(source, bytes))).isEqualTo("ENODEV");
    assertThat(answer(guest.kernel.read(sink, bytes))).isEqualTo("EBADF");
    assertThat(answer(guest.kernel.write(sink, bytes))).isEqualTo("16");
    var large = guest.arena.allocate(64 << 20);
    assertThat(answer(guest.kernel.write(sink, large))).isEqualTo("ENOMEM");
    guest.close(source, sink);
  }

  @Test
  void withoutAFreeDescriptorTheStateChangesAndTheStreamIsLost() {
    int[] files = new int[6];
    for (int i = 0; i < files.length; i++) {
      files[i] = guest.kernel.eventFd(0, 0);
    }
    assertThat(answer(enter(VFIO_DEVICE_STATE_STOP_COPY))).isEqualTo("EMFILE");
    guest.close(files);
    assertThat(enter(VFIO_DEVICE_STATE_STOP_COPY)).as("it is there already").isEqualTo(-1);
    enter(VFIO_DEVICE_STATE_STOP);
    int source = enter(VFIO_DEVICE_STATE_STOP_COPY);
    assertThat(source).isPositive();
    guest.close(source);
  }
}
