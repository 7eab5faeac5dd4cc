// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceFeature;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingControl;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingRange;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingReport;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigState;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * {@code VFIO_DEVICE_FEATURE} over messages, which have the layout of the kernel's structs but for
 * pointers: what the kernel finds behind one follows in the message.
 */
final class ClientFeatures {
  private static final int OPERATIONS =
      Vfio.VFIO_DEVICE_FEATURE_GET | Vfio.VFIO_DEVICE_FEATURE_SET | Vfio.VFIO_DEVICE_FEATURE_PROBE;
  private static final int ENOSYS = 38;
  private static final int MOST_RANGES = 1 << 16;

  /** {@code page_size}, {@code num_ranges}, reserved: as the kernel's up to the pointer. */
  private static final long CONTROL_HEAD = VfioDeviceFeatureDmaLoggingControl.RANGES.offset();

  /** {@code iova}, {@code length}, {@code page_size}: as the kernel's up to the pointer. */
  private static final long REPORT_HEAD = VfioDeviceFeatureDmaLoggingReport.BITMAP.offset();

  private final Kernel kernel;
  private final ClientConnection connection;
  private final MigrationPipes pipes;

  ClientFeatures(Kernel kernel, ClientConnection connection, MigrationPipes pipes) {
    this.kernel = kernel;
    this.connection = connection;
    this.pipes = pipes;
  }

  /** What the ioctl answers. */
  int call(MemorySegment struct) {
    if (struct.byteSize() < VfioDeviceFeature.BYTES) {
      return Errno.EINVAL.result();
    }
    int flags = VfioDeviceFeature.FLAGS.get(struct);
    int feature = flags & Vfio.VFIO_DEVICE_FEATURE_MASK;
    var data = struct.asSlice(VfioDeviceFeature.BYTES);
    if ((flags & Vfio.VFIO_DEVICE_FEATURE_PROBE) != 0) {
      return probe(feature, flags);
    }
    return switch (feature) {
      case Vfio.VFIO_DEVICE_FEATURE_MIGRATION, Vfio.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE ->
          plain(flags, data);
      case Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE ->
          (flags & OPERATIONS) == Vfio.VFIO_DEVICE_FEATURE_SET
              ? enterState(flags, data)
              : plain(flags, data);
      case Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START -> startLog(flags, data);
      case Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP -> plain(flags, data);
      case Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT -> report(flags, data);
      default -> Errno.ENOTTY.result();
    };
  }

  private static boolean isKnown(int feature) {
    return switch (feature) {
      case Vfio.VFIO_DEVICE_FEATURE_MIGRATION,
          Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
          Vfio.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
          Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
          Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
          Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT ->
          true;
      default -> false;
    };
  }

  /** Servers refuse what they do not know in more ways than the kernel. */
  private int probe(int feature, int flags) {
    if (!isKnown(feature)) {
      return Errno.ENOTTY.result();
    }
    int result =
        connection.ask(
            on -> Calls.feature(on.link(), flags, MemorySegment.NULL, MemorySegment.NULL));
    return result == Errno.EINVAL.result() ? Errno.ENOTTY.result() : known(result);
  }

  private static int known(int result) {
    return result == Errno.EOPNOTSUPP.result() || result == -ENOSYS
        ? Errno.ENOTTY.result()
        : result;
  }

  /** A feature whose data have no pointers. */
  private int plain(int flags, MemorySegment data) {
    boolean isSet = (flags & Vfio.VFIO_DEVICE_FEATURE_SET) != 0;
    return known(
        isSet
            ? connection.tell(on -> Calls.feature(on.link(), flags, data, data))
            : connection.ask(on -> Calls.feature(on.link(), flags, MemorySegment.NULL, data)));
  }

