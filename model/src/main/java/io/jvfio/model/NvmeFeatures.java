package io.jvfio.model;

import java.util.Arrays;

/**
 * The features that every I/O controller has. Source: NVM Express Base Specification, "Get Features
 * command", "Set Features command".
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
  private static final int COUNT = 0x0c;

  private static final int SAVE = 1 << 31;
  private static final int OVER_TEMPERATURE = 0;
  private static final int WARNING_TEMPERATURE_KELVIN = 343;
  private static final int QUEUE_PAIRS =
      (NvmeQueues.MAX_IO_QUEUE_PAIRS - 1) | ((NvmeQueues.MAX_IO_QUEUE_PAIRS - 1) << 16);

  private final int[] values = new int[COUNT];
  private final int[] vectorConfiguration;

  NvmeFeatures(int vectors) {
    vectorConfiguration = new int[vectors];
    reset();
  }

  /** Get Features. */
  int get(NvmeCommand command) {
    int select = (command.cdw10() >> 8) & 0x7;
    if (select != 0) {
      return NvmeStatus.INVALID_FIELD;
    }
    int feature = command.cdw10() & 0xff;
    switch (feature) {
      case ARBITRATION,
          POWER_MANAGEMENT,
          ERROR_RECOVERY,
          VOLATILE_WRITE_CACHE,
          INTERRUPT_COALESCING,
          WRITE_ATOMICITY,
          ASYNC_EVENT_CONFIGURATION ->
          command.result(values[feature]);
      case NUMBER_OF_QUEUES -> command.result(QUEUE_PAIRS);
      case TEMPERATURE_THRESHOLD -> {
        boolean isComposite = ((command.cdw11() >> 16) & 0xf) == 0;
        boolean isOver = ((command.cdw11() >> 20) & 0x3) == OVER_TEMPERATURE;
        command.result(isComposite && isOver ? values[feature] : 0);
      }
      case INTERRUPT_VECTOR_CONFIGURATION -> {
        int vector = command.cdw11() & 0xffff;
        if (vector >= vectorConfiguration.length) {
          return NvmeStatus.INVALID_FIELD;
        }
        command.result(vector | vectorConfiguration[vector]);
      }
      default -> {
        return NvmeStatus.INVALID_FIELD;
      }
    }
    return NvmeStatus.SUCCESS;
  }

  /** Set Features. */
  int set(NvmeCommand command, boolean hasIoQueues) {
    if ((command.cdw10() & SAVE) != 0) {
      return NvmeStatus.FEATURE_NOT_SAVEABLE;
    }
    int feature = command.cdw10() & 0xff;
    int value = command.cdw11();
    switch (feature) {
      case ARBITRATION, INTERRUPT_COALESCING, WRITE_ATOMICITY, ASYNC_EVENT_CONFIGURATION ->
          values[feature] = value;
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
        if (((value >> 20) & 0x3) > 1) {
          return NvmeStatus.INVALID_FIELD;
        }
        boolean isComposite = ((value >> 16) & 0xf) == 0;
        if (isComposite && ((value >> 20) & 0x3) == OVER_TEMPERATURE) {
          values[feature] = value & 0xffff;
        }
      }
      case NUMBER_OF_QUEUES -> {
        if (hasIoQueues) {
          return NvmeStatus.COMMAND_SEQUENCE_ERROR;
        }
        if ((value & 0xffff) == 0xffff || value >>> 16 == 0xffff) {
          return NvmeStatus.INVALID_FIELD;
        }
        command.result(QUEUE_PAIRS);
      }
      case INTERRUPT_VECTOR_CONFIGURATION -> {
        int vector = value & 0xffff;
        if (vector >= vectorConfiguration.length) {
          return NvmeStatus.INVALID_FIELD;
        }
        vectorConfiguration[vector] = value & (1 << 16);
      }
      default -> {
        return NvmeStatus.INVALID_FIELD;
      }
    }
    return NvmeStatus.SUCCESS;
  }

  /** All features at their defaults. */
  void reset() {
    Arrays.fill(values, 0);
    Arrays.fill(vectorConfiguration, 0);
    values[TEMPERATURE_THRESHOLD] = WARNING_TEMPERATURE_KELVIN;
    values[VOLATILE_WRITE_CACHE] = 1;
  }
}
