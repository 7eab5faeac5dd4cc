// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;

import io.jvfio.model.DmaFaultException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The features. Source: NVM Express Base Specification, "Get Features command", "Set Features
 * command". None can be saved, so every reset brings the defaults back.
 */
final class NvmeFeatures {
  private static final int ARBITRATION = 0x01;
  private static final int POWER_MANAGEMENT = 0x02;
  private static final int TEMPERATURE_THRESHOLD = 0x04;
  private static final int ERROR_RECOVERY = 0x05;
  private static final int VOLATILE_WRITE_CACHE = 0x06;
  private static final int NUMBER_OF_QUEUES = 0x07;
  private static final int INTERRUPT_COALESCING = 0x08;
  private static final int INTERRUPT_VECTOR_CONFIGURATION = 0x09;
  private static final int WRITE_ATOMICITY = 0x0a;
  private static final int ASYNC_EVENT_CONFIGURATION = 0x0b;
  private static final int TIMESTAMP = 0x0e;
  private static final int HOST_BEHAVIOR = 0x16;
  private static final int COUNT = 0x17;

  private static final int SAVE = 1 << 31;
  private static final int CURRENT = 0;
  private static final int DEFAULT = 1;
  private static final int SAVED = 2;
  private static final int CAPABILITIES = 3;
  private static final int CHANGEABLE = 1 << 2;

  /** The bit of {@link #asyncEvents} for warnings of the temperature. */
  static final int TEMPERATURE_EVENTS = 1 << 1;

  /** The bit of {@link #asyncEvents} for data that may be lost. */
  static final int RELIABILITY_EVENTS = 1 << 2;

  private static final int UNDER_TEMPERATURE = 1;
  private static final int DEFAULT_TEMPERATURE_KELVIN = 343;
  private static final int COMPOSITE_SENSOR = 0;

  private static final int TIMESTAMP_SIZE = 8;
  private static final long TIMESTAMP_MASK = (1L << 48) - 1;

  /** The timestamp was set by software, not started at a reset. */
  private static final long TIMESTAMP_SET = 1L << 49;

  private static final int HOST_BEHAVIOR_SIZE = 512;

  private final NvmeModelOptions.Settings options;
  private final NvmeData data;
  private final int[] values = new int[COUNT];
  private final int[] defaults = new int[COUNT];
  private final int[] vectorConfiguration;
  private final MemorySegment buffer;
  private final MemorySegment hostBehavior;
  private int underTemperature;
  private long timestamp;
  private long timestampSetAt;

  NvmeFeatures(NvmeModelOptions.Settings options, NvmeData data, Arena arena) {
    this.options = options;
    this.data = data;
    vectorConfiguration = new int[options.vectors()];
    buffer = arena.allocate(HOST_BEHAVIOR_SIZE, Long.BYTES);
    hostBehavior = arena.allocate(HOST_BEHAVIOR_SIZE, Long.BYTES);
    defaults[TEMPERATURE_THRESHOLD] = DEFAULT_TEMPERATURE_KELVIN;
    defaults[VOLATILE_WRITE_CACHE] = options.hasWriteCache ? 1 : 0;
    reset();
  }

  /** Whether what is written may stay in the cache. */
  boolean isWriteCacheEnabled() {
    return values[VOLATILE_WRITE_CACHE] != 0;
  }

  /** Whether a temperature, in kelvin, is beyond what software set as threshold. */
  boolean isBeyondThreshold(int kelvin) {
    return kelvin >= values[TEMPERATURE_THRESHOLD] || kelvin <= underTemperature;
  }

  /** The events that software wants to be told of: dword 11 of the feature. */
  int asyncEvents() {
    return values[ASYNC_EVENT_CONFIGURATION];
  }

  private int queuePairs() {
    int zeroBased = options.queuePairs - 1;
    return zeroBased | (zeroBased << 16);
  }

  private boolean exists(int feature) {
    return switch (feature) {
      case ARBITRATION,
          POWER_MANAGEMENT,
          TEMPERATURE_THRESHOLD,
          ERROR_RECOVERY,
          NUMBER_OF_QUEUES,
          INTERRUPT_COALESCING,
          INTERRUPT_VECTOR_CONFIGURATION,
          WRITE_ATOMICITY,
          ASYNC_EVENT_CONFIGURATION,
          TIMESTAMP,
          HOST_BEHAVIOR ->
          true;
      case VOLATILE_WRITE_CACHE -> options.hasWriteCache;
      default -> false;
    };
  }

  /** Get Features. */
  int get(NvmeCommand command) throws DmaFaultException {
    int feature = command.cdw10() & 0xff;
    if (!exists(feature)) {
      return NvmeStatus.INVALID_FIELD;
    }
    return switch ((command.cdw10() >> 8) & 0x7) {
      case CURRENT -> get(command, feature, false);
      case DEFAULT, SAVED -> get(command, feature, true);
      case CAPABILITIES -> {
        command.result(CHANGEABLE);
        yield NvmeStatus.SUCCESS;
      }
      default -> NvmeStatus.INVALID_FIELD;
    };
  }

