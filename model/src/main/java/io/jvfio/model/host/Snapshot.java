// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.host;

import static io.jvfio.linux.uapi.PciRegs.PCI_BASE_ADDRESS_0;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_INTX_DISABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_IO;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MASTER;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MEMORY;
import static io.jvfio.linux.uapi.PciRegs.PCI_INTERRUPT_LINE;
import static io.jvfio.linux.uapi.PciRegs.PCI_ROM_ADDRESS;
import static io.jvfio.linux.uapi.PciRegs.PCI_VENDOR_ID;

import io.jvfio.model.ConfigSpace;
import io.jvfio.model.MigratableModel;
import java.nio.ByteBuffer;

/**
 * The stream that hosts of models move in a migration: snapshots, each a mark, the length of
 * configuration space and of the model's state in bytes, and these themselves, big-endian. The last
 * whole one counts.
 */
public final class Snapshot {
  private static final long MARK = 0x6a_76_66_69_6f_73_69_6dL;

  private static final int HOST_COMMANDS =
      PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE;

  private static final int HEAD = Long.BYTES + 2 * Integer.BYTES;

  private Snapshot() {}

  /** A snapshot of a model that does nothing meanwhile. */
  public static byte[] of(MigratableModel model) {
    var config = model.config();
    var state = model.save();
    var data = ByteBuffer.allocate(HEAD + config.byteSize() + state.length);
    data.putLong(MARK).putInt(config.byteSize()).putInt(state.length);
    for (int i = 0; i < config.byteSize(); i++) {
      data.put((byte) config.read(i, 1));
    }
    return data.put(state).array();
  }

  /**
   * Puts the last snapshot of a stream into a model that was reset; whether it is one for it. What
   * the model does if it is not is undefined until a reset.
   */
  public static boolean load(MigratableModel model, ByteBuffer stream) {
    var rest = stream.slice();
    var config = new byte[0];
    var state = new byte[0];
    try {
      do {
        long mark = rest.getLong();
        int configBytes = rest.getInt();
        int stateBytes = rest.getInt();
        if (mark != MARK
            || configBytes != model.config().byteSize()
            || stateBytes < 0
            || stateBytes > rest.remaining()) {
          return false;
        }
        state = new byte[stateBytes];
        config = new byte[configBytes];
        rest.get(config).get(state);
      } while (rest.hasRemaining());
      if (!isSameDevice(model.config(), config)) {
        return false;
      }
      model.restore(state);
    } catch (RuntimeException e) {
      return false; // of the stream, or of a model that did not expect such a state
    }
    restore(model.config(), config);
    return true;
  }

  private static boolean isSameDevice(ConfigSpace target, byte[] source) {
    for (int i = PCI_VENDOR_ID; i < PCI_COMMAND; i++) {
      if ((byte) target.read(i, 1) != source[i]) {
        return false;
      }
    }
    return true;
  }

  /**
   * What software had written. What the device itself has set is for the model to restore; where
   * BARs and interrupts are is the new host's to say.
   */
  private static void restore(ConfigSpace target, byte[] source) {
    for (int i = 0; i < source.length; i++) {
      boolean isPlace =
          (i >= PCI_BASE_ADDRESS_0 && i < PCI_ROM_ADDRESS + Integer.BYTES)
              || i == PCI_INTERRUPT_LINE;
      if (!isPlace) {
        target.write(i, 1, source[i]);
      }
    }
    // These bits of a function belong to its host, whatever the model lets software write.
    int command =
        Byte.toUnsignedInt(source[PCI_COMMAND]) | Byte.toUnsignedInt(source[PCI_COMMAND + 1]) << 8;
    target.set(
        PCI_COMMAND, 2, (target.read(PCI_COMMAND, 2) & ~HOST_COMMANDS) | (command & HOST_COMMANDS));
  }
}
