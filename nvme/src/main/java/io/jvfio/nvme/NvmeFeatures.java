// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

/**
 * The features of a controller: settings that can be read and changed while it runs. What is set
 * here lasts until the next reset, unless it is saved. Source: NVM Express Base Specification, "Get
 * Features command", "Set Features command". Safe for use by several threads.
 *
 * <p>All methods throw {@link NvmeStatusException} where the controller refuses.
 */
public final class NvmeFeatures {
  static final int NUMBER_OF_QUEUES = 0x07;
  static final int ASYNC_EVENTS = 0x0b;

  private static final int POWER_MANAGEMENT = 0x02;
  private static final int TEMPERATURE_THRESHOLD = 0x04;
  private static final int VOLATILE_WRITE_CACHE = 0x06;
  private static final int INTERRUPT_COALESCING = 0x08;
  private static final int MAX_IDENTIFIER = 0xff;
  private static final int SAVE = 1 << 31;
  private static final int UNDER_TEMPERATURE = 1 << 20;
  private static final int MAX_TEMPERATURE = 0xffff;
  private static final int MAX_POWER_STATE = 31;
  private static final int MAX_BYTE = 0xff;

  private final Controller controller;

  NvmeFeatures(Controller controller) {
    this.controller = controller;
  }

  /**
   * The settings of interrupt coalescing.
   *
   * @param threshold completions that may gather before an interrupt, less 1; 0 to 255
   * @param time how long they may gather, in units of 100 µs; 0 to 255
   */
  public record Coalescing(int threshold, int time) {
    /** Checks the ranges. */
    public Coalescing {
      if (threshold < 0 || threshold > MAX_BYTE || time < 0 || time > MAX_BYTE) {
        throw new IllegalArgumentException(
            "threshold %d and time %d, not 0 to 255".formatted(threshold, time));
      }
    }
  }

  /**
   * Gets a feature that is a number.
   *
   * @param identifier the feature, 0 to 255
   * @param namespaceId the namespace it is of; 0 for the controller
   * @param cdw11 what the feature wants to know, mostly 0
   */
  public int get(int identifier, int namespaceId, int cdw11) {
    checkIdentifier(identifier);
    return controller.call(
        () ->
            controller.execute(
                Opcode.GET_FEATURES,
                "feature 0x%02x".formatted(identifier),
                namespaceId,
                0,
                SubmissionEntry.pair(identifier, cdw11)));
  }

  /**
   * Sets a feature that is a number.
   *
   * @param identifier the feature, 0 to 255
   * @param namespaceId the namespace it is of; 0 for the controller
   * @param cdw11 the value
   * @param save whether it outlives resets and power cycles
   * @return dword 0 of the completion
   */
  public int set(int identifier, int namespaceId, int cdw11, boolean save) {
    checkIdentifier(identifier);
    return controller.call(
        () ->
            controller.execute(
                Opcode.SET_FEATURES,
                "feature 0x%02x".formatted(identifier),
                namespaceId,
                0,
                SubmissionEntry.pair(save ? identifier | SAVE : identifier, cdw11)));
  }

  private static void checkIdentifier(int identifier) {
    if (identifier < 0 || identifier > MAX_IDENTIFIER) {
      throw new IllegalArgumentException("feature %d, not 0 to 255".formatted(identifier));
    }
  }

  /** Whether the volatile write cache is on. */
  public boolean volatileWriteCache() {
    return (get(VOLATILE_WRITE_CACHE, 0, 0) & 1) != 0;
  }

  /** Turns the volatile write cache on or off. */
  public void volatileWriteCache(boolean isOn) {
    set(VOLATILE_WRITE_CACHE, 0, isOn ? 1 : 0, false);
  }

  /** The composite temperature, in kelvins, from which there is a warning. */
  public int overTemperatureKelvin() {
    return get(TEMPERATURE_THRESHOLD, 0, 0) & MAX_TEMPERATURE;
  }

  /**
   * Sets the composite temperature from which there is a warning.
   *
   * @param kelvin 0 to 65535
   */
  public void overTemperatureKelvin(int kelvin) {
    set(TEMPERATURE_THRESHOLD, 0, checkTemperature(kelvin), false);
  }

  /** The composite temperature, in kelvins, down to which there is no warning. */
  public int underTemperatureKelvin() {
    return get(TEMPERATURE_THRESHOLD, 0, UNDER_TEMPERATURE) & MAX_TEMPERATURE;
  }

  /**
   * Sets the composite temperature down to which there is no warning.
   *
   * @param kelvin 0 to 65535
   */
  public void underTemperatureKelvin(int kelvin) {
    set(TEMPERATURE_THRESHOLD, 0, UNDER_TEMPERATURE | checkTemperature(kelvin), false);
  }

  private static int checkTemperature(int kelvin) {
    if (kelvin < 0 || kelvin > MAX_TEMPERATURE) {
      throw new IllegalArgumentException("%d K, not 0 to 65535".formatted(kelvin));
    }
    return kelvin;
  }

  /** The number of I/O queue pairs that the controller granted. */
  public int queuePairs() {
    int value = get(NUMBER_OF_QUEUES, 0, 0);
    return Math.min(value & 0xffff, value >>> 16) + 1;
  }

  /** The way in which interrupts are coalesced. */
  public Coalescing interruptCoalescing() {
    int value = get(INTERRUPT_COALESCING, 0, 0);
    return new Coalescing(value & MAX_BYTE, (value >> 8) & MAX_BYTE);
  }

  /** Sets how interrupts are coalesced. */
  public void interruptCoalescing(Coalescing value) {
    set(INTERRUPT_COALESCING, 0, value.threshold() | value.time() << 8, false);
  }

  /** The events that are told: a bit for each critical warning (7:0) and notice. */
  public int asyncEvents() {
    return get(ASYNC_EVENTS, 0, 0);
  }

  /** Sets the events that are told. */
  public void asyncEvents(int events) {
    set(ASYNC_EVENTS, 0, events, false);
  }

  /** The power state. */
  public int powerState() {
    return get(POWER_MANAGEMENT, 0, 0) & MAX_POWER_STATE;
  }

  /**
   * Changes the power state.
   *
   * @param state 0, which is the fastest, to 31
   */
  public void powerState(int state) {
    if (state < 0 || state > MAX_POWER_STATE) {
      throw new IllegalArgumentException("power state %d, not 0 to 31".formatted(state));
    }
    set(POWER_MANAGEMENT, 0, state, false);
  }

  @Override
  public String toString() {
    return "features of " + controller.device().name();
  }
}
