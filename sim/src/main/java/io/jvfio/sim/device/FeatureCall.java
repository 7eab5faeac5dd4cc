// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_GET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_EXIT;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MASK;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MIGRATION;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_PCI_VF_TOKEN;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_PROBE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_SET;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.VfioDeviceFeature;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingControl;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingRange;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingReport;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigDataSize;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigState;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigration;
import io.jvfio.linux.uapi.VfioDeviceLowPowerEntryWithWakeup;
import io.jvfio.sim.files.EventFile;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.iommu.IovaRanges.Range;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import io.jvfio.sim.setup.KernelEra;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.UUID;

/**
 * {@code VFIO_DEVICE_FEATURE}. Source: {@code drivers/vfio/vfio_main.c}, {@code
 * drivers/vfio/pci/vfio_pci_core.c}; 5.10 knows only tokens.
 */
final class FeatureCall {
  private static final long HEAD = VfioDeviceFeature.BYTES;
  private static final long TOKEN_SIZE = 16;

  /** What the call may do with each feature. */
  private static final int GET = VFIO_DEVICE_FEATURE_GET;

  private static final int SET = VFIO_DEVICE_FEATURE_SET;
  private static final int KNOWN = VFIO_DEVICE_FEATURE_MASK | GET | SET | VFIO_DEVICE_FEATURE_PROBE;

  /** Big-endian, as the text of an UUID is. */
  private static final ValueLayout.OfLong BIG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private final HostProcess process;
  private final HostDevice device;
  private final VfioPci pci;
  private final UserArgument argument;
  private int flags;
  private long argsz;

  /** The action of a feature, once the checks that all have in common are passed. */
  private interface Action {
    int run() throws UserFault;
  }

  FeatureCall(HostDevice device, VfioPci pci, UserArgument argument) {
    this.process = device.process();
    this.device = device;
    this.pci = pci;
    this.argument = argument;
  }

  int answer() throws UserFault {
    var feature = argument.copyIn(HEAD);
    flags = VfioDeviceFeature.FLAGS.get(feature);
    argsz = Integer.toUnsignedLong(VfioDeviceFeature.ARGSZ.get(feature));
    boolean probes = (flags & VFIO_DEVICE_FEATURE_PROBE) != 0;
    boolean both = (flags & (GET | SET)) == (GET | SET);
    if (argsz < HEAD || (flags & ~KNOWN) != 0 || (!probes && both)) {
      return Errno.EINVAL.result();
    }
    int index = flags & VFIO_DEVICE_FEATURE_MASK;
    if (index == VFIO_DEVICE_FEATURE_PCI_VF_TOKEN) {
      return device.token().exists()
          ? checked(SET, TOKEN_SIZE, this::setToken)
          : Errno.ENOTTY.result();
    }
    if (process.era() == KernelEra.LINUX_5_10) {
      return Errno.ENOTTY.result();
    }
    return switch (index) {
      case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY -> checked(SET, 0, () -> pci.enterLowPower(null));
      case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP ->
          checked(SET, VfioDeviceLowPowerEntryWithWakeup.BYTES, this::enterLowPower);
      case VFIO_DEVICE_FEATURE_LOW_POWER_EXIT -> checked(SET, 0, pci::leaveLowPower);
      default -> {
        var variant = pci.variant();
        yield variant == null ? Errno.ENOTTY.result() : answer(variant, index);
      }
    };
  }

  /** What only a vendor's driver has. */
  private int answer(VariantDriver variant, int index) throws UserFault {
    return switch (index) {
      case VFIO_DEVICE_FEATURE_MIGRATION ->
          checked(GET, VfioDeviceFeatureMigration.BYTES, () -> respond(variant.abilities()));
      case VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE ->
          checked(GET | SET, VfioDeviceFeatureMigState.BYTES, () -> state(variant));
      case VFIO_DEVICE_FEATURE_MIG_DATA_SIZE ->
          checked(GET, VfioDeviceFeatureMigDataSize.BYTES, () -> respond(variant.dataSize()));
      case VFIO_DEVICE_FEATURE_DMA_LOGGING_START ->
          checked(SET, VfioDeviceFeatureDmaLoggingControl.BYTES, () -> startLog(variant.log()));
      case VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP -> checked(SET, 0, variant.log()::stop);
      case VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT ->
          checked(GET, VfioDeviceFeatureDmaLoggingReport.BYTES, () -> report(variant.log()));
      default -> Errno.ENOTTY.result();
    };
  }

  /** The rules that all features share: what may be done, and how much data there must be. */
  private int checked(int allowed, long dataSize, Action action) throws UserFault {
    int wanted = flags & (GET | SET);
    if ((wanted & ~allowed) != 0) {
      return Errno.EINVAL.result();
    }
    if ((flags & VFIO_DEVICE_FEATURE_PROBE) != 0) {
      return 0;
    }
    return wanted == 0 || argsz - HEAD < dataSize ? Errno.EINVAL.result() : action.run();
  }

  /** Both structs that tell only a number have just that, of 64 bits. */
  private int respond(long number) throws UserFault {
    argument.copyOut(HEAD, MemorySegment.ofArray(new long[] {number}), Long.BYTES);
    return 0;
  }

