// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.jfr.DeviceResetEvent;
import io.jvfio.jfr.Jfr;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioEehPeOp;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * The partitionable endpoint of a device on POWER, which Enhanced Error Handling (EEH) cuts off
 * from the bus when an error is found: registers read as all ones then, and DMA is stopped.
 *
 * <p>{@link #recover()} brings it back. The single steps are: {@link #state()}, {@link
 * #unfreezeRegisters()} to read the device's logs, {@link #assertReset}, {@link #deassertReset()},
 * {@link #configure()}, and the device's configuration space restored. Source: {@code
 * Documentation/driver-api/vfio.rst}, {@code drivers/vfio/vfio_iommu_spapr_tce.c}.
 *
 * <p>Safe for use by several threads.
 */
public final class EehEndpoint {
  private final OpenFile container;
  private final String device;
  private final String subject;
  private final Supplier<PciConfigSpace> config;

  EehEndpoint(OpenFile container, String device, String subject, Supplier<PciConfigSpace> config) {
    this.container = container;
    this.device = device;
    this.subject = subject;
    this.config = config;
  }

  /** The states of an endpoint. */
  public enum State {
    /** It works. */
    NORMAL,
    /** Its reset is asserted. */
    RESET,
    /** Register access and DMA are stopped. */
    STOPPED,
    /** DMA is stopped. */
    STOPPED_DMA,
    /** It is not available, for now or for good. */
    UNAVAILABLE
  }

  /** The kinds of reset that an endpoint has. */
  public enum Reset {
    /** A hot reset. */
    HOT,
    /** A fundamental reset: as after power on. */
    FUNDAMENTAL
  }

  /**
   * The state.
   *
   * @throws VfioException if there is no endpoint, or the platform has no EEH
   */
  public State state() {
    int result = operate(Vfio.VFIO_EEH_PE_GET_STATE);
    return switch (result) {
      case Vfio.VFIO_EEH_PE_STATE_NORMAL -> State.NORMAL;
      case Vfio.VFIO_EEH_PE_STATE_RESET -> State.RESET;
      case Vfio.VFIO_EEH_PE_STATE_STOPPED -> State.STOPPED;
      case Vfio.VFIO_EEH_PE_STATE_STOPPED_DMA -> State.STOPPED_DMA;
      case Vfio.VFIO_EEH_PE_STATE_UNAVAIL -> State.UNAVAILABLE;
      default -> throw failure("GET_STATE", result);
    };
  }

  /**
   * Whether the endpoint is known not to work: what to ask when a register reads as all ones, since
   * a stopped device answers nothing else. False where there is no endpoint.
   */
  public boolean isStopped() {
    int result = operate(Vfio.VFIO_EEH_PE_GET_STATE);
    return result > Vfio.VFIO_EEH_PE_STATE_NORMAL;
  }

  /** Recovers with a hot reset, as {@link #recover(Reset)} does. */
  public EehRecovery recover() {
    return recover(Reset.HOT);
  }

  /**
   * Brings the endpoint back after an error: lets register access through, reads what the device
   * has recorded of the error, resets the device, and writes its configuration back. Does nothing
   * where nothing is wrong.
   *
   * <p>All devices of the endpoint are reset, and forget what their drivers told them: close and
   * open the drivers again; interrupts must be brought into use anew. Nobody may use the devices
   * meanwhile.
   *
   * @param kind of reset
   * @return what was done
   * @throws VfioException if a step fails, the endpoint is not available, or does not work after it
   *     all
   */
  public EehRecovery recover(Reset kind) {
    var before = state();
    if (before == State.NORMAL) {
      return new EehRecovery(before, before, List.of(), List.of());
    }
    if (before == State.UNAVAILABLE) {
      throw new VfioException(
          "recover",
          subject,
          null,
          "The endpoint is not available: the host is still busy with it, or has given it up.",
          "Try again in some seconds; look for 'EEH:' in dmesg.");
    }
    var steps = new ArrayList<String>();
    if (before == State.STOPPED) {
      unfreezeRegisters();
      steps.add("let register access through");
    }
    var space = config.get();
    var errors = errors(space);
    steps.add("read the log of errors: " + (errors.isEmpty() ? "empty" : errors.size()));
    var saved = new SavedConfig(space);
    steps.add("saved the configuration");
    assertReset(kind);
    steps.add("began a %s reset".formatted(kind == Reset.HOT ? "hot" : "fundamental"));
    deassertReset();
    steps.add("ended the reset");
    configure();
    steps.add("configured the bridges");
    saved.restore(space);
    steps.add("wrote the configuration back");
    var after = state();
    if (after != State.NORMAL || !DeviceHealth.answers(space)) {
      throw new VfioException(
          "recover",
          subject,
          null,
          "The device does not work after a reset; the endpoint's state is " + after + ".",
          "Try a fundamental reset; if that does not help, the device is broken or needs power to be cut.");
    }
    return new EehRecovery(before, after, errors, steps);
  }

  private static List<String> errors(PciConfigSpace space) {
    var errors = new ArrayList<String>();
    for (var capability : PciCapability.of(space)) {
      if (capability instanceof PciCapability.AdvancedErrorReporting log) {
        errors.addAll(log.uncorrectable());
        errors.addAll(log.correctable());
      }
    }
    return errors;
  }

  /**
   * Turns error handling on for the endpoint.
   *
   * @throws VfioException as {@link #state()}
   */
  public void enable() {
    require("ENABLE", Vfio.VFIO_EEH_PE_ENABLE);
  }

  /**
   * Lets register access through again.
   *
   * @throws VfioException as {@link #state()}
   */
  public void unfreezeRegisters() {
    require("UNFREEZE_IO", Vfio.VFIO_EEH_PE_UNFREEZE_IO);
  }

  /**
   * Lets DMA through again.
   *
   * @throws VfioException as {@link #state()}
   */
  public void unfreezeDma() {
    require("UNFREEZE_DMA", Vfio.VFIO_EEH_PE_UNFREEZE_DMA);
  }

  /**
   * Begins a reset.
   *
   * @throws VfioException as {@link #state()}
   */
  public void assertReset(Reset kind) {
    switch (kind) {
      case HOT -> reset("eeh-hot", "RESET_HOT", Vfio.VFIO_EEH_PE_RESET_HOT);
      case FUNDAMENTAL ->
          reset("eeh-fundamental", "RESET_FUNDAMENTAL", Vfio.VFIO_EEH_PE_RESET_FUNDAMENTAL);
    }
  }

  private void reset(String kind, String name, int operation) {
    var event = Jfr.isInUse() ? DeviceResetEvent.started() : null;
    int result = operate(operation);
    if (event != null) {
      event.ended(device, kind, result);
    }
    requireZero(name, result);
  }

  /**
   * Ends a reset.
   *
   * @throws VfioException as {@link #state()}
   */
  public void deassertReset() {
    require("RESET_DEACTIVATE", Vfio.VFIO_EEH_PE_RESET_DEACTIVATE);
  }

  /**
   * Configures the bridges above the device after a reset.
   *
   * @throws VfioException as {@link #state()}
   */
  public void configure() {
    require("CONFIGURE", Vfio.VFIO_EEH_PE_CONFIGURE);
  }

  /**
   * Injects an error, to try recovery.
   *
   * @param wide whether it is a 64-bit error, otherwise a 32-bit one
   * @param function the error function, 0 to 19; only those of memory on pSeries (Source: {@code
   *     EEH_ERR_FUNC_} in {@code include/uapi/asm/eeh.h})
   * @param address where, as the function says
   * @param mask of the address
   * @throws VfioException as {@link #state()}, or if the platform does not know the function
   */
  public void injectError(boolean wide, int function, long address, long mask) {
    try (var arena = Arena.ofConfined()) {
      var operation = VfioEehPeOp.STRUCT.allocate(arena);
      VfioEehPeOp.OP.set(operation, Vfio.VFIO_EEH_PE_INJECT_ERR);
      VfioEehPeOp.ERR_TYPE.set(operation, wide ? 1 : 0);
      VfioEehPeOp.ERR_FUNC.set(operation, function);
      VfioEehPeOp.ERR_ADDR.set(operation, address);
      VfioEehPeOp.ERR_MASK.set(operation, mask);
      int result = container.ioctl(Vfio.VFIO_EEH_PE_OP, operation);
      if (result != 0) {
        throw failure("INJECT_ERR", result);
      }
    }
  }

  private void require(String name, int operation) {
    requireZero(name, operate(operation));
  }

  private void requireZero(String name, int result) {
    if (result != 0) {
      throw failure(name, result);
    }
  }

  private int operate(int number) {
    try (var arena = Arena.ofConfined()) {
      var operation = VfioEehPeOp.STRUCT.allocate(arena);
      VfioEehPeOp.OP.set(operation, number);
      return container.ioctl(Vfio.VFIO_EEH_PE_OP, operation);
    }
  }

  private VfioException failure(String name, int result) {
    var operation = Vfio.VFIO_EEH_PE_OP.name() + "(" + name + ")";
    if (result > 0) {
      return Explanations.positiveResult(result).failure(operation, subject, null);
    }
    var errno = Errno.ofResult(result);
    return Explanations.eeh(errno).failure(operation, subject, errno);
  }

  @Override
  public String toString() {
    return "EEH endpoint of " + device;
  }
}
