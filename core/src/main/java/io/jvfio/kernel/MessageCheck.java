// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.PciConfigSpace;
import io.jvfio.VfioException;
import io.jvfio.linux.uapi.PciRegs;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Says why a device sends no messages when somebody has waited for one in vain: bus mastering is
 * off. Source: PCI Local Bus Specification, "Command Register", bit 2.
 *
 * <p>A wait that ends in vain is nothing special, and a look at configuration space is a system
 * call or a question to a server. So there is one look at most after each write of COMMAND, and
 * none after one that turned bus mastering on.
 */
public final class MessageCheck {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  /** Whether COMMAND may have bus mastering off, and nobody has looked since. */
  private final AtomicBoolean worthALook = new AtomicBoolean(true);

  /** The low byte of COMMAND, at least, was written. */
  public void commandWritten(int value) {
    worthALook.set((value & PciRegs.PCI_COMMAND_MASTER) == 0);
  }

  /** The device was reset, so that COMMAND may have any value. */
  public void commandLost() {
    worthALook.set(true);
  }

  /**
   * A wait for a message ended in vain.
   *
   * @param interrupt what messages call it
   */
  public void waitedInVain(PciConfigSpace config, String interrupt) {
    if (!worthALook.get() || !worthALook.compareAndSet(true, false)) {
      return;
    }
    boolean isOff;
    try {
      isOff = (config.read16(PciRegs.PCI_COMMAND) & PciRegs.PCI_COMMAND_MASTER) == 0;
    } catch (VfioException | IllegalStateException e) {
      return; // a device that is gone or closed does not tell; its next user hears of that
    }
    if (isOff) {
      LOG.log(
          System.Logger.Level.WARNING,
          "{0}: waited in vain, since bus mastering is off (COMMAND bit 2) and a device sends no message without it."
              + " Turn it on with VfioDevice.enableBusMaster() or PciDevice.startBusMastering().",
          interrupt);
    }
  }
}