  private MemorySegment data(long byteSize) throws UserFault {
    return argument.copyIn(HEAD + byteSize).asSlice(HEAD, byteSize);
  }

  private int setToken() throws UserFault {
    var bytes = data(TOKEN_SIZE);
    device.token().set(new UUID(bytes.get(BIG, 0), bytes.get(BIG, 8)));
    return 0;
  }

  private int enterLowPower() throws UserFault {
    int fd =
        VfioDeviceLowPowerEntryWithWakeup.WAKEUP_EVENTFD.get(
            data(VfioDeviceLowPowerEntryWithWakeup.BYTES));
    if (fd < 0) {
      return Errno.EINVAL.result();
    }
    int error = EventFile.refusal(process, fd);
    return error == 0 ? pci.enterLowPower(EventFile.of(process, fd)) : error;
  }

  private int state(VariantDriver variant) throws UserFault {
    var struct = data(VfioDeviceFeatureMigState.BYTES);
    int result = 0;
    int fd = -1;
    if ((flags & SET) != 0) {
      var step = variant.enter(VfioDeviceFeatureMigState.DEVICE_STATE.get(struct));
      result = step.error();
      device.resume();
      var stream = step.stream();
      if (stream != null) {
        fd = process.files().lowestFree();
        if (fd < 0) {
          stream.drop();
          return fd; // the device is in the new state all the same
        }
        process.files().install(fd, stream);
      }
    } else {
      VfioDeviceFeatureMigState.DEVICE_STATE.set(struct, variant.state());
    }
    VfioDeviceFeatureMigState.DATA_FD.set(struct, fd);
    try {
      argument.copyOut(HEAD, struct, VfioDeviceFeatureMigState.BYTES);
    } catch (UserFault e) {
      if (fd >= 0) {
        process.files().close(fd);
      }
      throw e;
    }
    return result;
  }

  private int startLog(DmaLog log) throws UserFault {
    var control = data(VfioDeviceFeatureDmaLoggingControl.BYTES);
    long pageSize = VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.get(control);
    long count = Integer.toUnsignedLong(VfioDeviceFeatureDmaLoggingControl.NUM_RANGES.get(control));
    if (count == 0) {
      return Errno.EINVAL.result();
    }
    if (count > process.pageSize() / VfioDeviceFeatureDmaLoggingRange.BYTES) {
      return Errno.E2BIG.result();
    }
    long size = count * VfioDeviceFeatureDmaLoggingRange.BYTES;
    var given =
        UserArgument.of(VfioDeviceFeatureDmaLoggingControl.RANGES.get(control), process.memory())
            .copyIn(size);
    var ranges = new ArrayList<Range>();
    for (long at = 0; at < size; at += VfioDeviceFeatureDmaLoggingRange.BYTES) {
      var range = given.asSlice(at, VfioDeviceFeatureDmaLoggingRange.BYTES);
      long iova = VfioDeviceFeatureDmaLoggingRange.IOVA.get(range);
      long length = VfioDeviceFeatureDmaLoggingRange.LENGTH.get(range);
      if ((iova & (pageSize - 1)) != 0 || (length & (pageSize - 1)) != 0) {
        return Errno.EINVAL.result();
      }
      if (Long.compareUnsigned(iova + length, iova) < 0) {
        return Errno.EOVERFLOW.result();
      }
      var added = new Range(iova, iova + length - 1);
      if (ranges.stream().anyMatch(added::meets)) {
        return Errno.EINVAL.result();
      }
      ranges.add(added);
    }
    int error = log.start(pageSize, ranges);
    if (error != 0) {
      return error;
    }
    VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.set(control, log.pageSize());
    try {
      argument.copyOut(HEAD, control, VfioDeviceFeatureDmaLoggingControl.BYTES);
    } catch (UserFault e) {
      log.stop();
      throw e;
    }
    return 0;
  }

  private int report(DmaLog log) throws UserFault {
    var report = data(VfioDeviceFeatureDmaLoggingReport.BYTES);
    long iova = VfioDeviceFeatureDmaLoggingReport.IOVA.get(report);
    long length = VfioDeviceFeatureDmaLoggingReport.LENGTH.get(report);
    long pageSize = VfioDeviceFeatureDmaLoggingReport.PAGE_SIZE.get(report);
    if (Long.compareUnsigned(pageSize, 4096) < 0 || Long.bitCount(pageSize) != 1) {
      return Errno.EINVAL.result();
    }
    if (Long.compareUnsigned(iova + length, iova) < 0) {
      return Errno.EOVERFLOW.result();
    }
    if (!log.isRunning()) {
      return Errno.EINVAL.result();
    }
    long pages = Math.ceilDiv(length, pageSize);
    long byteSize = Math.ceilDiv(pages, Long.SIZE) * Long.BYTES;
    var user =
        UserArgument.of(VfioDeviceFeatureDmaLoggingReport.BITMAP.get(report), process.memory());
    var bitmap = user.copyIn(byteSize);
    log.report(iova, length, pageSize, bitmap);
    user.copyOut(0, bitmap, byteSize);
    return 0;
  }
}
