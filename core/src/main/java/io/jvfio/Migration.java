// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigDataSize;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigState;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Optional;

/**
 * Migration of a device: its state is read here and written there, in a form that only its driver
 * knows. Source: {@code include/uapi/linux/vfio.h}, migration version 2.
 *
 * <p>On the source: {@code enter(PRE_COPY)} if {@link #copiesWhileRunning()}, read until the stream
 * has no more for now, {@code enter(STOP_COPY)}, read the same stream, or the new one, to its end,
 * {@code enter(STOP)}. On the target: {@code enter(RESUMING)}, write all of it, {@code
 * enter(RUNNING)}. Memory and configuration space are for the caller to carry over.
 *
 * <p>Safe for use by several threads.
 */
public final class Migration {
  private final DeviceFeatures features;
  private final long abilities;

  Migration(DeviceFeatures features, long abilities) {
    this.features = features;
    this.abilities = abilities;
  }

  /** Whether {@link MigrationState#PRE_COPY} is there: data can be read while the device runs. */
  public boolean copiesWhileRunning() {
    return (abilities & Vfio.VFIO_MIGRATION_PRE_COPY) != 0;
  }

  /** Whether {@link MigrationState#RUNNING_P2P} is there: DMA to other devices can stop first. */
  public boolean stopsPeerToPeerFirst() {
    return (abilities & Vfio.VFIO_MIGRATION_P2P) != 0;
  }

  /**
   * The state that the device is in.
   *
   * @throws VfioException if the kernel does not tell, or tells of one that jvfio does not know
   */
  public MigrationState state() {
    try (var arena = Arena.ofConfined()) {
      var feature = DeviceFeature.MIGRATION_STATE;
      var struct =
          DeviceFeatures.struct(
              arena,
              feature.index() | Vfio.VFIO_DEVICE_FEATURE_GET,
              VfioDeviceFeatureMigState.BYTES);
      features.check(feature, "get", features.call(struct));
      int number = VfioDeviceFeatureMigState.DEVICE_STATE.get(DeviceFeatures.data(struct));
      return Arrays.stream(MigrationState.values())
          .filter(state -> state.number() == number)
          .findFirst()
          .orElseThrow(
              () ->
                  new VfioException(
                      Vfio.VFIO_DEVICE_FEATURE.name(),
                      features.subject(),
                      null,
                      "The device is in migration state "
                          + Integer.toUnsignedString(number)
                          + ", which jvfio does not know.",
                      "Reset it, or look for a newer jvfio."));
    }
  }

  /**
   * Brings the device into a state, over others where it must. What a failure leaves is told in its
   * message: the state before, one on the way, or {@link MigrationState#ERROR}.
   *
   * @return the stream of the new state's data: a {@link MigrationSource} to read, a {@link
   *     MigrationSink} to write; empty where there is none, or that of the state before goes on. It
   *     ends with the state.
   * @throws VfioException if there is no way to that state from the present one, or the device or
   *     its driver fails; from RESUMING, if it does not take what was written
   * @throws IllegalArgumentException for {@link MigrationState#ERROR}
   */
  public Optional<MigrationStream> enter(MigrationState state) {
    if (state == MigrationState.ERROR) {
      throw new IllegalArgumentException("nobody enters the state of error by wish");
    }
    var feature = DeviceFeature.MIGRATION_STATE;
    try (var arena = Arena.ofConfined()) {
      var struct = DeviceFeatures.struct(arena, feature.use(), VfioDeviceFeatureMigState.BYTES);
      var data = DeviceFeatures.data(struct);
      VfioDeviceFeatureMigState.DEVICE_STATE.set(data, state.number());
      VfioDeviceFeatureMigState.DATA_FD.set(data, -1);
      int result = features.call(struct);
      if (result < 0) {
        throw failure(state, Errno.ofResult(result));
      }
      int fd = VfioDeviceFeatureMigState.DATA_FD.get(data);
      return fd < 0 ? Optional.empty() : Optional.of(stream(state, fd));
    }
  }

  private MigrationStream stream(MigrationState state, int fd) {
    var file =
        new OpenFile(
            features.kernel(), "migration data of " + features.subject(), fd, features.answers());
    MigrationStream stream =
        state.saves()
            ? new MigrationSource(features.kernel(), file)
            : new MigrationSink(features.kernel(), file);
    features.adopt(stream);
    return stream;
  }

  private VfioException failure(MigrationState wanted, Errno errno) {
    String left;
    try {
      var current = state();
      left =
          current == MigrationState.ERROR
              ? "The device is in state ERROR, which only a reset leaves."
              : "The device is in state " + current + ".";
    } catch (VfioException e) {
      left = "In what state it has left the device cannot be told: " + e.getMessage();
    }
    return features.failure(DeviceFeature.MIGRATION_STATE, "to " + wanted, errno, left);
  }

  /**
   * The number of bytes that there would be to read if the device stopped now, as its driver
   * guesses.
   *
   * @throws VfioException if this kernel does not tell (before 6.2), or the driver fails
   */
  public long stopCopyBytes() {
    try (var arena = Arena.ofConfined()) {
      var feature = DeviceFeature.MIGRATION_DATA_SIZE;
      var struct = DeviceFeatures.struct(arena, feature.use(), VfioDeviceFeatureMigDataSize.BYTES);
      features.check(feature, "get", features.call(struct));
      return VfioDeviceFeatureMigDataSize.STOP_COPY_LENGTH.get(DeviceFeatures.data(struct));
    }
  }

  @Override
  public String toString() {
    return "migration, " + features;
  }
}