  private int enterState(int flags, MemorySegment data) {
    int wanted = VfioDeviceFeatureMigState.DEVICE_STATE.get(data);
    int ask = Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | Vfio.VFIO_DEVICE_FEATURE_GET;
    int result =
        connection.tell(
            on -> {
              // Whether data go on or begin depends on where the device comes from.
              int told = Calls.feature(on.link(), ask, MemorySegment.NULL, data);
              if (told != 0) {
                return told == Calls.LOST ? Calls.LOST_UNSENT : told;
              }
              int before = VfioDeviceFeatureMigState.DEVICE_STATE.get(data);
              VfioDeviceFeatureMigState.DEVICE_STATE.set(data, wanted);
              VfioDeviceFeatureMigState.DATA_FD.set(data, -1);
              int done = Calls.feature(on.link(), flags, data, data);
              if (done != 0) {
                return done;
              }
              int fd = pipes.enter(on.link(), before, wanted);
              VfioDeviceFeatureMigState.DEVICE_STATE.set(data, wanted);
              VfioDeviceFeatureMigState.DATA_FD.set(data, Math.max(fd, -1));
              return fd < -1 ? fd : 0;
            });
    return known(result);
  }

  /** Memory at an address that the caller has put into a struct. */
  private MemorySegment at(long address, long byteSize) {
    return kernel.memory(address, byteSize, Arena.global());
  }

  private int startLog(int flags, MemorySegment control) {
    int count = VfioDeviceFeatureDmaLoggingControl.NUM_RANGES.get(control);
    if (count < 0 || count > MOST_RANGES) {
      return Errno.E2BIG.result();
    }
    long bytes = count * VfioDeviceFeatureDmaLoggingRange.BYTES;
    try (var arena = Arena.ofConfined()) {
      var message = arena.allocate(CONTROL_HEAD + bytes, Long.BYTES);
      MemorySegment.copy(control, 0, message, 0, CONTROL_HEAD);
      MemorySegment.copy(
          at(VfioDeviceFeatureDmaLoggingControl.RANGES.get(control), bytes),
          0,
          message,
          CONTROL_HEAD,
          bytes);
      int result = known(connection.tell(on -> Calls.feature(on.link(), flags, message, message)));
      if (result == 0) {
        VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.set(
            control, VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.get(message));
      }
      return result;
    }
  }

  /** Piece by piece, as the bits of a long range are more than a message may have. */
  private int report(int flags, MemorySegment report) {
    long iova = VfioDeviceFeatureDmaLoggingReport.IOVA.get(report);
    long length = VfioDeviceFeatureDmaLoggingReport.LENGTH.get(report);
    long page = VfioDeviceFeatureDmaLoggingReport.PAGE_SIZE.get(report);
    if (Long.bitCount(page) != 1 || length <= 0) {
      return Errno.EINVAL.result();
    }
    long words = Math.ceilDiv(Math.ceilDiv(length, page), Long.SIZE);
    var bitmap = at(VfioDeviceFeatureDmaLoggingReport.BITMAP.get(report), words * Long.BYTES);
    long most = (connection.peer().transfer() - REPORT_HEAD) / Long.BYTES;
    try (var arena = Arena.ofConfined()) {
      var ask = arena.allocate(REPORT_HEAD, Long.BYTES);
      for (long word = 0; word < words; ) {
        long part = Math.min(words - word, most);
        long start = word * Long.SIZE * page;
        VfioDeviceFeatureDmaLoggingReport.IOVA.set(ask, iova + start);
        VfioDeviceFeatureDmaLoggingReport.LENGTH.set(
            ask, Math.min(length - start, part * Long.SIZE * page));
        VfioDeviceFeatureDmaLoggingReport.PAGE_SIZE.set(ask, page);
        var answer = arena.allocate(REPORT_HEAD + part * Long.BYTES, Long.BYTES);
        int result = known(connection.ask(on -> Calls.feature(on.link(), flags, ask, answer)));
        if (result != 0) {
          return result;
        }
        for (long i = 0; i < part; i++) {
          long at = (word + i) * Long.BYTES;
          bitmap.set(
              Layouts.U64,
              at,
              bitmap.get(Layouts.U64, at) | answer.get(Layouts.U64, REPORT_HEAD + i * Long.BYTES));
        }
        word += part;
      }
      return 0;
    }
  }
}
