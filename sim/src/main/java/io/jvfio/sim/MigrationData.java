package io.jvfio.sim;

import io.jvfio.model.ConfigSpace;
import io.jvfio.model.MigratableModel;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;

/**
 * What a stream carries: snapshots, each a mark, the length of configuration space and of the
 * model's state in bytes, and these themselves, big-endian. The last whole one counts.
 */
final class MigrationData {
  private static final long MARK = 0x6a_76_66_69_6f_73_69_6dL;
  private static final int HEAD = Long.BYTES + 2 * Integer.BYTES;

  private MigrationData() {}

  /** A snapshot. */
  static byte[] of(MigratableModel model) {
    var config = model.config();
    var state = model.save();
    var data = ByteBuffer.allocate(HEAD + config.byteSize() + state.length);
    data.putLong(MARK).putInt(config.byteSize()).putInt(state.length);
    for (int i = 0; i < config.byteSize(); i++) {
      data.put((byte) config.read(i, 1));
    }
    return data.put(state).array();
  }

  /** Puts the last snapshot of a stream into a model that was reset; whether it is one for it. */
  static boolean load(MigratableModel model, byte[] stream) {
    var rest = ByteBuffer.wrap(stream);
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
    } catch (BufferUnderflowException | IllegalArgumentException e) {
      return false;
    }
    restore(model.config(), config);
    return true;
  }

  private static boolean isSameDevice(ConfigSpace target, byte[] source) {
    for (int i = PciConfig.VENDOR; i < PciConfig.COMMAND; i++) {
      if ((byte) target.read(i, 1) != source[i]) {
        return false;
      }
    }
    return true;
  }

  /** Where BARs and interrupts are is the new host's to say. */
  private static void restore(ConfigSpace target, byte[] source) {
    for (int i = 0; i < source.length; i++) {
      boolean isPlace =
          (i >= PciConfig.BAR0 && i < PciConfig.ROM_BAR + Integer.BYTES)
              || i == PciConfig.INTERRUPT_LINE;
      if (!isPlace) {
        target.set(i, 1, source[i]);
      }
    }
  }
}
