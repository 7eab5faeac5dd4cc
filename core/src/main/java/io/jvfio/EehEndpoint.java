package io.jvfio;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioEehPeOp;
import java.lang.foreign.Arena;

/**
 * The partitionable endpoint of a device on POWER, which Enhanced Error Handling (EEH) cuts off
 * from the bus when an error is found: registers read as all ones then, and DMA is stopped.
 *
 * <p>Recovery goes: {@link #state()}, {@link #unfreezeRegisters()} to read the device's logs,
 * {@link #assertReset}, {@link #deassertReset()}, {@link #configure()}, and the device's
 * configuration space restored. Source: {@code Documentation/driver-api/vfio.rst}, {@code
 * drivers/vfio/vfio_iommu_spapr_tce.c}.
 *
 * <p>Safe for use by several threads.
 */
public final class EehEndpoint {
  private final OpenFile container;
  private final String subject;

  EehEndpoint(OpenFile container, String subject) {
    this.container = container;
    this.subject = subject;
  }

  /** In what state an endpoint can be. */
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

  /** How an endpoint is reset. */
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
      case HOT -> require("RESET_HOT", Vfio.VFIO_EEH_PE_RESET_HOT);
      case FUNDAMENTAL -> require("RESET_FUNDAMENTAL", Vfio.VFIO_EEH_PE_RESET_FUNDAMENTAL);
    }
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
      var operation = VfioEehPeOp.allocate(arena);
      VfioEehPeOp.op(operation, Vfio.VFIO_EEH_PE_INJECT_ERR);
      VfioEehPeOp.errType(operation, wide ? 1 : 0);
      VfioEehPeOp.errFunc(operation, function);
      VfioEehPeOp.errAddr(operation, address);
      VfioEehPeOp.errMask(operation, mask);
      int result = container.ioctl(Vfio.VFIO_EEH_PE_OP, operation);
      if (result != 0) {
        throw failure("INJECT_ERR", result);
      }
    }
  }

  private void require(String name, int operation) {
    int result = operate(operation);
    if (result != 0) {
      throw failure(name, result);
    }
  }

  private int operate(int number) {
    try (var arena = Arena.ofConfined()) {
      var operation = VfioEehPeOp.allocate(arena);
      VfioEehPeOp.op(operation, number);
      return container.ioctl(Vfio.VFIO_EEH_PE_OP, operation);
    }
  }

  private VfioException failure(String name, int result) {
    var operation = Vfio.VFIO_EEH_PE_OP.name() + "(" + name + ")";
    if (result > 0) {
      var why = Explanations.positiveResult(result);
      return new VfioException(operation, subject, null, why.meaning(), why.nextStep());
    }
    var errno = Errno.ofResult(result);
    var why = Explanations.eeh(errno);
    return new VfioException(operation, subject, errno, why.meaning(), why.nextStep());
  }
}
