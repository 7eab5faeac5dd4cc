// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_ERROR;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_PRE_COPY;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RESUMING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_RUNNING;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP;
import static io.jvfio.linux.uapi.Vfio.VFIO_DEVICE_STATE_STOP_COPY;
import static io.jvfio.linux.uapi.Vfio.VFIO_MIGRATION_P2P;
import static io.jvfio.linux.uapi.Vfio.VFIO_MIGRATION_PRE_COPY;
import static io.jvfio.linux.uapi.Vfio.VFIO_MIGRATION_STOP_COPY;

import io.jvfio.linux.Errno;
import io.jvfio.model.MigratableModel;
import io.jvfio.model.ResetReason;
import io.jvfio.model.host.MigrationPath;
import io.jvfio.model.host.Snapshot;
import io.jvfio.sim.setup.HostSettings;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The additions of a vendor's VFIO driver to the plain one, for an open device: migration, and a
 * log of the device's writes. The rules of its states are Linux's own, the stream is this driver's.
 * Source of the former: {@code include/uapi/linux/vfio.h}, {@code drivers/vfio/pci/mlx5/main.c}.
 */
final class VariantDriver {
  /** What sysfs calls it. */
  static final String NAME = "sim-vfio-pci";

  private final MigratableModel model;
  private final MigrationPath path;
  private final int abilities;
  private final DmaLog log = new DmaLog();
  private int state = VFIO_DEVICE_STATE_RUNNING;

  /** The stream that is being read or written, or null. */
  private @Nullable MigrationFile stream;

  /**
   * The result of a change of state.
   *
   * @param error 0, or a negated errno
   * @param stream the data of the new state, if there is a new stream
   */
  record Step(int error, @Nullable MigrationFile stream) {}

  private VariantDriver(MigratableModel model, int abilities) {
    this.model = model;
    this.abilities = abilities;
    this.path = new MigrationPath(abilities);
  }

  /** The driver of a device that is being opened, or null where it is the plain one. */
  static @Nullable VariantDriver of(HostDevice device) {
    if (!NAME.equals(device.driver())) {
      return null;
    }
    if (!(device.model() instanceof MigratableModel model)) {
      throw new IllegalArgumentException(
          device.address() + " is to be migrated, and its model is no MigratableModel");
    }
    return new VariantDriver(model, abilities(device.process().settings()));
  }

  int abilities() {
    return abilities;
  }

  int state() {
    return state;
  }

  DmaLog log() {
    return log;
  }

  /** Whether the device must not do anything. */
  boolean isHalted() {
    return state == VFIO_DEVICE_STATE_STOP
        || state == VFIO_DEVICE_STATE_STOP_COPY
        || state == VFIO_DEVICE_STATE_RESUMING
        || state == VFIO_DEVICE_STATE_ERROR;
  }

  /** How many bytes there are to copy once the device is stopped. */
  long dataSize() {
    return Snapshot.of(model).length;
  }

  /** Walks to a state, over others where it must. A step that fails ends the walk where it is. */
  Step enter(int wanted) {
    @Nullable MigrationFile opened = null;
    while (state != wanted) {
      int next = path.next(state, wanted);
      if (next < 0) {
        return new Step(next, null);
      }
      int error = 0;
      switch (next) {
        case VFIO_DEVICE_STATE_STOP_COPY -> opened = stopAndCopy();
        case VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P -> opened = preCopy();
        case VFIO_DEVICE_STATE_RESUMING -> {
          opened = MigrationFile.forWriting(this);
          stream = opened;
        }
        default -> error = leave();
      }
      if (error != 0) {
        state = VFIO_DEVICE_STATE_ERROR;
        return new Step(error, null);
      }
      state = next;
    }
    return new Step(0, opened);
  }

  /** The data of a stopped device: the end of a stream that has begun, or a new one. */
  private @Nullable MigrationFile stopAndCopy() {
    var begun = stream;
    if (begun != null) {
      begun.append(Snapshot.of(model));
      return null;
    }
    return startReading();
  }

  /** What can be told of a device that runs: that it is one of this kind, and its state by now. */
  private @Nullable MigrationFile preCopy() {
    return stream == null ? startReading() : null;
  }

  private MigrationFile startReading() {
    var opened = MigrationFile.forReading(this, Snapshot.of(model));
    stream = opened;
    return opened;
  }

  /** Ends what goes on; what was written becomes the device's state. */
  private int leave() {
    var ended = stream;
    stream = null;
    if (ended == null) {
      return 0;
    }
    ended.end();
    if (state != VFIO_DEVICE_STATE_RESUMING) {
      return 0;
    }
    model.reset(ResetReason.DEVICE_RESET);
    return Snapshot.load(model, ByteBuffer.wrap(ended.written())) ? 0 : Errno.EINVAL.result();
  }

  /** Whether data is read while the device runs. */
  boolean isCopyingWhileRunning() {
    return state == VFIO_DEVICE_STATE_PRE_COPY || state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
  }

  /** The device was reset, which ends every failure and every stream. */
  void reset() {
    state = VFIO_DEVICE_STATE_RUNNING;
    close();
  }

  void close() {
    var ended = stream;
    stream = null;
    if (ended != null) {
      ended.end();
    }
    log.stop();
  }

  /** The abilities that settings give a driver. */
  private static int abilities(HostSettings settings) {
    return VFIO_MIGRATION_STOP_COPY
        | (settings.peerToPeer ? VFIO_MIGRATION_P2P : 0)
        | (settings.preCopy ? VFIO_MIGRATION_PRE_COPY : 0);
  }
}
