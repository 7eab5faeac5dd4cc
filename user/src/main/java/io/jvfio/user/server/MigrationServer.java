// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_GET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MASK;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MIGRATION;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_PROBE;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_FEATURE_SET;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_ERROR;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RESUMING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RUNNING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP_COPY;
import static io.jvfio.linux.uapi.Vfio.VFIO_MIGRATION_STOP_COPY;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingControl;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingRange;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingReport;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigState;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigration;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.MigratableModel;
import io.jvfio.model.ResetReason;
import io.jvfio.model.host.MigrationPath;
import io.jvfio.model.host.Snapshot;
import io.jvfio.user.wire.FeatureMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MigrationData;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Carries a device from one server to another, and tells which memory it has written: the answers
 * to DEVICE_FEATURE, MIG_DATA_READ and MIG_DATA_WRITE.
 *
 * <p>Only states of a stopped device are offered (STOP_COPY). A model has one way to tell its
 * state, all of it at once, so data that were read while it runs (PRE_COPY) would have to be read
 * again and would shorten nothing.
 *
 * <p>The device is quiet from RUNNING to STOP, and goes on from STOP to RUNNING. In between the
 * server neither polls it nor resumes it ({@link #isHalted}), and the device reaches no memory.
 *
 * <p>Used by the thread of its session.
 */
final class MigrationServer {
  /** The longest state that is taken from a client, unless a server says otherwise. */
  static final int MOST_STATE_BYTES = 64 << 20;

  private static final int HEAD = Header.SIZE;

  /** Where the data of a feature begin. */
  private static final long DATA = FeatureMessage.BYTES;

  // The kernel's structs of these two end with a pointer; here what it points to follows.
  private static final long CONTROL_SIZE = VfioDeviceFeatureDmaLoggingControl.RANGES.offset();
  private static final long REPORT_SIZE = VfioDeviceFeatureDmaLoggingReport.BITMAP.offset();

  private final DeviceModel model;
  private final @Nullable MigratableModel migratable;
  private final DirtyLog log;
  private final Host host;
  private final int maxTransfer;

  /** The most bytes that the client takes with one message. */
  private long maxAnswer;

  private final int maxState;
  private final MigrationPath path = new MigrationPath(VFIO_MIGRATION_STOP_COPY);

  private int state = VFIO_DEVICE_STATE_RUNNING;

  /** What is read in STOP_COPY, or was written in RESUMING up to {@link #written}. */
  private byte[] data = {};

  private int read;
  private int written;

  /** What a migration changes for the server. */
  interface Host {
    /** The device has another configuration space and other interrupts than before. */
    void restored();

    /** The device goes on, and may have waited for being polled. */
    void resumed();
  }

  /**
   * For a device that runs.
   *
   * @param log of the memory that the device reaches
   * @param maxTransfer the most bytes that one message carries
   * @param maxState the longest state that is taken from a client, in bytes
   */
  MigrationServer(DeviceModel model, DirtyLog log, Host host, int maxTransfer, int maxState) {
    this.model = model;
    this.migratable = model instanceof MigratableModel can ? can : null;
    this.log = log;
    this.host = host;
    this.maxTransfer = maxTransfer;
    this.maxAnswer = maxTransfer;
    this.maxState = maxState;
  }

  /** The client takes no more than so many bytes of data with one message. */
  void limit(long bytes) {
    maxAnswer = Math.min(bytes, maxTransfer);
  }

  /** Whether the device must not do anything of its own accord, nor be told to go on. */
  boolean isHalted() {
    return state != VFIO_DEVICE_STATE_RUNNING;
  }

  /** The device was reset, or its client is gone: it runs, whatever has failed before. */
  void reset() {
    boolean wasHalted = isHalted();
    state = VFIO_DEVICE_STATE_RUNNING;
    forgetData();
    if (wasHalted) {
      model.resume();
      host.resumed();
    }
  }

  private void forgetData() {
    data = new byte[0];
    read = 0;
    written = 0;
  }

  /**
   * Answers DEVICE_FEATURE.
   *
   * @param message the whole message
   * @param size of it, at least that of a header
   * @param reply where the payload goes behind the header; not the message
   * @return the size of that payload, or a negated errno
   */
  int feature(MemorySegment message, int size, MemorySegment reply) {
    if (size < DATA) {
      return Errno.EINVAL.result();
    }
    long argsz = Integer.toUnsignedLong(FeatureMessage.ARGSZ.get(message));
    int flags = FeatureMessage.FLAGS.get(message);
    int feature = flags & VFIO_DEVICE_FEATURE_MASK;
    int operations = flags & ~VFIO_DEVICE_FEATURE_MASK;
    int supported = supported(feature);
    if (supported == 0) {
      return Errno.EOPNOTSUPP.result();
    }
    if ((operations & ~(supported | VFIO_DEVICE_FEATURE_PROBE)) != 0) {
      return Errno.EINVAL.result();
    }
    if ((operations & VFIO_DEVICE_FEATURE_PROBE) != 0) {
      return echo(message, size, argsz, reply);
    }
    return switch (operations) {
      case VFIO_DEVICE_FEATURE_GET -> get(feature, message, size, argsz, reply);
      case VFIO_DEVICE_FEATURE_SET -> {
        // Nothing is changed if the reply would not be taken.
        int payload = echo(message, size, argsz, reply);
        int result = payload < 0 ? payload : set(feature, reply, size);
        yield result < 0 ? result : payload;
      }
      default -> Errno.EINVAL.result();
    };
  }

  private int supported(int feature) {
    return switch (feature) {
      case VFIO_DEVICE_FEATURE_MIGRATION -> migratable == null ? 0 : VFIO_DEVICE_FEATURE_GET;
      case VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE ->
          migratable == null ? 0 : VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
      case VFIO_DEVICE_FEATURE_DMA_LOGGING_START, VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP ->
          VFIO_DEVICE_FEATURE_SET;
      case VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT -> VFIO_DEVICE_FEATURE_GET;
      default -> 0;
    };
  }

  /** Answers with the request, where that is what the specification wants. */
  private static int echo(MemorySegment message, int size, long argsz, MemorySegment reply) {
    int payload = size - HEAD;
    if (argsz < payload || reply.byteSize() < size) {
      return Errno.EINVAL.result();
    }
    MemorySegment.copy(message, HEAD, reply, HEAD, payload);
    FeatureMessage.ARGSZ.set(reply, payload);
    return payload;
  }

  private int get(int feature, MemorySegment message, int size, long argsz, MemorySegment reply) {
    return switch (feature) {
      case VFIO_DEVICE_FEATURE_MIGRATION -> {
        int payload = begin(message, argsz, VfioDeviceFeatureMigration.BYTES, reply);
        if (payload > 0) {
          VfioDeviceFeatureMigration.FLAGS.set(reply, DATA, VFIO_MIGRATION_STOP_COPY);
        }
        yield payload;
      }
      case VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE -> {
        int payload = begin(message, argsz, VfioDeviceFeatureMigState.BYTES, reply);
        if (payload > 0) {
          VfioDeviceFeatureMigState.DEVICE_STATE.set(reply, DATA, state);
          VfioDeviceFeatureMigState.DATA_FD.set(reply, DATA, 0);
        }
        yield payload;
      }
      default -> report(message, size, argsz, reply);
    };
  }

  /** Begins an answer with data of a fixed size. */
  private static int begin(MemorySegment message, long argsz, long dataSize, MemorySegment reply) {
    int payload = (int) (FeatureMessage.STRUCT.byteSize() + dataSize);
    if (argsz < payload || reply.byteSize() < HEAD + payload) {
      return Errno.EINVAL.result();
    }
    FeatureMessage.ARGSZ.set(reply, payload);
    FeatureMessage.FLAGS.set(reply, FeatureMessage.FLAGS.get(message));
    return payload;
  }

  private int report(MemorySegment message, int size, long argsz, MemorySegment reply) {
    if (size < DATA + REPORT_SIZE) {
      return Errno.EINVAL.result();
    }
    int payload = begin(message, argsz, REPORT_SIZE, reply);
    if (payload < 0) {
      return payload;
    }
    long iova = VfioDeviceFeatureDmaLoggingReport.IOVA.get(message, DATA);
    long length = VfioDeviceFeatureDmaLoggingReport.LENGTH.get(message, DATA);
    long pageSize = VfioDeviceFeatureDmaLoggingReport.PAGE_SIZE.get(message, DATA);
    if (Long.bitCount(pageSize) != 1) {
      return Errno.EINVAL.result();
    }
    long bitmapSize = DirtyLog.bitmapSize(length, pageSize);
    if (bitmapSize > reply.byteSize() - HEAD - payload) {
      return Errno.EINVAL.result(); // no reply could ever carry it
    }
    MemorySegment.copy(message, DATA, reply, DATA, REPORT_SIZE);
    long needed = payload + bitmapSize;
    if (needed > argsz) {
      FeatureMessage.ARGSZ.set(reply, (int) needed); // the client asks again, and nothing is lost
      return log.isRunning() ? payload : Errno.EINVAL.result();
    }
    int result = log.report(iova, length, pageSize, reply, HEAD + (long) payload);
    FeatureMessage.ARGSZ.set(reply, (int) needed);
    return result < 0 ? result : (int) needed;
  }

  /** Carries out what is in the reply already, which may be changed. */
  private int set(int feature, MemorySegment reply, int size) {
    return switch (feature) {
      case VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE ->
          size < DATA + VfioDeviceFeatureMigState.BYTES
              ? Errno.EINVAL.result()
              : enter(VfioDeviceFeatureMigState.DEVICE_STATE.get(reply, DATA));
      case VFIO_DEVICE_FEATURE_DMA_LOGGING_START -> startLog(reply, size);
      default -> {
        log.stop();
        yield 0;
      }
    };
  }

  /** Starts the log of all writes, wherever they are: what is in the ranges is among them. */
  private int startLog(MemorySegment reply, int size) {
    if (size < DATA + CONTROL_SIZE) {
      return Errno.EINVAL.result();
    }
    long count =
        Integer.toUnsignedLong(VfioDeviceFeatureDmaLoggingControl.NUM_RANGES.get(reply, DATA));
    if (count > (size - DATA - CONTROL_SIZE) / VfioDeviceFeatureDmaLoggingRange.BYTES) {
      return Errno.EINVAL.result();
    }
    for (long i = 0; i < count; i++) {
      long at = DATA + CONTROL_SIZE + i * VfioDeviceFeatureDmaLoggingRange.BYTES;
      long iova = VfioDeviceFeatureDmaLoggingRange.IOVA.get(reply, at);
      long length = VfioDeviceFeatureDmaLoggingRange.LENGTH.get(reply, at);
      if (length == 0) {
        return Errno.EINVAL.result();
      }
      if (Long.compareUnsigned(iova + length - 1, iova) < 0) {
        return Errno.EOVERFLOW.result();
      }
    }
    long pageSize = log.start(VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.get(reply, DATA));
    if (pageSize < 0) {
      return (int) pageSize;
    }
    VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE.set(reply, DATA, pageSize);
    return 0;
  }

  /**
   * Walks to a state, over others where it must. A step that fails ends the walk in ERROR; a device
   * whose transfers do not end goes on as it is.
   */
  private int enter(int wanted) {
    while (state != wanted) {
      int next = path.next(state, wanted);
      if (next < 0) {
        return next;
      }
      if (state == VFIO_DEVICE_STATE_RUNNING && !halt()) {
        return Errno.EBUSY.result();
      }
      int result = step(next);
      if (result < 0) {
        state = VFIO_DEVICE_STATE_ERROR;
        forgetData();
        return result;
      }
      state = next;
      if (next == VFIO_DEVICE_STATE_RUNNING) {
        model.resume();
        host.resumed();
      }
    }
    return 0;
  }

  /**
   * Has a device that runs leave memory alone: false if somebody still moves its data there, which
   * would be memory that the client has copied already. It goes on then.
   */
  private boolean halt() {
    model.quiesce();
    if (model.awaitTransfers(ServedDevice.TRANSFER_NANOS)) {
      return true;
    }
    model.resume();
    return false;
  }

  private int step(int next) {
    var can = migratable;
    if (can == null) {
      return Errno.EOPNOTSUPP.result();
    }
    switch (next) {
      case VFIO_DEVICE_STATE_STOP_COPY -> {
        try {
          data = Snapshot.of(can);
        } catch (RuntimeException e) {
          return Errno.EIO.result(); // a model that cannot tell its state
        }
        read = 0;
      }
      case VFIO_DEVICE_STATE_RESUMING -> forgetData();
      default -> {
        if (state == VFIO_DEVICE_STATE_RESUMING) {
          return restore(can);
        }
        forgetData();
      }
    }
    return 0;
  }

  /** What was written becomes the device's state. */
  private int restore(MigratableModel can) {
    can.reset(ResetReason.DEVICE_RESET);
    boolean loaded = Snapshot.load(can, ByteBuffer.wrap(data, 0, written));
    forgetData();
    host.restored();
    return loaded ? 0 : Errno.EINVAL.result();
  }

  /**
   * Answers MIG_DATA_READ; parameters and result as for {@link #feature}. Less than was asked for
   * is the end of the data.
   */
  int readData(MemorySegment message, int size, MemorySegment reply) {
    if (size < MigrationData.BYTES || state != VFIO_DEVICE_STATE_STOP_COPY) {
      return Errno.EINVAL.result();
    }
    long wanted = Integer.toUnsignedLong(MigrationData.SIZE.get(message));
    long argsz = Integer.toUnsignedLong(MigrationData.ARGSZ.get(message));
    long payload = MigrationData.BYTES - HEAD + wanted;
    if (wanted > maxAnswer || argsz < payload || reply.byteSize() < HEAD + payload) {
      return Errno.EINVAL.result();
    }
    int count = (int) Math.min(wanted, data.length - read);
    MemorySegment.copy(data, read, reply, ValueLayout.JAVA_BYTE, MigrationData.BYTES, count);
    read += count;
    int sent = MigrationData.BYTES - HEAD + count;
    MigrationData.ARGSZ.set(reply, sent);
    MigrationData.SIZE.set(reply, count);
    return sent;
  }

  /** Answers MIG_DATA_WRITE: 0, which is a reply without payload, or a negated errno. */
  int writeData(MemorySegment message, int size) {
    if (size < MigrationData.BYTES || state != VFIO_DEVICE_STATE_RESUMING) {
      return Errno.EINVAL.result();
    }
    long count = Integer.toUnsignedLong(MigrationData.SIZE.get(message));
    if (count > maxTransfer || count > size - MigrationData.BYTES) {
      return Errno.EINVAL.result();
    }
    if (count > maxState - written) {
      return Errno.ENOSPC.result();
    }
    int end = written + (int) count;
    if (end > data.length) {
      data = Arrays.copyOf(data, (int) Math.min(maxState, Math.max(end, data.length * 2L)));
    }
    MemorySegment.copy(
        message, ValueLayout.JAVA_BYTE, MigrationData.BYTES, data, written, (int) count);
    written = end;
    return 0;
  }
}
