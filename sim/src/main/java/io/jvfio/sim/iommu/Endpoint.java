// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.iommu;

import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_CONFIGURE;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_DISABLE;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_ENABLE;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_GET_STATE;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_INJECT_ERR;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_RESET_DEACTIVATE;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_RESET_FUNDAMENTAL;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_RESET_HOT;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_STATE_NORMAL;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_STATE_STOPPED;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_STATE_STOPPED_DMA;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_STATE_UNAVAIL;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_UNFREEZE_DMA;
import static io.jvfio.linux.uapi.Vfio.VFIO_EEH_PE_UNFREEZE_IO;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.VfioEehPeOp;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;

/**
 * The partitionable endpoint of a group on a PowerNV machine: what Enhanced Error Handling stops
 * when a device has made an error. Register reads answer ones then, and writes are lost. Source:
 * {@code arch/powerpc/kernel/eeh.c}, {@code arch/powerpc/platforms/powernv/eeh-powernv.c}.
 */
public final class Endpoint {
  private static final int MINIMUM = 12;
  private static final int LAST_ERROR_TYPE = 1;
  private static final int LAST_FUNCTION = 19;
  private static final int NO_FUNCTION = -1;

  private final Runnable resetDevices;
  private boolean registersStopped;
  private boolean dmaStopped;

  /** The error that the next access of its kind makes: a function of {@code INJECT_ERR}. */
  private int injected = NO_FUNCTION;

  Endpoint(Runnable resetDevices) {
    this.resetDevices = resetDevices;
  }

  /** Answers an operation: 0, a state, or a negated errno. */
  int operate(UserArgument argument) throws UserFault {
    var operation = argument.copyIn(MINIMUM, VfioEehPeOp.BYTES);
    if (Integer.compareUnsigned(VfioEehPeOp.ARGSZ.get(operation), MINIMUM) < 0
        || VfioEehPeOp.FLAGS.get(operation) != 0) {
      return Errno.EINVAL.result();
    }
    switch (VfioEehPeOp.OP.get(operation)) {
      case VFIO_EEH_PE_DISABLE, VFIO_EEH_PE_CONFIGURE -> {}
      case VFIO_EEH_PE_ENABLE, VFIO_EEH_PE_RESET_DEACTIVATE -> thaw();
      case VFIO_EEH_PE_UNFREEZE_IO -> registersStopped = false;
      case VFIO_EEH_PE_UNFREEZE_DMA -> dmaStopped = false;
      case VFIO_EEH_PE_GET_STATE -> {
        return state();
      }
      case VFIO_EEH_PE_RESET_HOT, VFIO_EEH_PE_RESET_FUNDAMENTAL -> reset();
      case VFIO_EEH_PE_INJECT_ERR -> {
        return inject(argument);
      }
      default -> {
        return Errno.EINVAL.result();
      }
    }
    return 0;
  }

  private int state() {
    if (registersStopped) {
      return dmaStopped ? VFIO_EEH_PE_STATE_STOPPED : VFIO_EEH_PE_STATE_UNAVAIL;
    }
    return dmaStopped ? VFIO_EEH_PE_STATE_STOPPED_DMA : VFIO_EEH_PE_STATE_NORMAL;
  }

  /**
   * The endpoint is stopped before the reset, and stays so until the reset is deactivated. To write
   * the command registers back is left to the user.
   */
  private void reset() {
    freeze();
    resetDevices.run();
  }

  private int inject(UserArgument argument) throws UserFault {
    var operation = argument.copyIn(MINIMUM, VfioEehPeOp.BYTES);
    if (UserArgument.isShort(VfioEehPeOp.ARGSZ.get(operation), VfioEehPeOp.BYTES)) {
      return Errno.EINVAL.result();
    }
    operation = argument.copyIn(VfioEehPeOp.BYTES);
    int function = VfioEehPeOp.ERR_FUNC.get(operation);
    if (function < 0 || function > LAST_FUNCTION) {
      return Errno.EINVAL.result();
    }
    int type = VfioEehPeOp.ERR_TYPE.get(operation);
    if (type < 0 || type > LAST_ERROR_TYPE) {
      return Errno.ERANGE.result();
    }
    injected = function;
    return 0;
  }

  /** The device is given to somebody: what was stopped before does not stop it. */
  public void thaw() {
    registersStopped = false;
    dmaStopped = false;
  }

  private void freeze() {
    registersStopped = true;
    dmaStopped = true;
    injected = NO_FUNCTION;
  }

  /** Whether a register access is stopped, or is the one that makes an error. */
  public boolean stopsRegister(boolean write) {
    boolean hit = write ? isInjected(6, 7) : isInjected(0, 1);
    if (hit) {
      freeze();
    }
    return registersStopped;
  }

  /** Whether a DMA is stopped, or is the one that makes an error. */
  public boolean stopsDma(boolean write) {
    boolean hit = write ? isInjected(16, 19) : isInjected(12, 15);
    if (hit) {
      freeze();
    }
    return dmaStopped;
  }

  private boolean isInjected(int first, int last) {
    return injected >= first && injected <= last;
  }
}
