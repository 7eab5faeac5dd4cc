package io.jvfio.sim;

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
  private static final long HEAD = VfioDeviceFeature.SIZE;
  private static final long TOKEN_SIZE = 16;

  /** What the call may do with each feature. */
  private static final int GET = VFIO_DEVICE_FEATURE_GET;

  private static final int SET = VFIO_DEVICE_FEATURE_SET;
  private static final int KNOWN = VFIO_DEVICE_FEATURE_MASK | GET | SET | VFIO_DEVICE_FEATURE_PROBE;

  /** Big-endian, as the text of an UUID is. */
  private static final ValueLayout.OfLong BIG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private final Host host;
  private final HostDevice device;
  private final VfioPci pci;

  /** What a feature does once the checks that all have in common are passed. */
  private interface Action {
    int run() throws UserFault;
  }

  FeatureCall(Host host, HostDevice device, VfioPci pci) {
    this.host = host;
    this.device = device;
    this.pci = pci;
  }

  int answer(UserArgument argument) throws UserFault {
    var feature = argument.copyIn(HEAD, HEAD);
    int flags = VfioDeviceFeature.flags(feature);
    long argsz = Integer.toUnsignedLong(VfioDeviceFeature.argsz(feature));
    boolean probes = (flags & VFIO_DEVICE_FEATURE_PROBE) != 0;
    boolean both = (flags & (GET | SET)) == (GET | SET);
    if (argsz < HEAD || (flags & ~KNOWN) != 0 || (!probes && both)) {
      return Errno.EINVAL.result();
    }
    int index = flags & VFIO_DEVICE_FEATURE_MASK;
    if (index == VFIO_DEVICE_FEATURE_PCI_VF_TOKEN) {
      return device.token == null
          ? Errno.ENOTTY.result()
          : checked(flags, argsz, SET, TOKEN_SIZE, () -> setToken(argument));
    }
    if (host.description().era() == KernelEra.LINUX_5_10) {
      return Errno.ENOTTY.result();
    }
    return switch (index) {
      case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY ->
          checked(flags, argsz, SET, 0, () -> pci.enterLowPower(null));
      case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP ->
          checked(
              flags,
              argsz,
              SET,
              VfioDeviceLowPowerEntryWithWakeup.SIZE,
              () -> enterLowPower(argument));
      case VFIO_DEVICE_FEATURE_LOW_POWER_EXIT ->
          checked(
              flags,
              argsz,
              SET,
              0,
              () -> {
                pci.leaveLowPower();
                return 0;
              });
      default -> {
        var variant = pci.variant();
        yield variant == null
            ? Errno.ENOTTY.result()
            : answer(argument, variant, index, flags, argsz);
      }
    };
  }

  /** What only a vendor's driver has. */
  private int answer(UserArgument argument, VariantDriver variant, int index, int flags, long argsz)
      throws UserFault {
    return switch (index) {
      case VFIO_DEVICE_FEATURE_MIGRATION ->
          checked(
              flags,
              argsz,
              GET,
              VfioDeviceFeatureMigration.SIZE,
              () -> {
                var struct = MemorySegment.ofArray(new long[1]);
                VfioDeviceFeatureMigration.flags(struct, variant.abilities());
                argument.copyOut(HEAD, struct, VfioDeviceFeatureMigration.SIZE);
                return 0;
              });
      case VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE ->
          checked(
              flags,
              argsz,
              GET | SET,
              VfioDeviceFeatureMigState.SIZE,
              () -> state(argument, variant, (flags & SET) != 0));
      case VFIO_DEVICE_FEATURE_MIG_DATA_SIZE ->
          checked(
              flags,
              argsz,
              GET,
              VfioDeviceFeatureMigDataSize.SIZE,
              () -> {
                var struct = MemorySegment.ofArray(new long[1]);
                VfioDeviceFeatureMigDataSize.stopCopyLength(struct, variant.dataSize());
                argument.copyOut(HEAD, struct, VfioDeviceFeatureMigDataSize.SIZE);
                return 0;
              });
      case VFIO_DEVICE_FEATURE_DMA_LOGGING_START ->
          checked(
              flags,
              argsz,
              SET,
              VfioDeviceFeatureDmaLoggingControl.SIZE,
              () -> startLog(argument, variant.log()));
      case VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP ->
          checked(
              flags,
              argsz,
              SET,
              0,
              () -> {
                variant.log().stop();
                return 0;
              });
      case VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT ->
          checked(
              flags,
              argsz,
              GET,
              VfioDeviceFeatureDmaLoggingReport.SIZE,
              () -> report(argument, variant.log()));
      default -> Errno.ENOTTY.result();
    };
  }

  /** The rules that all features share: what may be done, and how much data there must be. */
  private static int checked(int flags, long argsz, int allowed, long dataSize, Action action)
      throws UserFault {
    int wanted = flags & (GET | SET);
    if ((wanted & ~allowed) != 0) {
      return Errno.EINVAL.result();
    }
    if ((flags & VFIO_DEVICE_FEATURE_PROBE) != 0) {
      return 0;
    }
    return wanted == 0 || argsz - HEAD < dataSize ? Errno.EINVAL.result() : action.run();
  }

  private static MemorySegment data(UserArgument argument, long byteSize) throws UserFault {
    return argument.copyIn(HEAD + byteSize, HEAD + byteSize).asSlice(HEAD, byteSize);
  }

  private int setToken(UserArgument argument) throws UserFault {
    var bytes = data(argument, TOKEN_SIZE);
    device.token = new UUID(bytes.get(BIG, 0), bytes.get(BIG, 8));
    return 0;
  }

  private int enterLowPower(UserArgument argument) throws UserFault {
    int fd =
        VfioDeviceLowPowerEntryWithWakeup.wakeupEventfd(
            data(argument, VfioDeviceLowPowerEntryWithWakeup.SIZE));
    if (fd < 0) {
      return Errno.EINVAL.result();
    }
    var file = host.files().get(fd);
    if (file == null) {
      return Errno.EBADF.result();
    }
    return file instanceof EventFile event ? pci.enterLowPower(event) : Errno.EINVAL.result();
  }

  private int state(UserArgument argument, VariantDriver variant, boolean set) throws UserFault {
    var struct = data(argument, VfioDeviceFeatureMigState.SIZE);
    int result = 0;
    int fd = -1;
    if (set) {
      var step = variant.enter(VfioDeviceFeatureMigState.deviceState(struct));
      result = step.error();
      device.resume();
      var stream = step.stream();
      if (stream != null) {
        fd = host.files().lowestFree();
        if (fd < 0) {
          stream.drop();
          return fd; // the device is in the new state all the same
        }
        host.files().install(fd, stream);
      }
    } else {
      VfioDeviceFeatureMigState.deviceState(struct, variant.state());
    }
    VfioDeviceFeatureMigState.dataFd(struct, fd);
    try {
      argument.copyOut(HEAD, struct, VfioDeviceFeatureMigState.SIZE);
    } catch (UserFault e) {
      if (fd >= 0) {
        host.files().close(fd);
      }
      throw e;
    }
    return result;
  }

  private int startLog(UserArgument argument, DmaLog log) throws UserFault {
    var control = data(argument, VfioDeviceFeatureDmaLoggingControl.SIZE);
    long pageSize = VfioDeviceFeatureDmaLoggingControl.pageSize(control);
    long count = Integer.toUnsignedLong(VfioDeviceFeatureDmaLoggingControl.numRanges(control));
    if (count == 0) {
      return Errno.EINVAL.result();
    }
    if (count > host.description().pageSize() / VfioDeviceFeatureDmaLoggingRange.SIZE) {
      return Errno.E2BIG.result();
    }
    long size = count * VfioDeviceFeatureDmaLoggingRange.SIZE;
    var given =
        UserArgument.of(VfioDeviceFeatureDmaLoggingControl.ranges(control), host.memory())
            .copyIn(size, size);
    var ranges = new ArrayList<DmaLog.Range>();
    for (long at = 0; at < size; at += VfioDeviceFeatureDmaLoggingRange.SIZE) {
      var range = given.asSlice(at, VfioDeviceFeatureDmaLoggingRange.SIZE);
      long iova = VfioDeviceFeatureDmaLoggingRange.iova(range);
      long length = VfioDeviceFeatureDmaLoggingRange.length(range);
      if ((iova & (pageSize - 1)) != 0 || (length & (pageSize - 1)) != 0) {
        return Errno.EINVAL.result();
      }
      if (Long.compareUnsigned(iova + length, iova) < 0) {
        return Errno.EOVERFLOW.result();
      }
      var added = new DmaLog.Range(iova, iova + length - 1);
      if (ranges.stream().anyMatch(added::overlaps)) {
        return Errno.EINVAL.result();
      }
      ranges.add(added);
    }
    int error = log.start(pageSize, ranges);
    if (error != 0) {
      return error;
    }
    VfioDeviceFeatureDmaLoggingControl.pageSize(control, log.pageSize());
    try {
      argument.copyOut(HEAD, control, VfioDeviceFeatureDmaLoggingControl.SIZE);
    } catch (UserFault e) {
      log.stop();
      throw e;
    }
    return 0;
  }

  private int report(UserArgument argument, DmaLog log) throws UserFault {
    var report = data(argument, VfioDeviceFeatureDmaLoggingReport.SIZE);
    long iova = VfioDeviceFeatureDmaLoggingReport.iova(report);
    long length = VfioDeviceFeatureDmaLoggingReport.length(report);
    long pageSize = VfioDeviceFeatureDmaLoggingReport.pageSize(report);
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
    var user = UserArgument.of(VfioDeviceFeatureDmaLoggingReport.bitmap(report), host.memory());
    var bitmap = user.copyIn(byteSize, byteSize);
    log.report(iova, length, pageSize, bitmap);
    user.copyOut(0, bitmap, byteSize);
    return 0;
  }
}