  private int get(NvmeCommand command, int feature, boolean isDefault) throws DmaFaultException {
    int value = isDefault ? defaults[feature] : values[feature];
    switch (feature) {
      case NUMBER_OF_QUEUES -> command.result(queuePairs());
      case TEMPERATURE_THRESHOLD -> {
        boolean isUnder = ((command.cdw11() >> 20) & 0x3) == UNDER_TEMPERATURE;
        int threshold = isUnder ? (isDefault ? 0 : underTemperature) : value;
        command.result(isComposite(command) ? threshold : 0);
      }
      case INTERRUPT_VECTOR_CONFIGURATION -> {
        int vector = command.cdw11() & 0xffff;
        if (vector >= vectorConfiguration.length) {
          return NvmeStatus.INVALID_FIELD;
        }
        command.result(vector | (isDefault ? 0 : vectorConfiguration[vector]));
      }
      case TIMESTAMP -> {
        buffer.set(LE64, 0, isDefault ? 0 : currentTimestamp());
        return data.write(command, buffer, 0, TIMESTAMP_SIZE);
      }
      case HOST_BEHAVIOR -> {
        buffer.copyFrom(hostBehavior);
        return data.write(command, buffer, 0, HOST_BEHAVIOR_SIZE);
      }
      default -> command.result(value);
    }
    return NvmeStatus.SUCCESS;
  }

  private static boolean isComposite(NvmeCommand command) {
    return ((command.cdw11() >> 16) & 0xf) == COMPOSITE_SENSOR;
  }

  private long currentTimestamp() {
    long passed = (System.nanoTime() - timestampSetAt) / 1_000_000;
    return ((timestamp + passed) & TIMESTAMP_MASK) | (timestamp & ~TIMESTAMP_MASK);
  }

  /** Set Features. */
  int set(NvmeCommand command, boolean hasIoQueues) throws DmaFaultException {
    int feature = command.cdw10() & 0xff;
    if (!exists(feature)) {
      return NvmeStatus.INVALID_FIELD;
    }
    if ((command.cdw10() & SAVE) != 0) {
      return NvmeStatus.FEATURE_NOT_SAVEABLE;
    }
    int value = command.cdw11();
    switch (feature) {
      case ERROR_RECOVERY -> values[feature] = value & 0xffff;
      case VOLATILE_WRITE_CACHE -> values[feature] = value & 1;
      case POWER_MANAGEMENT -> {
        // There is one power state, 0.
        if ((value & 0x1f) != 0) {
          return NvmeStatus.INVALID_FIELD;
        }
        values[feature] = value;
      }
      case TEMPERATURE_THRESHOLD -> {
        return setThreshold(command);
      }
      case NUMBER_OF_QUEUES -> {
        if (hasIoQueues) {
          return NvmeStatus.COMMAND_SEQUENCE_ERROR;
        }
        if ((value & 0xffff) == 0xffff || value >>> 16 == 0xffff) {
          return NvmeStatus.INVALID_FIELD;
        }
        command.result(queuePairs());
      }
      case INTERRUPT_VECTOR_CONFIGURATION -> {
        int vector = value & 0xffff;
        if (vector >= vectorConfiguration.length) {
          return NvmeStatus.INVALID_FIELD;
        }
        vectorConfiguration[vector] = value & (1 << 16);
      }
      case TIMESTAMP -> {
        int status = data.read(command, buffer, TIMESTAMP_SIZE);
        if (status == NvmeStatus.SUCCESS) {
          timestamp = (buffer.get(LE64, 0) & TIMESTAMP_MASK) | TIMESTAMP_SET;
          timestampSetAt = System.nanoTime();
        }
        return status;
      }
      case HOST_BEHAVIOR -> {
        return data.read(command, hostBehavior, HOST_BEHAVIOR_SIZE);
      }
      default -> values[feature] = value;
    }
    return NvmeStatus.SUCCESS;
  }

  private int setThreshold(NvmeCommand command) {
    int type = (command.cdw11() >> 20) & 0x3;
    if (type > UNDER_TEMPERATURE) {
      return NvmeStatus.INVALID_FIELD;
    }
    int threshold = command.cdw11() & 0xffff;
    if (!isComposite(command)) {
      return NvmeStatus.SUCCESS; // there are no further sensors
    }
    if (type == UNDER_TEMPERATURE) {
      underTemperature = threshold;
    } else {
      values[TEMPERATURE_THRESHOLD] = threshold;
    }
    return NvmeStatus.SUCCESS;
  }

  /** All features at their defaults. */
  void reset() {
    System.arraycopy(defaults, 0, values, 0, COUNT);
    Arrays.fill(vectorConfiguration, 0);
    hostBehavior.fill((byte) 0);
    underTemperature = 0;
    timestamp = 0;
    timestampSetAt = System.nanoTime();
  }
}
